"""Stability AI's text-to-image models on Bedrock: native request in, picture order out."""

import math
from collections.abc import Callable
from typing import cast

from services.bedrock.dialects.schema import Checker, read_json
from services.bedrock.dialects.stability_fields import (
    PICTURE_FORMATS,
    SIZES,
    area_limits,
    read_negative,
    read_output_format,
    read_prompt,
    read_seed,
    service_limits,
)
from services.bedrock.orders import OutputFormat, PanelOrder, PictureOrder, VaryOrder

_STEP = 64
_PIXELS = 1_048_576
_TWO_FORMATS = ("jpeg", "png")  # Core and Ultra write no WebP
_SERVICE_MAX_SEED = 4_294_967_295  # one more than SD3.5's
_ULTRA_STRENGTH = 0.35


def parse_sd35(body: bytes) -> PictureOrder:
    """stability.sd3-5-large-v1:0, text-to-image and image-to-image."""
    fields = Checker(read_json(body))
    prompt, negative = read_prompt(fields), read_negative(fields)
    mode = fields.choice("mode", ("text-to-image", "image-to-image"), "text-to-image")
    seed = read_seed(fields)
    output_format = read_output_format(fields)
    ratio = fields.choice("aspect_ratio", SIZES, "1:1")
    from_image = mode == "image-to-image"
    picture = fields.picture("image", PICTURE_FORMATS, area_limits, required=from_image)
    strength = fields.number("strength", 0, 1, 1, required=from_image)
    if from_image and "aspect_ratio" in fields:
        fields.refuse("", "extraneous key [aspect_ratio] is not permitted")
    if not from_image:
        for name in ("image", "strength"):
            if name in fields:
                fields.refuse("", f"extraneous key [{name}] is not permitted")
    fields.finish()
    if picture is None:
        width, height = SIZES[ratio]
        return PanelOrder(prompt, negative, width, height, seed, output_format)
    data, header = picture
    width, height = image_to_image_size(header.width, header.height)
    return VaryOrder(prompt, data, width, height, strength, seed, output_format)


def parse_core(body: bytes) -> PictureOrder:
    """stability.stable-image-core-v1:1: words only."""
    fields = Checker(read_json(body))
    order = _from_words(fields)
    fields.finish()
    return order


def parse_ultra(body: bytes) -> PictureOrder:
    """stability.stable-image-ultra-v1:1: words, and a picture with a strength where one is given.

    Only one of its two pages lists image and strength (0.35 unless given); no page gives their limits. Its page lists
    a mode with the one value text-to-image.
    """
    fields = Checker(read_json(body))
    order = _from_words(fields)
    fields.choice("mode", ("text-to-image",), "text-to-image")
    picture = fields.picture("image", PICTURE_FORMATS, service_limits)
    strength = fields.number("strength", 0, 1, _ULTRA_STRENGTH)
    if "image" in fields and "aspect_ratio" in fields:
        fields.refuse("", "extraneous key [aspect_ratio] is not permitted")
    if "image" not in fields and "strength" in fields:
        fields.refuse("", "extraneous key [strength] is not permitted")
    fields.finish()
    if picture is None:
        return order
    data, header = picture
    width, height = image_to_image_size(header.width, header.height)
    return VaryOrder(order.prompt, data, width, height, strength, order.seed, order.output_format)


def _from_words(fields: Checker) -> PanelOrder:
    prompt, negative = read_prompt(fields), read_negative(fields)
    width, height = SIZES[fields.choice("aspect_ratio", SIZES, "1:1")]
    seed = read_seed(fields, _SERVICE_MAX_SEED)
    output_format = fields.choice("output_format", _TWO_FORMATS, "png")
    return PanelOrder(prompt, negative, width, height, seed, cast("OutputFormat", output_format))


def image_to_image_size(width: int, height: int) -> tuple[int, int]:
    """The input's size, at most about one megapixel, each side rounded down to a multiple of 64."""
    scale = min(1.0, math.sqrt(_PIXELS / (width * height)))
    return _step_down(width * scale), _step_down(height * scale)


def _step_down(side: float) -> int:
    return max(_STEP, int(side) // _STEP * _STEP)


PARSERS: dict[str, Callable[[bytes], PictureOrder]] = {
    "stability.sd3-5-large-v1:0": parse_sd35,
    "stability.stable-image-core-v1:1": parse_core,
    "stability.stable-image-ultra-v1:1": parse_ultra,
}
