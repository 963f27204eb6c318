"""Performers and their consents for tests: everything a consent has to say, so that a test names what it changes."""

import secrets
from typing import Any

from tests.gateway import Client, Reply, Studio

PDF = b"%PDF-1.7\n% signed, separately and conspicuously\n"
STREAMING = {"media": ["streaming"], "territories": ["*"]}


async def performer(studio: Studio, **changes: Any) -> Any:
    made = await studio.post("/v1/performers", {"name": "Ida Berg", **changes})
    assert made.status == 201, made.body
    return made.json


async def character(studio: Studio, production: Any, name: str | None = None) -> str:
    body = {"kind": "human", "script_name": name or f"MARA {secrets.token_hex(4)}"}
    made = await studio.post(f"/v1/productions/{production['id']}/characters", body)
    assert made.status == 201, made.body
    return str(made.json["id"])


async def portrayal(studio: Studio, character_id: str, performer_id: str, **more: Any) -> Any:
    made = await studio.post(
        f"/v1/characters/{character_id}/portrayals", {"performer_id": performer_id, **more}
    )
    assert made.status == 201, made.body
    return made.json


async def consent(studio: Studio, performer_id: str, production: Any, **changes: Any) -> Any:
    """A draft that says everything but its document."""
    body = {
        "replica_type": "employment_based",
        "description": "The lighthouse keeper as a young woman, in wide shots of the storm.",
        "production_ids": [production["id"]],
        "kinds": ["concept_art", "cleanup", "element", "previs_shot"],
        **STREAMING,
        "valid_from": "2026-01-01",
        "valid_until": "2098-12-31",
        "signer_role": "performer",
        "signer_name": "Ida Berg",
        "signed_on": "2026-01-05",
        **changes,
    }
    made = await studio.post(f"/v1/performers/{performer_id}/consents", body)
    assert made.status == 201, made.body
    return made.json


async def grant(manager: Client, draft: Any) -> Reply:
    return await manager.post(
        f"/v1/consents/{draft['id']}/grant", {"document_sha256": "ab" * 32}, headers={"If-Match": "*"}
    )


async def granted(studio: Studio, manager: Client, performer_id: str, production: Any, **changes: Any) -> Any:
    """A consent that a rights clearance manager has granted."""
    draft = await consent(studio, performer_id, production, **changes)
    requested = await studio.post(f"/v1/consents/{draft['id']}/request")
    assert requested.status == 200, requested.body
    done = await grant(manager, draft)
    assert done.status == 200, done.body
    return done.json
