"""Is this still her? Asked over HTTP, answered by workers, with a sheet to look at."""

import asyncio
from typing import Any

import numpy as np
import pytest

from tests.cast import (
    WAIT,
    backdrop,
    character,
    closer,
    lit,
    png,
    portrait,
    recast,
    redressed,
    retaken,
    upload,
)
from tests.gateway import Studio

Found = dict[str, Any]

JUDGE = "us.amazon.nova-2-lite-v1:0"
EMBEDDER = "titan-embedding@1"


async def finished(studio: Studio, body: Found) -> Found:
    answer = await studio.post("/v1/consistency-checks", body, headers=WAIT)
    for _ in range(3):
        if answer.status != 202 and answer.json.get("finished_at"):
            break
        assert answer.status in {200, 202}, answer.body
        answer = await studio.get(f"/v1/consistency-checks/{answer.json['id']}", headers=WAIT)
    assert answer.json["finished_at"], answer.body
    return dict(answer.json)


async def results(studio: Studio, check: Found, query: str = "") -> list[Found]:
    page = await studio.get(f"/v1/consistency-checks/{check['id']}/results?limit=200{query}")
    assert page.status == 200, page.body
    return list(page.json["data"])


@pytest.fixture(scope="module")
async def cast(studio: Studio) -> Found:
    """A production with one character known from three pictures."""
    production = await studio.production()
    own = portrait()
    made = await character(studio, production["id"], [own, lit(own[:, ::-1], 0.85), closer(own)])
    return {"production": production["id"], **made}


def question(cast: Found, media_ids: list[str], **more: Any) -> Found:
    return {
        "production_id": cast["production"],
        "subjects": [{"character_id": cast["character"]}],
        "material": [{"media_id": each} for each in media_ids],
        **more,
    }


async def test_the_shot_with_another_costume_is_found(studio: Studio, cast: Found) -> None:
    """Among shots of the same person the one in another colour fails, by its wardrobe, and the others pass."""
    own = portrait()
    pictures = [closer(retaken(own), left=40, top=10), redressed(own), lit(retaken(own, 2), 1.15)]
    media = [await upload(studio, cast["production"], png(each)) for each in pictures]
    check = await finished(studio, question(cast, media))
    judged = [each["results"][0] for each in await results(studio, check)]
    assert [each["verdict"] for each in judged] == ["pass", "fail", "pass"], judged
    assert judged[1]["reasons"][0] == "wardrobe_mismatch"
    assert check["verdict"] == "fail"


async def test_another_face_fails_by_identity(studio: Studio, cast: Found) -> None:
    """Other features on the same shoulders are another person."""
    media = await upload(studio, cast["production"], png(recast(portrait())))
    check = await finished(studio, question(cast, [media]))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["verdict"] == "fail"
    assert "identity_below_threshold" in judged["reasons"]


async def test_an_empty_frame_is_not_assessable(studio: Studio, cast: Found) -> None:
    """Nobody in the picture is neither a pass nor a fail, and the reason says so."""
    media = await upload(studio, cast["production"], png(backdrop()))
    check = await finished(studio, question(cast, [media]))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["verdict"] == "not_assessable"
    assert "no_detection" in judged["reasons"]
    assert judged["scores"] == {}


async def test_a_pasted_reference_is_not_consistency(studio: Studio, cast: Found) -> None:
    """A shot that repeats a reference's pixels goes to a person."""
    media = await upload(studio, cast["production"], png(lit(portrait(), 1.02)))
    check = await finished(studio, question(cast, [media]))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert "copy_paste_suspected" in judged["reasons"]
    assert judged["verdict"] == "needs_human"


async def test_the_sheet_comes_as_a_picture_and_as_a_document(studio: Studio, cast: Found) -> None:
    """A finished check has its continuity sheet in the bucket, both signed."""
    media = await upload(studio, cast["production"], png(closer(retaken(portrait()), left=50, top=5)))
    check = await finished(studio, question(cast, [media]))
    for name, media_type in (("sheet_media_id", "image/jpeg"), ("sheet_pdf_media_id", "application/pdf")):
        file = (await studio.get(f"/v1/media/{check[name]}")).json
        assert (file["state"], file["media_type"]) == ("ready", media_type)
        verified = await studio.post("/v1/verify", {"media_id": check[name]}, headers=WAIT)
        assert verified.json["status"] == "trusted", verified.body


async def test_asking_again_gives_the_same_judgement(studio: Studio, cast: Found) -> None:
    """What was judged before is found again: the same scores, to the last digit."""
    media = await upload(studio, cast["production"], png(closer(retaken(portrait()), left=70, top=20)))
    first, second = [await finished(studio, question(cast, [media])) for _ in range(2)]
    one, other = [(await results(studio, each))[0]["results"] for each in (first, second)]
    assert one == other


async def test_two_identical_questions_at_once_are_both_answered(studio: Studio, cast: Found) -> None:
    """Checks of the same file at the same time don't get in each other's way."""
    media = await upload(studio, cast["production"], png(closer(retaken(portrait()), left=30, top=0)))
    checks = await asyncio.gather(*(finished(studio, question(cast, [media])) for _ in range(4)))
    assert {each["verdict"] for each in checks} == {"pass"}


async def test_everything_wrong_with_a_question_is_told_at_once(studio: Studio, cast: Found) -> None:
    """An unknown character, an unknown file and an unknown evaluator: each with its place."""
    nobody = "0193a1f0-0000-7000-8000-000000000000"
    refused = await studio.post(
        "/v1/consistency-checks",
        {
            "production_id": cast["production"],
            "subjects": [{"character_id": nobody}],
            "material": [{"media_id": nobody}, {"shot_id": nobody}],
        },
    )
    assert refused.status == 422
    assert {each["pointer"] for each in refused.json["errors"]} == {
        "/subjects/0/character_id",
        "/material/0/media_id",
        "/material/1/shot_id",
    }


def side_by_side(left: Any, right: Any) -> Any:
    return np.concatenate([left, right], axis=1)


async def test_two_characters_are_told_apart_whatever_their_order(studio: Studio) -> None:
    """Two people in one frame, then in the other order: each is found in their own place and passes."""
    production = (await studio.production())["id"]
    one, other = portrait(), recast(portrait())
    mara = await character(studio, production, [one, lit(one, 0.85)], name="MARA")
    june = await character(studio, production, [other, lit(other, 0.85)], name="JUNE")
    frames = [side_by_side(lit(one, 1.1), lit(other, 1.1)), side_by_side(lit(other, 0.9), lit(one, 0.9))]
    media = [await upload(studio, production, png(each)) for each in frames]
    check = await finished(
        studio,
        {
            "production_id": production,
            "subjects": [{"character_id": each["character"]} for each in (mara, june)],
            "material": [
                {"media_id": each, "expected": [mara["character"], june["character"]]} for each in media
            ],
        },
    )
    places = []
    for each in await results(studio, check, "&frames=true"):
        found = {one["character_id"]: one for one in each["results"]}
        assert {one["scores"]["face"] > 0.5 for one in found.values()} == {True}, found
        places.append(
            found[mara["character"]]["frames"][0]["box"][0] < found[june["character"]]["frames"][0]["box"][0]
        )
    assert places == [True, False]


async def test_an_extra_counts_against_nobody(studio: Studio, cast: Found) -> None:
    """A stranger beside her changes nothing about her verdict."""
    frame = side_by_side(closer(retaken(portrait()), left=55, top=8), recast(portrait()))
    media = await upload(studio, cast["production"], png(frame))
    check = await finished(studio, question(cast, [media]))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["verdict"] == "pass", judged


async def test_a_judge_model_is_heard_on_what_stays_open(studio: Studio, cast: Found) -> None:
    """With a second opinion, what is near the threshold says who was asked, what it cost, and is kept."""
    profile = await studio.post(
        f"/v1/productions/{cast['production']}/consistency-profiles",
        {"thresholds": {"face": {"fail_below": 0.01, "pass_from": 0.9999999}}},
    )
    assert profile.status == 201, profile.body
    media = await upload(studio, cast["production"], png(closer(retaken(portrait()), left=45, top=3)))
    check = await finished(
        studio,
        question(cast, [media], profile_id=profile.json["id"], second_opinion=JUDGE),
    )
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["second_opinion"]["evaluator"].startswith("judge"), judged
    assert judged["second_opinion"]["outcome"] in {"heard", "undecided"}
    assert float(check["cost_usd"]) > 0


async def test_an_embedding_model_adds_its_evidence(studio: Studio, cast: Found) -> None:
    """Named as an evaluator, its score stands beside the offline one's, under its own name and version."""
    media = await upload(studio, cast["production"], png(closer(retaken(portrait()), left=52, top=6)))
    check = await finished(studio, question(cast, [media], evaluators=["likeness@1", EMBEDDER]))
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert EMBEDDER in judged["evaluators"]
    assert "overall" in judged["scores"]
    assert float(check["cost_usd"]) > 0


async def test_a_deleted_character_leaves_nothing_of_its_face(studio: Studio) -> None:
    """With the character go its references, what was cut out of the shots, and the sheets that show it; the verdicts
    stay on record."""
    production = (await studio.production())["id"]
    own = portrait()
    made = await character(studio, production, [own, lit(own, 0.85)])
    media = await upload(studio, production, png(closer(retaken(own))))
    check = await finished(studio, question({"production": production, **made}, [media]))
    path = f"/v1/characters/{made['character']}"
    etag = (await studio.get(path)).headers["ETag"]
    gone = await studio.call("DELETE", path, headers={"If-Match": etag})
    assert gone.status in {200, 204}, gone.body
    for name in ("sheet_media_id", "sheet_pdf_media_id"):
        assert (await studio.post(f"/v1/media/{check[name]}/download")).status == 409
    [[judged]] = [each["results"] for each in await results(studio, check)]
    assert judged["verdict"] == "pass"
