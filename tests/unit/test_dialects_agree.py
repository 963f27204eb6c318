"""What the gateway accepts, the models' wire accepts: our dialects against the offline server's own reading.

The two were written apart from the same documentation and share no code.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from circletake.dialects.contract import encode_body
from circletake.dialects.example import example_request
from circletake.dialects.registry import dialect_for
from circletake.domain.controls import CONTROLS, SEED_MAX
from circletake.domain.fitting import fit_within
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ModelRequest, Picture
from services.bedrock.dialects.luma import parse_ray2
from services.bedrock.dialects.stability import PARSERS
from services.bedrock.errors import BedrockFault
from tests.unit.model_requests import (
    CONSERVATIVE,
    CORE,
    CREATIVE,
    CUTOUT,
    ERASE,
    FAST,
    INPAINT,
    OUTPAINT,
    RAY2,
    RECOLOR,
    REPLACE,
    SD35,
    SKETCH,
    STRUCTURE,
    STYLE_GUIDE,
    STYLE_TRANSFER,
    ULTRA,
    card_of,
    catalogue,
    native,
    request,
    violations,
)
from tests.unit.model_requests import shape as shape_for


def png(width: int, height: int) -> bytes:
    """A grey PNG of that size, made by hand so that a large one costs nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def controls_of(model_id: str) -> st.SearchStrategy[dict[str, Any]]:
    """Any of the API's controls, known to the model or not, inside and outside its ranges."""
    side = st.integers(0, 2600)
    values: dict[str, st.SearchStrategy[Any]] = {
        "extend": st.fixed_dictionaries({}, optional=dict.fromkeys(("left", "right", "up", "down"), side)),
        "strength": st.floats(0, 1),
        "grow_mask": st.integers(0, 30),
        "duration_seconds": st.sampled_from([1, 5, 9, 10]),
        "loop": st.booleans(),
    }
    for name, control in CONTROLS.items():
        if control.choices:
            values[name] = st.sampled_from(control.choices)
        elif control.type == "number" and name != "strength":
            values[name] = st.sampled_from([0.09, 0.1, 0.3, 0.5, 0.51, 1])
    needed = {"extend": values.pop("extend")} if model_id == OUTPAINT else {}
    return st.fixed_dictionaries(needed, optional=values)


sizes = st.sampled_from(
    [
        (64, 64),
        (64, 160),
        (100, 250),
        (640, 480),
        (1920, 1080),
        (512, 4096),
        (3073, 3072),
        (4096, 1716),
        (48, 64),
    ]
)
seeds = st.none() | st.integers(1, SEED_MAX)
words = st.text(min_size=1, max_size=40).filter(str.strip)


def stability(model_id: str) -> Callable[[bytes], object]:
    return PARSERS[model_id.removeprefix("us.")]


ASKED: list[tuple[str, Kind, tuple[InputSlot, ...]]] = [
    (SD35, Kind.STORYBOARD_PANEL, ()),
    (SD35, Kind.CONCEPT_ART, (InputSlot.REFERENCE,)),
    (CORE, Kind.CHARACTER_SHEET, ()),
    (ULTRA, Kind.CONCEPT_ART, ()),
    (ULTRA, Kind.CONCEPT_ART, (InputSlot.REFERENCE,)),
    (SKETCH, Kind.STORYBOARD_PANEL, (InputSlot.SKETCH,)),
    (STRUCTURE, Kind.CONCEPT_ART, (InputSlot.STRUCTURE,)),
    (STYLE_GUIDE, Kind.LOOK_DEVELOPMENT, (InputSlot.STYLE,)),
    (STYLE_TRANSFER, Kind.LOOK_DEVELOPMENT, (InputSlot.SOURCE, InputSlot.STYLE)),
    (OUTPAINT, Kind.SET_EXTENSION, (InputSlot.PLATE,)),
    (ERASE, Kind.CLEANUP, (InputSlot.PLATE, InputSlot.MATTE)),
    (INPAINT, Kind.ELEMENT, (InputSlot.PLATE, InputSlot.MATTE)),
    (RECOLOR, Kind.RECOLOR, (InputSlot.PLATE,)),
    (REPLACE, Kind.REPLACE, (InputSlot.PLATE,)),
    (CUTOUT, Kind.BACKGROUND_REMOVAL, (InputSlot.SOURCE,)),
    (FAST, Kind.UPSCALE, (InputSlot.SOURCE,)),
    (CONSERVATIVE, Kind.UPSCALE, (InputSlot.SOURCE,)),
    (CREATIVE, Kind.UPSCALE, (InputSlot.SOURCE,)),
    (RAY2, Kind.PREVIS_SHOT, ()),
    (RAY2, Kind.PREVIS_SHOT, (InputSlot.FIRST_FRAME,)),
]
WORDLESS = (ERASE, CUTOUT, FAST)


def test_every_live_model_is_put_against_the_wire():
    """A new entry of the catalogue needs its place in the list."""
    live = {card.id for card in catalogue().all() if card.kinds and card.lifecycle != "eol"}
    assert {model_id for model_id, _, _ in ASKED} == live


@pytest.mark.parametrize(("model_id", "kind", "slots"), ASKED)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_what_is_accepted_here_is_accepted_on_the_wire(
    model_id: str, kind: Kind, slots: tuple[InputSlot, ...], data: st.DataObject
) -> None:
    """For any request that passes the check, the fitted native body is one that the model's parser takes."""
    card = card_of(model_id)
    size = data.draw(sizes)
    prompt = None if model_id in WORDLESS else data.draw(words)
    negative = None if model_id in WORDLESS else data.draw(st.none() | words)
    search = data.draw(words) if model_id in {RECOLOR, REPLACE} else None
    parts = {"prompt": prompt, "negative": negative, "search": search, "seed": data.draw(seeds)}
    controls = data.draw(controls_of(model_id))
    assume(
        not violations(
            model_id, shape_for(kind, **parts, controls=controls, inputs=dict.fromkeys(slots, size))
        )
    )
    pictures = {}
    for slot in slots:
        fit = fit_within(*size, card.limits["inputs"][slot.value])
        pictures[slot] = Picture(png(fit.width, fit.height), "image/png", fit.width, fit.height, fit.scale)
    body: ModelRequest = request(kind, **parts, controls=controls, pictures=pictures)
    sent = dialect_for(card).build(body, card)
    if model_id == RAY2:
        assert parse_ray2(sent, 1)
    else:
        assert stability(model_id)(encode_body(sent, card))


@pytest.mark.parametrize(
    ("model_id", "kind", "breaks"),
    [
        (SD35, Kind.CONCEPT_ART, {"seed": SEED_MAX + 1}),
        (SD35, Kind.CONCEPT_ART, {"aspect_ratio": "4:3"}),
        (SD35, Kind.CONCEPT_ART, {"style_preset": "cinematic"}),
        (CORE, Kind.CONCEPT_ART, {"mode": "text-to-image"}),
        (CORE, Kind.CONCEPT_ART, {"strength": 0.5}),
        (ULTRA, Kind.CONCEPT_ART, {"output_format": "webp"}),
    ],
)
def test_the_wire_does_refuse_what_we_would_not_send(
    model_id: str, kind: Kind, breaks: dict[str, Any]
) -> None:
    """The agreement means something: the same parser refuses a body with one wrong member."""
    sent = {**native(model_id, request(kind)), **breaks}
    with pytest.raises(BedrockFault):
        stability(model_id)(encode_body(sent, card_of(model_id)))


@pytest.mark.parametrize(
    ("model_id", "breaks"),
    [
        (FAST, {"seed": 7}),
        (FAST, {"prompt": "sharper"}),
        (CUTOUT, {"seed": 7}),
        (CREATIVE, {"creativity": 0.51}),
        (CONSERVATIVE, {"creativity": 0.09}),
        (RECOLOR, {"search_prompt": "the coat"}),
        (REPLACE, {"select_prompt": "the coat"}),
        (SKETCH, {"aspect_ratio": "1:1"}),
        (STRUCTURE, {"control_strength": 1.01}),
        (STYLE_GUIDE, {"fidelity": -0.01}),
        (STYLE_TRANSFER, {"change_strength": 0.09}),
        (STYLE_TRANSFER, {"style_preset": "anime"}),
        (ERASE, {"grow_mask": 21}),
        (INPAINT, {"prompt": ""}),
        (OUTPAINT, {"left": 2001}),
    ],
)
def test_each_services_wire_refuses_one_wrong_member(model_id: str, breaks: dict[str, Any]) -> None:
    """Of a body that it takes: the agreement above means something for each service."""
    card = card_of(model_id)
    asked = example_request(card, min(card.kinds))
    pictures = {slot: replace(each, data=png(each.width, each.height)) for slot, each in asked.inputs.items()}
    sent = dialect_for(card).build(replace(asked, inputs=pictures), card)
    assert stability(model_id)(encode_body(sent, card))
    with pytest.raises(BedrockFault):
        stability(model_id)(encode_body({**sent, **breaks}, card))
