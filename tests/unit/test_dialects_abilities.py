"""Which rungs of a retry ladder each model of the catalogue can serve."""

from dataclasses import replace

import pytest

from circletake.dialects.abilities import other_models, rungs_served
from circletake.domain.kinds import Kind
from tests.unit.model_requests import ERASE, INPAINT, OUTPAINT, RAY2, SD35, card_of, catalogue

CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"


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
