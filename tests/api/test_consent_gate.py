"""No model is called for a performer's likeness without a consent that covers this very use, at any moment."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import cv2
import numpy as np
import pytest

from services.embedded.stack import Stack
from tests.consenting import character, granted, performer, portrayal
from tests.gateway import Client, Studio, onboard
from tests.plates import upload

WAIT = {"Prefer": "wait=30"}
SHOWN = {"media": ["streaming"], "territory": ["DE"]}
Calls = Callable[[], Awaitable[int]]


@pytest.fixture(scope="module")
async def studio(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A studio of these tests' own, so that every call to a model is theirs."""
    return await onboard(http, running)


@pytest.fixture(scope="module")
async def manager(studio: Studio) -> Client:
    return await studio.person("rights_clearance_manager", "production_manager", name="Rhea")


@pytest.fixture
async def calls(running: Stack, studio: Studio) -> Calls:
    """How many calls the model server has had from this studio."""
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        role = await connection.fetchval(
            "select work_role_arn from tenants where id = $1", uuid.UUID(studio.tenant_id)
        )
    finally:
        await connection.close()
    headers = {"Authorization": f"Bearer {running.facts.bedrock_admin_token}"}

    async def count() -> int:
        url = f"{running.bedrock_url}/_offline/calls?limit=10000"
        async with studio.http.get(url, headers=headers) as answer:
            logged = (await answer.json())["calls"]
        return sum(call["role_arn"] == role for call in logged)

    return count


async def cast(studio: Studio, name: str, played_by: str) -> tuple[Any, str, str]:
    """A production, a character of it and the performer who plays it."""
    production = await studio.production()
    who = await character(studio, production, name)
    of = await performer(studio, name=played_by)
    await portrayal(studio, who, of["id"])
    return production, who, str(of["id"])


async def asked(
    studio: Client, production: Any, *, headers: Any = None, prompt: str = "a lighthouse", **more: Any
) -> Any:
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": prompt, "use": SHOWN, **more}
    return await studio.post("/v1/generations", body, headers=headers or WAIT)


async def test_what_no_consent_covers_reaches_no_model(studio: Studio, calls: Calls) -> None:
    """Declared, named in the prompt by character or by performer, or shown in a photograph: refused with the list of
    what is missing, and the model server hears nothing."""
    production, mara, ida = await cast(studio, "MARA", "Ida Berg")
    photograph = (await asked(studio, production)).json["takes"][0]["media_id"]
    await portrayal(studio, mara, ida, kind="likeness", media_id=photograph)
    before = await calls()
    for more in (
        {"depicts": [mara]},
        {"prompt": "Close on Mara's face, rain"},
        {"prompt": "a woman who looks like IDA BERG"},
        {"inputs": {"reference": photograph}},
    ):
        refused = await asked(studio, production, **more)
        assert (refused.status, refused.json["code"]) == (409, "consent_required"), (more, refused.body)
        (missing,) = refused.json["missing"]
        assert (missing["character_id"], missing["performer_id"]) == (mara, ida)
        assert missing["code"] == "no_consent"
        assert "Berg" not in missing["says"]
    assert await calls() == before
    assert len((await studio.get(f"/v1/generations?production_id={production['id']}")).json["data"]) == 1


async def test_a_refusal_names_what_the_nearest_consent_lacks(
    studio: Studio, manager: Client, calls: Calls
) -> None:
    """A consent for another kind and medium is no consent for this one, and the answer says so."""
    production, mara, ida = await cast(studio, "MARA", "Ida Berg")
    agreed = await granted(studio, manager, ida, production, kinds=["cleanup"], media=["theatrical"])
    before = await calls()
    refused = await asked(studio, production, depicts=[mara])
    assert [(each["code"], each["consent_id"]) for each in refused.json["missing"]] == [
        ("kind_not_covered", agreed["id"]),
        ("media_not_covered", agreed["id"]),
    ]
    assert await calls() == before


async def test_what_a_consent_covers_runs_and_says_what_it_relied_on(
    studio: Studio, manager: Client, calls: Calls
) -> None:
    """The consent's id and the hash of its document are frozen into the take."""
    production, mara, ida = await cast(studio, "MARA", "Ida Berg")
    agreed = await granted(studio, manager, ida, production)
    before = await calls()
    done = await asked(studio, production, depicts=[mara])
    assert (done.status, done.json["state"]) == (200, "succeeded"), done.body
    assert await calls() == before + 1
    (take,) = done.json["takes"]
    assert take["permission"]["consents"] == [
        {"id": agreed["id"], "document_sha256": agreed["document_sha256"]}
    ]


async def test_a_take_of_somebody_shows_them(studio: Studio, manager: Client, calls: Calls) -> None:
    """A take that was made with a consent, and is used again without one, is their likeness still."""
    production, mara, ida = await cast(studio, "MARA", "Ida Berg")
    agreed = await granted(studio, manager, ida, production)
    (take,) = (await asked(studio, production, depicts=[mara])).json["takes"]
    await manager.post(f"/v1/consents/{agreed['id']}/revoke")
    before = await calls()
    refused = await asked(studio, production, inputs={"reference": take["media_id"]})
    assert [each["code"] for each in refused.json["missing"]] == ["revoked"]
    assert await calls() == before


async def test_a_consent_that_is_revoked_meanwhile_holds_what_waits_and_a_new_one_runs_it_once(
    studio: Studio, manager: Client, calls: Calls
) -> None:
    """Accepted, then revoked before any worker claimed it: held. A new consent and a person's release run it, once."""
    production, mara, ida = await cast(studio, "MARA", "Ida Berg")
    agreed = await granted(studio, manager, ida, production)
    await _labour_action(manager, production, on=True)
    accepted = (await asked(studio, production, headers={"Prefer": "wait=0"}, depicts=[mara])).json
    assert accepted["state"] == "held"
    before = await calls()
    assert (await manager.post(f"/v1/consents/{agreed['id']}/revoke")).status == 200
    await _labour_action(manager, production, on=False)
    hold = await _held_for_consent(studio, accepted["id"])
    assert [line["rule"] for line in hold["lines"]] == ["revoked"]
    refused = await manager.post(f"/v1/holds/{hold['id']}/release")
    assert (refused.status, refused.json["code"]) == (409, "consent_required")
    assert await calls() == before
    await granted(studio, manager, ida, production)
    released = await manager.post(f"/v1/holds/{hold['id']}/release")
    assert released.status == 200, released.body
    done = await studio.get(f"/v1/generations/{accepted['id']}", headers=WAIT)
    assert done.json["state"] == "succeeded", done.body
    assert await calls() == before + 1


async def _labour_action(manager: Client, production: Any, *, on: bool) -> None:
    place = f"/v1/productions/{production['id']}/labour-action"
    switched = await manager.call("PUT", place, json={"on": on})
    assert switched.status == 200, switched.body


async def _held_for_consent(studio: Studio, generation_id: str) -> Any:
    """The open hold that the claim opened."""
    async with asyncio.timeout(20):
        while True:
            found = await studio.get(f"/v1/holds?generation_id={generation_id}&state=open")
            waiting = [each for each in found.json["data"] if each["reason"] == "awaiting_consent"]
            if waiting:
                return waiting[0]
            await asyncio.sleep(0.1)


async def test_a_performer_named_in_what_is_looked_for_needs_a_consent_too(
    studio: Studio, tmp_path: Path
) -> None:
    """Whoever is named as what is to be replaced in the plate is depicted as much as whoever is to be drawn."""
    production, _, _ = await cast(studio, "ESTHER VALE", "Dana Okoro")
    shot = await studio.shot(production["id"])
    place = {"production_id": production["id"], "shot_id": shot["id"]}
    cv2.imwrite(str(tmp_path / "plate.png"), np.full((96, 128, 3), 90, np.uint8))
    plate = await upload(studio, place, tmp_path / "plate.png", "plate")
    body = {**place, "kind": "replace", "inputs": {"plate": plate}, "prompt": "a coat stand", "use": SHOWN}
    named = await studio.post("/v1/generations", {**body, "search_prompt": "Esther Vale by the door"})
    assert (named.status, named.json["code"]) == (409, "consent_required")
