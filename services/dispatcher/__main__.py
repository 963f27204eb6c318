"""Run the dispatcher: `python -m services.dispatcher`. Several may run; one leads, by an advisory lock."""

import asyncio
import os
import signal
import socket

import uvloop
from prometheus_client import start_http_server

from circletake.adapters.arq.doorbell import ArqDoorbell
from circletake.adapters.catalogue.files import load_catalogue
from circletake.kit import logs
from circletake.records.session import Database
from circletake.settings import Settings, require
from services.dispatcher.leader import lead
from services.dispatcher.loop import Dispatcher

log = logs.logger("services.dispatcher")


async def serve(settings: Settings) -> None:
    url = require(settings.database.dispatcher_url, "CIRCLETAKE_DATABASE__DISPATCHER_URL")
    database = Database(url, pool_size=4)
    dispatcher = Dispatcher(
        database=database,
        doorbell=ArqDoorbell(settings.redis.url.get_secret_value()),
        catalogue=load_catalogue(settings.catalogue.override_path, offline=settings.catalogue.offline),
        settings=settings.dispatcher,
        endpoint_cap=settings.webhooks.per_endpoint_concurrency,
        lease_seconds=settings.worker.lease_seconds,
        name=f"dispatcher@{socket.gethostname()}:{os.getpid()}",
    )
    if settings.metrics.port:
        start_http_server(settings.metrics.port)
    serving = asyncio.create_task(lead(url, dispatcher))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("dispatcher_stopped")
    await database.close()


def main() -> None:
    settings = Settings()
    logs.configure(service="dispatcher", style=settings.log.format, level=settings.log.level)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
