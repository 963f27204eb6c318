"""Every documented limit of every model, at, below and above its edge.

The numbers stand here as the documentation has them (Amazon Bedrock user guide: "Stability AI Image Services", the
pages of Stable Diffusion 3.5, Stable Image Core and Ultra, "Luma AI models"), not as the catalogue has them: a wrong
entry must fail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from circletake.dialects.contract import UnfitRequest
from circletake.domain.controls import strict_violations
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlState
from tests.unit import model_requests as models
from tests.unit.model_requests import (
    catalogue,
    native,
    picture,
    pointers,
    reports,
    request,
    shape,
    violations,
)

PLATE, MATTE, SOURCE = InputSlot.PLATE, InputSlot.MATTE, InputSlot.SOURCE
SKETCH, STRUCTURE, STYLE = InputSlot.SKETCH, InputSlot.STRUCTURE, InputSlot.STYLE
REFERENCE = InputSlot.REFERENCE
EXTEND = {"extend": {"left": 8}}
PRESETS = [
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
]
RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")


@dataclass(frozen=True)
class Asked:
    """The smallest right request to a model."""

    model: str
    kind: Kind
    slots: tuple[InputSlot, ...] = ()
    prompt: str | None = "dusk"
    search: str | None = None
    controls: tuple[tuple[str, Any], ...] = ()

    @property
    def label(self) -> str:
        """A name for a test's report."""
        model = self.model.removeprefix("us.").removeprefix("stability.")
        return "-".join((model, *self.slots))

    def shape(self, size: tuple[int, int] = (1024, 1024), **changes: Any) -> Any:
        parts = {
            "prompt": self.prompt,
            "search": self.search,
            "controls": dict(self.controls),
            "inputs": dict.fromkeys(self.slots, size),
        }
        return shape(self.kind, **{**parts, **changes})

    def request(self, size: tuple[int, int] = (1024, 1024), **changes: Any) -> Any:
        parts = {
            "prompt": self.prompt,
            "search": self.search,
            "controls": dict(self.controls),
            "pictures": dict.fromkeys(self.slots, picture(b"p", size)),
        }
        return request(self.kind, **{**parts, **changes})


SD35 = Asked(models.SD35, Kind.CONCEPT_ART, (REFERENCE,))
WORDS = Asked(models.SD35, Kind.CONCEPT_ART)
CORE = Asked(models.CORE, Kind.STORYBOARD_PANEL)
ULTRA = Asked(models.ULTRA, Kind.CHARACTER_SHEET, (REFERENCE,))
CREATIVE = Asked(models.CREATIVE, Kind.UPSCALE, (SOURCE,))
CONSERVATIVE = Asked(models.CONSERVATIVE, Kind.UPSCALE, (SOURCE,))
FAST = Asked(models.FAST, Kind.UPSCALE, (SOURCE,), prompt=None)
INPAINT = Asked(models.INPAINT, Kind.ELEMENT, (PLATE, MATTE))
OUTPAINT = Asked(models.OUTPAINT, Kind.SET_EXTENSION, (PLATE,), controls=tuple(EXTEND.items()))
RECOLOR = Asked(models.RECOLOR, Kind.RECOLOR, (PLATE,), search="the coat")
REPLACE = Asked(models.REPLACE, Kind.REPLACE, (PLATE,), search="the coat")
ERASE = Asked(models.ERASE, Kind.CLEANUP, (PLATE, MATTE), prompt=None)
CUTOUT = Asked(models.CUTOUT, Kind.BACKGROUND_REMOVAL, (SOURCE,), prompt=None)
DRAWN = Asked(models.SKETCH, Kind.STORYBOARD_PANEL, (SKETCH,))
BUILT = Asked(models.STRUCTURE, Kind.CONCEPT_ART, (STRUCTURE,))
GUIDED = Asked(models.STYLE_GUIDE, Kind.LOOK_DEVELOPMENT, (STYLE,))
STYLED = Asked(models.STYLE_TRANSFER, Kind.LOOK_DEVELOPMENT, (SOURCE, STYLE), prompt=None)
RAY2 = Asked(models.RAY2, Kind.PREVIS_SHOT, (InputSlot.FIRST_FRAME, InputSlot.LAST_FRAME))

ALL = (
    WORDS, SD35, CORE, ULTRA, CREATIVE, CONSERVATIVE, FAST, INPAINT, OUTPAINT, RECOLOR, REPLACE, ERASE, CUTOUT, DRAWN,
    BUILT, GUIDED, STYLED, RAY2,
)  # fmt: skip
SERVICES = (INPAINT, OUTPAINT, RECOLOR, REPLACE, ERASE, CUTOUT, DRAWN, BUILT, GUIDED, STYLED, CONSERVATIVE)


def by_model(*asked: Asked) -> list[Any]:
    return [pytest.param(each, id=each.label) for each in asked]


def test_every_live_model_is_looked_at():
    """A new entry of the catalogue needs its limits here."""
    live = {card.id for card in catalogue().all() if card.kinds and card.lifecycle != "eol"}
    assert {each.model for each in ALL} == live


@pytest.mark.parametrize("asked", by_model(*ALL))
def test_the_smallest_right_request_is_taken(asked):
    """What each of the tests below changes in one place."""
    assert violations(asked.model, asked.shape()) == []
    assert native(asked.model, asked.request())


# --- pictures ---------------------------------------------------------------------------------------------------------

GENERAL = {
    "in": [(64, 64), (3072, 3072), (64, 160), (2500, 1000)],
    "out": [(63, 64), (64, 63), (3072, 3073), (64, 161), (2501, 1000)],
}


def sizes(which: str) -> list[Any]:
    found = [(each, size) for each in (*SERVICES, SD35, ULTRA) for size in GENERAL[which]]
    own = {
        "in": [(CREATIVE, (64, 64)), (CREATIVE, (1024, 1024)), (CREATIVE, (4096, 256)),
               (FAST, (32, 32)), (FAST, (1024, 1024)), (FAST, (1536, 682)), (FAST, (1536, 32)),
               (RAY2, (512, 512)), (RAY2, (4096, 4096)), (RAY2, (4096, 512))],
        "out": [(CREATIVE, (63, 66)), (CREATIVE, (1024, 1025)), (CREATIVE, (1025, 1024)),
                (FAST, (31, 64)), (FAST, (64, 31)), (FAST, (1537, 64)), (FAST, (1024, 1025)),
                (RAY2, (511, 512)), (RAY2, (512, 511)), (RAY2, (4097, 4096))],
    }  # fmt: skip
    return [pytest.param(each, size, id=f"{each.label}-{size}") for each, size in (*found, *own[which])]


@pytest.mark.parametrize(("asked", "size"), sizes("in"))
def test_a_picture_at_a_models_limit_is_sent_as_it_is(asked, size):
    """Sides, pixels and proportion, each at its edge."""
    assert native(asked.model, asked.request(size))


@pytest.mark.parametrize(("asked", "size"), sizes("out"))
def test_a_picture_past_a_models_limit_is_never_sent(asked, size):
    """One pixel more, or less: the last look before money is spent."""
    with pytest.raises(UnfitRequest) as refused:
        native(asked.model, asked.request(size))
    assert {each.code for each in refused.value.violations} <= {"not_fitted", "cannot_fit"}


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        pytest.param(each, 5_000 if each is RAY2 else 10_000, id=each.label)
        for each in ALL
        if each not in (FAST, ERASE, CUTOUT)
    ],
)
def test_a_prompt_is_taken_up_to_its_limit_and_refused_past_it_never_cut(asked, most):
    """One character, the most there may be, one more, and none."""
    assert violations(asked.model, asked.shape(prompt="x")) == []
    assert violations(asked.model, asked.shape(prompt="x" * most)) == []
    assert pointers(asked.model, asked.shape(prompt="x" * (most + 1))) == [("/prompt", "too_long")]
    assert pointers(asked.model, asked.shape(prompt="")) == [("/prompt", "empty")]
    assert native(asked.model, asked.request(prompt="x" * most))["prompt"] == "x" * most


@pytest.mark.parametrize(
    "asked", by_model(*(each for each in ALL if each not in (FAST, ERASE, CUTOUT, RAY2)))
)
def test_a_negative_prompt_is_taken_up_to_ten_thousand_characters(asked):
    """At the limit it is sent, one more is refused."""
    assert native(asked.model, asked.request(negative="x" * 10_000))["negative_prompt"] == "x" * 10_000
    assert pointers(asked.model, asked.shape(negative="x" * 10_001)) == [("/negative_prompt", "too_long")]


@pytest.mark.parametrize(("asked", "member"), [(RECOLOR, "select_prompt"), (REPLACE, "search_prompt")])
def test_what_is_searched_is_needed_and_taken_up_to_ten_thousand_characters(asked, member):
    """Each of the two services has its own name for it."""
    assert native(asked.model, asked.request(search="x" * 10_000))[member] == "x" * 10_000
    assert pointers(asked.model, asked.shape(search="x" * 10_001)) == [("/search_prompt", "too_long")]
    assert pointers(asked.model, asked.shape(search=" ")) == [("/search_prompt", "empty")]
    assert pointers(asked.model, asked.shape(search=None)) == [("/search_prompt", "required")]


@pytest.mark.parametrize("asked", by_model(WORDS, INPAINT, CUTOUT, FAST, STYLED))
def test_a_kind_that_searches_nothing_takes_no_search_prompt(asked):
    """Words that would go nowhere are refused."""
    assert pointers(asked.model, asked.shape(search="a coat")) == [("/search_prompt", "not_taken")]


@pytest.mark.parametrize(
    "asked", by_model(*(each for each in ALL if each.prompt is not None and each is not OUTPAINT))
)
def test_a_model_that_needs_words_says_so(asked):
    """Also where the kind alone could do without: an upscale by one of the two that go by words."""
    assert pointers(asked.model, asked.shape(prompt=None)) == [("/prompt", "required")]


@pytest.mark.parametrize("asked", by_model(FAST, ERASE, CUTOUT))
def test_a_model_that_takes_no_words_says_so(asked):
    """Fast upscale though an upscale may have words; erase and cutout because the kind has none."""
    found = pointers(asked.model, asked.shape(prompt="a sea", negative="a ship"))
    assert found == [("/prompt", "not_taken"), ("/negative_prompt", "not_taken")]


@pytest.mark.parametrize("asked", by_model(OUTPAINT, STYLED))
def test_a_model_that_can_do_without_words_does(asked):
    """An extension and a transfer of style say enough by their pictures."""
    assert "prompt" not in native(asked.model, asked.request(prompt=None))


# --- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", by_model(*(each for each in ALL if each not in (FAST, CUTOUT, RAY2))))
def test_a_seed_lies_between_1_and_what_the_models_take(asked):
    """0 stands for a random one."""
    for seed in (1, 4_294_967_294):
        assert native(asked.model, asked.request(seed=seed))["seed"] == seed
    for seed in (0, 4_294_967_295):
        assert pointers(asked.model, asked.shape(seed=seed)) == [("/seed", "out_of_range")]


@pytest.mark.parametrize("asked", by_model(FAST, CUTOUT, RAY2))
def test_a_model_without_a_seed_says_so_and_is_sent_none(asked):
    """Its takes can't be repeated, or are the same every time: strict refuses the seed."""
    line = reports(asked.model, asked.shape(seed=5))["seed"]
    assert line.state is ControlState.UNSUPPORTED
    assert strict_violations([line])[0].pointer == "/seed"
    assert "seed" not in native(asked.model, asked.request(seed=5))


# --- controls ---------------------------------------------------------------------------------------------------------

NUMBERS = [
    (SD35, "strength", 0, 1, 0.6),
    (ULTRA, "strength", 0, 1, 0.35),
    (CREATIVE, "creativity", 0.1, 0.5, 0.3),
    (CONSERVATIVE, "creativity", 0.1, 0.5, 0.35),
    (OUTPAINT, "creativity", 0.1, 1, 0.5),
    (DRAWN, "control_strength", 0, 1, 0.7),
    (BUILT, "control_strength", 0, 1, 0.7),
    (GUIDED, "fidelity", 0, 1, 0.5),
    (STYLED, "composition_fidelity", 0, 1, 0.9),
    (STYLED, "style_strength", 0, 1, 1),
    (STYLED, "change_strength", 0.1, 1, 0.9),
    (INPAINT, "grow_mask", 0, 20, 5),
    (ERASE, "grow_mask", 0, 20, 5),
    (RECOLOR, "grow_mask", 0, 20, 5),
    (REPLACE, "grow_mask", 0, 20, 5),
]


def numbers() -> list[Any]:
    return [pytest.param(*each, id=f"{each[0].label}-{each[1]}") for each in NUMBERS]


def with_control(asked: Asked, name: str, value: Any) -> Mapping[str, Any]:
    return {"controls": {**dict(asked.controls), name: value}}


@pytest.mark.parametrize(("asked", "name", "least", "most", "default"), numbers())
def test_a_number_runs_from_its_least_to_its_most(asked, name, least, most, default):
    """Both ends are sent as they are, what lies beyond them is refused, and without one the default is sent openly."""
    step = 1 if isinstance(default, int) and most > 1 else 0.01
    for value in (least, most):
        assert native(asked.model, asked.request(**with_control(asked, name, value)))[name] == value
    for value in (least - step, most + step):
        found = pointers(asked.model, asked.shape(**with_control(asked, name, value)))
        assert found == [(f"/controls/{name}", "out_of_range")]
    assert native(asked.model, asked.request())[name] == default


@pytest.mark.parametrize(
    ("asked", "formats"),
    [
        pytest.param(
            each, {"png", "jpeg"} if each in (CORE, ULTRA) else {"png", "jpeg", "webp"}, id=each.label
        )
        for each in ALL
        if each is not RAY2
    ],
)
def test_a_models_own_formats_are_offered_and_no_others(asked, formats):
    """Core and Ultra write no WebP."""
    for value in ("png", "jpeg", "webp"):
        changes = with_control(asked, "output_format", value)
        if value in formats:
            assert native(asked.model, asked.request(**changes))["output_format"] == value
        else:
            assert pointers(asked.model, asked.shape(**changes)) == [
                ("/controls/output_format", "not_offered")
            ]
    assert native(asked.model, asked.request())["output_format"] == "png"


@pytest.mark.parametrize(
    "asked", by_model(CREATIVE, INPAINT, OUTPAINT, RECOLOR, REPLACE, DRAWN, BUILT, GUIDED)
)
def test_every_style_preset_is_sent_where_a_service_has_them(asked):
    """All seventeen, and none unless it is asked for."""
    for preset in PRESETS:
        assert (
            native(asked.model, asked.request(**with_control(asked, "style_preset", preset)))["style_preset"]
            == preset
        )
    assert "style_preset" not in native(asked.model, asked.request())


@pytest.mark.parametrize(
    "asked", by_model(WORDS, CORE, ULTRA, CONSERVATIVE, FAST, ERASE, CUTOUT, STYLED, RAY2)
)
def test_a_style_preset_is_reported_where_a_model_has_none(asked):
    """Neither sent nor passed over."""
    changes = with_control(asked, "style_preset", "anime")
    assert reports(asked.model, asked.shape(**changes))["style_preset"].state is ControlState.UNSUPPORTED
    assert "style_preset" not in native(asked.model, asked.request(**changes))


@pytest.mark.parametrize("asked", by_model(WORDS, CORE, Asked(models.ULTRA, Kind.CONCEPT_ART), GUIDED))
def test_every_ratio_a_model_has_is_sent_as_it_is(asked):
    """Nine of them; the API's other two are answered by the nearest."""
    for ratio in RATIOS:
        assert (
            native(asked.model, asked.request(**with_control(asked, "aspect_ratio", ratio)))["aspect_ratio"]
            == ratio
        )
    near = reports(asked.model, asked.shape(**with_control(asked, "aspect_ratio", "3:4")))["aspect_ratio"]
    assert (near.state, near.sent) == (ControlState.APPROXIMATED, "4:5")


@pytest.mark.parametrize("ratio", ["1:1", "16:9", "9:16", "4:3", "3:4", "21:9", "9:21"])
@pytest.mark.parametrize("resolution", ["540p", "720p"])
@pytest.mark.parametrize("seconds", [5, 9])
def test_ray2_is_asked_for_every_size_and_length_it_sells(ratio, resolution, seconds):
    """Seven ratios, two sizes, two lengths."""
    controls = {"aspect_ratio": ratio, "resolution": resolution, "duration_seconds": seconds, "loop": True}
    body = native(models.RAY2, request(Kind.PREVIS_SHOT, controls=controls))
    assert (body["aspect_ratio"], body["resolution"], body["duration"], body["loop"]) == (
        ratio,
        resolution,
        f"{seconds}s",
        True,
    )


# --- what a model needs and what it takes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", by_model(*(each for each in ALL if each.slots and each not in (SD35, ULTRA, RAY2)))
)
def test_a_picture_that_the_model_or_the_kind_needs_is_asked_for(asked):
    """Each one that is missing is named."""
    expected = [(f"/inputs/{slot.value}", "required") for slot in sorted(asked.slots)]
    assert pointers(asked.model, asked.shape(inputs={})) == expected


@pytest.mark.parametrize(
    ("asked", "slot"),
    [
        (CORE, REFERENCE), (WORDS, SKETCH), (WORDS, STRUCTURE), (WORDS, STYLE), (DRAWN, STRUCTURE), (DRAWN, REFERENCE),
        (BUILT, SKETCH), (GUIDED, SOURCE), (STYLED, REFERENCE),
    ],
)  # fmt: skip
def test_a_picture_that_the_model_does_not_take_is_refused_with_what_it_takes(asked, slot):
    """The kind takes it, this model doesn't: nothing is left out in silence."""
    (found,) = violations(asked.model, asked.shape(inputs=dict.fromkeys((*asked.slots, slot), (1024, 1024))))
    assert (found.pointer, found.code) == (f"/inputs/{slot.value}", "not_taken")
    taken = ", ".join(each.value for each in sorted(asked.slots)) or "no pictures"
    assert taken in found.message or asked is WORDS
    assert "GET /v1/models" in found.message


@pytest.mark.parametrize(
    ("asked", "kept"),
    [(FAST, (PLATE, MATTE)), (CREATIVE, (PLATE,)), (RECOLOR, (MATTE,)), (REPLACE, (MATTE,))],
)
def test_what_is_for_laying_back_only_is_not_measured_against_the_model(asked, kept):
    """A plate of 8K beside a small source, a matte for a model that takes none."""
    size = (7680, 4320) if PLATE in kept else (1024, 1024)
    inputs = {**dict.fromkeys(asked.slots, (1024, 1024)), **dict.fromkeys(kept, size)}
    assert violations(asked.model, asked.shape(inputs=inputs)) == []
    pictures = {slot: picture(slot.value.encode(), each) for slot, each in inputs.items()}
    body = native(asked.model, asked.request(pictures=pictures))
    assert len([name for name in body if name in {"image", "mask"}]) == 1


def test_a_clip_is_no_plate_even_for_laying_back():
    """A moving picture in a still's place is refused, whoever would see it."""
    found = pointers(
        models.FAST, FAST.shape(media_type="video/mp4", inputs={SOURCE: (512, 512), PLATE: (512, 512)})
    )
    assert found == [("/inputs/source", "media_type"), ("/inputs/plate", "media_type")]


def test_two_pictures_of_the_largest_size_fit_one_request():
    """Both of a transfer of style together stay below the service's limit, with both texts at theirs."""
    pictures = dict.fromkeys((SOURCE, STYLE), picture(bytes(9_000_000), (1024, 1024)))
    body = native(
        models.STYLE_TRANSFER, STYLED.request(pictures=pictures, prompt="🎬" * 10_000, negative="🎬" * 10_000)
    )
    assert sum(len(str(value).encode()) for value in body.values()) < 25_000_000
