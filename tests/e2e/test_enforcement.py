"""Take after take until one is her: the whole way, over HTTP, with models that drift on order."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from services.embedded.stack import Stack
from tests.e2e.enforcing import SD35, Casting, cast_on, drifting, rungs, verdicts
from tests.gateway import onboard

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def casting(running: Stack, http: aiohttp.ClientSession) -> AsyncIterator[Casting]:
    yield await cast_on(running, await onboard(http, running))


async def test_a_first_take_that_passes_is_the_last(casting: Casting) -> None:
    """Nothing drifts: one take, one judgement, and the generation is told finished after it."""
    generation = await casting.generation(consistency=casting.consistency())
    found = await casting.ended(generation["enforcement_id"])
    assert (found["state"], found["stop_reason"]) == ("passed", "passed"), found
    assert (rungs(found), list(verdicts(found))) == (["first"], ["pass"])
    finished = await casting.finished(generation["id"])
    assert finished["sheet_media_id"]
    assert found["best_take_id"] == finished["takes"][0]["id"]


async def test_a_rung_that_cures_the_cause_brings_the_pass(casting: Casting) -> None:
    """Words alone give the wrong costume; starting from the approved picture doesn't."""
    async with drifting(casting, when={"mode": "text-to-image"}, wardrobe=110):
        found = await casting.enforced(rungs=["image_to_image"])
    assert (found["state"], rungs(found)) == ("passed", ["first", "image_to_image"]), found
    assert list(verdicts(found)) == ["fail", "pass"]
    assert "wardrobe_mismatch" in found["attempts"][0]["reasons"]
