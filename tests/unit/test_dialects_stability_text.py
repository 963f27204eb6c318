"""Stable Diffusion 3.5 Large: its documented limits and its native bodies."""

import pytest

from circletake.dialects.contract import RequestTooLarge, UnfitRequest, encode_body
from circletake.domain.controls import strict_violations
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlState
from tests.unit.model_requests import (
    SD35,
    card_of,
    native,
    picture,
    pointers,
    reports,
    request,
    shape,
    violations,
)

REFERENCE = {InputSlot.REFERENCE: (1920, 1080)}


def concept(**parts):
    return shape(Kind.CONCEPT_ART, **parts)


def test_words_alone_become_a_text_to_image_body():
    """The whole native body, as recorded: nothing more is sent than this."""
    body = native(
        SD35,
        request(
            Kind.CONCEPT_ART,
            negative="people",
            seed=7,
            controls={"aspect_ratio": "21:9", "output_format": "webp"},
        ),
    )
    assert body == {
        "prompt": "a lighthouse at dusk",
        "negative_prompt": "people",
        "mode": "text-to-image",
        "aspect_ratio": "21:9",
        "seed": 7,
        "output_format": "webp",
    }


def test_without_controls_the_defaults_are_sent_in_the_open():
    """A take can be made again even when the provider changes its own defaults."""
    assert native(SD35, request(Kind.CONCEPT_ART)) == {
        "prompt": "a lighthouse at dusk",
        "mode": "text-to-image",
        "aspect_ratio": "16:9",
        "output_format": "png",
    }


def test_a_reference_becomes_an_image_to_image_body_without_a_ratio():
    """With a reference the model takes no aspect_ratio and needs a strength."""
    body = native(
        SD35,
        request(
            Kind.CONCEPT_ART,
            seed=4294967294,
            controls={"strength": 0.35},
            pictures={InputSlot.REFERENCE: picture(b"\x00\xffpixels")},
        ),
    )
    assert body == {
        "prompt": "a lighthouse at dusk",
        "mode": "image-to-image",
        "image": "AP9waXhlbHM=",
        "strength": 0.35,
        "seed": 4294967294,
        "output_format": "png",
    }


def test_a_ratio_asked_for_beside_a_reference_is_reported_as_not_taken():
    """Nothing that was asked for is dropped in silence."""
    asked = concept(controls={"aspect_ratio": "1:1"}, inputs=REFERENCE)
    assert reports(SD35, asked)["aspect_ratio"].state is ControlState.UNSUPPORTED
    assert pointers(SD35, asked) == []


def test_a_strength_without_a_reference_is_reported_and_refused_when_strict():
    """Strict turns what would be left out into a refusal that points at the control."""
    report = reports(SD35, concept(controls={"strength": 0.5}))["strength"]
    assert report.state is ControlState.UNSUPPORTED
    assert report.sent is None
    (refused,) = strict_violations([report])
    assert (refused.pointer, refused.code) == ("/controls/strength", "control_unsupported")


def test_a_ratio_the_model_lacks_is_sent_as_the_nearest_and_says_so():
    """4:3 is nearer to 5:4 than to 3:2; the report carries what is really sent."""
    report = reports(SD35, concept(controls={"aspect_ratio": "4:3"}))["aspect_ratio"]
    assert (report.state, report.sent) == (ControlState.APPROXIMATED, "5:4")
    assert native(SD35, request(Kind.CONCEPT_ART, controls={"aspect_ratio": "4:3"}))["aspect_ratio"] == "5:4"
    assert [each.code for each in strict_violations([report])] == ["control_approximated"]


def test_a_style_preset_is_reported_as_unknown_to_this_model():
    """A control of the API that this model lacks is neither sent nor passed over."""
    report = reports(SD35, concept(controls={"style_preset": "cinematic"}))["style_preset"]
    assert report.state is ControlState.UNSUPPORTED
    assert "style_preset" not in native(
        SD35, request(Kind.CONCEPT_ART, controls={"style_preset": "cinematic"})
    )


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, [("/prompt", "empty")]), (1, []), (10_000, []), (10_001, [("/prompt", "too_long")])],
)
def test_a_prompt_has_one_to_ten_thousand_characters(length, expected):
    """At the limit it goes through, one more is refused before anything is spent."""
    assert pointers(SD35, concept(prompt="x" * length)) == expected


@pytest.mark.parametrize(("length", "expected"), [(10_000, []), (10_001, [("/negative_prompt", "too_long")])])
def test_a_negative_prompt_has_at_most_ten_thousand_characters(length, expected):
    """The negative prompt has a limit of its own."""
    assert pointers(SD35, concept(negative="x" * length)) == expected


def test_a_refusal_never_repeats_the_prompt():
    """Refusals reach logs and trackers, prompts must not."""
    (found,) = violations(SD35, concept(prompt="secret sequel " * 1000))
    assert "secret" not in found.message
    assert "10000" in found.message
    card = card_of(SD35)
    with pytest.raises(UnfitRequest) as refused:
        native(SD35, request(Kind.CONCEPT_ART, prompt="secret sequel " * 1000))
    assert "secret" not in str(refused.value)
    assert "secret" not in repr(concept(prompt="secret"))
    assert card.id == SD35


def test_concept_art_without_words_is_refused():
    """The model needs a prompt."""
    assert pointers(SD35, concept(prompt=None)) == [("/prompt", "required")]


@pytest.mark.parametrize(
    ("seed", "refused"), [(0, True), (1, False), (4_294_967_294, False), (4_294_967_295, True), (-1, True)]
)
def test_a_seed_lies_between_1_and_what_the_model_takes(seed, refused):
    """0 means random to the model, so it can't stand for a seed."""
    assert pointers(SD35, concept(seed=seed)) == ([("/seed", "out_of_range")] if refused else [])


def test_a_seed_that_is_no_whole_number_is_refused():
    """true is not 1."""
    assert pointers(SD35, concept(seed=True)) == [("/seed", "wrong_type")]


@pytest.mark.parametrize(
    ("strength", "code"),
    [
        (0, None),
        (1, None),
        (1.0, None),
        (-0.01, "out_of_range"),
        (1.01, "out_of_range"),
        (True, "wrong_type"),
    ],
)
def test_strength_runs_from_0_to_1(strength, code):
    """Both ends are allowed."""
    asked = concept(controls={"strength": strength}, inputs=REFERENCE)
    assert pointers(SD35, asked) == ([("/controls/strength", code)] if code else [])


@pytest.mark.parametrize(
    ("size", "refused"),
    [((2500, 1000), False), ((1000, 2500), False), ((2501, 1000), True), ((1000, 2501), True)],
)
def test_a_reference_is_at_most_two_and_a_half_to_one(size, refused):
    """A shape the model doesn't take can't be mended by scaling: it is refused up front."""
    asked = concept(inputs={InputSlot.REFERENCE: size})
    assert pointers(SD35, asked) == ([("/inputs/reference", "cannot_fit")] if refused else [])


@pytest.mark.parametrize(
    ("size", "fits"),
    [((64, 64), True), ((63, 64), False), ((3072, 3072), True), ((3073, 3072), False), ((64, 161), False)],
)
def test_a_copy_outside_the_limits_is_never_sent(size, fits):
    """64 pixels a side, 9,437,184 in all, 2.5:1: the last look before money is spent."""
    asked = request(Kind.CONCEPT_ART, pictures={InputSlot.REFERENCE: picture(size=size)})
    if fits:
        assert native(SD35, asked)["mode"] == "image-to-image"
    else:
        with pytest.raises(UnfitRequest):
            native(SD35, asked)


@pytest.mark.parametrize(
    "wrong", [picture(media_type="image/tiff"), picture(bytes(18_000_001))], ids=["tiff", "too many bytes"]
)
def test_a_copy_of_the_wrong_form_is_never_sent(wrong):
    """Type and bytes of the copy are part of the last look."""
    with pytest.raises(UnfitRequest):
        native(SD35, request(Kind.CONCEPT_ART, pictures={InputSlot.REFERENCE: wrong}))


def test_the_largest_allowed_request_is_below_the_services_limit():
    """A reference of the allowed bytes and two full texts of four-byte characters fit into 25,000,000 bytes."""
    card = card_of(SD35)
    body = native(
        SD35,
        request(
            Kind.CONCEPT_ART,
            prompt="🎬" * 10_000,
            negative="🎬" * 10_000,
            pictures={InputSlot.REFERENCE: picture(bytes(18_000_000))},
        ),
    )
    assert len(encode_body(body, card)) <= 25_000_000


def test_a_body_past_the_services_limit_is_not_sent():
    """What is left is refused by its size in bytes."""
    with pytest.raises(RequestTooLarge) as refused:
        encode_body({"prompt": "x" * 25_000_000}, card_of(SD35))
    assert refused.value.limit == 25_000_000


def test_the_same_request_has_the_same_bytes():
    """A request hash means something only if the order of the controls doesn't change it."""
    card = card_of(SD35)
    one = native(SD35, request(Kind.CONCEPT_ART, controls={"aspect_ratio": "1:1", "output_format": "png"}))
    other = native(SD35, request(Kind.CONCEPT_ART, controls={"output_format": "png", "aspect_ratio": "1:1"}))
    assert encode_body(one, card) == encode_body(other, card)


def test_a_kind_the_model_does_not_serve_is_refused():
    """The refusal names what the model serves."""
    (found,) = violations(SD35, shape(Kind.CLEANUP, prompt=None))
    assert (found.pointer, found.code) == ("/kind", "kind_not_served")
    assert "concept_art" in found.message


def test_a_clip_is_no_reference():
    """A moving picture in a still's place is refused."""
    asked = concept(inputs=REFERENCE, media_type="video/mp4")
    assert pointers(SD35, asked) == [("/inputs/reference", "media_type")]


def test_an_input_the_kind_does_not_have_is_refused():
    """A plate would be ignored by concept art, so it is refused."""
    asked = concept(inputs={InputSlot.PLATE: (1920, 1080)})
    assert pointers(SD35, asked) == [("/inputs/plate", "not_taken")]
