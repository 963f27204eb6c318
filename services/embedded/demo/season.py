"""The demo's fourth chapter: from a script page to numbered panels and an animatic, as a batch of drafts of which a
person circles one, and that one is finished."""

import asyncio
import csv
import io
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.embedded.demo.outcome import path_of
from services.embedded.demo.plates import decode
from services.embedded.demo.show import Show, Untrue
from services.embedded.demo.studio import Output, Studio

Found = Mapping[str, Any]

_PAGE = """\
12 EXT. HARBOUR - DAWN

Fog over the water. INGRID, 60, oilskin coat, unties a rowing boat. A brass LANTERN burns at her feet.

INGRID
(without looking up)
It was never about the light.

She pushes off. The lantern's glow drifts into the fog.

13 INT. LIGHTHOUSE - CONTINUOUS

A stair winds up into the dark. The lamp room is empty, its great lens turning.
"""
_SHOTS = 3
_FRAMES = 48
_RATE = 24
_ENLARGED = 4  # times as wide and as high, by the model that enlarges fast
_SECONDS = 180.0
_POLL_SECONDS = 0.3
_WAIT: Mapping[str, str] = {"Prefer": "wait=30"}


class Season:
    """Plays it for one studio, in a production of its own. `events`: webhooks that it caused; `files`: what it made,
    as it was downloaded into `folder`."""

    def __init__(self, studio: Studio, show: Show, folder: Path) -> None:
        self._studio = studio
        self._show = show
        self._folder = folder
        self._production = ""
        self.events: Counter[str] = Counter()
        self.files: list[Output] = []

    async def tell(self) -> None:
        """Play it all. Raises Untrue when something that the rest needs isn't so."""
        self._supervisor = await self._studio.person("Noor Haddad", "requester", "approver", "reviewer")
        made = await self._studio.expect(
            "POST", "/v1/productions", json={"code": "FOG", "title": "The Light", "frame_rate": str(_RATE)}
        )
        self._production = made["id"]
        shots = await self._shots_of_a_page()
        takes = await self._draft(shots)
        await self._board(shots, takes)
        await self._finish(takes[0])

    # --- words ------------------------------------------------------------------------------------------------------

    async def _shots_of_a_page(self) -> list[Found]:
        """A language model takes a page apart; a person keeps some of the shots."""
        body = {"production_id": self._production, "text": _PAGE}
        asked = await self._studio.expect("POST", "/v1/script-breakdowns", json=body, headers=_WAIT)
        self.events["script_breakdown.finished"] += 1
        if asked["state"] != "succeeded" or len(asked["breakdown"]["shots"]) < _SHOTS:
            raise Untrue(
                f"expected a breakdown with {_SHOTS} shots, got {asked['state']}: {asked['failure']}"
            )
        found = asked["breakdown"]
        names = {each["name"] for each in found["characters"]}
        problem = None if names == {"INGRID"} and asked["ai_generated"] else f"expected INGRID, got {names}"
        count = f"{len(found['scenes'])} scenes, {len(found['shots'])} shots"
        self._show.check("script", f"a page is taken apart, marked as AI's: {count}", problem)
        kept = found["shots"][:_SHOTS]
        path = f"/v1/script-breakdowns/{asked['id']}/shots"
        wanted = {"shots": [each["code"] for each in kept]}
        match = {"If-Match": f'"{asked["version"]}"'}
        alone = await self._studio.call("POST", path, json=wanted, headers=match)
        problem = None if (alone.document or {}).get("code") == "person_required" else f"got {alone.status}"
        self._show.check("script", "it becomes shots by a person's act, never by itself", problem)
        await self._supervisor.expect("POST", path, json=wanted, headers=match)
        return kept  # type: ignore[no-any-return]

    # --- a batch of drafts ------------------------------------------------------------------------------------------

    async def _draft(self, shots: Sequence[Found]) -> list[Found]:
        """One file asks for a panel of every shot: checked whole, refused whole, accepted whole."""
        path = f"/v1/generation-batches?production_id={self._production}&kind=storyboard_panel&quality=draft"
        wrong = self._file(shots, wrong=True)
        refused = await self._studio.call("POST", path, data=wrong, headers={"Content-Type": "text/csv"})
        document = refused.document or {}
        lines = [each for each in document.get("report", {}).get("rows", ()) if each["violations"]]
        problem = None if document.get("code") == "rows_refused" and len(lines) == 1 else f"got {document}"
        self._show.check("batch", "one wrong row: all are refused, and the report names it", problem)
        answer = await self._studio.expect(
            "POST", path, data=self._file(shots), headers={"Content-Type": "text/csv"}
        )
        batch = await self._until_complete(answer["batch"]["id"])
        self.events += Counter({"batch.completed": 1, "take.succeeded": len(shots)})
        states = batch["progress"]["takes"]
        problem = None if states.get("succeeded") == len(shots) else f"expected {len(shots)}, got {states}"
        self._show.check(
            "batch", f"{len(shots)} drafts from one call, at {answer['quote']['total_usd']} US$", problem
        )
        page = await self._studio.expect("GET", f"/v1/generation-batches/{batch['id']}/generations")
        views = [
            await self._studio.expect("GET", f"/v1/generations/{each['id']}")
            for each in sorted(page["data"], key=lambda each: each["batch_line"])
        ]
        return [view["takes"][0] for view in views]

    def _file(self, shots: Sequence[Found], *, wrong: bool = False) -> bytes:
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["shot", "prompt", "seed"])
        for at, shot in enumerate(shots):
            rows.writerow([shot["code"], shot["description"], 100 + at])
        if wrong:
            rows.writerow(["NO_SUCH_SHOT", "a gull", 1])
        return text.getvalue().encode()

    async def _until_complete(self, batch_id: str) -> Found:
        deadline = time.monotonic() + _SECONDS
        while True:
            batch = await self._studio.expect("GET", f"/v1/generation-batches/{batch_id}")
            if batch["state"] == "completed":
                return batch  # type: ignore[no-any-return]
            if time.monotonic() > deadline:
                raise Untrue(
                    f"the batch was expected to be completed, it is {batch['state']}: {batch['progress']}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    # --- the storyboard ---------------------------------------------------------------------------------------------

    async def _board(self, shots: Sequence[Found], takes: Sequence[Found]) -> None:
        """Numbered panels as a document, and the same panels in time."""
        board = await self._studio.expect(
            "POST", "/v1/storyboards", json={"production_id": self._production, "title": "The harbour"}
        )
        place = f"/v1/storyboards/{board['id']}"
        panels = [
            {"take_id": take["id"], "caption": shot["description"], "duration_frames": _FRAMES}
            for shot, take in zip(shots, takes, strict=True)
        ]
        match = {"If-Match": f'"{board["version"]}"'}
        await self._studio.expect("PUT", f"{place}/panels", json={"panels": panels}, headers=match)
        drawn = await self._studio.expect("POST", f"{place}/drawings", headers=_WAIT)
        moving = await self._studio.expect(
            "POST", f"{place}/animatics", json={"burn_in": True}, headers=_WAIT
        )
        if not drawn["document"] or not moving["video"] or not moving["timeline"]:
            raise Untrue(f"expected a document, a movie and a timeline, got {drawn} and {moving}")
        problem = None if len(drawn["stills"]) == len(panels) else f"got {drawn['stills']}"
        self._show.check("storyboard", f"{len(panels)} numbered panels as a PDF and as stills", problem)
        frames = len(panels) * _FRAMES
        problem = None if moving["frames"] == frames else f"expected {frames}, got {moving['frames']}"
        self._show.check("animatic", f"{frames} frames at {_RATE}, as MP4 and OTIO", problem)
        for part in (drawn["document"], moving["video"], moving["timeline"]):
            await self._keep(part["media_id"])

    # --- the one that is kept ---------------------------------------------------------------------------------------

    async def _finish(self, draft: Found) -> None:
        """Only what a person circled is worth a finish."""
        path = f"/v1/takes/{draft['id']}"
        refused = await self._studio.call("POST", f"{path}/finish", json={})
        problem = (
            None if (refused.document or {}).get("code") == "take_not_circled" else f"got {refused.status}"
        )
        self._show.check("finish", "a draft that nobody circled isn't finished", problem)
        await self._supervisor.expect("POST", f"{path}/circle", json={"reason": "this is the harbour"})
        asked = await self._studio.expect("POST", f"{path}/finish", json={})
        view = await self._studio.finished(asked["id"], _SECONDS)
        finished = view["takes"][0]
        self.events += Counter({"take.succeeded": 1, "take.circled": 1})
        if finished["state"] != "succeeded":
            raise Untrue(
                f"the finish was expected to succeed, it is {finished['state']}: {finished['failure']}"
            )
        small = decode(await self._keep(draft["media_id"]))
        large = decode(await self._keep(finished["media_id"]))
        wanted = (small.shape[0] * _ENLARGED, small.shape[1] * _ENLARGED)
        problem = None if large.shape[:2] == wanted else f"expected {wanted}, got {large.shape[:2]}"
        size = f"{large.shape[1]}x{large.shape[0]}"
        self._show.check("finish", f"the circled one is made whole, at {size}", problem)
        [call] = (await self._studio.expect("GET", f"/v1/takes/{finished['id']}/calls"))["data"]
        problem = (
            None
            if call["cost_usd"] == finished["cost_usd"]
            else f"expected {finished['cost_usd']}, got {call}"
        )
        self._show.check("finish", "what its model was sent, and was paid, is on record", problem)

    async def _keep(self, media_id: str) -> Path:
        output = await self._studio.download(media_id)
        path = path_of(self._folder, output)
        await asyncio.to_thread(path.write_bytes, output.data)
        self.files.append(output)
        return path
