"""`python -m services.bedrock`: start the offline model server."""

import logging
import os
import sys

import uvicorn

from services.bedrock.app import OfflineBedrock, StateUnusable
from services.bedrock.credentials import KeysFileUnusable
from services.bedrock.settings import read_settings

# AWS keeps idle connections for 350 s; a server that closes earlier would fail calls that are never retried
_KEEP_ALIVE_SECONDS = 350


def main() -> None:
    settings = read_settings(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    os.umask(0o077)
    # the drawing processes inherit it: BLAS threads that wait by spinning cost more than they give
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - a composition root
    try:
        app = OfflineBedrock(settings)
    except (KeysFileUnusable, StateUnusable) as error:
        sys.exit(f"bedrock: {error}")
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="on",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
