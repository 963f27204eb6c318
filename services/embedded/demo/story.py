"""The demo's plot, from a partner studio's first day to a circled, signed take."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from services.embedded.demo import cast
from services.embedded.demo.continuity import Continuity
from services.embedded.demo.models import OfflineModels
from services.embedded.demo.orders import requests_for
from services.embedded.demo.outcome import ON_PLATE, Outcome, Take, path_of
from services.embedded.demo.permission import Permission
from services.embedded.demo.plates import Material
from services.embedded.demo.proof import Proof
from services.embedded.demo.receiver import Event, Receiver
from services.embedded.demo.season import Season
from services.embedded.demo.show import Show, Untrue
from services.embedded.demo.studio import Output, Studio
from services.embedded.sign_in.local import LocalSignIn
from services.embedded.stack import Stack

_EVENTS = (
    "generation.finished",
    "media.ready",
    "take.succeeded",
    "take.failed",
    "take.filtered",
    "take.circled",
    "take.rejected",
    "reference.inspected",
    "consistency_check.finished",
    "consistency_enforcement.finished",
    "script_breakdown.finished",
    "batch.completed",
    "storyboard.drawn",
    "animatic.finished",
)
_WORK_SECONDS = 600.0
_SUPERVISOR = "Ada Marsh"
_AT_ONCE = 4  # downloads under way


class Story:
    def __init__(self, stack: Stack, show: Show, material: Material, takes: int, output: Path) -> None:
        self._stack = stack
        self._show = show
        self._material = material
        self._count = takes
        self._folder = output
        self._proof = Proof(stack, show, material, output)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._ended = 0
        self._wanted_takes = len(ON_PLATE) * takes + 2

    async def tell(self) -> Outcome:
        """Play it all. Raises Untrue when something that the rest needs isn't so."""
        timeout = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(timeout=timeout) as http, Receiver(self._heard) as receiver:
            studio, stranger = await self._onboard(http)
            await self._listen(studio, receiver)
            production, shots, media = await self._prepare(studio)
            requests = requests_for(self._material, self._count, production, shots, media)
            quoted = await self._quote(studio, requests)
            generations = await self._generate(studio, requests)
            outcome = await self._collect(studio, generations, {shot: code for code, shot in shots.items()})
            await self._proof.pictures(outcome)
            await self._review(studio, outcome)
            models = OfflineModels(http, self._stack, studio.tenant["id"])
            pictures = await asyncio.to_thread(cast.bundled, self._folder)
            chapter = Continuity(studio, models, self._show, production["id"], pictures, self._folder)
            outcome.chapter = await chapter.tell()
            permission = Permission(studio, models, self._show)
            await permission.tell()
            season = Season(studio, self._show, self._folder)
            await season.tell()
            outcome.season = season.files
            outcome.chapter.events += permission.events + season.events
            await self._proof.manifests(studio, outcome)
            await self._proof.webhooks(receiver, outcome)
            await self._proof.walls(studio, stranger, outcome)
            await self._proof.register(studio, production["id"], outcome)
            self._proof.money(outcome, quoted)
            return outcome

    # --- before the work ------------------------------------------------------------------------------------------

    async def _onboard(self, http: aiohttp.ClientSession) -> tuple[Studio, Studio]:
        sign_in = LocalSignIn.of(self._stack, http)
        operator = Studio(http, self._stack.api_url, "operator", self._stack.facts.admin_key, sign_in)
        studio = await operator.onboard("harbour-light", "Harbour Light")
        stranger = await operator.onboard("second-reel", "Second Reel")
        for one in (studio, stranger):
            self._show.say("studio", f"{one.name}: a bucket, a KMS key, roles and an API key of its own")
        return studio, stranger

    async def _listen(self, studio: Studio, receiver: Receiver) -> None:
        body = {"url": receiver.url, "event_types": list(_EVENTS), "description": "pipeline"}
        endpoint = await studio.expect("POST", "/v1/webhook-endpoints", json=body)
        receiver.arm(endpoint["secret"], endpoint["public_keys"][0]["public_key"])
        for _ in range(200):
            if endpoint["state"] == "active":
                break
            await asyncio.sleep(0.1)
            endpoint = await studio.expect("GET", f"/v1/webhook-endpoints/{endpoint['id']}")
        problem = None if endpoint["state"] == "active" else f"expected active, it is {endpoint['state']}"
        self._show.check("webhooks", "the studio's receiver has answered its challenge", problem)

    async def _prepare(self, studio: Studio) -> tuple[Any, dict[str, str], dict[str, str]]:
        production = await studio.expect(
            "POST", "/v1/productions", json={"code": "LIFTOFF", "title": "Liftoff"}
        )
        shots = {}
        for code in ("LFT_010_0010", "LFT_010_0020", "LFT_010_0030", "LFT_010_0040"):
            made = await studio.expect(
                "POST", f"/v1/productions/{production['id']}/shots", json={"code": code}
            )
            shots[code] = made["id"]
        material = self._material
        declared = {"production_id": production["id"], "rights_basis": material.rights_basis}
        stills = {
            "plate": (material.plate, {"role": "plate", "colour_space": "sRGB"}),
            "cleanup_matte": (material.cleanup_matte, {"role": "matte"}),
            "element_matte": (material.element_matte, {"role": "matte"}),
        }
        uploads = (studio.upload(still, **declared, **more) for still, more in stills.values())
        files = dict(zip(stills, await asyncio.gather(*uploads), strict=True))
        plate = files["plate"]
        depth = plate["probe"]["bit_depth"]
        self._show.say(
            "media",
            f"plate {plate['name']}, {plate['width']}x{plate['height']}, {depth} bits, and its mattes",
        )
        return production, shots, {name: file["id"] for name, file in files.items()}

    async def _quote(self, studio: Studio, requests: Sequence[Mapping[str, Any]]) -> Decimal:
        quotes = [await studio.expect("POST", "/v1/quotes", json=one) for one in requests]
        total = sum((Decimal(quote["total"]) for quote in quotes), Decimal(0))
        self._show.say("quote", f"{self._wanted_takes} takes at list prices: {total:.2f} US dollars")
        return total

    # --- the work -------------------------------------------------------------------------------------------------

    async def _generate(
        self, studio: Studio, requests: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        made = [await studio.expect("POST", "/v1/generations", json=one) for one in requests]
        self._show.say(
            "generate", f"{len(made)} generations accepted with {self._wanted_takes} takes, run at once"
        )

        async def wait(generation_id: str) -> Mapping[str, Any]:
            view = await studio.finished(generation_id, _WORK_SECONDS)
            states = Counter(take["state"] for take in view["takes"])
            others = ", ".join(
                f"{take['state']} ({(take['failure'] or {}).get('code')})"
                for take in view["takes"]
                if take["state"] != "succeeded"
            )
            self._show.check(
                "generate",
                f"{view['kind'].replace('_', ' ')}: {states['succeeded']} of {len(view['takes'])} takes",
                f"expected every take to succeed, got {others}" if others else None,
            )
            return view

        return list(await asyncio.gather(*(wait(one["id"]) for one in made)))

    def _heard(self, event: Event) -> None:
        self._ended += event.type in {"take.succeeded", "take.failed", "take.filtered"}
        if self._ended < self._wanted_takes:
            self._show.status(f"takes done: {self._ended} of {self._wanted_takes}")

    async def _collect(
        self, studio: Studio, generations: Sequence[Mapping[str, Any]], codes: Mapping[str, str]
    ) -> Outcome:
        """Download everything, each file under the name the API gives it."""

        async def fetch(media_id: str) -> Output:
            async with self._room:
                output = await studio.download(media_id)
            await asyncio.to_thread(path_of(self._folder, output).write_bytes, output.data)
            return output

        outcome = Outcome()
        for view in generations:
            takes = [take for take in view["takes"] if take["media_id"]]
            outputs = await asyncio.gather(*(fetch(take["media_id"]) for take in takes))
            shot = codes.get(view["shot_id"], "concept")
            outcome.takes += [
                Take(shot, view, take, output) for take, output in zip(takes, outputs, strict=True)
            ]
            outcome.sheets.append(await fetch(view["sheet_media_id"]))
        if not outcome.takes:
            raise Untrue("expected takes, there is none")
        size = sum(len(one.output.data) for one in outcome.takes)
        self._show.say(
            "download",
            f"{len(outcome.takes)} takes and {len(outcome.sheets)} contact sheets, {size / 1e6:.1f} MB",
        )
        return outcome

    # --- people ---------------------------------------------------------------------------------------------------

    async def _review(self, studio: Studio, outcome: Outcome) -> None:
        """Circle the first take of each kind on a plate, reject the last of those left."""
        first: dict[str, str] = {}
        for one in outcome.takes:
            if one.kind in ON_PLATE:
                first.setdefault(one.kind, one.take["id"])
        circled = list(first.values())
        left = [one.take["id"] for one in outcome.takes if one.take["id"] not in circled]
        if not circled or not left:
            raise Untrue("expected a take to circle and another to reject")
        alone = await studio.call("POST", f"/v1/takes/{circled[0]}/circle", json={})
        problem = None if (alone.document or {}).get("code") == "person_required" else f"got {alone.status}"
        self._show.check("review", "the pipeline's key alone circles nothing: a person has to", problem)
        supervisor = await studio.person(_SUPERVISOR, "reviewer", "approver")
        for take in circled:
            body = {"reason": "reads best in the cut"}
            await supervisor.expect("POST", f"/v1/takes/{take}/circle", json=body)
        # of the elements when there are several
        elements = [one.take["id"] for one in outcome.takes if one.kind == "element"]
        rejected = ([take for take in elements if take in left] or left)[-1]
        body = {"reason": "too loud for this shot"}
        shown = await supervisor.expect("POST", f"/v1/takes/{rejected}/reject", json=body)
        problem = None if shown["rejected"] else "expected rejected: true"
        claim = f"{_SUPERVISOR} signs in, circles {len(circled)} takes and rejects one with a reason"
        self._show.check("review", claim, problem)
        marks = dict.fromkeys(circled, "circled") | {rejected: "rejected"}
        outcome.takes = [replace(one, mark=marks.get(one.take["id"], "")) for one in outcome.takes]
