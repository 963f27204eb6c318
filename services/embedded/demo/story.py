"""The demo's plot, from a partner studio's first day to a circled, signed take."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from services.embedded.demo import checks, walls
from services.embedded.demo.checks import ManifestReader
from services.embedded.demo.plates import Material
from services.embedded.demo.receiver import Event, Receiver
from services.embedded.demo.show import Show, Untrue
from services.embedded.demo.studio import Output, Studio
from services.embedded.stack import Stack

_EVENTS = (
    "generation.finished",
    "media.ready",
    "take.succeeded",
    "take.failed",
    "take.filtered",
    "take.circled",
    "take.rejected",
)
_WORK_SECONDS = 600.0
_WEBHOOK_SECONDS = 20.0
_ON_PLATE = ("set_extension", "cleanup", "element")
_AT_ONCE = 4  # downloads and verifications under way


@dataclass(frozen=True, slots=True)
class Take:
    """A take with its generation and its downloaded file.

    `manifest` is the service's verdict on it, `mark` what people did: circled, rejected or nothing.
    """

    shot: str
    generation: Mapping[str, Any]
    take: Mapping[str, Any]
    output: Output
    manifest: str = ""
    mark: str = ""

    @property
    def kind(self) -> str:
        return str(self.generation["kind"])


@dataclass(slots=True)
class Outcome:
    """What is left to show: takes, contact sheets, and the register as CSV."""

    takes: list[Take] = field(default_factory=list)
    sheets: list[Output] = field(default_factory=list)
    register: str = ""


class Story:
    def __init__(self, stack: Stack, show: Show, material: Material, takes: int, output: Path) -> None:
        self._stack = stack
        self._show = show
        self._material = material
        self._count = takes
        self._folder = output
        self._reader = ManifestReader(stack.pki.roots, stack.pki.tsa_roots)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._ended = 0
        self._wanted_takes = len(_ON_PLATE) * takes + 2

    async def tell(self) -> Outcome:
        """Play it all. Raises Untrue when something that the rest needs isn't so."""
        timeout = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(timeout=timeout) as http, Receiver(self._heard) as receiver:
            studio, stranger = await self._onboard(http)
            await self._listen(studio, receiver)
            production, shots, media = await self._prepare(studio)
            requests = self._requests(production, shots, media)
            quoted = await self._quote(studio, requests)
            generations = await self._generate(studio, requests)
            outcome = await self._collect(studio, generations, {shot: code for code, shot in shots.items()})
            await self._check_pictures(outcome)
            await self._check_manifests(studio, outcome)
            circled = await self._review(studio, outcome)
            await self._check_webhooks(receiver, generations, len(circled))
            await self._check_walls(studio, stranger, outcome)
            await self._check_register(studio, production["id"], outcome, circled)
            self._count_money(outcome, quoted, len(circled))
            return outcome

    # --- before the work ------------------------------------------------------------------------------------------

    async def _onboard(self, http: aiohttp.ClientSession) -> tuple[Studio, Studio]:
        operator = Studio(http, self._stack.api_url, "operator", self._stack.facts.admin_key)
        studio = await operator.onboard("harbour-light", "Harbour Light")
        stranger = await operator.onboard("second-reel", "Second Reel")
        for one in (studio, stranger):
            self._show.say(
                "studio", f"{one.name} is onboarded: a bucket, a KMS key, roles and an API key of its own"
            )
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

    def _requests(
        self, production: Mapping[str, Any], shots: Mapping[str, str], media: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        extension, cleanup, element, previs = shots.values()
        material = self._material
        plate = {"plate": media["plate"]}
        wanted: list[dict[str, Any]] = [
            {
                "kind": "set_extension",
                "shot_id": extension,
                "inputs": plate,
                "prompt": material.extension_prompt,
                "controls": {"extend": material.extend, "creativity": 0.2},
                "takes": self._count,
            },
            {
                "kind": "cleanup",
                "shot_id": cleanup,
                "inputs": plate | {"matte": media["cleanup_matte"]},
                "controls": {"grow_mask": 2},
                "takes": self._count,
            },
            {
                "kind": "element",
                "shot_id": element,
                "inputs": plate | {"matte": media["element_matte"]},
                "prompt": material.element_prompt,
                "takes": self._count,
            },
            {
                "kind": "concept_art",
                "prompt": material.concept_prompt,
            },
            {
                "kind": "previs_shot",
                "shot_id": previs,
                "inputs": {"first_frame": media["plate"]},
                "prompt": material.previs_prompt,
            },
        ]
        # a seed makes the demo's pictures the same every time
        for at, one in enumerate(wanted):
            one |= {"production_id": production["id"], "external_ref": f"demo-{at + 1}"}
            if one["kind"] != "previs_shot":
                one["seed"] = 1000 * (at + 1)
        return wanted

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
            await asyncio.to_thread(self.path_of(output).write_bytes, output.data)
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

    def path_of(self, output: Output) -> Path:
        return self._folder / Path(output.media["name"]).name

    # --- the checks -----------------------------------------------------------------------------------------------

    async def _check_pictures(self, outcome: Outcome) -> None:
        material = self._material
        plate, mattes = (
            material.plate.path,
            {"cleanup": material.cleanup_matte.path, "element": material.element_matte.path},
        )
        kept, problems = dict.fromkeys(_ON_PLATE, 0), dict[str, str | None].fromkeys(_ON_PLATE)
        for one in outcome.takes:
            path = self.path_of(one.output)
            if one.kind == "previs_shot":
                self._show.check(
                    "pictures",
                    "the previs shot is a clip of 5 s",
                    await asyncio.to_thread(checks.is_clip, path),
                )
            elif one.kind in mattes:
                count, problem = await asyncio.to_thread(checks.outside_matte, plate, mattes[one.kind], path)
                kept[one.kind], problems[one.kind] = count, problems[one.kind] or problem
            elif one.kind == "set_extension":
                count, problem = await asyncio.to_thread(
                    checks.inside_extension, plate, material.extend, path
                )
                kept[one.kind], problems[one.kind] = count, problems[one.kind] or problem
        for kind in _ON_PLATE:
            where = "inside the old frame" if kind == "set_extension" else "outside the matte"
            text = (
                f"{kind.replace('_', ' ')}: {where} all {kept[kind]:,} pixels equal the plate, in every take"
            )
            self._show.check("pictures", text, problems[kind])

    async def _check_manifests(self, studio: Studio, outcome: Outcome) -> None:
        """Ask the service and the C2PA library about every output, then about the same with one bit changed."""
        files = [one.output for one in outcome.takes] + outcome.sheets
        verdicts = await asyncio.gather(*(self._verdict(studio, output) for output in files))
        wrong = [
            f"{output.media['name']}: {problem}"
            for output, (_, problem) in zip(files, verdicts, strict=True)
            if problem is not None
        ]
        claim = f"all {len(files)} outputs carry a manifest that the service and the C2PA library trust"
        self._show.check("provenance", claim, "; ".join(wrong[:3]) or None)
        types = Counter(output.media["digital_source_type"] for output in files)
        self._show.say("provenance", "said to be " + ", ".join(f"{name} ({n})" for name, n in types.items()))
        missed = await asyncio.gather(*(self._undetected(studio, output) for output in files))
        found = [name for name in missed if name is not None]
        claim = f"one bit changed in each of the {len(files)}: both find it tampered with"
        self._show.check("provenance", claim, f"undetected in {', '.join(found[:3])}" if found else None)
        outcome.takes = [
            replace(one, manifest=verdict) for one, (verdict, _) in zip(outcome.takes, verdicts, strict=False)
        ]

    async def _verdict(self, studio: Studio, output: Output) -> tuple[str, str | None]:
        media_type = output.media["media_type"]
        manifest = await asyncio.to_thread(self._reader.read, output.data, media_type)
        async with self._room:
            answer = await studio.verify(output.data, media_type)
        known = answer["known_output"] or {}
        expectations = {
            "status trusted": answer["status"] == "trusted",
            "no fault found by the C2PA library": manifest.wrong is None,
            "one manifest URN": manifest.urn == answer["manifest_urn"] == output.media["manifest_urn"],
            "the recorded bytes": output.sha256 == output.media["sha256"] and bool(known.get("same_bytes")),
            "the computed source type": manifest.source_type == output.media["digital_source_type"],
            "training not allowed": manifest.training == "notAllowed",
        }
        unmet = [expected for expected, met in expectations.items() if not met]
        detail = manifest.wrong or "; ".join(answer["reasons"])
        return str(answer["status"]), f"expected {', '.join(unmet)} ({detail})" if unmet else None

    async def _undetected(self, studio: Studio, output: Output) -> str | None:
        """Return the file's name when one changed bit goes unnoticed."""
        media_type = output.media["media_type"]
        forged = checks.one_bit_changed(output.data, media_type)
        manifest = await asyncio.to_thread(self._reader.read, forged, media_type)
        async with self._room:
            answer = await studio.verify(forged, media_type)
        noticed = manifest.wrong is not None and answer["status"] == "tampered"
        return None if noticed else f"{output.media['name']} ({answer['status']})"

    async def _check_webhooks(
        self, receiver: Receiver, generations: Sequence[Mapping[str, Any]], circled: int
    ) -> None:
        takes = sum(len(view["takes"]) for view in generations)
        wanted = Counter(
            {
                "take.succeeded": takes,
                "generation.finished": len(generations),
                "media.ready": 3 if self._material.cleanup_matte != self._material.element_matte else 2,
                "take.circled": circled,
                "take.rejected": 1,
            }
        )
        missing = await receiver.wait_for(wanted, _WEBHOOK_SECONDS)
        problem = missing or (receiver.problems[0] if receiver.problems else None)
        claim = f"{len(receiver.events)} events received, HMAC and ed25519 signature right on every one"
        self._show.check("webhooks", claim, problem)
        first = receiver.messages[0] if receiver.messages else None
        if first is not None:
            forged = checks.Message(
                first.id, first.timestamp, first.signatures, checks.flipped(first.body, len(first.body) // 2)
            )
            unnoticed = receiver.wrong(forged) is None
            self._show.check(
                "webhooks",
                "one bit of a body changed: its signature fails",
                "it was expected to fail, it passes" if unnoticed else None,
            )

    # --- people ---------------------------------------------------------------------------------------------------

    async def _review(self, studio: Studio, outcome: Outcome) -> list[str]:
        """Circle the first take of each kind on a plate, reject the last of those left; return the circled."""
        first: dict[str, str] = {}
        for one in outcome.takes:
            if one.kind in _ON_PLATE:
                first.setdefault(one.kind, one.take["id"])
        circled = list(first.values())
        left = [one.take["id"] for one in outcome.takes if one.take["id"] not in circled]
        if not circled or not left:
            raise Untrue("expected a take to circle and another to reject")
        for take in circled:
            await studio.expect("POST", f"/v1/takes/{take}/circle", json={"reason": "reads best in the cut"})
        # of the elements when there are several
        elements = [one.take["id"] for one in outcome.takes if one.kind == "element"]
        rejected = ([take for take in elements if take in left] or left)[-1]
        body = {"reason": "too loud for this shot"}
        shown = await studio.expect("POST", f"/v1/takes/{rejected}/reject", json=body)
        problem = None if shown["rejected"] else "expected rejected: true"
        self._show.check("review", f"{len(circled)} takes circled, one rejected with its reason", problem)
        marks = dict.fromkeys(circled, "circled") | {rejected: "rejected"}
        outcome.takes = [replace(one, mark=marks.get(one.take["id"], "")) for one in outcome.takes]
        return circled

    # --- walls, register, money -----------------------------------------------------------------------------------

    async def _check_walls(self, studio: Studio, stranger: Studio, outcome: Outcome) -> None:
        first = outcome.takes[0]
        generation, take, media = first.generation["id"], first.take["id"], first.take["media_id"]
        attempts = await walls.ask_over_http(
            stranger,
            {
                "take": ("GET", f"/v1/takes/{take}"),
                "circle": ("POST", f"/v1/takes/{take}/circle"),
                "generation": ("GET", f"/v1/generations/{generation}"),
                "media": ("GET", f"/v1/media/{media}"),
                "download": ("POST", f"/v1/media/{media}/download"),
            },
        )
        claim = f"{stranger.name} asks for {studio.name}'s take, generation and file: 404"
        self._show.check("walls", claim, walls.unlike(attempts, str(walls.NOT_FOUND)))
        bucket, key = first.output.bucket, first.output.key
        own = await asyncio.to_thread(walls.storage_of, self._stack, studio.tenant)
        foreign = await asyncio.to_thread(walls.storage_of, self._stack, stranger.tenant)
        # first that both sessions work at home: a refusal proves nothing when the credentials are dead
        at_home = await asyncio.to_thread(walls.try_bucket, own, bucket, key)
        elsewhere = await asyncio.to_thread(
            walls.try_bucket, foreign, stranger.tenant["bucket"], "media/demo-nothing"
        )
        writes = [one for one in elsewhere if one.what == "PutObject"]
        problem = walls.unlike(at_home, "allowed") or walls.unlike(writes, "allowed")
        self._show.check("walls", "each studio's storage credentials work in its own bucket", problem)
        abroad = await asyncio.to_thread(walls.try_bucket, foreign, bucket, key)
        claim = f"{stranger.name}'s credentials in {studio.name}'s bucket: get, list and put are refused"
        self._show.check("walls", claim, walls.unlike(abroad, "AccessDenied"))

    async def _check_register(
        self, studio: Studio, production_id: str, outcome: Outcome, circled: Sequence[str]
    ) -> None:
        reply = await studio.call("GET", f"/v1/productions/{production_id}/ai-register.csv")
        outcome.register = reply.body.decode()
        sha256s = {one.take["id"]: one.output.sha256 for one in outcome.takes}
        problem = checks.register(outcome.register, sha256s, circled)
        claim = "the AI register lists every take, with the SHA-256 of the bytes downloaded"
        self._show.check("register", claim, problem)

    def _count_money(self, outcome: Outcome, quoted: Decimal, circled: int) -> None:
        cost = sum((Decimal(one.take["cost_usd"] or 0) for one in outcome.takes), Decimal(0))
        problem = None if cost == quoted else f"expected the quoted {quoted:.2f}, booked were {cost:.2f}"
        text = f"booked {cost:.2f} US dollars, as quoted: {cost / max(circled, 1):.2f} per circled take"
        self._show.check("cost", text, problem)
