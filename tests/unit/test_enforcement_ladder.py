"""Which rungs a generation really has: the catalogue's models, the dialects' limits, the approved picture."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from circletake.adapters.catalogue.files import load_catalogue
from circletake.domain.consistency.ladders import Rung
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import InputShape, ModelCard
from circletake.usecases.plan_ladder import Base, LadderPlan, RungMade, plan_ladder

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SD35 = "stability.sd3-5-large-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
RAY2 = "luma.ray-v2:0"
INPAINT = "us.stability.stable-image-inpaint-v1:0"
BROUGHT = "arn:aws:bedrock:us-west-2:111122223333:custom-model-deployment/abc123"
APPROVED, OTHER = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Shelf:
    """A catalogue with what a studio brought beside what is shipped."""

    brought: tuple[ModelCard, ...] = ()

    def all(self) -> list[ModelCard]:
        return [*load_catalogue().all(), *self.brought]

    def get(self, model_id: str) -> ModelCard | None:
        return next((card for card in self.all() if card.id == model_id), None)

    def default_for(self, kind: str) -> ModelCard:
        return load_catalogue().default_for(kind)


def card(model_id: str) -> ModelCard:
    found = load_catalogue().get(model_id)
    assert found is not None
    return found


def base(model: str = SD35, kind: Kind = Kind.CONCEPT_ART, **changes: object) -> Base:
    made = Base(
        kind=kind,
        card=card(model),
        prompt="Mara in a harbour",
        negative_prompt=None,
        search_prompt=None,
        controls={},
        inputs={},
        shapes={},
        strict=False,
        approved=APPROVED,
        named=True,
        made=True,
        approved_shape=InputShape("image/png", 1280, 720),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def plan(
    of: Base, *, others: list[str] | None = None, shelf: Shelf | None = None, **asked: object
) -> LadderPlan:
    return plan_ladder(shelf or Shelf(), of, strategy=None, other_models=others, now=NOW, **asked)  # type: ignore[arg-type]


def climbed(made: LadderPlan) -> list[tuple[str, str]]:
    return [(each.step.rung.value, each.step.model) for each in made.rungs]


def rung(made: LadderPlan, wanted: Rung) -> RungMade:
    return next(each for each in made.rungs if each.step.rung is wanted)


def why(made: LadderPlan, wanted: Rung) -> str:
    return next(each.why for each in made.unsupported if each.rung is wanted)


def test_concept_art_has_every_rung_but_a_keyframe():
    """Cheapest other model first; models that ended or make nothing of the kind are not asked."""
    made = plan(base())
    assert climbed(made) == [
        ("new_seed", SD35),
        ("image_to_image", SD35),
        ("inpaint_region", INPAINT),
        ("other_model", CORE),
        ("other_model", ULTRA),
    ]
    assert [each.rung for each in made.unsupported] == [Rung.KEYFRAME]


def test_other_models_are_asked_in_the_order_of_the_request():
    """And nobody who wasn't named."""
    assert climbed(plan(base(), others=[ULTRA, CORE]))[-2:] == [("other_model", ULTRA), ("other_model", CORE)]
    assert why(plan(base(), others=[]), Rung.OTHER_MODEL)


def test_a_model_brought_by_arn_is_another_model():
    """Named or not: the studio put it into its catalogue."""
    shelf = Shelf((replace(card(SD35), id=BROUGHT, name="Ours"),))
    assert ("other_model", BROUGHT) in climbed(plan(base(), shelf=shelf))
    made = plan(base(), shelf=shelf, others=[BROUGHT])
    assert climbed(made)[-1] == ("other_model", BROUGHT)
    assert made.rungs[-1].changes["model_id"] == BROUGHT


def test_a_take_from_the_approved_picture_says_so():
    """Its input, and how far it may leave it: farther from a reference, of which it must be no copy; less far where it
    started from a picture before."""
    made = rung(plan(base(controls={"aspect_ratio": "16:9"})), Rung.IMAGE_TO_IMAGE)
    assert made.changes["inputs"] == {"reference": str(APPROVED)}
    assert made.changes["controls"] == {"aspect_ratio": "16:9", "strength": 0.5}
    reference = rung(plan(base(made=False)), Rung.IMAGE_TO_IMAGE)
    assert reference.changes["controls"] == {"strength": 0.64}
    again = base(
        controls={"strength": 0.8},
        inputs={InputSlot.REFERENCE: OTHER},
        shapes={InputSlot.REFERENCE: InputShape("image/png", 512, 512)},
    )
    assert rung(plan(again), Rung.IMAGE_TO_IMAGE).changes["controls"] == {"strength": 0.48}


def test_without_an_approved_picture_nothing_starts_from_one():
    """It is said, not tried."""
    made = plan(base(approved=None, approved_shape=None))
    assert "approved" in why(made, Rung.IMAGE_TO_IMAGE)


def test_a_clip_begins_with_the_approved_frame():
    """Its other inputs stay; a region of a clip can't be repainted, and there is no other live model for it."""
    clip = base(
        RAY2,
        Kind.PREVIS_SHOT,
        inputs={InputSlot.LAST_FRAME: OTHER},
        shapes={InputSlot.LAST_FRAME: InputShape("image/png", 1280, 720)},
    )
    made = plan(clip)
    assert climbed(made) == [("new_seed", RAY2), ("keyframe", RAY2)]
    assert rung(made, Rung.KEYFRAME).changes["inputs"] == {
        "last_frame": str(OTHER),
        "first_frame": str(APPROVED),
    }
    assert not rung(made, Rung.NEW_SEED).seeded
    assert "moving" in why(made, Rung.INPAINT_REGION)


@pytest.mark.parametrize(
    ("width", "named", "served"), [(1280, False, True), (720, False, False), (720, True, True)]
)
def test_a_reference_of_another_format_opens_no_clip_unless_somebody_chose_it(width, named, served):
    """A portrait would lose its head in a wide frame."""
    clip = base(RAY2, Kind.PREVIS_SHOT, named=named, approved_shape=InputShape("image/png", width, 720))
    assert (("keyframe", RAY2) in climbed(plan(clip))) == served


def test_a_clip_that_begins_with_it_already_has_no_such_rung():
    """It would be the same take again."""
    clip = base(
        RAY2,
        Kind.PREVIS_SHOT,
        inputs={InputSlot.FIRST_FRAME: APPROVED},
        shapes={InputSlot.FIRST_FRAME: InputShape("image/png", 1280, 720)},
    )
    assert "already" in why(plan(clip), Rung.KEYFRAME)


def test_a_region_is_an_element_with_only_what_the_painter_takes():
    """A ratio or a strength says nothing about a hole in a picture."""
    controls = {"aspect_ratio": "16:9", "output_format": "png", "strength": 0.4}
    reference = {
        "inputs": {InputSlot.REFERENCE: OTHER},
        "shapes": {InputSlot.REFERENCE: InputShape("image/png", 64, 64)},
    }
    made = rung(plan(base(controls=controls, **reference)), Rung.INPAINT_REGION)
    assert (made.step.kind, made.changes["kind"]) == (Kind.ELEMENT, "element")
    assert made.changes["controls"] == {"output_format": "png"}
    assert made.changes["inputs"] == {}


def test_a_set_extension_without_words_can_not_be_repainted():
    """Repainting needs a prompt, and nobody makes one up."""
    plate = {
        "controls": {"extend": {"left": 100}},
        "inputs": {InputSlot.PLATE: OTHER},
        "shapes": {InputSlot.PLATE: InputShape("image/png", 640, 480)},
    }
    model = "us.stability.stable-outpaint-v1:0"
    made = plan(base(model, Kind.SET_EXTENSION, prompt=None, **plate))
    assert "/prompt" in why(made, Rung.INPAINT_REGION)
    assert ("new_seed", model) in climbed(made)


def test_a_strict_request_is_not_climbed_down_from():
    """A rung whose model can't honour a control exactly isn't served."""
    strict = base(controls={"strength": 0.4}, strict=True, approved=None, approved_shape=None)
    strict = replace(
        strict,
        inputs={InputSlot.REFERENCE: OTHER},
        shapes={InputSlot.REFERENCE: InputShape("image/png", 512, 512)},
    )
    assert ("other_model", CORE) not in climbed(plan(strict))
    assert ("other_model", ULTRA) in climbed(plan(strict))


def test_a_rung_comes_back_as_it_was_kept():
    """With models, prices and changes as they were promised."""
    for each in plan(base()).rungs:
        assert RungMade.from_json(each.as_json()) == each


def test_a_model_that_needs_a_picture_the_request_has_not_is_no_other_model():
    """A panel from words is never climbed to a model of sketches, and an upscaler makes no panels."""
    made = plan(base(SD35, Kind.STORYBOARD_PANEL, approved=None))
    assert {model for rung_name, model in climbed(made) if rung_name == "other_model"} == {CORE, ULTRA}


def test_a_panel_from_a_sketch_is_never_climbed_to_a_model_that_would_drop_the_sketch():
    """Of the catalogue's models only one keeps to a sketch."""
    sketch = {InputSlot.SKETCH: UUID(int=9)}
    shapes = {InputSlot.SKETCH: InputShape("image/png", 1024, 1024)}
    of = base(
        "us.stability.stable-image-control-sketch-v1:0", Kind.STORYBOARD_PANEL, inputs=sketch, shapes=shapes
    )
    assert "other_model" not in [rung_name for rung_name, _ in climbed(plan(of))]
    assert "No other allowed model" in why(plan(of), Rung.OTHER_MODEL)


def test_an_upscale_without_words_is_climbed_to_no_upscaler_that_needs_them():
    """The fast one is the only one that goes by the picture alone."""
    source = {InputSlot.SOURCE: UUID(int=9)}
    shapes = {InputSlot.SOURCE: InputShape("image/png", 512, 512)}
    fast = "us.stability.stable-fast-upscale-v1:0"
    of = base(fast, Kind.UPSCALE, inputs=source, shapes=shapes, prompt=None, approved=None)
    assert [model for rung_name, model in climbed(plan(of)) if rung_name == "other_model"] == []


def test_a_replacement_is_asked_for_again_with_what_it_looks_for():
    """The words for what is found in the plate go along, so that another seed can be drawn."""
    found = {InputSlot.PLATE: UUID(int=9)}
    shapes = {InputSlot.PLATE: InputShape("image/png", 1280, 720)}
    of = base(
        "us.stability.stable-image-search-replace-v1:0",
        Kind.REPLACE,
        inputs=found,
        shapes=shapes,
        search_prompt="the red car",
    )
    assert "new_seed" in [rung_name for rung_name, _ in climbed(plan(of))]
