"""Run a worker: `python -m services.worker --lanes generate,finish --name worker-1`.

SIGTERM stops it at once from claiming, hands back what isn't in a paid call, and gives paid calls
`CIRCLETAKE_WORKER__SHUTDOWN_GRACE_SECONDS` to be recorded.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys

import uvloop
from prometheus_client import start_http_server

from circletake.adapters.arq.worker import BellWorker
from circletake.kit import logs
from circletake.settings import Settings, WorkerSettings
from circletake.usecases.steps import beat
from services.worker import metrics
from services.worker.lanes import LANES, handlers
from services.worker.runner import Runner
from services.worker.wiring import Workshop, build_workshop

log = logs.logger("services.worker")

BEAT_SECONDS = 4.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.worker", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--lanes", default=",".join(LANES[:-1]), help=f"comma-separated, of: {', '.join(LANES)}"
    )
    parser.add_argument("--name", default="worker", help="shown in logs and to the operator")
    given = parser.parse_args()
    unknown = set(given.lanes.split(",")) - set(LANES)
    if unknown:
        parser.error(f"no such lane: {', '.join(sorted(unknown))}")
    return given


def slots_of(settings: WorkerSettings, lane: str) -> int:
    slots: int = getattr(settings, f"{lane}_slots")
    return slots


async def serve(settings: Settings, lanes: list[str], name: str) -> None:
    worker = f"{name}@{socket.gethostname()}:{os.getpid()}"
    slots = {lane: slots_of(settings.worker, lane) for lane in lanes}
    shop = build_workshop(settings, slots=sum(slots.values()))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pairs = [_lane(settings, shop, lane, slots[lane], worker) for lane in lanes]
    bells = [
        asyncio.create_task(bell.run(), name=f"bell-{lane}")
        for lane, (_, bell) in zip(lanes, pairs, strict=True)
    ]
    for ear in bells:
        ear.add_done_callback(lambda _: stop.set())  # deaf in one lane: end, and be started again
    runners = {lane: pair[0] for lane, pair in zip(lanes, pairs, strict=True)}
    beats = asyncio.create_task(_beat(shop, worker, runners))
    if settings.metrics.port:
        start_http_server(settings.metrics.port)
    log.info("worker_ready", worker=worker, lanes=",".join(lanes))
    await stop.wait()
    log.info("worker_stopping", worker=worker)
    for runner, bell in pairs:
        bell.stop_polling()
        runner.stop_claiming()
    beats.cancel()
    await asyncio.gather(
        _say_alive(shop, worker, runners),  # with no slots: nothing more is rung for us
        *(runner.drain(settings.worker.shutdown_grace_seconds) for runner, _ in pairs),
    )
    for _, bell in pairs:
        bell.stop()
    await asyncio.gather(beats, *bells, return_exceptions=True)
    for _, bell in pairs:
        await bell.close()
    await shop.close()
    log.info("worker_stopped", worker=worker)


def _lane(
    settings: Settings, shop: Workshop, lane: str, slots: int, worker: str
) -> tuple[Runner, BellWorker]:
    bell: BellWorker

    def freed() -> None:
        bell.slot_freed()

    runner = Runner(
        database=shop.tools.database,
        handlers=handlers(shop.tools),
        lane=lane,
        slots=slots,
        worker=worker,
        lease_seconds=settings.worker.lease_seconds,
        on_slot_freed=freed,
    )
    bell = BellWorker(
        settings.redis.url.get_secret_value(),
        lane,
        free_slots=runner.free_slots,
        on_bell=runner.on_bell,
    )
    return runner, bell


async def _beat(shop: Workshop, worker: str, runners: dict[str, Runner]) -> None:
    """Say that this process is alive and what it has room for; the dispatcher rings no more than that."""
    while True:
        await _say_alive(shop, worker, runners)
        for lane, runner in runners.items():
            metrics.SLOTS_FREE.labels(lane).set(runner.free_slots())
        await asyncio.sleep(BEAT_SECONDS)


async def _say_alive(shop: Workshop, worker: str, runners: dict[str, Runner]) -> None:
    try:
        await beat(
            shop.tools.database,
            worker=worker,
            slots={lane: runner.slots for lane, runner in runners.items()},
        )
    except Exception:  # noqa: BLE001 - the database may be away for a while; say so and go on
        log.failure("beat_failed", worker=worker)


def main() -> None:
    given = arguments()
    settings = Settings()
    logs.configure(service=given.name, style=settings.log.format, level=settings.log.level)
    uvloop.run(serve(settings, given.lanes.split(","), given.name))
    sys.stdout.flush()
    sys.stderr.flush()
    # everything is closed; a paid call that was given up holds its thread for minutes, and an ordinary exit joins it
    os._exit(0)


if __name__ == "__main__":
    main()
