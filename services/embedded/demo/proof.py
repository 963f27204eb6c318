"""The demo's claims: each is checked here and shown with whether it held."""

import asyncio
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from services.embedded.demo import checks, walls
from services.embedded.demo.checks import ManifestReader
from services.embedded.demo.outcome import ON_PLATE, Outcome, path_of
from services.embedded.demo.plates import Material
from services.embedded.demo.receiver import Receiver
from services.embedded.demo.show import Show
from services.embedded.demo.studio import Output, Studio
from services.embedded.sign_in.people import ROLES
from services.embedded.stack import Stack

_WEBHOOK_SECONDS = 20.0
_AT_ONCE = 4  # verifications under way


class Proof:
    """`folder`: where the outputs were written."""

    def __init__(self, stack: Stack, show: Show, material: Material, folder: Path) -> None:
        self._stack = stack
        self._show = show
        self._material = material
        self._folder = folder
        self._reader = ManifestReader(stack.pki.roots, stack.pki.tsa_roots)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def pictures(self, outcome: Outcome) -> None:
        material = self._material
        plate, mattes = (
            material.plate.path,
            {"cleanup": material.cleanup_matte.path, "element": material.element_matte.path},
        )
        kept, problems = dict.fromkeys(ON_PLATE, 0), dict[str, str | None].fromkeys(ON_PLATE)
        for one in outcome.takes:
            path = path_of(self._folder, one.output)
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
        for kind in ON_PLATE:
            where = "of the plate" if kind == "set_extension" else "outside the matte"
            text = f"{kind.replace('_', ' ')}: all {kept[kind]:,} pixels {where} unchanged, in every take"
            self._show.check("pictures", text, problems[kind] or (None if kept[kind] else "there is no take"))

    async def manifests(self, studio: Studio, outcome: Outcome) -> None:
        """Ask the service and the C2PA library about every output, then about the same with one bit changed."""
        chapter = outcome.chapter
        files = [one.output for one in outcome.all_takes] + outcome.sheets
        files += [*chapter.sheets.values(), *chapter.documents]
        verdicts = await asyncio.gather(*(self._verdict(studio, output) for output in files))
        wrong = [
            f"{output.media['name']}: {problem}"
            for output, (_, problem) in zip(files, verdicts, strict=True)
            if problem is not None
        ]
        claim = f"all {len(files)} outputs here carry a manifest that service and C2PA library trust"
        self._show.check("provenance", claim, "; ".join(wrong[:3]) or None)
        types = Counter(output.media["digital_source_type"] for output in files)
        self._show.say("provenance", "said to be " + ", ".join(f"{name} ({n})" for name, n in types.items()))
        missed = await asyncio.gather(*(self._undetected(studio, output) for output in files))
        found = [name for name in missed if name is not None]
        claim = f"one bit changed in each of the {len(files)}: both find it tampered with"
        self._show.check("provenance", claim, f"undetected in {', '.join(found[:3])}" if found else None)
        said = {output.media["id"]: verdict for output, (verdict, _) in zip(files, verdicts, strict=True)}
        for part in (outcome, chapter):
            part.takes = [replace(one, manifest=said[one.output.media["id"]]) for one in part.takes]

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

    async def webhooks(self, receiver: Receiver, outcome: Outcome) -> None:
        marks = Counter(one.mark for one in outcome.takes)
        wanted = outcome.chapter.events + Counter(
            {
                "take.succeeded": len(outcome.takes),
                "generation.finished": len(outcome.sheets),
                "media.ready": 3 if self._material.cleanup_matte != self._material.element_matte else 2,
                "take.circled": marks["circled"],
                "take.rejected": marks["rejected"],
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

    async def walls(self, studio: Studio, stranger: Studio, outcome: Outcome) -> None:
        first = outcome.takes[0]
        generation, take, media = first.generation["id"], first.take["id"], first.take["media_id"]
        everything = await stranger.person("Sam", *ROLES)  # refused for whose it is, and for nothing else
        attempts = await walls.ask_over_http(
            everything,
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
        claim = f"{stranger.name}'s credentials in {studio.name}'s bucket: get, list, put refused"
        self._show.check("walls", claim, walls.unlike(abroad, "AccessDenied"))

    async def register(self, studio: Studio, production_id: str, outcome: Outcome) -> None:
        reply = await studio.call("GET", f"/v1/productions/{production_id}/ai-register.csv")
        outcome.register = reply.body.decode()
        sha256s = {one.take["id"]: one.output.sha256 for one in outcome.all_takes}
        problem = checks.register(outcome.register, sha256s, outcome.circled)
        claim = "the AI register lists every take, with the SHA-256 of the bytes downloaded"
        self._show.check("register", claim, problem)

    def money(self, outcome: Outcome, quoted: Decimal) -> None:
        """What was booked is what was quoted, and what the enforcement made besides."""
        chapter = outcome.chapter
        booked = sum((Decimal(one.take["cost_usd"] or 0) for one in outcome.all_takes), Decimal(0))
        asked, each = quoted + chapter.quoted, booked / max(len(outcome.circled), 1)
        expected = asked + chapter.made
        problem = None if booked == expected else f"expected {expected:.2f}, booked were {booked:.2f}"
        text = f"booked {booked:.2f} US dollars: {asked:.2f} as quoted, {chapter.made:.2f} to make one pass"
        self._show.check("cost", text, problem)
        self._show.say("cost", f"{each:.2f} US dollars per circled take")
