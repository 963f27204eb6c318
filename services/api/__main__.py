"""Run the gateway: `python -m services.api`. Configured by the environment; see `circletake/settings.py`."""

import uvicorn

from circletake.kit import logs
from circletake.settings import Settings
from services.api.app import build
from services.api.wiring import build_gateway


def main() -> None:
    settings = Settings()
    logs.configure(service="api", style=settings.log.format, level=settings.log.level)
    uvicorn.run(
        build(build_gateway(settings)),
        host=settings.api.host,
        port=settings.api.port,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        # streams end when their clients go; a shutdown doesn't wait for them
        timeout_graceful_shutdown=5,
        lifespan="on",
    )


if __name__ == "__main__":
    main()
