"""A season in one call: 350 shots x 20 takes checked and accepted over HTTP, read, and paused.

Beside it, in turn, a batch of 70 takes: what one take costs to accept, and what a look at a batch costs, has to stay as it
is. The pause is measured from the moment it is asked for to the last call that went to a model. The batches stay
paused afterwards, so that the later ones are asked for and run beside them.
"""

import asyncio
import json
import statistics
import time
from typing import Any

from benchmarks.report import Measure, spread
from benchmarks.studio import Studio
from circletake.kit import clock

ACCEPT_SECONDS, PAUSE_SECONDS = 10.0, 2.0
# a page is as long in both; the batch itself adds up a hundred times as many takes
LOOK_RATIOS = {"batch": 3.0, "page": 1.5}
SHOTS, TAKES = 350, 20
FEW = 7  # shots, of ten takes
ROUNDS = 3
LOOKS = 20
AT_WORK = 10  # calls
_OF_BATCH = """
from invocations i join takes t on t.id = i.take_id join generations g on g.id = t.generation_id
where g.batch_id = $1::uuid
"""
_CALLS = f"select count(*) {_OF_BATCH}"
_LAST_CALL = f"select max(i.call_started_at) {_OF_BATCH}"


async def measure(studio: Studio) -> list[Measure]:
    await _shots(studio)
    small, large, pauses = [], [], []
    looks: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        seconds, few = await _ask(studio, FEW, 10)
        small.append(seconds)
        await _do(studio, f"{few}/pause")
        seconds, many = await _ask(studio, SHOTS, TAKES)
        large.append(seconds)
        await _at_work(studio, many)
        pauses.append(await _pause(studio, many))
        for name, path in (("batch", ""), ("page", f"/generations?limit={FEW}")):
            looks.setdefault(name, []).append(
                await _look(studio, many + path) / await _look(studio, few + path)
            )
    per_take = [(b / SHOTS / TAKES) / (a / FEW / 10) for a, b in zip(small, large, strict=True)]
    told = f"{spread(large)}; {SHOTS} shots x {TAKES} takes"
    return [
        Measure("batch_accept_seconds", statistics.median(large), "s", ACCEPT_SECONDS, "lower", told),
        Measure(
            "batch_accept_per_take", statistics.median(per_take), "ratio", 1.0, "lower", spread(per_take)
        ),
        Measure("batch_pause_seconds", max(pauses), "s", PAUSE_SECONDS, "lower", spread(pauses)),
        *(
            Measure(
                f"batch_{name}_look",
                statistics.median(found),
                "ratio",
                LOOK_RATIOS[name],
                "lower",
                spread(found),
            )
            for name, found in looks.items()
        ),
    ]


async def _shots(studio: Studio) -> None:
    lines = "\n".join(json.dumps({"code": f"BENCH_{number:04}"}) for number in range(SHOTS))
    url = f"{studio.stack.api_url}/v1/productions/{studio.production_id}/shots/import"
    headers = {**studio.headers, "Content-Type": "application/jsonl"}
    async with studio.http.post(url, data=lines, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"the shots were refused: {answer.status} {await answer.text()}")


async def _ask(studio: Studio, shots: int, takes: int) -> tuple[float, str]:
    """Ask for a batch; return the seconds until the answer, and where it is."""
    work = studio.work(takes)
    row = {name: work[name] for name in ("kind", "takes", "controls")}
    file = "\n".join(
        json.dumps({**row, "shot": f"BENCH_{number:04}", "prompt": f"{work['prompt']}, {number}"})
        for number in range(shots)
    )
    url = f"{studio.stack.api_url}/v1/generation-batches?production_id={studio.production_id}"
    headers = {**studio.headers, "Content-Type": "application/x-ndjson"}
    begun = time.monotonic()
    async with studio.http.post(url, data=file, headers=headers) as answer:
        body = await answer.text()
        if answer.status != 202:
            raise RuntimeError(f"the batch was refused: {answer.status} {body[:500]}")
        return time.monotonic() - begun, answer.headers["Location"]


async def _at_work(studio: Studio, place: str) -> None:
    """Wait until calls of the batch go to the model one after another."""
    while await studio.rows.fetchval(_CALLS, place.rsplit("/", 1)[-1]) < AT_WORK:  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.1)


async def _pause(studio: Studio, place: str) -> float:
    """Pause; return the seconds from asking for it to the last call to a model."""
    asked = clock.now()
    await _do(studio, f"{place}/pause")
    await asyncio.sleep(3.0)  # whatever were to follow would have
    last = await studio.rows.fetchval(_LAST_CALL, place.rsplit("/", 1)[-1])
    if last is None:
        raise RuntimeError("nothing of the batch had gone to a model")
    return max(0.0, float((last - asked).total_seconds()))


async def _do(studio: Studio, path: str) -> Any:
    async with studio.http.post(f"{studio.stack.api_url}{path}", headers=studio.headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {await answer.text()}")
        return await answer.json()


async def _look(studio: Studio, path: str) -> float:
    """Return the median seconds of a read."""
    found = []
    for _ in range(LOOKS):
        begun = time.monotonic()
        async with studio.http.get(f"{studio.stack.api_url}{path}", headers=studio.headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        found.append(time.monotonic() - begun)
    return statistics.median(found)
