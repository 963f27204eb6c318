"""Pictures of tests that go up, and takes that come back."""

import hashlib
from pathlib import Path
from typing import Any

from tests.gateway import Studio


async def upload(
    studio: Studio, place: dict[str, str], path: Path, role: str, media_type: str = "image/png"
) -> str:
    data = path.read_bytes()
    declared = await studio.post(
        "/v1/media",
        {
            **place,
            "role": role,
            "name": path.name,
            "media_type": media_type,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "rights_basis": "owned",
        },
    )
    if declared.status == 200:  # these bytes are here already
        return str(declared.json["id"])
    assert declared.status == 201, declared.body
    upload = declared.json["upload"]
    async with studio.http.put(upload["url"], data=data, headers=upload["headers"]) as sent:
        assert sent.status == 200, await sent.text()
    done = await studio.post(f"/v1/media/{declared.json['id']}/complete", headers={"Prefer": "wait=30"})
    assert done.json["state"] == "ready", done.body
    return str(declared.json["id"])


async def download(studio: Studio, media_id: str, target: Path) -> Path:
    granted = await studio.post(f"/v1/media/{media_id}/download")
    async with studio.http.get(granted.json["url"]) as answer:
        target.write_bytes(await answer.read())
    return target


async def made(studio: Studio, body: dict[str, Any]) -> dict[str, Any]:
    answer = await studio.post("/v1/generations", body, headers={"Prefer": "wait=30"})
    if answer.status == 202:
        answer = await studio.get(answer.headers["Location"], headers={"Prefer": "wait=30"})
    assert answer.json.get("state") == "succeeded", answer.body
    take: dict[str, Any] = answer.json["takes"][0]
    return take
