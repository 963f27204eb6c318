"""Cancel at every moment of a take's life, and deadlines that pass."""

import asyncio
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.rig import RAY2, Rig

OPEN_CALL = (
    "select exists (select 1 from invocations i join takes t on t.id = i.take_id where t.generation_id = $1)"
)
EXTERNAL = "select exists (select 1 from steps where generation_id = $1 and state = 'external')"


def ending(take: dict[str, Any]) -> tuple[Any, ...]:
    return take["state"], take["failure_code"], take["billed"], take["cost_usd"]


async def test_a_queued_take_is_canceled_at_once_and_costs_nothing(rig: Rig) -> None:
    """It waits for the model behind another one; no call is ever made for it."""
    await rig.narrow()
    await rig.fault("stall", operation="InvokeModel", seconds=2, count=1)
    first = await rig.generate()
    await rig.until(OPEN_CALL, uuid.UUID(first))
    second = await rig.generate()
    take = await rig.take(second)
    canceled = await rig.studio.post(f"/v1/takes/{take['id']}/cancel")
    assert (canceled.status, canceled.json["state"]) == (200, "canceled")
    await rig.finished(first, second)
    assert ending(await rig.take(second)) == ("canceled", "canceled", "false", 0)
    assert len(await rig.calls()) == 1
    await rig.check_books()


async def test_a_running_call_is_canceled_and_paid(rig: Rig) -> None:
    """A synchronous call can't be taken back: the take is canceled, its picture isn't published, its price is booked."""
    await rig.fault("stall", operation="InvokeModel", seconds=1.5, count=1)
    generation = await rig.generate()
    await rig.until(OPEN_CALL, uuid.UUID(generation))
    canceled = await rig.studio.post(f"/v1/generations/{generation}/cancel")
    assert canceled.status in {200, 202}
    await rig.finished(generation)
    take = await rig.take(generation)
    assert ending(take) == ("canceled", "canceled", "true", take["estimate_usd"])
    await rig.check_books()


async def test_an_invocation_under_way_is_canceled_soon_and_paid(rig: Rig) -> None:
    """Bedrock can't cancel it, so nobody waits for its end."""
    await rig.fault("slow_async", operation="StartAsyncInvoke", seconds=600, count=1)
    generation = await rig.generate("previs_shot")
    await rig.until(EXTERNAL, uuid.UUID(generation))
    await rig.studio.post(f"/v1/generations/{generation}/cancel")
    await rig.finished(generation, seconds=20)
    take = await rig.take(generation)
    assert ending(take) == ("canceled", "canceled", "true", take["estimate_usd"])
    await rig.check_books()


async def test_a_take_that_waits_after_a_lost_start_is_not_canceled_as_free(rig: Rig) -> None:
    """The start may have been accepted: the cancel doesn't call it again, and says that it may be paid."""
    await rig.fault("die", operation="StartAsyncInvoke")
    generation = await rig.generate("previs_shot")
    await rig.until(
        "select exists (select 1 from steps where generation_id = $1 and trouble = 'connection' and state = 'ready')",
        uuid.UUID(generation),
    )
    await rig.studio.post(f"/v1/generations/{generation}/cancel")
    await rig.finished(generation, seconds=20)
    assert ending(await rig.take(generation))[:3] == ("canceled", "canceled", "unknown")
    assert len({call["token"] for call in await rig.calls("StartAsyncInvoke")}) == 1


async def test_cancel_races_with_everything(rig: Rig) -> None:
    """Whatever a take was doing in that moment, it ends once and in one way."""
    luck = random.Random(7)
    generations = [await rig.generate(takes=8), await rig.generate("previs_shot", takes=2)]
    takes = [take["id"] for generation in generations for take in await rig.takes(generation)]
    luck.shuffle(takes)

    async def cancel(take_id: uuid.UUID) -> int:
        await asyncio.sleep(luck.uniform(0, 3))
        return (await rig.studio.post(f"/v1/takes/{take_id}/cancel")).status

    statuses = await asyncio.gather(*(cancel(take_id) for take_id in takes))
    assert set(statuses) <= {200, 409}
    await rig.finished(*generations)
    await rig.check_books()
    refused = {take_id for take_id, status in zip(takes, statuses, strict=True) if status == 409}
    succeeded = {row["id"] for row in await rig.mine("takes", "state = 'succeeded'")}
    assert refused == succeeded


async def test_a_deadline_that_passes_in_the_queue_expires_the_take(rig: Rig) -> None:
    """It never started, so it costs nothing, and it doesn't wait for the busy model to say so."""
    await rig.narrow(RAY2)
    await rig.fault("slow_async", operation="StartAsyncInvoke", seconds=600, count=1)
    first = await rig.generate("previs_shot")
    await rig.until(EXTERNAL, uuid.UUID(first))
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    late = await rig.generate("previs_shot", deadline=soon.isoformat())
    await rig.finished(late, seconds=20)
    assert ending(await rig.take(late)) == ("expired", "expired", "false", 0)
    assert len(await rig.calls("StartAsyncInvoke")) == 1
    await rig.studio.post(f"/v1/generations/{first}/cancel")
    await rig.finished(first)


async def test_a_deadline_that_passes_while_the_model_throttles_expires_the_take(rig: Rig) -> None:
    """Nothing was paid, so a throttled take hasn't started; it isn't called again after its deadline."""
    await rig.fault("throttle", operation="InvokeModel")
    soon = datetime.now(UTC) + timedelta(seconds=2)
    generation = await rig.generate(deadline=soon.isoformat())
    await rig.finished(generation, seconds=20)
    assert ending(await rig.take(generation)) == ("expired", "expired", "false", 0)
    await rig.check_books()
