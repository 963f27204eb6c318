"""The catalogue and quotes over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from circletake.domain.kinds import Kind
from tests.gateway import Client, Studio


async def catalogue(studio: Studio) -> dict[str, Any]:
    return {each["id"]: each for each in (await studio.get("/v1/models")).json["data"]}


async def test_every_kind_has_one_default_that_is_alive(studio: Studio) -> None:
    """A studio that names no model knows which one runs."""
    models = await catalogue(studio)
    defaults: dict[str, list[str]] = {}
    for model in models.values():
        for kind in model["kinds"]:
            if kind["default"]:
                defaults.setdefault(kind["kind"], []).append(model["id"])
    assert set(defaults) == set(Kind)
    for [model_id] in defaults.values():
        assert models[model_id]["lifecycle"] != "eol"


async def test_a_model_is_read_by_its_id(studio: Studio) -> None:
    """Ids hold colons and dots, as Bedrock's do; an unknown one is not found."""
    read = await studio.get("/v1/models/us.stability.stable-outpaint-v1:0")
    assert read.json["id"] == "us.stability.stable-outpaint-v1:0"
    assert (await studio.get("/v1/models/no.such:0")).status == 404


async def test_an_ended_model_is_shown_with_its_successor_and_refused(studio: Studio) -> None:
    """An old request can be explained; a new one says what to use."""
    ended = (await catalogue(studio))["amazon.nova-canvas-v1:0"]
    assert ended["lifecycle"] == "eol"
    assert ended["eol_on"] == "2026-09-30"
    assert "stability.sd3-5-large" in ended["successor"]
    production = await studio.production()
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": "x", "model": ended["id"]}
    refused = await studio.post("/v1/quotes", body)
    assert refused.status == 422
    assert [each["code"] for each in refused.json["errors"]] == ["model_ended"]
    alive = await studio.get("/v1/models?include_ended=false")
    assert ended["id"] not in [each["id"] for each in alive.json["data"]]


async def test_a_control_is_described_by_what_the_model_takes(studio: Studio) -> None:
    """A client can build its form from the answer: choices, ranges and defaults are this model's own."""
    models = await catalogue(studio)
    luma = {each["name"]: each for each in models["luma.ray-v2:0"]["controls"]}
    assert luma["duration_seconds"]["schema"]["enum"] == [5, 9]
    assert luma["duration_seconds"]["schema"]["default"] == 5
    assert "9:16" in luma["aspect_ratio"]["exact"]
    outpaint = {each["name"]: each for each in models["us.stability.stable-outpaint-v1:0"]["controls"]}
    assert outpaint["creativity"]["schema"]["minimum"] == 0.1
    assert outpaint["extend"]["model_pixels_max"] == 2000


async def test_prices_say_where_they_come_from(studio: Studio) -> None:
    """No price without a source and a date, and a guess is called one."""
    for model in (await catalogue(studio)).values():
        assert model["price"]["source"]
        assert model["price"]["as_of"]
    assert (await studio.get("/v1/models/luma.ray-v2:0")).json["price"]["confirmed"] is False


@pytest.mark.parametrize(
    ("controls", "per_take"), [({}, "3.75"), ({"duration_seconds": 9, "resolution": "720p"}, "13.50")]
)
async def test_a_quote_is_the_sum_of_its_lines(
    studio: Studio, controls: dict[str, Any], per_take: str
) -> None:
    """Seconds, resolution and the number of takes are in the price; what isn't confirmed is marked."""
    production = await studio.production()
    shot = await studio.shot(production["id"])
    body = {
        "production_id": production["id"],
        "shot_id": shot["id"],
        "kind": "previs_shot",
        "prompt": "MS EXT a tram pulls out",
        "takes": 3,
        "controls": controls,
    }
    quoted = (await studio.post("/v1/quotes", body)).json
    assert Decimal(quoted["per_take"]) == Decimal(per_take)
    assert Decimal(quoted["total"]) == 3 * Decimal(per_take)
    assert sum(Decimal(line["usd"]) for line in quoted["lines"]) == Decimal(quoted["per_take"])
    assert quoted["unconfirmed"] is True


async def test_a_quote_is_what_the_request_then_costs_and_makes_nothing(studio: Studio) -> None:
    """No surprise bill: the estimate on every take is the quoted amount."""
    production = await studio.production()
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": "WS a quarry", "takes": 2}
    quoted = (await studio.post("/v1/quotes", body)).json
    place = f"/v1/generations?production_id={production['id']}"
    assert (await studio.get(place)).json["data"] == []
    asked = (await studio.post("/v1/generations", body)).json
    assert {Decimal(take["estimate_usd"]) for take in asked["takes"]} == {Decimal(quoted["per_take"])}


async def test_a_quote_refuses_what_the_request_would_be_refused_for(studio: Studio) -> None:
    """The same pointers, before anything is spent."""
    production = await studio.production()
    body = {"production_id": production["id"], "kind": "cleanup", "prompt": "no", "takes": 0}
    quoted, asked = await studio.post("/v1/quotes", body), await studio.post("/v1/generations", body)
    assert quoted.status == asked.status == 422
    assert quoted.json["errors"] == asked.json["errors"]


async def test_a_quote_for_somebody_elses_production_is_refused_as_unknown(
    studio: Studio, other_studio: Studio
) -> None:
    """Prices don't tell whether another studio's production exists."""
    production = await other_studio.production()
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": "x"}
    refused = await studio.post("/v1/quotes", body)
    assert [each["code"] for each in refused.json["errors"]] == ["unknown_production"]


async def test_the_catalogue_needs_a_key(studio: Studio) -> None:
    """Nobody reads terms and prices without one."""
    nobody = Client(studio.http, studio.base, "")
    assert (await nobody.get("/v1/models")).status == 401
    assert (await nobody.post("/v1/quotes", {})).status == 401


async def test_models_for_consistency_are_listed_by_their_use_and_make_no_takes(studio: Studio) -> None:
    """Embeddings and judges are shown with what they cost; a generation that names one is refused."""
    judges = (await studio.get("/v1/models?use=judge")).json["data"]
    embedders = (await studio.get("/v1/models?use=embedding")).json["data"]
    assert judges
    assert all("judge" in each["uses"] for each in judges)
    assert {use for each in embedders for use in each["uses"]} == {"embedding"}
    for model in [*judges, *embedders]:
        assert model["kinds"] == []
    assert {each["price"]["unit"] for each in judges} == {"1000_tokens"}
    assert all(Decimal(each["price"]["usd_output"]) > 0 for each in judges)
    production = await studio.production()
    body = {"production_id": production["id"], "kind": "concept_art", "prompt": "x", "model": judges[0]["id"]}
    refused = await studio.post("/v1/quotes", body)
    assert refused.status == 422
    assert [each["code"] for each in refused.json["errors"]] == ["kind_not_served"]


async def test_the_list_is_narrowed_by_what_somebody_looks_for(studio: Studio) -> None:
    """Provider, lifecycle, region and price: everything that is listed fits, and something is."""
    models = await catalogue(studio)

    async def listed(query: str) -> list[str]:
        return [each["id"] for each in (await studio.get(f"/v1/models?{query}")).json["data"]]

    luma = await listed("provider=luma%20ai")
    assert luma
    assert all(models[each]["provider"] == "Luma AI" for each in luma)
    ended = await listed("lifecycle=eol")
    assert ended
    assert all(models[each]["days_left"] == 0 for each in ended)
    east = await listed("region=us-east-1&lifecycle=active")
    assert east
    assert all("us-east-1" in models[each]["regions"] for each in east)
    cheap = await listed("kind=concept_art&max_price=0.04&lifecycle=active")
    assert cheap == ["stability.stable-image-core-v1:1"]
    assert (await studio.get("/v1/models?max_price=-1")).status == 422


async def test_the_matrix_offers_what_the_entries_say(studio: Studio) -> None:
    """Kind by kind: every live model that serves it, the default first; what has ended is never offered."""
    models = await catalogue(studio)
    matrix = (await studio.get("/v1/models/matrix")).json
    for kind, cells in matrix["kinds"].items():
        serving = {
            each["id"]
            for each in models.values()
            if each["lifecycle"] != "eol" and kind in {own["kind"] for own in each["kinds"]}
        }
        assert {cell["model"] for cell in cells} == serving, kind
        assert [cell["default"] for cell in cells] == [True] + [False] * (len(cells) - 1), kind
    [previs] = matrix["kinds"]["previs_shot"]
    assert (previs["seed"], previs["confirmed"]) == ("unsupported", False)
    assert Decimal(previs["per_take_usd"]) == Decimal("3.75")
    assert {"script_breakdown", "shot_prompt"} == set(matrix["tasks"])


async def test_what_is_still_right_is_not_sent_again(studio: Studio) -> None:
    """A tool asks as often as it likes: 304 until the catalogue changes."""
    for path in ("/v1/models", "/v1/models/matrix", "/v1/models?kind=cleanup"):
        first = await studio.get(path)
        again = await studio.get(path, headers={"If-None-Match": f'W/{first.headers["ETag"]}, "x"'})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        other = await studio.get(path, headers={"If-None-Match": '"x"'})
        assert (other.status, other.body) == (200, first.body)


async def test_an_input_that_a_model_needs_is_told(studio: Studio) -> None:
    """A model may need more than its kind does."""
    sketch = (await catalogue(studio))["us.stability.stable-image-control-sketch-v1:0"]
    concept = next(each for each in sketch["kinds"] if each["kind"] == "concept_art")
    assert concept["required_inputs"] == ["sketch"]
