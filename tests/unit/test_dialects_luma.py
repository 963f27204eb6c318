"""Luma Ray2: its documented limits, its native body and what it leaves in the bucket."""

import pytest

from circletake.dialects.contract import UnfitRequest, encode_body
from circletake.dialects.registry import dialect_for
from circletake.domain.controls import strict_violations
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlState, Filtered, Pictures, Unusable
from tests.unit.model_requests import (
    RAY2,
    card_of,
    native,
    picture,
    pointers,
    reports,
    request,
    shape,
    violations,
)


def previs(**parts):
    return shape(Kind.PREVIS_SHOT, **parts)


def test_a_previs_shot_becomes_a_ray2_body():
    """The whole native body, as recorded."""
    body = native(
        RAY2,
        request(
            Kind.PREVIS_SHOT,
            controls={"aspect_ratio": "21:9", "duration_seconds": 9, "resolution": "720p", "loop": True},
            pictures={
                InputSlot.FIRST_FRAME: picture(b"first"),
                InputSlot.LAST_FRAME: picture(b"last", media_type="image/jpeg"),
            },
        ),
    )
    assert body == {
        "prompt": "a lighthouse at dusk",
        "aspect_ratio": "21:9",
        "duration": "9s",
        "resolution": "720p",
        "loop": True,
        "keyframes": {
            "frame0": {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "Zmlyc3Q="},
            },
            "frame1": {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "bGFzdA=="},
            },
        },
    }


def test_without_controls_the_cheapest_clip_is_asked_for_in_so_many_words():
    """What is billed is always sent, so that no default of the provider changes a bill."""
    assert native(RAY2, request(Kind.PREVIS_SHOT)) == {
        "prompt": "a lighthouse at dusk",
        "aspect_ratio": "16:9",
        "duration": "5s",
        "resolution": "540p",
        "loop": False,
    }


def test_a_seed_is_reported_as_not_taken_and_never_sent():
    """A studio must know that a Ray2 take can't be made again."""
    assert reports(RAY2, previs(seed=5))["seed"].state is ControlState.UNSUPPORTED
    assert "seed" not in native(RAY2, request(Kind.PREVIS_SHOT, seed=5))


def test_a_negative_prompt_is_reported_as_not_taken_and_never_sent():
    """The model has no such field; strict refuses it at its own place in the request."""
    report = reports(RAY2, previs(negative="rain"))["negative_prompt"]
    assert report.state is ControlState.UNSUPPORTED
    assert [each.pointer for each in strict_violations([report])] == ["/negative_prompt"]
    assert "rain" not in str(native(RAY2, request(Kind.PREVIS_SHOT, negative="rain")))


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1, []), (5000, []), (5001, [("/prompt", "too_long")]), (0, [("/prompt", "empty")])],
)
def test_a_prompt_has_one_to_five_thousand_characters(length, expected):
    """Half of what the picture models take."""
    assert pointers(RAY2, previs(prompt="x" * length)) == expected


@pytest.mark.parametrize("seconds", [1, 4, 6, 8, 10])
def test_a_length_that_is_not_sold_is_refused_never_rounded(seconds):
    """6 seconds rounded to 9 would be a bill nobody asked for."""
    (found,) = violations(RAY2, previs(controls={"duration_seconds": seconds}))
    assert (found.pointer, found.code) == ("/controls/duration_seconds", "not_offered")
    assert "5, 9" in found.message


@pytest.mark.parametrize("value", [5.5, "5s", True, None])
def test_a_length_is_a_whole_number_of_seconds(value):
    """The model's own spelling is not ours."""
    assert pointers(RAY2, previs(controls={"duration_seconds": value})) == [
        ("/controls/duration_seconds", "wrong_type")
    ]


@pytest.mark.parametrize("value", ["1080p", 720, None])
def test_a_resolution_that_is_not_sold_is_refused(value):
    """The resolution decides the price."""
    assert pointers(RAY2, previs(controls={"resolution": value})) == [
        ("/controls/resolution", "not_a_choice")
    ]


def test_a_ratio_the_model_lacks_is_sent_as_the_nearest():
    """3:2 lies between 4:3 and 16:9, nearer to 4:3."""
    report = reports(RAY2, previs(controls={"aspect_ratio": "3:2"}))["aspect_ratio"]
    assert (report.state, report.sent) == (ControlState.APPROXIMATED, "4:3")


def test_loop_is_yes_or_no():
    """1 is not true."""
    assert pointers(RAY2, previs(controls={"loop": 1})) == [("/controls/loop", "wrong_type")]


@pytest.mark.parametrize(
    ("size", "sent"),
    [
        ((512, 512), True),
        ((511, 512), False),
        ((4096, 4096), True),
        ((4097, 4096), False),
        ((4096, 512), True),
    ],
)
def test_a_keyframe_outside_the_models_limits_is_never_sent(size, sent):
    """512 to 4096 pixels a side."""
    asked = request(Kind.PREVIS_SHOT, pictures={InputSlot.LAST_FRAME: picture(b"k", size)})
    if sent:
        assert list(native(RAY2, asked)["keyframes"]) == ["frame1"]
    else:
        with pytest.raises(UnfitRequest):
            native(RAY2, asked)


@pytest.mark.parametrize(("size", "refused"), [((8192, 1024), False), ((8200, 1024), True)])
def test_a_keyframe_too_narrow_to_scale_is_refused_up_front(size, refused):
    """8:1 just fits between 512 and 4096; beyond it no scaling helps."""
    asked = previs(inputs={InputSlot.FIRST_FRAME: size})
    assert pointers(RAY2, asked) == ([("/inputs/first_frame", "cannot_fit")] if refused else [])


def test_two_keyframes_of_the_largest_size_fit_one_request():
    """Both frames together stay below the service's limit."""
    frame = picture(bytes(9_000_000))
    body = native(
        RAY2,
        request(
            Kind.PREVIS_SHOT,
            prompt="🎬" * 5000,
            pictures={InputSlot.FIRST_FRAME: frame, InputSlot.LAST_FRAME: frame},
        ),
    )
    assert len(encode_body(body, card_of(RAY2))) <= 25_000_000


def test_a_clip_in_the_bucket_is_a_take():
    """MP4 by its own first bytes, without a seed."""
    clip = b"\x00\x00\x00\x20ftypisom" + bytes(20)
    assert dialect_for(card_of(RAY2)).read(clip) == Pictures((clip,), (None,), "video/mp4")


@pytest.mark.parametrize("junk", [b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\x20moov"])
def test_what_is_no_clip_is_no_take(junk):
    """A result that isn't MP4 is unusable, whatever its name says."""
    assert isinstance(dialect_for(card_of(RAY2)).read(junk), Unusable)


@pytest.mark.parametrize(
    ("message", "stage"),
    [
        ("The generated video has been blocked by our content filters.", "output_image"),
        ("The generated content has been blocked by our content filters.", "output_image"),
        ("This request has been blocked by our content filters. Please adjust your text prompt.", "prompt"),
        ("RAI_VIOLATION_INPUT_IMAGE_DEFLECTION", "input_image"),
        ("RAI_VIOLATION_INPUT_TEXT_DEFLECTION", "prompt"),
        ("RAI_VIOLATION_OUTPUT_VIDEO_DEFLECTION", "output_image"),
        ("Content moderation failed", "unknown"),
    ],
)
def test_a_filtered_invocation_is_filtered_not_failed(message, stage):
    """An asynchronous refusal comes as a failure message."""
    assert dialect_for(card_of(RAY2)).read_async_failure(message) == Filtered(stage, message)


@pytest.mark.parametrize(
    "message", [None, "", "Something went wrong on the server side.", "Request has been aborted."]
)
def test_a_failed_invocation_is_unusable(message):
    """Other failures, told or not, are no refusal."""
    assert isinstance(dialect_for(card_of(RAY2)).read_async_failure(message), Unusable)
