"""Starts the embedded S3 server; see the package for what it is."""

import asyncio
import json
import os
import signal
from pathlib import Path

from services.embedded.s3_server.door import Door
from services.embedded.s3_server.durability import refuse_small_parts, report_write_faults
from services.embedded.s3_server.keys import authenticate_ciphertexts
from services.embedded.s3_server.modules import load_ministack, prepare_environment
from services.embedded.s3_server.principals import forget_root_keys, refuse_unknown_roles


async def serve(door: Door, host: str, port: int) -> None:
    from hypercorn.asyncio import serve as serve_asgi
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{host}:{port}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve_asgi(door, config, shutdown_trigger=stop.wait)


def main() -> None:
    os.umask(0o077)
    env = os.environ  # noqa: TID251 - the composition root of this process
    port, directory = int(env["S3_PORT"]), Path(env["S3_DIR"]).resolve()
    users = json.loads(Path(env["S3_USERS"]).read_text())
    prepare_environment(port, directory)
    modules = load_ministack()
    forget_root_keys(modules)
    refuse_unknown_roles(modules)
    report_write_faults(modules)
    refuse_small_parts(modules.s3)
    authenticate_ciphertexts(modules.kms)
    # in a container of its own it is reached from the others, by a name they know it by
    names = [name for name in env.get("S3_NAMES", "").split(",") if name]
    door = Door(modules, directory, port, users, names)
    asyncio.run(serve(door, env.get("S3_HOST", "127.0.0.1"), port))


if __name__ == "__main__":
    main()
