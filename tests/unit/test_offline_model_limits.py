"""The offline Stability models refuse what the models' pages refuse: at, below and above every limit.

What is tried here is the server's own reading of a request; that a refusal reaches the caller in Bedrock's shape is
tried over HTTP in the integration tests.
"""

import json
import zlib
from typing import Any

import pytest

from services.bedrock.dialects.stability import PARSERS
from services.bedrock.errors import BedrockFault
from services.bedrock.models import MODELS
from tests.unit.plain_pictures import base64_picture, base64_png

SD35 = "stability.sd3-5-large-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
INPAINT = "stability.stable-image-inpaint-v1:0"
OUTPAINT = "stability.stable-outpaint-v1:0"
ERASE = "stability.stable-image-erase-object-v1:0"
RECOLOR = "stability.stable-image-search-recolor-v1:0"
REPLACE = "stability.stable-image-search-replace-v1:0"
CUTOUT = "stability.stable-image-remove-background-v1:0"
SKETCH = "stability.stable-image-control-sketch-v1:0"
STRUCTURE = "stability.stable-image-control-structure-v1:0"
GUIDE = "stability.stable-image-style-guide-v1:0"
TRANSFER = "stability.stable-style-transfer-v1:0"
FAST = "stability.stable-fast-upscale-v1:0"
CONSERVATIVE = "stability.stable-conservative-upscale-v1:0"
CREATIVE = "stability.stable-creative-upscale-v1:0"

WITHOUT: Any = "(without)"
IMAGE = base64_png(96, 64)
WORDS = {"prompt": "a lighthouse"}
FROM_IMAGE = {"prompt": "a lighthouse", "mode": "image-to-image", "image": IMAGE, "strength": 0.5}
ON_IMAGE = {"prompt": "a lighthouse", "image": IMAGE}
BASES: dict[str, dict[str, Any]] = {
    SD35: WORDS,
    CORE: WORDS,
    ULTRA: WORDS,
    INPAINT: {**ON_IMAGE, "mask": IMAGE},
    OUTPAINT: {"image": IMAGE, "left": 64},
    ERASE: {"image": IMAGE, "mask": IMAGE},
    RECOLOR: {**ON_IMAGE, "select_prompt": "the boat"},
    REPLACE: {**ON_IMAGE, "search_prompt": "the boat"},
    CUTOUT: {"image": IMAGE},
    SKETCH: ON_IMAGE,
    STRUCTURE: ON_IMAGE,
    GUIDE: ON_IMAGE,
    TRANSFER: {"init_image": IMAGE, "style_image": IMAGE},
    FAST: {"image": IMAGE},
    CONSERVATIVE: ON_IMAGE,
    CREATIVE: ON_IMAGE,
}
TEXT_MODELS = (SD35, CORE, ULTRA)
SERVICES = tuple(model for model in BASES if model not in TEXT_MODELS)
WORDLESS = (ERASE, CUTOUT, FAST)
OPTIONAL_PROMPT = (OUTPAINT, TRANSFER)
WITH_PROMPT = tuple(model for model in BASES if model not in (*WORDLESS, *OPTIONAL_PROMPT))
SEEDLESS = (CUTOUT, FAST)
WITH_SEED = tuple(model for model in BASES if model not in (*SEEDLESS, CORE, ULTRA))
STYLED = (INPAINT, OUTPAINT, RECOLOR, REPLACE, SKETCH, STRUCTURE, GUIDE, CREATIVE)
MASKED = (INPAINT, ERASE)
GROWING = (INPAINT, ERASE, RECOLOR, REPLACE)
GENERAL_SIZES = tuple(model for model in SERVICES if model not in (FAST, CREATIVE))
RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")


def _name(value: object) -> str:
    """A short name of a parameter, the same in every process."""
    text = json.dumps(value)
    return text if len(text) < 40 else f"{text[:24]}…{zlib.crc32(text.encode()):08x}"


def _asked(model: str, changes: dict[str, Any]) -> bytes:
    if model == SD35 and {"strength", "image"} & set(changes):
        changes = {**FROM_IMAGE, **changes}
    document = {**BASES[model], **changes}
    return json.dumps({name: value for name, value in document.items() if value != WITHOUT}).encode()


def accepted(model: str, changes: dict[str, Any]) -> Any:
    return PARSERS[model](_asked(model, changes))


def refused(model: str, changes: dict[str, Any]) -> str:
    with pytest.raises(BedrockFault) as refusal:
        PARSERS[model](_asked(model, changes))
    assert (refusal.value.status, refusal.value.code) == (400, "ValidationException")
    return refusal.value.message


def _for(models: tuple[str, ...], *changes: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(model, change) for model in models for change in changes]


LONG = "x" * 10_000
WITHIN = [
    *_for(tuple(BASES), {}, {"output_format": "jpeg"}, {"output_format": "png"}),
    *_for((SD35, *SERVICES), {"output_format": "webp"}),
    *_for((*WITH_PROMPT, *OPTIONAL_PROMPT), {"prompt": LONG}, {"negative_prompt": LONG}, {"negative_prompt": ""}),
    *_for(OPTIONAL_PROMPT, {"prompt": ""}),
    *_for(WITH_SEED, {"seed": 0}, {"seed": 4_294_967_294}),
    *_for((CORE, ULTRA), {"seed": 4_294_967_295}),
    *_for(STYLED, {"style_preset": "analog-film"}),
    *_for((*TEXT_MODELS, GUIDE), *({"aspect_ratio": ratio} for ratio in RATIOS)),
    *_for((SD35, ULTRA), {"mode": "text-to-image"}, {"image": IMAGE, "strength": 0}, {"image": IMAGE, "strength": 1}),
    *_for(GROWING, {"grow_mask": 0}, {"grow_mask": 20}),
    *_for(MASKED, {"mask": base64_png(48, 96)}, {"mask": WITHOUT, "image": base64_png(96, 64, alpha=True)}),
    *_for((OUTPAINT,), {"left": WITHOUT, "right": 1}, *({side: 2000} for side in ("left", "right", "up", "down"))),
    *_for((OUTPAINT,), {"creativity": 0.1}, {"creativity": 1}),
    *_for((CONSERVATIVE, CREATIVE), {"creativity": 0.1}, {"creativity": 0.5}),
    *_for((SKETCH, STRUCTURE), {"control_strength": 0}, {"control_strength": 1}),
    *_for((GUIDE,), {"fidelity": 0}, {"fidelity": 1}),
    *_for((TRANSFER,), {"composition_fidelity": 0}, {"composition_fidelity": 1}, {"style_strength": 0}),
    *_for((TRANSFER,), {"style_strength": 1}, {"change_strength": 0.1}, {"change_strength": 1}),
    *_for((RECOLOR,), {"select_prompt": LONG}),
    *_for((REPLACE,), {"search_prompt": LONG}),
]  # fmt: skip

TOO_LONG = "x" * 10_001


def _beyond(
    models: tuple[str, ...], changes: dict[str, Any], text: str
) -> list[tuple[str, dict[str, Any], str]]:
    return [(model, changes, text) for model in models]


def _range(
    models: tuple[str, ...], name: str, below: float, least: float, above: float, most: float
) -> list[Any]:
    return [
        *_beyond(models, {name: below}, f"#/{name}: {below} is not greater or equal to {least}"),
        *_beyond(models, {name: above}, f"#/{name}: {above} is not less or equal to {most}"),
    ]


BEYOND = [
    *_beyond(tuple(BASES), {"output_format": "gif"}, "#/output_format: gif is not a valid enum value"),
    *_beyond((CORE, ULTRA), {"output_format": "webp"}, "#/output_format: webp is not a valid enum value"),
    *_beyond(tuple(BASES), {"width": 512}, "#: extraneous key [width] is not permitted"),
    *_beyond((*WITH_PROMPT, *OPTIONAL_PROMPT), {"prompt": TOO_LONG}, "#/prompt: expected maxLength: 10000, actual: 10001"),
    *_beyond((*WITH_PROMPT, *OPTIONAL_PROMPT), {"prompt": 7}, "#/prompt: expected type: String, found: Integer"),
    *_beyond(
        (*WITH_PROMPT, *OPTIONAL_PROMPT),
        {"negative_prompt": TOO_LONG},
        "#/negative_prompt: expected maxLength: 10000, actual: 10001",
    ),
    *_beyond(WITH_PROMPT, {"prompt": ""}, "#/prompt: expected minLength: 1, actual: 0"),
    *_beyond(WITH_PROMPT, {"prompt": WITHOUT}, "#: required key [prompt] not found"),
    *_beyond(WORDLESS, {"prompt": "a boat"}, "#: extraneous key [prompt] is not permitted"),
    *_beyond(WORDLESS, {"negative_prompt": "fog"}, "#: extraneous key [negative_prompt] is not permitted"),
    *_range(WITH_SEED, "seed", -1, 0, 4_294_967_295, 4_294_967_294),
    *_range((CORE, ULTRA), "seed", -1, 0, 4_294_967_296, 4_294_967_295),
    *_beyond(WITH_SEED, {"seed": 1.5}, "#/seed: expected type: Integer, found: Double"),
    *_beyond(SEEDLESS, {"seed": 1}, "#: extraneous key [seed] is not permitted"),
    *_beyond(STYLED, {"style_preset": "oil"}, "#/style_preset: oil is not a valid enum value"),
    *_beyond(
        tuple(model for model in BASES if model not in STYLED),
        {"style_preset": "anime"},
        "#: extraneous key [style_preset] is not permitted",
    ),
    *_beyond((*TEXT_MODELS, GUIDE), {"aspect_ratio": "16:10"}, "#/aspect_ratio: 16:10 is not a valid enum value"),
    *_beyond((SKETCH, STRUCTURE, TRANSFER), {"aspect_ratio": "1:1"}, "#: extraneous key [aspect_ratio]"),
    *_beyond((SD35,), {"mode": "image-to-video"}, "#/mode: image-to-video is not a valid enum value"),
    *_beyond((ULTRA,), {"mode": "image-to-image"}, "#/mode: image-to-image is not a valid enum value"),
    *_beyond((CORE,), {"image": IMAGE}, "#: extraneous key [image] is not permitted"),
    *_beyond((SD35, ULTRA), {"image": IMAGE, "aspect_ratio": "1:1"}, "#: extraneous key [aspect_ratio]"),
    *_beyond((SD35, ULTRA), {"mode": "text-to-image", "image": WITHOUT, "strength": 0.5}, "extraneous key [strength]"),
    *_beyond((SD35,), {"image": IMAGE, "strength": WITHOUT}, "#: required key [strength] not found"),
    *_range((SD35,), "strength", -0.01, 0, 1.01, 1),
    *_range(GROWING, "grow_mask", -1, 0, 21, 20),
    *_beyond(MASKED, {"mask": WITHOUT}, "#: required key [mask] not found"),
    *_beyond(MASKED, {"mask": "AAAA"}, "#/mask: is not a readable image"),
    *_range((OUTPAINT,), "left", -1, 0, 2001, 2000),
    *_range((OUTPAINT,), "right", -1, 0, 2001, 2000),
    *_range((OUTPAINT,), "up", -1, 0, 2001, 2000),
    *_range((OUTPAINT,), "down", -1, 0, 2001, 2000),
    *_beyond((OUTPAINT,), {"left": 0}, "at least one of left, right, up, down"),
    *_range((OUTPAINT,), "creativity", 0.09, 0.1, 1.01, 1),
    *_range((CONSERVATIVE, CREATIVE), "creativity", 0.09, 0.1, 0.51, 0.5),
    *_beyond((FAST,), {"creativity": 0.3}, "#: extraneous key [creativity] is not permitted"),
    *_range((SKETCH, STRUCTURE), "control_strength", -0.01, 0, 1.01, 1),
    *_range((GUIDE,), "fidelity", -0.01, 0, 1.01, 1),
    *_range((TRANSFER,), "composition_fidelity", -0.01, 0, 1.01, 1),
    *_range((TRANSFER,), "style_strength", -0.01, 0, 1.01, 1),
    *_range((TRANSFER,), "change_strength", 0.09, 0.1, 1.01, 1),
    *_beyond((RECOLOR,), {"select_prompt": WITHOUT}, "#: required key [select_prompt] not found"),
    *_beyond((RECOLOR,), {"select_prompt": TOO_LONG}, "#/select_prompt: expected maxLength: 10000, actual: 10001"),
    *_beyond((RECOLOR,), {"search_prompt": "the boat"}, "#: extraneous key [search_prompt] is not permitted"),
    *_beyond((REPLACE,), {"search_prompt": WITHOUT}, "#: required key [search_prompt] not found"),
    *_beyond((REPLACE,), {"search_prompt": TOO_LONG}, "#/search_prompt: expected maxLength: 10000, actual: 10001"),
    *_beyond((TRANSFER,), {"init_image": WITHOUT}, "#: required key [init_image] not found"),
    *_beyond((TRANSFER,), {"style_image": WITHOUT}, "#: required key [style_image] not found"),
    *_beyond((TRANSFER,), {"image": IMAGE}, "#: extraneous key [image] is not permitted"),
]  # fmt: skip


def test_every_picture_model_of_the_server_is_tried_here() -> None:
    """A model that is added without its limits shows up."""
    assert {model.base_id for model in MODELS if model.task == "picture"} == set(BASES) == set(PARSERS)


@pytest.mark.parametrize(("model", "changes"), WITHIN, ids=_name)
def test_a_model_takes_what_is_at_its_limit(model: str, changes: dict[str, Any]) -> None:
    """Every member at its edge."""
    assert accepted(model, changes)


@pytest.mark.parametrize(("model", "changes", "text"), BEYOND, ids=_name)
def test_a_model_refuses_what_is_beyond_its_limit(model: str, changes: dict[str, Any], text: str) -> None:
    """The refusal names the member, in Bedrock's own words, and asks to reformat the input."""
    message = refused(model, changes)
    assert message.startswith("Malformed input request: ")
    assert text in message
    assert message.endswith(", please reformat your input and try again.")


def _pictures_of(model: str) -> tuple[str, ...]:
    return ("init_image", "style_image") if model == TRANSFER else ("image",)


PICTURES = [(model, name) for model in (SD35, ULTRA, *SERVICES) for name in _pictures_of(model)]
BROKEN = [
    ("not base64!", "is not valid base64"),
    ("AAAA", "is not a readable image"),
    ("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "is not a readable image"),
    (f"data:image/png;base64,{IMAGE}", "is not valid base64"),
    (7, "expected type: String, found: Integer"),
]


@pytest.mark.parametrize(("model", "name"), PICTURES)
@pytest.mark.parametrize(
    ("value", "text"), BROKEN, ids=["no base64", "no picture", "gif", "data url", "number"]
)
def test_what_is_no_picture_is_refused(model: str, name: str, value: Any, text: str) -> None:
    """Pictures come as plain base64 of a PNG, JPEG or WebP file."""
    assert f"#/{name}: {text}" in refused(model, {name: value})


@pytest.mark.parametrize(("model", "name"), PICTURES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_may_come_in_three_formats(model: str, name: str, kind: str) -> None:
    """PNG, JPEG and WebP."""
    assert accepted(model, {name: base64_picture(kind, 96, 64)})


GENERAL_WITHIN = [(64, 64), (160, 64), (64, 160), (3072, 3072)]
GENERAL_BEYOND = [
    ((63, 64), "at least 64 pixels"),
    ((64, 63), "at least 64 pixels"),
    ((161, 64), "aspect ratio must be between 1:2.5 and 2.5:1"),
    ((64, 161), "aspect ratio must be between 1:2.5 and 2.5:1"),
    ((3072, 3073), "must not exceed 9437184 pixels"),
]
SIZES_WITHIN = [
    *((model, size) for model in GENERAL_SIZES for size in GENERAL_WITHIN),
    *((SD35, size) for size in ((64, 64), (640, 64), (3072, 3072))),  # no limit of proportion
    *((CREATIVE, size) for size in ((64, 64), (1024, 1024), (16_384, 64))),
    *((FAST, size) for size in ((32, 32), (1536, 682), (32, 1536), (1024, 1024))),
]
SIZES_BEYOND = [
    *((model, size, text) for model in GENERAL_SIZES for size, text in GENERAL_BEYOND),
    (SD35, (63, 64), "at least 64 pixels"),
    (SD35, (3072, 3073), "must not exceed 9437184 pixels"),
    (CREATIVE, (63, 66), "at least 64 pixels"),
    (CREATIVE, (1024, 1025), "between 4096 and 1048576 pixels, actual: 1049600"),
    (FAST, (31, 64), "between 32 and 1536 pixels, actual: 31x64"),
    (FAST, (1537, 64), "between 32 and 1536 pixels, actual: 1537x64"),
    (FAST, (1536, 683), "between 1024 and 1048576 pixels, actual: 1049088"),
]


@pytest.mark.parametrize(("model", "size"), SIZES_WITHIN, ids=_name)
def test_a_model_takes_pictures_up_to_its_sizes(model: str, size: tuple[int, int]) -> None:
    """Sides, pixels and proportion at their edges."""
    assert accepted(model, dict.fromkeys(_pictures_of(model), base64_png(*size)))


@pytest.mark.parametrize(("model", "size", "text"), SIZES_BEYOND, ids=_name)
def test_a_model_refuses_pictures_beyond_its_sizes(model: str, size: tuple[int, int], text: str) -> None:
    """Each picture of a request is measured."""
    for name in _pictures_of(model):
        assert text in refused(model, {name: base64_png(*size)})


@pytest.mark.parametrize(
    ("model", "given", "made"),
    [
        (FAST, (33, 47), (132, 188)),
        (FAST, (1536, 682), (6144, 2728)),
        (CREATIVE, (64, 64), (2048, 2048)),
        (CREATIVE, (640, 360), (2731, 1536)),
        (CONSERVATIVE, (1024, 1024), (2048, 2048)),
        (CONSERVATIVE, (3072, 2048), (3072, 2048)),
        (SKETCH, (100, 70), (100, 70)),
        (STRUCTURE, (1920, 1080), (1920, 1080)),
        (GUIDE, (100, 70), (1024, 1024)),
    ],
)
def test_a_model_says_beforehand_what_size_it_makes(
    model: str, given: tuple[int, int], made: tuple[int, int]
) -> None:
    """Four times, to four megapixels, or as large as what came in."""
    order = accepted(model, {"image": base64_png(*given)})
    assert (order.width, order.height) == made


def test_every_violation_is_named() -> None:
    """A request with two mistakes hears of both at once."""
    message = refused(SD35, {"prompt": "", "seed": -1})
    assert "#/prompt: expected minLength: 1, actual: 0" in message
    assert "#/seed: -1 is not greater or equal to 0" in message


def test_a_seed_of_nought_is_a_seed_of_the_models_own() -> None:
    """Two calls with 0 are two pictures."""
    seeds = {accepted(SD35, {"seed": 0}).seed for _ in range(4)}
    assert len(seeds) > 1
    assert 0 not in seeds
