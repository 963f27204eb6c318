"""Wrong input gets a problem document that says what to change, before any money is spent."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.gateway import Reply, Studio


@pytest.fixture(scope="session")
async def shot(studio: Studio) -> dict[str, str]:
    production = await studio.production()
    return {
        "production_id": production["id"],
        "shot_id": (await studio.shot(production["id"]))["id"],
    }


def _problem(answer: Reply, status: int = 422) -> list[tuple[str, str]]:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["type"] == f"urn:circletake:problem:{answer.json['code']}"
    assert answer.json["support_id"] == answer.headers["X-Support-Id"]
    return [(error["pointer"], error["code"]) for error in answer.json["errors"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"takes": 21}, ("/takes", "out_of_range")),
        ({"takes": 0}, ("/takes", "out_of_range")),
        ({"seed": 0}, ("/seed", "out_of_range")),
        ({"seed": 4_294_967_295}, ("/seed", "out_of_range")),
        ({"deadline": "2020-01-01T00:00:00Z"}, ("/deadline", "deadline_past")),
        ({"deadline": "2099-01-01T00:00:00"}, ("/deadline", "value_error")),
        ({"model": "some.model-v9:0"}, ("/model", "unknown_model")),
        ({"model": "amazon.nova-canvas-v1:0"}, ("/model", "model_ended")),
        ({"model": "luma.ray-v2:0"}, ("/model", "kind_not_served")),
        ({"prompt": None}, ("/prompt", "prompt_required")),
        ({"prompt": "x" * 10_001}, ("/prompt", "string_too_long")),
        ({"promt": "a typo"}, ("/promt", "extra_forbidden")),
        ({"kind": "deepfake"}, ("/kind", "enum")),
        ({"controls": {"vibe": 11}}, ("/controls/vibe", "unknown_control")),
        ({"controls": {"strength": 2}}, ("/controls/strength", "out_of_range")),
        (
            {"inputs": {"matte": "01a20000-0000-7000-8000-000000000000"}},
            ("/inputs/matte", "input_unexpected"),
        ),
        (
            {"inputs": {"reference": "01a20000-0000-7000-8000-000000000000"}},
            ("/inputs/reference", "unknown_media"),
        ),
        ({"production_id": "01a20000-0000-7000-8000-000000000000"}, ("/production_id", "unknown_production")),
        ({"shot_id": "01a20000-0000-7000-8000-000000000000"}, ("/shot_id", "unknown_shot")),
        ({"metadata": {"x": "y" * 9000}}, ("/metadata", "too_large")),
        (
            {"strict": True, "controls": {"style_preset": "anime"}},
            ("/controls/style_preset", "control_unsupported"),
        ),
    ],
)
async def test_a_request_that_is_wrong_says_where_and_what(
    studio: Studio, shot: dict[str, str], change: dict[str, Any], expected: tuple[str, str]
) -> None:
    """Every mistake has a pointer and a stable code, and nothing is accepted."""
    body = {**shot, "kind": "concept_art", "prompt": "a quiet street", **change}
    answer = await studio.post("/v1/generations", body)
    assert expected in _problem(answer)


async def test_a_cleanup_without_its_files_names_all_that_is_missing(
    studio: Studio, shot: dict[str, str]
) -> None:
    """One answer lists everything that is wrong, not only the first."""
    answer = await studio.post(
        "/v1/generations", {**shot, "kind": "cleanup", "prompt": "remove it", "takes": 99}
    )
    assert {pointer for pointer, _ in _problem(answer)} >= {
        "/inputs/plate",
        "/inputs/matte",
        "/prompt",
        "/takes",
    }


async def test_malformed_json_is_told_apart_from_wrong_json(studio: Studio) -> None:
    """A body that isn't JSON is a 400."""
    answer = await studio.call(
        "POST", "/v1/generations", data=b'{"kind": ', headers={"Content-Type": "application/json"}
    )
    _problem(answer, 400)
    assert answer.json["code"] == "malformed_json"


async def test_the_prompt_is_never_echoed_in_a_problem(studio: Studio, shot: dict[str, str]) -> None:
    """A refusal may end in a log or a ticket: it quotes no content."""
    secret = "the killer is the gardener " * 400
    answer = await studio.post(
        "/v1/generations",
        {**shot, "kind": "concept_art", "prompt": secret, "negative_prompt": "\0", "takes": "many"},
    )
    _problem(answer)
    assert b"gardener" not in answer.body


@pytest.mark.parametrize(
    "key", ["", "ct_live_x", "Bearer", "ct_live_0123456789abcdef_" + "a" * 43 + "000000"]
)
async def test_a_key_that_is_none_is_unauthenticated(studio: Studio, key: str) -> None:
    """Without a valid key nothing is told."""
    answer = await studio.get("/v1/generations", headers={"Authorization": f"Bearer {key}"})
    _problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_unknown_path_and_method_are_problems_too(studio: Studio) -> None:
    """Everything that goes wrong has the same form."""
    _problem(await studio.get("/v1/nothing"), 404)
    _problem(await studio.call("DELETE", "/v1/generations"), 405)


async def test_a_made_up_cursor_is_refused(studio: Studio) -> None:
    """A cursor comes from the page before, unchanged."""
    answer = await studio.get("/v1/generations?cursor=abc")
    assert _problem(answer) == [("query.cursor", "bad_cursor")]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused(studio: Studio, chunked: bool) -> None:
    """A huge body is not read to its end, whether its length is told or not."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    data = pieces() if chunked else io.BytesIO(b" " * 2_500_000)
    answer = await studio.call(
        "POST", "/v1/generations", data=data, headers={"Content-Type": "application/json"}
    )
    _problem(answer, 413)
    assert answer.json["code"] == "body_too_large"


async def test_a_misspelt_filter_is_refused_and_not_ignored(studio: Studio) -> None:
    """A parameter that isn't there would otherwise list everything."""
    answer = await studio.get("/v1/generations?sate=failed")
    assert _problem(answer) == [("query.sate", "unknown_parameter")]
    assert "state" in answer.json["errors"][0]["message"]
    assert (await studio.get("/v1/generations?state=failed&limit=5")).status == 200
