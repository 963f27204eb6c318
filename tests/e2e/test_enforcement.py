"""Take after take until one is her: the whole way, over HTTP, with models that drift on order."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from circletake.adapters.catalogue.files import load_catalogue
from services.embedded.stack import Stack
from tests.cast import WAIT
from tests.enforcing import COPIES_PASS, CORE, SD35, ULTRA, Casting, cast_on, drifting, rungs, verdicts
from tests.faults.books import price_in
from tests.gateway import onboard

JUDGE = "us.amazon.nova-2-lite-v1:0"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
async def casting(running: Stack, http: aiohttp.ClientSession) -> Casting:
    return await cast_on(running, await onboard(http, running))


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


async def test_only_the_region_that_failed_is_made_anew(casting: Casting) -> None:
    """The repainted take equals the failed one outside its matte, and says in its provenance what it was made of."""
    async with drifting(casting, when={"mode": "text-to-image"}, wardrobe=110):
        found = await casting.enforced(rungs=["inpaint_region"])
    assert (found["state"], rungs(found)) == ("passed", ["first", "inpaint_region"]), found
    failed, repaired = found["attempts"]
    changed = repaired["changed"]
    assert changed["kind"] == "element"
    assert repaired["because"] == failed["reasons"]
    assert repaired["improves_take_id"] == failed["take_id"]
    assert changed["inputs"] == {"plate": failed["media_id"]}
    take = (await casting.studio.get(f"/v1/takes/{repaired['take_id']}")).json
    inputs = take["changes"]["inputs"]
    assert (take["rung"], inputs["plate"]) == ("inpaint_region", failed["media_id"])
    before, after, matte = [
        await casting.picture(each) for each in (failed["media_id"], repaired["media_id"], inputs["matte"])
    ]
    untouched = matte == 0
    assert 0.05 < untouched.mean() < 0.95
    assert (before[untouched] == after[untouched]).all()
    assert (before[~untouched] != after[~untouched]).any()
    file = (await casting.studio.get(f"/v1/media/{repaired['media_id']}")).json
    assert (
        file["digital_source_type"] == "algorithmicMedia"
    )  # wholly the offline darkroom's, plate and region
    verified = await casting.studio.post("/v1/verify", {"media_id": file["id"]}, headers=WAIT)
    assert verified.json["status"] == "trusted", verified.body
    own = (await casting.studio.get(f"/v1/media/{inputs['matte']}")).json
    assert (own["role"], own["state"]) == ("matte", "ready")


async def test_another_model_is_asked_where_the_cause_is_the_model(casting: Casting) -> None:
    """In the order of the request; the take, its cost and its provenance are the other model's."""
    async with drifting(casting, model=SD35, wardrobe=110):
        found = await casting.enforced(rungs=["other_model"], other_models=[ULTRA, CORE])
    assert (found["state"], rungs(found)) == ("passed", ["first", "other_model"]), found
    assert [rung["model"] for rung in found["ladder"]] == [ULTRA, CORE]
    second = found["attempts"][1]
    assert (second["changed"]["model"], second["cost_usd"]) == (ULTRA, "0.140000")
    assert found["spent_usd"] == "0.220000"


async def test_it_gives_up_early_when_no_rung_helps(casting: Casting) -> None:
    """Whatever is tried drifts alike: it stops before its caps, keeps the best for review and says why."""
    async with drifting(casting, wardrobe=110):
        found = await casting.enforced(max_attempts=20, max_cost_usd="20")
    assert (found["state"], found["stop_reason"]) == ("needs_review", "no_rung_can_help"), found
    assert len(found["attempts"]) < 10
    assert "wardrobe" in found["detail"]
    assert found["best_take_id"] in {attempt["take_id"] for attempt in found["attempts"]}
    assert {rung["rung"] for rung in found["unsupported"]} == {"keyframe"}
    assert "keyframe" not in rungs(found)


async def test_a_pass_by_rungs_costs_less_than_blind_seeds(casting: Casting) -> None:
    """The costume is wrong in whatever is made from words; seeds alone find no end, the ladder does at once."""
    async with drifting(casting, when={"mode": "text-to-image"}, wardrobe=110):
        blind = await casting.generation(takes=6)
        takes = (await casting.finished(blind["id"]))["takes"]
        judged = await casting.check([take["id"] for take in takes])
        found = await casting.enforced()
    assert found["state"] == "passed", found
    assert "pass" not in judged
    assert float(found["spent_usd"]) < sum(float(take["cost_usd"]) for take in takes)


async def test_nothing_is_spent_above_the_cap(casting: Casting) -> None:
    """0.20 USD are two takes of 0.08: the third isn't made, and the end says why."""
    async with drifting(casting, wardrobe=110):
        found = await casting.enforced(rungs=["new_seed"], max_cost_usd="0.20", on_exhausted="fail")
    assert (found["state"], found["stop_reason"]) == ("failed", "cost_cap"), found
    assert (len(found["attempts"]), found["spent_usd"]) == (2, "0.160000")
    seeds = [attempt["changed"].get("seed") for attempt in found["attempts"][1:]]
    assert len(set(seeds)) == len(seeds)


async def test_no_more_takes_are_made_than_allowed(casting: Casting) -> None:
    """The generation's own takes count; all of them are judged before another is made."""
    async with drifting(casting, wardrobe=110):
        found = await casting.enforced(takes=2, max_attempts=3, rungs=["new_seed"])
    assert (found["state"], found["stop_reason"]) == ("needs_review", "attempts_used_up"), found
    assert rungs(found) == ["first", "first", "new_seed"]
    assert all(attempt["judged_at"] for attempt in found["attempts"])


@contextlib.asynccontextmanager
async def undecided(casting: Casting) -> AsyncIterator[None]:
    """A profile under which no face is like enough to pass, nor unlike enough to fail."""
    strict = {
        "character_id": casting.character,
        "thresholds": {"face": {"fail_below": 0.001, "pass_from": 0.9999999}},
        "copy_ceiling": COPIES_PASS,
    }
    place = f"/v1/productions/{casting.production}/consistency-profiles"
    profile = (await casting.studio.post(place, strict)).json
    try:
        yield
    finally:
        await casting.studio.call("DELETE", f"/v1/consistency-profiles/{profile['id']}")


async def test_what_a_person_has_to_decide_ends_in_review(casting: Casting) -> None:
    """Near its threshold a take is no pass and no fail: it stops there, with that take to look at."""
    async with undecided(casting):
        found = await casting.enforced()
    assert (found["state"], found["stop_reason"]) == ("needs_review", "needs_human"), found
    assert list(verdicts(found)) == ["needs_human"]
    assert found["best_take_id"] == found["attempts"][0]["take_id"]


async def test_a_second_opinion_is_asked_inside_the_cap_or_not_at_all(casting: Casting) -> None:
    """The judge's tokens count, to the last place as its own log says them; where the takes have used the cap up, the
    question stays a person's."""
    async with undecided(casting):
        asked = await casting.enforced(max_attempts=1, second_opinion=JUDGE)
        broke = await casting.enforced(max_attempts=1, second_opinion=JUDGE, max_cost_usd="0.08")
    assert float(asked["judging_usd"]) > 0
    assert float(asked["at_most_usd"]) == pytest.approx(0.08 + float(asked["judging_usd"]))
    log = (await casting.offline("GET", "calls?limit=10000"))["calls"]
    asks = [
        call
        for call in log
        if call["model_id"] == JUDGE and call["session_name"] == f"circletake-{casting.studio.slug}"
    ]
    assert Decimal(asked["judging_usd"]) == sum(price_in(load_catalogue(), call) for call in asks)
    assert (broke["state"], broke["stop_reason"]) == ("needs_review", "needs_human"), broke
    assert (float(broke["judging_usd"]), float(broke["at_most_usd"])) == (0, 0.08)


async def test_a_finished_generation_can_be_made_to_pass(casting: Casting) -> None:
    """Its take fails the check, another is made and passes; the generation is told finished again, with both."""
    async with drifting(casting, when={"mode": "text-to-image"}, wardrobe=110):
        generation = await casting.finished((await casting.generation())["id"])
        body = {"generation_id": generation["id"], **casting.consistency(rungs=["image_to_image"])}
        made = await casting.studio.post("/v1/consistency-enforcements", body)
        assert made.status == 202, made.body
        found = await casting.ended(made.json["id"])
    assert (found["state"], len(found["attempts"])) == ("passed", 2), found
    again = await casting.finished(generation["id"])
    assert [take["state"] for take in again["takes"]] == ["succeeded"] * 2
    assert again["enforcement_id"] == found["id"]
    assert again["sheet_media_id"] != generation["sheet_media_id"]
    refused = await casting.studio.post("/v1/consistency-enforcements", body)
    assert (refused.status, refused.json["code"]) == (409, "enforcement_exists")


async def test_an_approved_frame_opens_the_clip(casting: Casting) -> None:
    """A clip from words alone has the wrong costume; one that begins with the approved frame hasn't."""
    shot = await casting.studio.shot(casting.production, "ENF_0010")
    approved = (await casting.enforced())["attempts"][-1]["media_id"]
    clip = {"kind": "previs_shot", "shot_id": shot["id"], "controls": {"resolution": "540p"}}
    async with drifting(casting, when={"mode": "text-to-video"}, wardrobe=110):
        found = await casting.enforced(
            generation=clip,
            rungs=["keyframe", "inpaint_region"],
            approved_frame_media_id=approved,
            max_cost_usd="12",
            sampling={"mode": "every", "every": 60, "max_frames": 2},
        )
    assert (found["state"], rungs(found)) == ("passed", ["first", "keyframe"]), found
    assert found["attempts"][1]["changed"]["inputs"] == {"first_frame": approved}
    [unserved] = found["unsupported"]
    assert unserved["rung"] == "inpaint_region"


async def test_its_caps_are_refused_where_they_are_below_what_is_asked(casting: Casting) -> None:
    """Four takes of 0.08 don't fit three attempts or 0.30 USD; nothing is made."""
    caps = casting.consistency(max_attempts=3, max_cost_usd="0.30")
    body = {
        "production_id": casting.production,
        "kind": "concept_art",
        "prompt": "x",
        "takes": 4,
        "consistency": caps,
    }
    refused = await casting.studio.post("/v1/generations", body)
    assert refused.status == 422
    assert {each["pointer"] for each in refused.json["errors"]} == {
        "/consistency/max_attempts",
        "/consistency/max_cost_usd",
    }


async def test_a_quote_says_the_worst_case(casting: Casting) -> None:
    """What all attempts together may cost, and which rungs would be climbed at what price."""
    body = {
        "production_id": casting.production,
        "kind": "concept_art",
        "prompt": "x",
        "consistency": casting.consistency(max_cost_usd="1.50"),
    }
    quote = await casting.studio.post("/v1/quotes", body)
    assert quote.status == 200, quote.body
    assert (quote.json["total"], quote.json["at_most"]) == ("0.080000", "1.50")
    assert {rung["rung"] for rung in quote.json["unsupported_rungs"]} == {"keyframe"}
    assert {"new_seed", "image_to_image", "inpaint_region", "other_model"} == {
        rung["rung"] for rung in quote.json["ladder"]
    }
