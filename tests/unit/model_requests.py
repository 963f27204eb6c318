"""Requests for the dialects' tests: small to write, and right unless a test makes them wrong."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.dialects.contract import RequestShape
from circletake.dialects.registry import dialect_for
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import ControlReport, InputShape, ModelCard, ModelRequest, Picture, Violation

SD35 = "stability.sd3-5-large-v1:0"
OUTPAINT = "us.stability.stable-outpaint-v1:0"
ERASE = "us.stability.stable-image-erase-object-v1:0"
INPAINT = "us.stability.stable-image-inpaint-v1:0"
RAY2 = "luma.ray-v2:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
RECOLOR = "us.stability.stable-image-search-recolor-v1:0"
REPLACE = "us.stability.stable-image-search-replace-v1:0"
CUTOUT = "us.stability.stable-image-remove-background-v1:0"
SKETCH = "us.stability.stable-image-control-sketch-v1:0"
STRUCTURE = "us.stability.stable-image-control-structure-v1:0"
STYLE_GUIDE = "us.stability.stable-image-style-guide-v1:0"
STYLE_TRANSFER = "us.stability.stable-style-transfer-v1:0"
FAST = "us.stability.stable-fast-upscale-v1:0"
CONSERVATIVE = "us.stability.stable-conservative-upscale-v1:0"
CREATIVE = "us.stability.stable-creative-upscale-v1:0"

Sizes = Mapping[InputSlot, tuple[int, int]]


@cache
def catalogue() -> FileCatalogue:
    return load_catalogue()


def card_of(model_id: str) -> ModelCard:
    card = catalogue().get(model_id)
    assert card is not None
    return card


def shape(
    kind: Kind,
    *,
    prompt: str | None = "a lighthouse at dusk",
    negative: str | None = None,
    seed: int | None = None,
    controls: Mapping[str, Any] | None = None,
    inputs: Sizes | None = None,
    media_type: str = "image/png",
    search: str | None = None,
) -> RequestShape:
    shapes = {slot: InputShape(media_type, *size) for slot, size in (inputs or {}).items()}
    return RequestShape(kind, prompt, negative, seed, controls or {}, shapes, search_prompt=search)


def request(
    kind: Kind,
    *,
    prompt: str | None = "a lighthouse at dusk",
    negative: str | None = None,
    seed: int | None = None,
    controls: Mapping[str, Any] | None = None,
    pictures: Mapping[InputSlot, Picture] | None = None,
    search: str | None = None,
) -> ModelRequest:
    pictures = dict(pictures or {})
    return ModelRequest(kind, prompt, negative, seed, dict(controls or {}), pictures, search)


def picture(
    data: bytes = b"pixels",
    size: tuple[int, int] = (1920, 1080),
    *,
    media_type: str = "image/png",
    scale: float = 1.0,
) -> Picture:
    return Picture(data, media_type, *size, scale)


def violations(model_id: str, asked: RequestShape) -> list[Violation]:
    card = card_of(model_id)
    return dialect_for(card).check(asked, card)


def pointers(model_id: str, asked: RequestShape) -> list[tuple[str, str]]:
    return [(found.pointer, found.code) for found in violations(model_id, asked)]


def reports(model_id: str, asked: RequestShape) -> dict[str, ControlReport]:
    card = card_of(model_id)
    return {each.control: each for each in dialect_for(card).controls(asked, card)}


def native(model_id: str, asked: ModelRequest) -> dict[str, Any]:
    card = card_of(model_id)
    return dialect_for(card).build(asked, card)
