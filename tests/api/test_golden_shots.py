"""Golden shots over HTTP: kept by people, made again, and a swapped model is noticed."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from services.embedded.stack import Stack
from tests.events import told
from tests.gateway import Client, Studio

CORE = "stability.stable-image-core-v1:1"
WAIT = {"Prefer": "wait=30"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A production with one golden shot."""

    stack: Stack
    studio: Studio
    people: Client
    production: str
    place: str
    take: Any
    golden: Any

    async def run(self, **body: Any) -> Any:
        """Make its golden shots again; answers the finished run."""
        begun = await self.studio.post(f"{self.place}/golden-runs", body)
        assert begun.status == 202, begun.body
        return await self.finished(begun.json["id"])

    async def finished(self, run_id: str) -> Any:
        for _ in range(3):
            found = await self.studio.get(f"/v1/golden-runs/{run_id}", headers=WAIT)
            if found.json["finished_at"]:
                return found.json
        raise AssertionError(f"still running: {found.json}")

    @asynccontextmanager
    async def other_version(self, model: str) -> AsyncIterator[None]:
        """The provider runs another version behind the same id."""
        url = f"{self.stack.bedrock_url}/_offline/versions"
        headers = {"Authorization": f"Bearer {self.stack.facts.bedrock_admin_token}"}
        body = {"model": model, "version": "v1:2"}
        async with self.studio.http.post(url, json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
        try:
            yield
        finally:
            async with self.studio.http.delete(url, headers=headers):
                pass

    async def picture(self, media_id: str) -> Any:
        grant = await self.people.post(f"/v1/media/{media_id}/download")
        async with self.studio.http.get(grant.json["url"]) as answer:
            return Image.open(io.BytesIO(await answer.read()))


@pytest.fixture(scope="session")
async def kept(running: Stack, studio: Studio) -> Kept:
    production = (await studio.production())["id"]
    place = f"/v1/productions/{production}"
    body = {
        "production_id": production,
        "kind": "concept_art",
        "prompt": "WS a quarry at dawn",
        "model": CORE,
    }
    made = await studio.post("/v1/generations", body, headers=WAIT)
    [take] = made.json["takes"]
    people = await studio.everybody()
    kept = await people.post(f"{place}/golden-shots", {"take_id": take["id"], "name": "The quarry"})
    assert kept.status == 201, kept.body
    return Kept(running, studio, people, production, place, take, kept.json)


async def test_the_same_model_makes_the_same_picture(kept: Kept) -> None:
    """Nothing changed, so the run says `unchanged`, costs what was quoted and is told."""
    quoted = (await kept.studio.post(f"{kept.place}/golden-quotes", {})).json
    run = await kept.run()
    assert (run["state"], run["verdict"], run["counts"]["unchanged"]) == ("succeeded", "unchanged", 1)
    [result] = run["results"]
    assert (result["identical"], result["name"], result["judged_by"]) == (True, "The quarry", "pixels")
    made = (await kept.studio.get(f"/v1/generations/{result['generation_id']}")).json
    assert made["prompt"] == "WS a quarry at dawn"
    assert made["takes"][0]["seed"] == kept.take["seed"]
    assert Decimal(made["takes"][0]["cost_usd"]) == Decimal(quoted["total"]) == Decimal(run["estimate_usd"])
    [event] = await told(kept.studio, event_type="golden_run.finished", golden_run_id=run["id"])
    assert event["data"]["verdict"] == "unchanged"


async def test_a_swapped_model_version_is_caught(kept: Kept) -> None:
    """Same id, same request, same seed, another version behind it: `changed`, with old beside new on a signed sheet."""
    async with kept.other_version(CORE):
        run = await kept.run()
    assert run["verdict"] == "changed"
    [result] = run["results"]
    assert "structure" in result["reasons"] or "tint" in result["reasons"]
    assert result["words"]
    sheet = (await kept.studio.get(f"/v1/media/{run['sheet_media_id']}")).json
    assert sheet["manifest_urn"]
    drawn = await kept.picture(run["sheet_media_id"])
    old, new = await kept.picture(result["old_media_id"]), await kept.picture(result["new_media_id"])
    assert drawn.width == 2400
    assert old.tobytes() != new.tobytes()
    for column, picture in enumerate((old, new)):
        cell = drawn.crop(
            (56 + column * 772, 268, 56 + column * 772 + 744, 268 + 744 * old.height // old.width)
        )
        assert _apart(cell, picture) < 6 < _apart(cell, (new, old)[column])


def _apart(cell: Image.Image, picture: Image.Image) -> float:
    """Mean distance of two pictures' codes at the cell's size."""
    other = picture.convert("RGB").resize(cell.size, Image.Resampling.BOX)
    pairs = zip(cell.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (cell.width * cell.height * 3)


async def test_only_a_person_makes_a_take_golden(kept: Kept) -> None:
    """What a model is held against is an approval, and a key approves nothing."""
    body = {"take_id": kept.take["id"], "name": "x"}
    refused = await kept.studio.post(f"{kept.place}/golden-shots", body)
    assert (refused.status, refused.json["code"]) == (403, "person_required")
    twice = await kept.people.post(f"{kept.place}/golden-shots", body)
    assert (twice.status, twice.json["code"]) == (409, "golden_exists")


async def test_a_run_beyond_its_cap_makes_nothing(kept: Kept) -> None:
    """What it would cost is said before anything is spent."""
    over = await kept.studio.post(f"{kept.place}/golden-runs", {"max_usd": "0.01"})
    assert (over.status, over.json["code"], Decimal(over.json["total"])) == (
        409,
        "over_cap",
        Decimal("0.04"),
    )


async def test_what_a_run_names_wrongly_is_refused(kept: Kept) -> None:
    """A misspelt model or a foreign shot isn't dropped in silence."""
    for body, pointer in (
        ({"model": "stability.none"}, "/model"),
        ({"golden_shot_ids": [kept.production]}, "/golden_shot_ids"),
    ):
        refused = await kept.studio.post(f"{kept.place}/golden-runs", body)
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, pointer)


async def test_a_changed_choice_begins_one_run_within_the_cap(kept: Kept) -> None:
    """The production's rules say so; what the cap leaves no room for is not made, and said."""
    rules = {"on_change": True, "golden_max_usd": "0.01"}
    set_ = await kept.people.call("PUT", f"{kept.place}/golden-rules", json=rules)
    assert (set_.status, set_.json["version"]) == (200, 1)
    choice = {"model": "stability.sd3-5-large-v1:0", "locked": True}
    chosen = await kept.people.call("PUT", f"{kept.place}/models/concept_art", json=choice)
    assert chosen.status in {200, 201}, chosen.body
    runs = (await kept.studio.get(f"{kept.place}/golden-runs")).json["data"]
    [run_id] = [each["id"] for each in runs if each["reason"] == "choice_changed"]
    run = await kept.finished(run_id)
    assert (run["verdict"], run["requested_by"], run["requested_by_person"]) == ("failed", None, None)
    assert [each["code"] for each in run["results"]] == ["over_cap"]
    assert run["results"][0]["generation_id"] is None


async def test_a_retired_shot_is_made_no_more(kept: Kept) -> None:
    """A person ends it; what was judged stays."""
    retired = await kept.people.call("DELETE", f"/v1/golden-shots/{kept.golden['id']}")
    assert retired.status == 204
    assert (await kept.studio.get(f"{kept.place}/golden-shots")).json["data"] == []
    none = await kept.studio.post(f"{kept.place}/golden-runs", {})
    assert (none.status, none.json["code"]) == (409, "no_golden_shots")
    assert (await kept.studio.get(f"/v1/golden-shots/{kept.golden['id']}")).json["retired_at"]
