"""A studio whose character the offline models can draw, and drift on order."""

import base64
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from services.embedded.s3 import ACCOUNT_ID, REGION
from services.embedded.stack import Stack
from tests.cast import WAIT, character, closer, lit, png, portrait
from tests.gateway import Studio

SD35 = "stability.sd3-5-large-v1:0"
ULTRA = "stability.stable-image-ultra-v1:1"
BROUGHT = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:custom-model-deployment/mara-tuned"
CORE = "stability.stable-image-core-v1:1"
NAME = "Mara Venn"
PROMPT = f"{NAME} in a harbour at dusk, head and shoulders"
FACE = {"left": 0.34, "top": 0.12, "width": 0.21, "height": 0.24}  # in scikit-image's portrait
COPIES_PASS = 10
ANY = ["text-to-image", "image-to-image", "inpaint"]
SHIPPED = Path(__file__).resolve().parents[1] / "circletake" / "data" / "models.yaml"


def write_own_model(path: Path, *, repeated: str | None = None) -> None:
    """Write a catalogue with a model that a studio brought, to stand beside what is shipped. `repeated`: a shipped
    model that is called again when an answer was lost."""
    shipped = yaml.safe_load(SHIPPED.read_text("utf-8"))
    base = next(each for each in shipped["models"] if each["id"] == ULTRA)
    price = {**base["price"], "usd": "0.05"}
    own = {"version": 1, "models": [{**base, "id": BROUGHT, "name": "Ours, tuned on Mara", "price": price}]}
    own["models"] += [{**each, "on_unknown": "retry"} for each in shipped["models"] if each["id"] == repeated]
    path.write_text(yaml.safe_dump(own), "utf-8")


@dataclass(slots=True)
class Casting:
    """A studio with a production, a character with approved references, and what the models are told of it."""

    stack: Stack
    studio: Studio
    production: str
    character: str
    reference: str  # a media file
    rules: list[str] = field(default_factory=list)

    async def generation(self, *, takes: int = 1, **more: Any) -> Any:
        """Ask for takes of the character; answers the accepted generation."""
        body = {
            "production_id": self.production,
            "kind": "concept_art",
            "prompt": PROMPT,
            "takes": takes,
            **more,
        }
        made = await self.studio.post("/v1/generations", body)
        assert made.status == 202, made.body
        return made.json

    def consistency(self, **more: Any) -> dict[str, Any]:
        return {
            "subjects": [{"character_id": self.character}],
            "max_attempts": 6,
            "max_cost_usd": "2.00",
            **more,
        }

    async def enforced(self, *, takes: int = 1, generation: dict[str, Any] | None = None, **more: Any) -> Any:
        """Ask for takes until one passes; answers the enforcement when it has ended."""
        made = await self.generation(takes=takes, consistency=self.consistency(**more), **(generation or {}))
        return await self.ended(made["enforcement_id"])

    async def ended(self, enforcement_id: str, *, looks: int = 6) -> Any:
        for _ in range(looks):
            found = await self.studio.get(f"/v1/consistency-enforcements/{enforcement_id}", headers=WAIT)
            assert found.status == 200, found.body
            if found.json["finished_at"]:
                return found.json
        raise AssertionError(f"still running: {found.json}")

    async def finished(self, generation_id: str) -> Any:
        for _ in range(4):
            found = await self.studio.get(f"/v1/generations/{generation_id}", headers=WAIT)
            if found.json["finished_at"]:
                return found.json
        raise AssertionError(f"still running: {found.json}")

    async def check(self, take_ids: list[str]) -> list[str]:
        """Judge takes without making any; answers their verdicts."""
        body = {
            "production_id": self.production,
            "subjects": [{"character_id": self.character}],
            "material": [{"take_id": each} for each in take_ids],
        }
        check = await self.studio.post("/v1/consistency-checks", body, headers=WAIT)
        while not check.json.get("finished_at"):
            check = await self.studio.get(f"/v1/consistency-checks/{check.json['id']}", headers=WAIT)
        page = await self.studio.get(f"/v1/consistency-checks/{check.json['id']}/results")
        return [each["results"][0]["verdict"] for each in page.json["data"]]

    async def picture(self, media_id: str) -> Any:
        """A file's pixels."""
        grant = await self.studio.post(f"/v1/media/{media_id}/download")
        async with self.studio.http.get(grant.json["url"]) as answer:
            assert answer.status == 200
            content = await answer.read()
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)

    async def drift(
        self, *, when: dict[str, Any] | None = None, model: str | None = None, **drift: float
    ) -> None:
        """Let the models draw the character wrong, in this studio's calls."""
        rule: dict[str, Any] = {
            "tenant": self.studio.tenant_id,
            "drift": drift,
            "when": when or {"mode": ANY},
        }
        if model is not None:
            rule["model"] = model
        made = await self.offline("POST", "drift", rule)
        self.rules.append(made["id"])

    async def no_drift(self) -> None:
        while self.rules:
            await self.offline("DELETE", f"drift/{self.rules.pop()}")

    async def register(self) -> None:
        picture = base64.b64encode(png(portrait())).decode()
        await self.offline("POST", "subjects", {"name": NAME, "picture": picture, "face": FACE})

    async def offline(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.facts.bedrock_admin_token}"}
        url = f"{self.stack.bedrock_url}/_offline/{path}"
        async with self.studio.http.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None


async def cast_on(stack: Stack, studio: Studio) -> Casting:
    """Give a studio a production with a character known from three pictures, whom the models can draw."""
    production = await studio.production()
    own = portrait()
    made = await character(
        studio, production["id"], [own, lit(own[:, ::-1], 0.85), closer(own)], name=NAME.upper()
    )
    # the models draw the character from the very picture that is its reference: copies are another test's matter
    place = f"/v1/productions/{production['id']}/consistency-profiles"
    assert (await studio.post(place, {"copy_ceiling": COPIES_PASS})).status == 201
    casting = Casting(stack, studio, production["id"], made["character"], made["references"][0]["media_id"])
    await casting.register()
    return casting


@contextlib.asynccontextmanager
async def drifting(casting: Casting, **drift: Any) -> AsyncIterator[None]:
    await casting.drift(**drift)
    try:
        yield
    finally:
        await casting.no_drift()


def rungs(enforcement: Any) -> list[str]:
    return [attempt["rung"] for attempt in enforcement["attempts"]]


def verdicts(enforcement: Any) -> Iterator[str | None]:
    return (attempt["verdict"] for attempt in enforcement["attempts"])
