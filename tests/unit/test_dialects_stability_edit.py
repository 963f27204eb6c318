"""Outpaint, erase object and inpaint: their documented limits and their native bodies."""

import pytest

from circletake.dialects.contract import UnfitRequest
from circletake.domain.fitting import fit_within
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlState
from tests.unit.model_requests import (
    ERASE,
    INPAINT,
    OUTPAINT,
    card_of,
    native,
    picture,
    pointers,
    reports,
    request,
    shape,
    violations,
)

HD = (1920, 1080)
PLATE = {InputSlot.PLATE: HD}
BOTH = {InputSlot.PLATE: HD, InputSlot.MATTE: HD}


def extension(controls=None, **parts):
    return shape(
        Kind.SET_EXTENSION,
        controls={"extend": {"left": 100}} if controls is None else controls,
        **{"inputs": PLATE, **parts},
    )


def plate_and_matte(**parts):
    return {InputSlot.PLATE: picture(b"plate", **parts), InputSlot.MATTE: picture(b"matte", **parts)}


def test_a_set_extension_becomes_an_outpaint_body():
    """The whole native body, as recorded."""
    body = native(
        OUTPAINT,
        request(
            Kind.SET_EXTENSION,
            negative="cars",
            seed=9,
            controls={"extend": {"left": 320, "up": 64}, "creativity": 0.2, "style_preset": "cinematic"},
            pictures={InputSlot.PLATE: picture(b"plate")},
        ),
    )
    assert body == {
        "image": "cGxhdGU=",
        "left": 320,
        "right": 0,
        "up": 64,
        "down": 0,
        "creativity": 0.2,
        "style_preset": "cinematic",
        "prompt": "a lighthouse at dusk",
        "negative_prompt": "cars",
        "seed": 9,
        "output_format": "png",
    }


def test_a_set_extension_needs_no_words():
    """The plate alone says enough."""
    body = native(
        OUTPAINT,
        request(
            Kind.SET_EXTENSION,
            prompt=None,
            controls={"extend": {"down": 1}},
            pictures={InputSlot.PLATE: picture(b"plate")},
        ),
    )
    assert body == {
        "image": "cGxhdGU=",
        "left": 0,
        "right": 0,
        "up": 0,
        "down": 1,
        "creativity": 0.5,
        "output_format": "png",
    }


def test_a_cleanup_becomes_an_erase_body():
    """The whole native body, as recorded: no words, the matte as it is (white is erased in both languages)."""
    body = native(
        ERASE,
        request(Kind.CLEANUP, prompt=None, seed=3, controls={"grow_mask": 8}, pictures=plate_and_matte()),
    )
    assert body == {
        "image": "cGxhdGU=",
        "mask": "bWF0dGU=",
        "grow_mask": 8,
        "seed": 3,
        "output_format": "png",
    }


def test_an_element_becomes_an_inpaint_body():
    """The whole native body, as recorded."""
    body = native(
        INPAINT,
        request(
            Kind.ELEMENT,
            negative="fire",
            controls={"style_preset": "analog-film", "output_format": "jpeg"},
            pictures=plate_and_matte(),
        ),
    )
    assert body == {
        "prompt": "a lighthouse at dusk",
        "negative_prompt": "fire",
        "image": "cGxhdGU=",
        "mask": "bWF0dGU=",
        "grow_mask": 5,
        "style_preset": "analog-film",
        "output_format": "jpeg",
    }


def test_a_cleanup_takes_no_words_and_says_so():
    """Words would be dropped by the service, so they are refused."""
    asked = shape(Kind.CLEANUP, negative="dust", inputs=BOTH)
    assert pointers(ERASE, asked) == [("/prompt", "not_taken"), ("/negative_prompt", "not_taken")]


def test_a_cleanup_and_an_element_need_plate_and_matte():
    """Each missing input is named."""
    missing = [("/inputs/matte", "required"), ("/inputs/plate", "required")]
    assert pointers(ERASE, shape(Kind.CLEANUP, prompt=None)) == missing
    assert pointers(INPAINT, shape(Kind.ELEMENT)) == missing


def test_a_matte_of_another_size_is_refused_with_both_sizes():
    """The service would refuse it too, after the upload."""
    (found,) = violations(
        ERASE, shape(Kind.CLEANUP, prompt=None, inputs={**BOTH, InputSlot.MATTE: (1920, 1079)})
    )
    assert (found.pointer, found.code) == ("/inputs/matte", "size_mismatch")
    assert "1920×1079" in found.message
    assert "1920×1080" in found.message


def test_a_set_extension_says_how_far():
    """Without `extend` there is nothing to do."""
    assert pointers(OUTPAINT, extension(controls={})) == [("/controls/extend", "required")]


@pytest.mark.parametrize(
    ("extend", "expected"),
    [
        ({"left": 1}, []),
        ({"left": 2000, "right": 2000, "up": 2000, "down": 2000}, []),
        ({"left": 2001}, [("/controls/extend/left", "out_of_range")]),
        ({"up": 2001, "down": 2001}, [("/controls/extend/up", "out_of_range"), ("/controls/extend/down", "out_of_range")]),
        ({"left": 0}, [("/controls/extend", "out_of_range")]),
        ({}, [("/controls/extend", "out_of_range")]),
        ({"left": -1, "right": 5}, [("/controls/extend/left", "out_of_range")]),
        ({"left": 1.5}, [("/controls/extend/left", "wrong_type")]),
        ({"north": 5}, [("/controls/extend/north", "unknown_side")]),
        (100, [("/controls/extend", "wrong_type")]),
    ],
)  # fmt: skip
def test_each_side_grows_by_at_most_two_thousand_pixels(extend, expected):
    """0 to 2000 a side, at least one above 0."""
    assert pointers(OUTPAINT, extension(controls={"extend": extend})) == expected


def test_a_large_plate_may_grow_further_in_its_own_pixels():
    """The limit holds in the copy's pixels: an 8K plate is sent smaller, and so is its extension."""
    eight_k = (7680, 4320)
    scale = fit_within(*eight_k, card_of(OUTPAINT).limits["inputs"]["plate"]).scale
    most = int(2000 / scale)
    inputs = {InputSlot.PLATE: eight_k}
    assert most > 2000
    assert pointers(OUTPAINT, extension({"extend": {"left": most}}, inputs=inputs)) == []
    (found,) = violations(OUTPAINT, extension({"extend": {"left": most + 20}}, inputs=inputs))
    assert found.pointer == "/controls/extend/left"
    told = int("".join(digit for digit in found.message if digit.isdigit()))
    assert pointers(OUTPAINT, extension({"extend": {"left": told}}, inputs=inputs)) == []


def test_the_gateway_reports_exactly_what_the_worker_sends_for_a_scaled_plate():
    """Report and body come from one rule, whichever process asks."""
    size = (7680, 4320)
    fit = fit_within(*size, card_of(OUTPAINT).limits["inputs"]["plate"])
    controls = {"extend": {"left": 777, "down": 3}}
    report = reports(OUTPAINT, extension(controls, inputs={InputSlot.PLATE: size}))["extend"]
    body = native(
        OUTPAINT,
        request(
            Kind.SET_EXTENSION,
            controls=controls,
            pictures={InputSlot.PLATE: picture(b"p", (fit.width, fit.height), scale=fit.scale)},
        ),
    )
    assert report.state is ControlState.APPROXIMATED
    assert report.sent == {side: body[side] for side in ("left", "right", "up", "down")}
    assert body["left"] < 777
    assert body["down"] >= 1


@pytest.mark.parametrize(
    ("creativity", "refused"), [(0.1, False), (1, False), (0.09, True), (0, True), (1.01, True)]
)
def test_creativity_runs_from_a_tenth_to_one(creativity, refused):
    """The service's range is narrower than the API's, and the refusal says so."""
    asked = extension({"extend": {"left": 1}, "creativity": creativity})
    assert pointers(OUTPAINT, asked) == ([("/controls/creativity", "out_of_range")] if refused else [])


@pytest.mark.parametrize(("grow", "refused"), [(0, False), (20, False), (21, True), (-1, True)])
@pytest.mark.parametrize(("model", "kind"), [(ERASE, Kind.CLEANUP), (INPAINT, Kind.ELEMENT)])
def test_a_matte_grows_by_at_most_twenty_pixels(model, kind, grow, refused):
    """Both services that take a mask share the limit."""
    asked = shape(
        kind, prompt=None if kind is Kind.CLEANUP else "smoke", controls={"grow_mask": grow}, inputs=BOTH
    )
    assert pointers(model, asked) == ([("/controls/grow_mask", "out_of_range")] if refused else [])


def test_an_unknown_style_preset_is_refused_by_name():
    """The refusal lists the presets there are."""
    (found,) = violations(OUTPAINT, extension({"extend": {"left": 1}, "style_preset": "noir"}))
    assert (found.pointer, found.code) == ("/controls/style_preset", "not_a_choice")
    assert "cinematic" in found.message


def test_an_unknown_control_is_refused():
    """A misspelt control must not pass for one that was applied."""
    assert pointers(OUTPAINT, extension({"extend": {"left": 1}, "a/b~c": 1})) == [
        ("/controls/a~1b~0c", "unknown_control")
    ]


@pytest.mark.parametrize(
    ("size", "sent"),
    [((3072, 3072), True), ((3072, 3073), False), ((64, 64), True), ((64, 63), False), ((2500, 1000), True), ((2501, 1000), False)],
)  # fmt: skip
@pytest.mark.parametrize(("model", "kind"), [(ERASE, Kind.CLEANUP), (INPAINT, Kind.ELEMENT)])
def test_a_plate_outside_the_services_limits_is_never_sent(model, kind, size, sent):
    """Sides of 64, 9,437,184 pixels, 2.5:1."""
    asked = request(
        kind, prompt=None if kind is Kind.CLEANUP else "smoke", pictures=plate_and_matte(size=size)
    )
    if sent:
        assert native(model, asked)["mask"] == "bWF0dGU="
    else:
        with pytest.raises(UnfitRequest) as refused:
            native(model, asked)
        assert {each.pointer for each in refused.value.violations} == {"/inputs/plate", "/inputs/matte"}


def test_the_limits_of_an_outpaint_count_the_plate_only():
    """The extended canvas may be far larger than the largest plate."""
    asked = request(
        Kind.SET_EXTENSION,
        controls={"extend": dict.fromkeys(("left", "right", "up", "down"), 2000)},
        pictures={InputSlot.PLATE: picture(b"plate", (3072, 3072))},
    )
    assert native(OUTPAINT, asked)["right"] == 2000


def test_a_plate_with_no_size_is_refused_not_divided_by():
    """A file whose size is not known yet reaches the check as 0×0."""
    assert pointers(OUTPAINT, extension(inputs={InputSlot.PLATE: (0, 0)})) == [
        ("/inputs/plate", "cannot_fit")
    ]
