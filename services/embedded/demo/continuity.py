"""The demo's second chapter: a character, a sequence in which one take was altered, the check that finds it, and takes
made until one passes."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.embedded.demo import checks, judgements
from services.embedded.demo.cast import LOOK, NAME, TITLE, Cast
from services.embedded.demo.models import OfflineModels
from services.embedded.demo.outcome import Chapter, Take, path_of
from services.embedded.demo.plates import Still
from services.embedded.demo.show import Show, Untrue
from services.embedded.demo.studio import Output, Studio

Found = Mapping[str, Any]

SEQUENCE = "LFT_020"
ALTERED = "LFT_020_0040"
ASPECT = "wardrobe"
CAP = Decimal("1.00")
_SHOTS = {
    "LFT_020_0010": "in a forest in the morning, medium shot",
    "LFT_020_0020": "in the desert at noon, medium shot",
    "LFT_020_0030": "in a room by the window, medium shot",
    ALTERED: "in a street of the city at night, medium shot",
    "LFT_020_0050": "in the mountains in the snow, medium shot",
    "LFT_020_0060": "in the harbour at dusk, medium shot",
}
_SEEDS = {code: 2010 + at for at, code in enumerate(_SHOTS)}
_DRIFT = {ASPECT: 110}  # degrees of hue
_FROM_WORDS = "text-to-image"
_RUNGS = ("new_seed", "inpaint_region")
_CHANGED = {
    "first": "as asked for",
    "new_seed": "new seed",
    "inpaint_region": "region repainted",
}
_APPROVER = "Grace Okafor"
_SHOWN = ("face", "hair", "wardrobe")
_SECONDS = 300.0
_CONFLICT = 409
_NO_CONTENT = 204


class Continuity:
    """Plays it for one studio, in one production. `folder`: where files are put."""

    def __init__(
        self, studio: Studio, models: OfflineModels, show: Show, production_id: str, cast: Cast, folder: Path
    ) -> None:
        self._studio = studio
        self._models = models
        self._show = show
        self._production = production_id
        self._cast = cast
        self._folder = folder
        self._shots: dict[str, str] = {}  # ids by code
        self._character = ""
        self._chapter = Chapter()

    async def tell(self) -> Chapter:
        """Play it all. Raises Untrue when something that the rest needs isn't so."""
        await self._models.register(NAME, self._cast.figure, self._cast.face)
        try:
            look = await self._introduce()
            takes = await self._shoot(look)
            await self._find()
            attempts = await self._cure(takes[ALTERED])
        finally:
            await self._models.no_drift()
        await self._again(takes, attempts)
        return self._chapter

    # --- the character --------------------------------------------------------------------------------------------

    async def _introduce(self) -> Found:
        """Make character and look; put pictures in, the wrong ones too, take those out, approve. Return the look."""
        studio, cast = self._studio, self._cast
        made = await studio.expect(
            "POST",
            f"/v1/productions/{self._production}/characters",
            json={"kind": "human", "script_name": NAME.upper(), "description": "Commander of the launch."},
        )
        self._character = made["id"]
        look = await studio.expect(
            "POST",
            f"/v1/characters/{made['id']}/looks",
            json={"name": LOOK, "wardrobe": "orange pressure suit, black collar"},
        )
        draft = await studio.expect("POST", f"/v1/looks/{look['id']}/reference-sets", json={})
        self._chapter.references = [still.path.name for still in cast.references]
        self._chapter.wrong = [wrong.still.path.name for wrong in cast.wrong]
        stills = [*cast.references, *(wrong.still for wrong in cast.wrong)]
        files = await asyncio.gather(*(self._upload(still) for still in stills))
        self._events["media.ready"] += len(files)
        self._show.say("character", f"{NAME} in her {LOOK}: {TITLE}")
        good = [await self._add(draft, file) for file in files[: len(cast.references)]]
        claim = f"{len(good)} pictures put in: nothing is wrong with them"
        self._show.check("references", claim, judgements.unsound(good))
        bad = [await self._add(draft, file) for file in files[len(good) :]]
        for wrong, reference in zip(cast.wrong, bad, strict=True):
            claim = f"{wrong.what}: told at once, {wrong.finding}"
            self._show.check("references", claim, judgements.untold(reference, wrong.finding))
        await self._approve(draft, bad)
        return look  # type: ignore[no-any-return]

    async def _upload(self, still: Still) -> Found:
        return await self._studio.upload(
            still, production_id=self._production, rights_basis="public_domain", role="reference"
        )

    async def _add(self, draft: Found, file: Found) -> Found:
        added = await self._studio.expect(
            "POST",
            f"/v1/reference-sets/{draft['id']}/references",
            json={"media_id": file["id"]},
            headers={"Prefer": "wait=30"},
        )
        self._events["reference.inspected"] += 1
        return await self._until(f"/v1/references/{added['id']}", "inspected_at")

    async def _approve(self, draft: Found, bad: Sequence[Found]) -> None:
        path = f"/v1/reference-sets/{draft['id']}/approve"
        approver = await self._studio.person(_APPROVER, "approver")
        refused = await approver.call("POST", path, json={})
        removed = [await self._studio.call("DELETE", f"/v1/references/{one['id']}") for one in bad]
        # those that stay are looked at again: what was said of them may have been about the ones taken out
        left = await self._studio.expect("GET", f"/v1/reference-sets/{draft['id']}")
        await asyncio.gather(
            *(self._until(f"/v1/references/{one['id']}", "inspected_at") for one in left["references"])
        )
        approved = await approver.expect("POST", path, json={})
        problem = None
        if refused.status != _CONFLICT:
            problem = f"expected 409 while the wrong ones were in it, got {refused.status}"
        elif {reply.status for reply in removed} != {_NO_CONTENT} or approved["state"] != "approved":
            problem = f"expected approved without them, it is {approved['state']}"
        claim = "approval refused while those are in it, given without them"
        self._show.check("references", claim, problem)

    # --- the sequence ---------------------------------------------------------------------------------------------

    async def _shoot(self, look: Found) -> dict[str, Take]:
        """Have one take made for each shot, one of them altered by the models, and circle all. By code."""
        studio = self._studio
        sequence = await studio.expect(
            "POST", f"/v1/productions/{self._production}/sequences", json={"code": SEQUENCE}
        )
        self._sequence = sequence["id"]
        for code in _SHOTS:
            body = {"code": code, "sequence_id": sequence["id"]}
            shot = await studio.expect("POST", f"/v1/productions/{self._production}/shots", json=body)
            self._shots[code] = shot["id"]
        await studio.expect(
            "PUT",
            f"/v1/looks/{look['id']}/shots",
            json={"sequence_ids": [sequence["id"]]},
            headers={"If-Match": f'"{look["version"]}"'},
        )
        # as a model would that lost the costume: whatever is made of this seed from words alone
        await self._models.drift(_DRIFT, mode=_FROM_WORDS, seed=[_SEEDS[ALTERED]])
        requests = {code: self._request(code) for code in _SHOTS}
        quotes = [await studio.expect("POST", "/v1/quotes", json=one) for one in requests.values()]
        self._chapter.quoted = sum((Decimal(quote["total"]) for quote in quotes), Decimal(0))
        made = [await studio.expect("POST", "/v1/generations", json=one) for one in requests.values()]
        views = await asyncio.gather(*(studio.finished(one["id"], _SECONDS) for one in made))
        self._events["generation.finished"] += len(views)
        takes = {code: await self._taken(code, view) for code, view in zip(_SHOTS, views, strict=True)}
        for take in takes.values():
            await self._mark(take, "circle", "the best of the day")
        self._chapter.takes += [replace(take, mark="circled") for take in takes.values()]
        self._show.say("sequence", f"{SEQUENCE}: {len(takes)} shots with {NAME}, a take of each circled")
        self._show.say("sequence", f"one was altered on order: another {ASPECT} in {ALTERED}")
        return takes

    def _request(self, code: str) -> dict[str, Any]:
        return {
            "production_id": self._production,
            "shot_id": self._shots[code],
            "kind": "concept_art",
            "prompt": f"{NAME} {_SHOTS[code]}",
            "seed": _SEEDS[code],
            "external_ref": f"demo-{code}",
        }

    async def _taken(self, code: str, view: Found) -> Take:
        [take] = view["takes"]
        self._events[f"take.{take['state']}"] += 1
        if take["state"] != "succeeded":
            raise Untrue(f"the take of {code} was expected to succeed, it is {take['state']}")
        return Take(code, view, take, await self._kept(take["media_id"]))

    async def _mark(self, take: Take, act: str, reason: str) -> None:
        supervisor = await self._studio.person(_APPROVER, "approver")
        await supervisor.expect("POST", f"/v1/takes/{take.take['id']}/{act}", json={"reason": reason})
        self._events[{"circle": "take.circled", "reject": "take.rejected"}[act]] += 1

    # --- the check ------------------------------------------------------------------------------------------------

    async def _find(self) -> None:
        """Check the whole sequence: exactly the altered shot fails, and by what was altered."""
        begun = time.monotonic()
        check, results = await self._check()
        for one in results:
            self._show.say("check", self._line(one))
        claim = f"exactly {ALTERED} breaks {SEQUENCE}, and by its {ASPECT}"
        named = [{**one, "shot_id": self._code(one)} for one in results]
        problem = judgements.one_broken(check, named, ALTERED, ASPECT)
        self._show.check("check", claim, problem)
        await self._keep_sheets("the sequence as it was circled", check, document=True)
        text = f"6 shots judged and their continuity sheet drawn in {time.monotonic() - begun:.1f} s"
        self._show.say("check", text)

    async def _check(self) -> tuple[Found, Sequence[Found]]:
        asked = await self._studio.expect(
            "POST",
            "/v1/consistency-checks",
            json={
                "production_id": self._production,
                "subjects": [{"character_id": self._character}],
                "material": [{"sequence_id": self._sequence}],
            },
        )
        check = await self._until(f"/v1/consistency-checks/{asked['id']}", "finished_at")
        if check["state"] != "succeeded":
            raise Untrue(
                f"the check was expected to succeed, it is {check['state']}: {check['failure_code']}"
            )
        self._events["consistency_check.finished"] += 1
        page = await self._studio.expect("GET", f"/v1/consistency-checks/{asked['id']}/results")
        return check, page["data"]

    def _line(self, one: Found) -> str:
        """One shot's verdict with its scores, short enough for a terminal."""
        judged = (
            one["results"][0] if one["results"] else {"verdict": one["state"], "scores": {}, "reasons": []}
        )
        why = f"  {', '.join(judged['reasons'])}" if judged["verdict"] != "pass" else ""
        return f"{self._code(one)}  {judged['verdict']}  {_scores(judged['scores'])}{why}"

    def _code(self, one: Found) -> str:
        return next((code for code, shot in self._shots.items() if shot == one["shot_id"]), "no shot")

    async def _again(self, takes: Mapping[str, Take], attempts: Sequence[Take]) -> None:
        """Reject the altered take, circle what passed, and check the sequence again."""
        altered, passed = takes[ALTERED], attempts[-1]
        await self._mark(altered, "reject", "another costume")
        await self._mark(passed, "circle", "the costume is hers again")
        marks = {altered.take["id"]: "rejected", passed.take["id"]: "circled"}
        self._chapter.takes = [
            replace(one, mark=marks.get(one.take["id"], one.mark)) for one in self._chapter.takes
        ]
        check, results = await self._check()
        claim = f"{SEQUENCE} again, with the take that passed: all {len(takes)} shots pass"
        self._show.check("check", claim, judgements.all_pass(check, results, len(takes)))
        await self._keep_sheets("the sequence with the take that passed", check, document=False)

    # --- the cure -------------------------------------------------------------------------------------------------

    async def _cure(self, altered: Take) -> list[Take]:
        """Have takes of the altered shot made until one passes. Return them, the one that passed last."""
        # no seed helps: whatever comes from words alone is altered; a repainted region isn't
        await self._models.drift(_DRIFT, mode=_FROM_WORDS)
        asked = await self._studio.expect(
            "POST",
            "/v1/consistency-enforcements",
            json={
                "generation_id": altered.generation["id"],
                "subjects": [{"character_id": self._character}],
                "rungs": list(_RUNGS),
                "max_attempts": 5,
                "max_cost_usd": str(CAP),
            },
        )
        path = f"/v1/consistency-enforcements/{asked['id']}"
        enforcement = await self._until(path, "finished_at")
        self._events["consistency_enforcement.finished"] += 1
        for one in enforcement["attempts"]:
            self._show.say("enforce", f"{one['take_number']}  {_attempt(one)}")
        problem = judgements.cured(enforcement, ASPECT, CAP)
        spent = Decimal(enforcement["spent_usd"])
        claim = f"{ALTERED} made until it passed: {spent:.2f} spent of at most {CAP} US dollars"
        self._show.check("enforce", claim, problem)
        if problem is not None:
            raise Untrue("expected a take that passes, to go on with")
        return await self._attempts(altered, enforcement)

    async def _attempts(self, altered: Take, enforcement: Found) -> list[Take]:
        view = await self._studio.finished(altered.generation["id"], _SECONDS)
        by_id = {take["id"]: take for take in view["takes"]}
        made: list[Take] = [altered]
        for one in enforcement["attempts"]:
            if one["take_id"] == altered.take["id"]:
                self._chapter.said[one["take_id"]] = _attempt(one)
                continue
            self._events["take.succeeded"] += 1
            output = await self._kept(one["media_id"])
            made.append(Take(ALTERED, view, by_id[one["take_id"]], output))
            self._chapter.said[one["take_id"]] = _attempt(one)
        self._chapter.takes += made[1:]
        self._chapter.made = sum((Decimal(one.take["cost_usd"]) for one in made[1:]), Decimal(0))
        await self._region(made, enforcement["attempts"][-1])
        return made

    async def _region(self, made: Sequence[Take], last: Found) -> None:
        """What was repainted is a region of the take that failed: nothing else of it changed."""
        take = await self._studio.expect("GET", f"/v1/takes/{last['take_id']}")
        matte = take["changes"].get("inputs", {}).get("matte")
        failed = next((one for one in made if one.take["id"] == last["improves_take_id"]), None)
        if matte is None or failed is None:
            self._show.check("enforce", "a region was repainted", "expected a matte and the failed take")
            return
        paths = [
            path_of(self._folder, one) for one in (failed.output, await self._kept(matte), made[-1].output)
        ]
        count, problem = await asyncio.to_thread(checks.outside_matte, *paths)
        self._show.check("enforce", f"all {count:,} pixels outside the region are as they were", problem)

    # --- what both need -------------------------------------------------------------------------------------------

    @property
    def _events(self) -> Counter[str]:
        return self._chapter.events

    async def _until(self, path: str, field: str) -> Found:
        deadline = time.monotonic() + _SECONDS
        while True:
            view = await self._studio.expect("GET", path, headers={"Prefer": "wait=20"})
            if view[field]:
                return view  # type: ignore[no-any-return]
            if time.monotonic() > deadline:
                raise Untrue(f"{path} was expected to end in {_SECONDS:.0f} s; it is {view['state']}")

    async def _keep_sheets(self, what: str, check: Found, *, document: bool) -> None:
        self._chapter.sheets[what] = await self._kept(check["sheet_media_id"])
        if document:
            self._chapter.documents.append(await self._kept(check["sheet_pdf_media_id"]))

    async def _kept(self, media_id: str) -> Output:
        output = await self._studio.download(media_id)
        await asyncio.to_thread(path_of(self._folder, output).write_bytes, output.data)
        return output


def _scores(scores: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {scores[name]:.2f}" for name in _SHOWN if name in scores)


def _attempt(one: Found) -> str:
    """One attempt: what was changed, what came of it, what it cost."""
    changed = _CHANGED.get(one["rung"], str(one["rung"]))
    cost = Decimal(one["cost_usd"] or 0)
    return f"{changed}: {one['verdict']}  {_scores(one['scores'])}  US$ {cost:.2f}"
