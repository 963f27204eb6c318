"""The native body of every model, as recorded by hand from the documentation: `tests/unit/wire/`, one file per request."""

import json
from pathlib import Path
from typing import Any

import pytest

from circletake.dialects.contract import shape_of
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlState, ModelRequest
from tests.unit.model_requests import card_of, catalogue, native, picture, reports, request

WIRE = Path(__file__).parent / "wire"
RECORDS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(WIRE.glob("*.json"))}


def asked_for(asked: dict[str, Any]) -> ModelRequest:
    inputs = asked.get("inputs", {})
    return request(
        Kind(asked["kind"]),
        prompt=asked.get("prompt"),
        negative=asked.get("negative_prompt"),
        search=asked.get("search_prompt"),
        seed=asked.get("seed"),
        controls=asked.get("controls"),
        pictures={InputSlot(slot): picture(data.encode(), (1024, 1024)) for slot, data in inputs.items()},
    )


@pytest.mark.parametrize("name", RECORDS)
def test_a_request_becomes_its_recorded_body(name):
    """The whole body: nothing is missing, nothing more is sent."""
    record = RECORDS[name]
    assert native(record["model"], asked_for(record["asked"])) == record["body"]


def test_every_live_model_that_makes_takes_has_a_recorded_body():
    """A new entry of the catalogue isn't done before its body was written down and read."""
    live = {card.id for card in catalogue().all() if card.kinds and card.lifecycle != "eol"}
    assert {record["model"] for record in RECORDS.values()} == live


@pytest.mark.parametrize("name", RECORDS)
def test_the_report_of_controls_says_exactly_what_is_in_the_body(name):
    """Every control, the seed and the negative prompt: applied with the value that is sent, or unsupported and absent."""
    record = RECORDS[name]
    asked, body = asked_for(record["asked"]), record["body"]
    told = reports(record["model"], shape_of(asked))
    assert {*asked.controls} <= told.keys()
    for control, line in told.items():
        if line.state is ControlState.UNSUPPORTED:
            assert control not in body
        elif control == "extend":
            assert {side: body[side] for side in line.sent} == line.sent
        elif control == "duration_seconds":
            assert body["duration"] == f"{line.sent}s"
        elif control == "negative_prompt":
            assert body[control] == asked.negative_prompt
        else:
            assert body[control] == line.sent


def test_what_only_the_laying_back_needs_is_sent_to_nobody():
    """The plate and the matte of an upscale stay at home."""
    body = native(RECORDS["fast-upscale"]["model"], asked_for(RECORDS["fast-upscale"]["asked"]))
    assert "cGxhdGU=" not in body.values()
    assert "plate" not in card_of(RECORDS["fast-upscale"]["model"]).native["inputs"]
