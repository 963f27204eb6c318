"""The offline stand-in for language models: a page read by its layout, a prompt put together, and that it says so."""

import json
from typing import Any

import pytest

from services.bedrock import models
from services.bedrock.dialects import converse
from services.bedrock.errors import BedrockFault
from services.bedrock.orders import WriteOrder
from services.bedrock.screenplay import read_page
from services.bedrock.writing import write

LITE = models.find("us.amazon.nova-lite-v1:0", "us-west-2", "1")
SONNET = models.find("us.anthropic.claude-sonnet-5-5", "us-west-2", "1")
PAGE = """\
FADE IN:

1. INT./EXT. BOAT - DUSK
MARA (50s) hauls the rope. Mara drops a knife.

                MARA (CONT'D)
        (shouting)
    Hold on!

CUT TO:

EXT. PIER

TOM
Too late.
"""


def strings(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


def rows(**members: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": members}}


NAMES = {"characters": {"type": "array", "items": {"type": "string"}}}
SETTING = {"setting": {"type": "string", "enum": ["interior", "exterior", "interior_exterior", "unknown"]}}
BREAKDOWN = {
    "type": "object",
    "properties": {
        "scenes": rows(
            **strings("number", "heading", "location", "time_of_day", "summary"), **SETTING, **NAMES
        ),
        "characters": rows(**strings("name", "description", "mood")),
        "shots": rows(scene={"type": "integer"}, **strings("description"), **NAMES),
    },
}


def test_a_page_is_taken_apart_by_its_layout():
    """Headings begin scenes, cues name who speaks, the rest is action; transitions and directions are nobody's words."""
    boat, pier = read_page(PAGE)
    assert (boat.number, boat.setting, boat.location, boat.time_of_day) == (
        "1",
        "interior_exterior",
        "BOAT",
        "DUSK",
    )
    assert boat.action == ["MARA (50s) hauls the rope. Mara drops a knife."]
    assert boat.speakers == ["MARA"]
    assert [each.text for each in boat.paragraphs if each.speaker] == ["Hold on!"]
    assert (pier.setting, pier.location, pier.time_of_day, pier.speakers) == ("exterior", "PIER", "", ["TOM"])


def test_a_schema_is_filled_with_what_the_page_has_and_nothing_else():
    """A member that it doesn't know stays empty; the summary says that no model wrote it."""
    found = write(WriteOrder(f"<page-1a>\n{PAGE}\n</page-1a>", BREAKDOWN))
    assert set(found) == {"scenes", "characters", "shots"}
    assert [each["setting"] for each in found["scenes"]] == ["interior_exterior", "exterior"]
    assert found["characters"][0] == {"name": "MARA", "description": "50s", "mood": ""}
    assert [(each["scene"], each["characters"]) for each in found["shots"]] == [(1, ["MARA"]), (2, ["TOM"])]
    assert all(each["summary"].startswith("OFFLINE STAND-IN") for each in found["scenes"])


def test_a_prompt_is_the_notes_and_never_longer_than_asked():
    """What must not be seen goes into the negative prompt; a person is told that no model wrote it."""
    members = {**strings("negative_prompt", "why", "search_prompt"), "prompt": {"type": "string"}}
    schema = {"type": "object", "properties": members}
    found = write(WriteOrder("Notes:\nReplace the red car with a cart, no modern signs.", schema))
    assert found["prompt"] == "Replace the red car with a cart, no modern signs."
    assert (found["negative_prompt"], found["search_prompt"]) == ("modern signs", "red car")
    assert found["why"].startswith("OFFLINE STAND-IN")
    members["prompt"]["description"] = "The prompt, at most 20 characters."
    assert (
        write(WriteOrder("Notes:\nReplace the red car with a cart.", schema))["prompt"]
        == "Replace the red car"
    )


def asked(choice: Any = None, **inference: Any) -> bytes:
    spec = {"name": "t", "inputSchema": {"json": BREAKDOWN}}
    tools: dict[str, Any] = {"tools": [{"toolSpec": spec}]}
    if choice is not None:
        tools["toolChoice"] = choice
    message = {"role": "user", "content": [{"text": PAGE}]}
    return json.dumps({"messages": [message], "toolConfig": tools, "inferenceConfig": inference}).encode()


def test_an_answer_that_does_not_fit_is_cut_off_as_the_service_does():
    """`maxTokens` reached: stop reason max_tokens, and it is billed."""
    question = converse.parse(asked(maxTokens=20), LITE)
    assert isinstance(question.order, WriteOrder)
    document = converse.answer(question, write(question.order), "t", 1)
    assert (document["stopReason"], document["usage"]["outputTokens"]) == ("max_tokens", 20)
    whole = converse.answer(converse.parse(asked(), LITE), write(question.order), "t", 1)
    assert (whole["stopReason"], whole["output"]["message"]["content"][0]["toolUse"]["name"]) == (
        "tool_use",
        "t",
    )


@pytest.mark.parametrize(
    "body",
    [
        asked({"tool": {"name": "t"}}),
        asked({"any": {}}),
        asked({"auto": {}}, temperature=0.0),
        asked(topP=0.9),
    ],
)
def test_a_model_that_takes_no_forced_tool_and_no_temperature_refuses_them(body):
    """As its maker documents; left the choice, it uses the tool."""
    with pytest.raises(BedrockFault) as fault:
        converse.parse(body, SONNET)
    assert fault.value.status == 400
    assert converse.parse(body, LITE).tool == "t"
    assert converse.parse(asked({"auto": {}}, maxTokens=100), SONNET).tool == "t"
