"""Which rungs of a retry ladder each model of the catalogue can serve."""

from dataclasses import replace
from datetime import date

import pytest

from circletake.dialects.abilities import able_models, name_able_models, other_models, rungs_served
from circletake.domain.kinds import InputSlot, Kind
from tests.unit.model_requests import (
    CONSERVATIVE,
    CORE,
    CREATIVE,
    ERASE,
    FAST,
    INPAINT,
    OUTPAINT,
    RAY2,
    RECOLOR,
    SD35,
    SKETCH,
    STYLE_GUIDE,
    STYLE_TRANSFER,
    ULTRA,
    card_of,
    catalogue,
    shape,
    violations,
)

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("model_id", "kind", "rungs"),
    [
        (SD35, Kind.CONCEPT_ART, {"new_seed", "image_to_image"}),
        (ULTRA, Kind.CONCEPT_ART, {"new_seed", "image_to_image"}),
        (CORE, Kind.CONCEPT_ART, {"new_seed"}),
        (RAY2, Kind.PREVIS_SHOT, {"new_seed", "keyframe"}),
        (INPAINT, Kind.ELEMENT, {"new_seed", "inpaint_region"}),
        (ERASE, Kind.CLEANUP, {"new_seed"}),
        (OUTPAINT, Kind.SET_EXTENSION, {"new_seed"}),
        (OUTPAINT, Kind.CONCEPT_ART, set()),
        (SKETCH, Kind.STORYBOARD_PANEL, {"new_seed"}),
        (RECOLOR, Kind.RECOLOR, {"new_seed"}),
        (RECOLOR, Kind.ELEMENT, set()),
        (FAST, Kind.UPSCALE, {"new_seed"}),
        (FAST, Kind.CONCEPT_ART, set()),
        ("amazon.nova-canvas-v1:0", Kind.CONCEPT_ART, set()),
        ("amazon.titan-embed-image-v1", Kind.CONCEPT_ART, set()),
    ],
)
def test_a_model_serves_the_rungs_its_dialect_can_build(model_id, kind, rungs):
    """An enforcement tries no rung that nobody serves."""
    assert rungs_served(card_of(model_id), kind) == rungs


def test_a_model_whose_strength_is_not_open_starts_from_no_picture():
    """A reference without a strength to depart from it is no rung."""
    assert rungs_served(replace(card_of(ULTRA), controls=("aspect_ratio",)), Kind.CONCEPT_ART) == {"new_seed"}


def test_there_is_another_model_for_concept_art_cheapest_first():
    """And none that ended, none that only embeds."""
    others = other_models(card_of(SD35), Kind.CONCEPT_ART, catalogue().all())
    assert [each.id for each in others] == [CORE, ULTRA]
    assert other_models(card_of(RAY2), Kind.PREVIS_SHOT, catalogue().all()) == []


@pytest.mark.parametrize(
    ("kind", "slots", "prompted", "able"),
    [
        (Kind.CONCEPT_ART, (), True, [CORE, SD35, ULTRA]),
        (Kind.CONCEPT_ART, (InputSlot.REFERENCE,), True, [SD35, ULTRA]),
        (Kind.STORYBOARD_PANEL, (InputSlot.SKETCH,), True, [SKETCH]),
        (Kind.LOOK_DEVELOPMENT, (InputSlot.STYLE,), True, [STYLE_GUIDE]),
        (Kind.LOOK_DEVELOPMENT, (InputSlot.SOURCE, InputSlot.STYLE), False, [STYLE_TRANSFER]),
        (Kind.LOOK_DEVELOPMENT, (InputSlot.STYLE,), False, []),
        (Kind.LOOK_DEVELOPMENT, (InputSlot.SKETCH, InputSlot.STYLE), True, []),
        (Kind.UPSCALE, (InputSlot.SOURCE, InputSlot.PLATE, InputSlot.MATTE), False, [FAST]),
        (Kind.UPSCALE, (InputSlot.SOURCE,), True, [CONSERVATIVE, CREATIVE]),
        (Kind.RECOLOR, (InputSlot.PLATE, InputSlot.MATTE), True, [RECOLOR]),
    ],
)
def test_only_models_that_take_just_these_pictures_and_words_are_offered(kind, slots, prompted, able):
    """No model that needs a sketch for a request without one, none that would leave a picture out."""
    found = able_models(catalogue().all(), kind, slots, prompted=prompted)
    assert [each.id for each in found] == able


def test_an_upscaler_is_never_another_model_for_a_picture_from_words():
    """Nor one that needs a picture the request doesn't have."""
    others = other_models(card_of(SD35), Kind.STORYBOARD_PANEL, catalogue().all())
    assert [each.id for each in others] == [CORE, ULTRA]


def test_a_refusal_names_the_models_that_take_what_this_one_does_not():
    """Whoever asked with a sketch learns which id to send."""
    asked = shape(Kind.STORYBOARD_PANEL, inputs={InputSlot.SKETCH: (1024, 1024)})
    (found,) = name_able_models(violations(SD35, asked), catalogue().all(), asked, on=TODAY)
    assert found.message.endswith(f"Leave it out, or choose {SKETCH}.")


def test_a_refusal_that_no_model_could_answer_points_to_the_catalogue():
    """No model takes a sketch and a style at once."""
    inputs = {InputSlot.SKETCH: (1024, 1024), InputSlot.STYLE: (1024, 1024)}
    asked = shape(Kind.STORYBOARD_PANEL, inputs=inputs)
    found = name_able_models(violations(SD35, asked), catalogue().all(), asked, on=TODAY)
    assert len(found) == 2
    assert all(each.message.endswith("GET /v1/models.") for each in found)


def test_words_that_this_upscaler_does_not_take_are_pointed_to_those_that_do():
    """The cheapest first."""
    asked = shape(Kind.UPSCALE, prompt="sharper rigging", inputs={InputSlot.SOURCE: (512, 512)})
    (found,) = name_able_models(violations(FAST, asked), catalogue().all(), asked, on=TODAY)
    assert (found.pointer, found.code) == ("/prompt", "not_taken")
    assert found.message.endswith(f"choose {CONSERVATIVE} or {CREATIVE}.")


def test_a_model_whose_end_has_come_is_not_named():
    """A date counts, whatever the file says."""
    asked = shape(Kind.STORYBOARD_PANEL, inputs={InputSlot.SKETCH: (1024, 1024)})
    ended = replace(card_of(SKETCH), lifecycle="legacy", eol_on=TODAY)
    (found,) = name_able_models(violations(SD35, asked), [card_of(SD35), ended], asked, on=TODAY)
    assert found.message.endswith("GET /v1/models.")
