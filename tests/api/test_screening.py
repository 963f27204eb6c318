"""People nobody declared: a face inside the matte waits for a person, one outside it waits for nobody."""

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.api.faces import png, portrait
from tests.cast import upload
from tests.gateway import Studio

FACE = (slice(60, 180), slice(155, 285))  # of the portrait
CORNER = (slice(400, 480), slice(20, 90))  # a bit of the flag


def matte(where: tuple[slice, slice]) -> Image.Image:
    white = np.zeros((512, 512), np.uint8)
    white[where] = 255
    return Image.fromarray(cv2.GaussianBlur(white, (0, 0), 1))


@pytest.fixture(scope="module")
async def place(studio: Studio) -> dict[str, str]:
    production = await studio.production()
    shot = await studio.shot(production["id"])
    return {"production_id": production["id"], "shot_id": shot["id"]}


async def asked(studio: Studio, place: dict[str, str], where: tuple[slice, slice]) -> Any:
    plate = await upload(studio, place["production_id"], png(portrait()), role="plate")
    through = await upload(studio, place["production_id"], png(matte(where)), role="matte")
    body = {**place, "kind": "cleanup", "inputs": {"plate": plate, "matte": through}}
    made = await studio.post("/v1/generations", body)
    assert made.status == 202, made.body
    return await settled(studio, made.json["id"])


async def settled(studio: Studio, generation_id: str) -> Any:
    """The generation once it is held or has ended."""
    for _ in range(90):
        found = await studio.get(f"/v1/generations/{generation_id}", headers={"Prefer": "wait=1"})
        if found.json["state"] not in {"queued", "running"}:
            return found.json
    raise AssertionError("it neither ends nor is held")


async def test_an_undeclared_face_in_the_matte_is_held_with_its_crop(
    studio: Studio, place: dict[str, str]
) -> None:
    """No model sees it; whoever decides sees the face. Once cleared it isn't asked about again, until that is taken
    back."""
    held = await asked(studio, place, FACE)
    assert (held["state"], held["takes"][0]["hold_reason"]) == ("held", "undeclared_likeness")
    (hold,) = (await studio.get(f"/v1/holds?generation_id={held['id']}")).json["data"]
    clearer = await studio.person("rights_clearance_manager", name="Rita")
    shown = (await clearer.get(f"/v1/holds/{hold['id']}")).json
    (face,) = shown["faces"]
    left, top, width, height = face["box"]
    assert left < 219 < left + width
    assert top < 119 < top + height
    async with studio.http.get(face["url"]) as crop:
        assert (crop.status, crop.headers["Content-Type"]) == (200, "image/jpeg")
    freed = await clearer.post(f"/v1/holds/{hold['id']}/release", {"note": "an extra, from behind"})
    assert freed.status == 200, freed.body
    assert (await settled(studio, held["id"]))["state"] == "succeeded"
    assert (await asked(studio, place, FACE))["state"] == "succeeded"
    (cleared,) = (await studio.get(f"/v1/media/{face['media_id']}/cleared-faces")).json["data"]
    assert (cleared["decision"], cleared["note"]) == ("no_likeness", "an extra, from behind")
    assert (await studio.post(f"/v1/cleared-faces/{cleared['id']}/revoke")).json["code"] == "person_required"
    assert (await clearer.post(f"/v1/cleared-faces/{cleared['id']}/revoke")).status == 200
    assert (await asked(studio, place, FACE))["state"] == "held"


async def test_a_face_outside_the_matte_holds_nothing(studio: Studio, place: dict[str, str]) -> None:
    """Nobody in the region is altered, so nobody is asked."""
    made = await asked(studio, place, CORNER)
    assert made["state"] == "succeeded", made


async def test_rights_are_said_again_and_all_of_it_stays_on_record(
    studio: Studio, place: dict[str, str]
) -> None:
    """The newest statement holds, and says whether the file may be used; an override takes a person."""
    picture = png(Image.fromarray(np.asarray(portrait())[256:, :128]))
    media_id = await upload(studio, place["production_id"], picture, rights_basis="unknown")
    body = {
        "production_id": place["production_id"],
        "kind": "concept_art",
        "prompt": "a flag",
        "inputs": {"reference": media_id},
    }
    refused = await studio.post("/v1/generations", body)
    (violation,) = refused.json["errors"]
    assert (violation["pointer"], violation["code"]) == ("/inputs/reference", "rights_unknown")
    records = f"/v1/media/{media_id}/rights-records"
    override = {"basis": "owned", "ai_inference_override": True, "override_reason": "the photographer agreed"}
    assert (await studio.post(records, override)).json["code"] == "person_required"
    reviewer = await studio.person("production_manager", name="Pia")
    assert (await reviewer.post(records, {"basis": "licensed"})).status in {403, 422}
    licence = {
        "basis": "licensed",
        "licence_id": "L-7",
        "licensor": "An agency",
        "term_from": "2020-01-01",
        "term_until": "2020-12-31",
        "evidence_sha256": "b" * 64,
    }
    assert (await studio.post(records, licence)).status == 201
    ended = await studio.post("/v1/generations", body)
    assert ended.json["errors"][0]["code"] == "licence_ended"
    clearer = await studio.person("rights_clearance_manager", name="Rita")
    assert (await clearer.post(records, override)).status == 201
    said = (await studio.get(records)).json["data"]
    assert [(each["number"], each["basis"], each["current"]) for each in said] == [
        (2, "owned", True),
        (1, "licensed", False),
    ]
    assert (said[0]["override_reason"], said[1]["licensor"]) == ("the photographer agreed", "An agency")
    assert (await studio.get(f"/v1/media/{media_id}")).json["rights_basis"] == "owned"
    assert (await studio.post("/v1/generations", body)).status == 202
