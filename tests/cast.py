"""A small cast for tests: pictures of one person made from scikit-image's public-domain portrait, and the way they
become a character with approved references."""

import hashlib
import io
from typing import Any

import cv2
import numpy as np
from skimage import data

from tests.gateway import Studio

Rgb = np.ndarray[Any, Any]
WAIT = {"Prefer": "wait=30"}


def portrait() -> Rgb:
    """Eileen Collins in her orange suit, 512 x 512 (NASA, public domain)."""
    return np.asarray(data.astronaut())


def lit(picture: Rgb, gain: float) -> Rgb:
    return np.clip(picture.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def closer(picture: Rgb, *, left: int = 60, top: int = 0, side: int = 400) -> Rgb:
    cut = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(cut, (512, 512), interpolation=cv2.INTER_CUBIC))


def redressed(picture: Rgb, degrees: int = 110) -> Rgb:
    """The same person in another colour: everything strongly orange is turned."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    suit = (hsv[..., 1] > 120) & (hsv[..., 0] < 16) & (np.arange(len(hsv))[:, None] > 215)
    hsv[..., 0] = np.where(suit, (hsv[..., 0].astype(int) + degrees // 2) % 180, hsv[..., 0])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def retaken(picture: Rgb, seed: int = 1) -> Rgb:
    """The same person in another exposure: the light lies elsewhere, no pixel's detail is the same."""
    random = np.random.default_rng(seed)
    height, width = picture.shape[:2]

    def field(step: int, size: float) -> Rgb:
        coarse = random.normal(0, size, (height // step + 2, width // step + 2)).astype(np.float32)
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))

    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = (whole + field(24, 2.0) + field(9, 1.0) for whole in (columns, rows))
    moved = cv2.remap(picture, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    exposed = moved * (1 + field(160, 0.06)[..., None]) + random.normal(0, 4, moved.shape)
    return np.clip(exposed, 0, 255).astype(np.uint8)


def recast(picture: Rgb) -> Rgb:
    """Another face on the same shoulders: its parts pulled to other places."""
    rows, columns = np.mgrid[0:512, 0:512].astype(np.float32)
    dx, dy = columns - 226, rows - 120
    inside = np.clip(1 - (dx / 62) ** 2 - (dy / 78) ** 2, 0, 1)
    across = columns + dx * inside * (0.6 * np.clip(-dy / 60 + 0.3, -1, 1))
    down = rows - inside * (16 * np.sin(dy / 18) + 6)
    return np.asarray(cv2.remap(picture, across, down, cv2.INTER_LINEAR))


def backdrop(seed: int = 3) -> Rgb:
    """A frame with nobody in it."""
    random = np.random.default_rng(seed)
    ground = np.linspace(180, 70, 512)[:, None, None] * np.array([0.7, 0.8, 1.0])
    return np.clip(ground + random.normal(0, 6, (512, 512, 3)), 0, 255).astype(np.uint8)


def png(picture: Rgb) -> bytes:
    done, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return bytes(encoded)


async def upload(
    studio: Studio, production_id: str, content: bytes, *, role: str = "reference", **declared: Any
) -> str:
    """Put a picture into the production and return its media file's id once it is ready."""
    body = {
        "production_id": production_id,
        "role": role,
        "name": "picture.png",
        "media_type": "image/png",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "rights_basis": "owned",
        **declared,
    }
    made = await studio.post("/v1/media", body)
    if made.status == 200:  # these bytes are here already
        return str(made.json["id"])
    assert made.status == 201, made.body
    offer = made.json["upload"]
    if offer is None:  # another production of the studio has them: nothing is sent twice
        done = await studio.get(f"/v1/media/{made.json['id']}", headers=WAIT)
        assert done.json["state"] == "ready", done.body
        return str(made.json["id"])
    async with studio.http.put(offer["url"], data=io.BytesIO(content), headers=offer["headers"]) as sent:
        assert sent.status == 200, await sent.text()
    done = await studio.post(f"/v1/media/{made.json['id']}/complete", headers=WAIT)
    if done.json["state"] == "inspecting":  # a busy machine
        done = await studio.get(f"/v1/media/{made.json['id']}", headers=WAIT)
    assert done.json["state"] == "ready", done.body
    return str(made.json["id"])


async def character(
    studio: Studio, production_id: str, pictures: list[Rgb], *, name: str = "MARA", kind: str = "human"
) -> dict[str, Any]:
    """Make a character with one look and an approved reference set; returns {character, look, set, references}."""
    made = await studio.post(
        f"/v1/productions/{production_id}/characters", {"kind": kind, "script_name": name}
    )
    assert made.status == 201, made.body
    look = await studio.post(f"/v1/characters/{made.json['id']}/looks", {"name": "orange suit"})
    assert look.status == 201, look.body
    draft = await studio.post(f"/v1/looks/{look.json['id']}/reference-sets", {})
    assert draft.status == 201, draft.body
    references = []
    for picture in pictures:
        media_id = await upload(studio, production_id, png(picture))
        added = await studio.post(
            f"/v1/reference-sets/{draft.json['id']}/references", {"media_id": media_id}, headers=WAIT
        )
        assert added.status in {200, 201, 202}, added.body
        if added.json["state"] == "inspecting":  # a busy machine
            added = await studio.get(f"/v1/references/{added.json['id']}", headers=WAIT)
        references.append(added.json)
    approver = await studio.person("approver", subject="ada")
    approved = await approver.post(
        f"/v1/reference-sets/{draft.json['id']}/approve", {"accept_findings": True}, headers=WAIT
    )
    assert approved.status == 200, approved.body
    return {
        "character": made.json["id"],
        "look": look.json["id"],
        "set": approved.json,
        "references": references,
    }
