"""How the models' answers are read: pictures, refusals and what is neither."""

import base64
import json

import pytest

from circletake.dialects.answers import read_stability
from circletake.dialects.faults import billed_for
from circletake.domain.kinds import Billed
from circletake.domain.pictures import Filtered, Pictures, Unusable

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
JPEG = b"\xff\xd8\xff\xe0" + bytes(8)
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "


def answer(**members) -> bytes:
    return json.dumps(members).encode()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("data", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")]
)
def test_a_picture_is_read_with_its_seed_and_its_own_type(data, media_type):
    """The type is what the bytes are, not what was asked for."""
    read = read_stability(answer(seeds=[2130420379], finish_reasons=[None], images=[encoded(data)]))
    assert read == Pictures((data,), (2130420379,), media_type)
    assert billed_for(read) is Billed.TRUE


@pytest.mark.parametrize(
    ("seeds", "seed"), [(["77"], 77), ([], None), (None, None), ([True], None), ("x", None)]
)
def test_a_seed_may_come_as_text_or_not_at_all(seeds, seed):
    """The documentation calls it a string and shows a number; a picture is never lost for it."""
    read = read_stability(answer(seeds=seeds, finish_reasons=[None], images=[encoded(PNG)]))
    assert isinstance(read, Pictures)
    assert read.seeds == (seed,)


def test_a_picture_without_finish_reasons_is_a_picture():
    """Missing reasons are no refusal."""
    assert isinstance(read_stability(answer(images=[encoded(PNG)])), Pictures)


@pytest.mark.parametrize(
    ("reason", "stage"),
    [
        ("Filter reason: prompt", "prompt"),
        ("Filter reason: input image", "input_image"),
        ("Filter reason: output image", "output_image"),
        ("Filter reason: something new", "unknown"),
    ],
)
@pytest.mark.parametrize(
    "rest", [{}, {"seeds": [1]}, {"seeds": [1], "images": []}, {"seeds": [1], "images": [encoded(PNG)]}]
)
def test_a_filter_reason_is_a_refusal_whatever_else_is_there(reason, stage, rest):
    """A refused call is HTTP 200, alone or beside a blurred picture; nobody knows whether it is billed."""
    read = read_stability(answer(finish_reasons=[reason], **rest))
    assert read == Filtered(stage, reason)
    assert billed_for(read) is Billed.UNKNOWN


def test_an_inference_error_is_unusable_not_filtered():
    """The model failed, nobody refused; it was accepted all the same."""
    read = read_stability(answer(finish_reasons=["Inference error"]))
    assert read == Unusable("Inference error")
    assert billed_for(read) is Billed.UNKNOWN


@pytest.mark.parametrize("rest", [{}, {"images": [encoded(PNG)], "finish_reasons": [None]}])
def test_a_guardrails_intervention_is_a_refusal(rest):
    """The guardrail's mark counts even when pictures stand beside it."""
    body = json.dumps({"amazon-bedrock-guardrailAction": "INTERVENED", **rest}).encode()
    assert read_stability(body) == Filtered(
        "guardrail", "amazon-bedrock-guardrailAction: INTERVENED", "guardrail"
    )


def test_a_guardrail_that_let_it_pass_is_no_refusal():
    """NONE stands in every answer while a guardrail is on."""
    body = json.dumps({"amazon-bedrock-guardrailAction": "NONE", "images": [encoded(PNG)]}).encode()
    assert isinstance(read_stability(body), Pictures)


def test_all_pictures_blocked_is_a_refusal_and_some_blocked_is_not():
    """The shape of Amazon's picture models: an `error` text beside the pictures that are left."""
    everything = "All of the generated images have been blocked by our content filters."
    some = "Some of the generated images have been blocked by our content filters."
    assert read_stability(answer(images=[], error=everything)) == Filtered("output_image", everything)
    assert isinstance(read_stability(answer(images=[encoded(PNG)], error=some)), Pictures)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        answer(images=[]),
        answer(images="abc"),
        answer(finish_reasons=[None], images=[]),
        answer(images=[""], finish_reasons=[None]),
        answer(images=["***"], finish_reasons=[None]),
        answer(images=[17], finish_reasons=[None]),
        answer(images=[encoded(b"<svg/>")], finish_reasons=[None]),
        answer(images=[encoded(PNG)[:-3]], finish_reasons=[None]),
        answer(finish_reasons=[{}], images=[encoded(PNG)]),
    ],
)
def test_garbage_is_unusable_and_never_an_exception(junk):
    """Whatever a server sends, the take ends in a state."""
    read = read_stability(junk)
    assert isinstance(read, Unusable)
    assert billed_for(read) is Billed.UNKNOWN


def test_a_long_reason_is_cut():
    """A provider's text is stored, so it is bounded."""
    read = read_stability(answer(error="x" * 10_000))
    assert isinstance(read, Unusable)
    assert len(read.reason) < 400
