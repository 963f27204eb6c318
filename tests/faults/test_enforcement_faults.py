"""An enforcement whose workers are killed: inside its caps, every take judged once, none forgotten."""

import asyncio
import contextlib
import uuid
from typing import Any

import pytest

from tests.enforcing import Casting, cast_on, drifting
from tests.faults.rig import Rig
from tests.faults.test_lost_processes import OPEN_CALL, crashed, holder, stuck

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def casting(rig: Rig) -> Casting:
    """A character of this test's own studio, that the models can draw."""
    return await cast_on(rig.stack, rig.studio)


async def ended(rig: Rig, generation: str, *, seconds: float = 180) -> dict[str, Any]:
    """Wait until its enforcement has ended; return it as the database has it."""
    query = "select finished_at is not null from enforcements where generation_id = $1"
    await rig.until(query, uuid.UUID(generation), seconds=seconds)
    [row] = await rig.mine("enforcements", "generation_id = $2", uuid.UUID(generation))
    return dict(row)


async def accepted(casting: Casting, **consistency: Any) -> str:
    made = await casting.generation(consistency=casting.consistency(**consistency))
    return str(made["id"])


async def test_workers_that_are_killed_again_and_again_exceed_nothing(rig: Rig, casting: Casting) -> None:
    """kill -9 at whoever holds a step of it, some seconds apart: it ends inside its attempts and its cost."""
    async with drifting(casting, wardrobe=110):
        generation = await accepted(
            casting, rungs=["new_seed", "inpaint_region"], max_attempts=4, max_cost_usd="0.30"
        )
        over = asyncio.create_task(ended(rig, generation))
        kills = 0
        while not over.done() and kills < 3:
            with contextlib.suppress(TimeoutError):
                name = await holder(rig, generation, seconds=3)
                await rig.kill(name)
                await rig.restart(name)
                kills += 1
            await asyncio.wait({over}, timeout=3)
        found = await over
    assert kills > 1
    assert found["state"] in {"needs_review", "failed"}
    await rig.finished(generation)
    await rig.check_books()


async def test_a_take_whose_judge_was_killed_is_judged_once(rig: Rig, casting: Casting) -> None:
    """The next worker judges it; the pass is the first take's and nothing else is made."""
    generation = await accepted(casting)
    async with stuck(rig, generation):
        pass  # the accept has committed
    name = await holder(rig, generation, "judge", seconds=60)
    await rig.kill(name)
    await rig.restart(name)
    found = await ended(rig, generation)
    assert (found["state"], found["stop_reason"]) == ("passed", "passed")
    assert len(await rig.takes(generation)) == 1
    await rig.finished(generation)
    await rig.check_books()


async def test_what_nobody_knows_the_bill_of_counts_as_spent(rig: Rig, casting: Casting) -> None:
    """A paid call that was killed may cost 0.08: with 0.15 allowed, no second one is made."""
    await rig.fault("stall", operation="InvokeModel", seconds=5, count=1)
    generation = await accepted(casting, rungs=["new_seed"], max_cost_usd="0.15", on_exhausted="fail")
    await rig.until(OPEN_CALL, uuid.UUID(generation))
    name = await holder(rig, generation, "generate")
    await rig.kill(name)
    await rig.restart(name)
    found = await ended(rig, generation)
    [take] = await rig.takes(generation)
    assert (take["failure_code"], take["billed"]) == ("outcome_unknown", "unknown")
    assert (found["state"], found["stop_reason"]) == ("failed", "cost_cap")
    await rig.finished(generation)
    await rig.check_books()


async def test_a_filtered_take_is_followed_by_another(rig: Rig, casting: Casting) -> None:
    """What a safety filter refused is an attempt too; the next one passes."""
    await rig.fault("filter_output_image", count=1)
    generation = await accepted(casting, rungs=["new_seed"])
    found = await ended(rig, generation)
    takes = await rig.takes(generation)
    assert [take["state"] for take in takes] == ["filtered", "succeeded"]
    assert found["state"] == "passed"
    assert takes[1]["retry_of"] == takes[0]["id"]
    assert takes[1]["seed"] != takes[0]["seed"]
    await rig.finished(generation)
    await rig.check_books()


async def test_a_take_that_kills_its_judges_goes_to_a_person(rig: Rig, casting: Casting) -> None:
    """Judging it is given up; the enforcement says that it wasn't judged, instead of making more or waiting."""
    await rig.kill("worker-2")
    generation = await accepted(casting)
    await rig.until(
        "select exists (select 1 from steps where generation_id = $1 and kind = 'judge')",
        uuid.UUID(generation),
        seconds=60,
    )
    async with stuck(rig, generation):
        for crashes, name in ((2, "worker-1"), (3, "worker-isolation")):
            assert await holder(rig, generation, "judge") == name
            await rig.kill(name)
            if name == "worker-1":
                await rig.nearly_given_up("generation_id = $1 and kind = 'judge'", uuid.UUID(generation))
            await rig.restart(name)
            await crashed(rig, generation, crashes)
    found = await ended(rig, generation)
    assert (found["state"], found["stop_reason"]) == ("needs_review", "not_judged")
    assert len(await rig.takes(generation)) == 1
    await rig.finished(generation)
    await rig.check_books()


async def test_cancel_stops_it_for_good(rig: Rig, casting: Casting) -> None:
    """A take in a paid call is asked to stop, nothing else is made or judged, and the generation is told."""
    await rig.fault("stall", operation="InvokeModel", seconds=2, count=1)
    made = await casting.generation(consistency=casting.consistency())
    await rig.until(OPEN_CALL, uuid.UUID(made["id"]))
    refused = await rig.studio.post(f"/v1/takes/{made['takes'][0]['id']}/retry")
    assert refused.status == 409
    canceled = await rig.studio.post(f"/v1/consistency-enforcements/{made['enforcement_id']}/cancel")
    assert (canceled.status, canceled.json["state"]) == (200, "canceled"), canceled.body
    again = await rig.studio.post(f"/v1/consistency-enforcements/{made['enforcement_id']}/cancel")
    assert again.status == 200
    await rig.finished(made["id"])
    assert [take["state"] for take in await rig.takes(made["id"])] == ["canceled"]
    await rig.check_books()


async def test_a_deadline_starts_nothing_more(rig: Rig, casting: Casting) -> None:
    """The take in flight is judged, however late; after it the time is over."""
    await rig.fault("stall", operation="InvokeModel", seconds=6, count=1)
    deadline = await rig.value("select now() + interval '5 seconds'")
    async with drifting(casting, wardrobe=110):
        generation = await accepted(casting, deadline=deadline.isoformat())
        found = await ended(rig, generation)
    assert (found["state"], found["stop_reason"]) == ("needs_review", "deadline")
    assert [take["state"] for take in await rig.takes(generation)] == ["succeeded"]
    await rig.finished(generation)
    await rig.check_books()
