"""The catalogue and quotes over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

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
    assert set(defaults) == {"concept_art", "set_extension", "cleanup", "element", "previs_shot"}
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
    assert {use for each in judges for use in each["uses"]} == {"judge"}
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
