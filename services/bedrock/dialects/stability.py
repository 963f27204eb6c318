"""Stability AI on Bedrock: native request in, picture order out; picture in, native answer out.

Limits: the Stability parameter pages of the Amazon Bedrock User Guide. Masks: white = change.
"""

import base64
import math
import random
from collections.abc import Callable
from typing import Any, cast

from services.bedrock.dialects.schema import Checker, read_json
from services.bedrock.orders import (
    EraseOrder,
    InpaintOrder,
    OutpaintOrder,
    OutputFormat,
    PanelOrder,
    PictureOrder,
    VaryOrder,
)
from services.bedrock.pictures import Header

MAX_PROMPT = 10_000
MAX_SEED = 4_294_967_294
MIN_SIDE = 64
MAX_PIXELS = 9_437_184
MAX_RATIO = 2.5
MAX_GROW = 20
MAX_EXTENSION = 2_000
PICTURE_FORMATS = ("jpeg", "png", "webp")
OUTPUT_FORMATS = ("jpeg", "png", "webp")

SD35_SIZES = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
STYLE_PRESETS = frozenset(
    {
        "3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art",
        "isometric", "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic",
        "pixel-art", "tile-texture",
    }
)  # fmt: skip

_SD35_STEP = 64
_SD35_PIXELS = 1_048_576
_SERVICE_FORMATS = ("jpeg", "png")  # Core and Ultra write no WebP
_ULTRA_STRENGTH = 0.35


def parse_sd35(body: bytes) -> PictureOrder:
    """stability.sd3-5-large-v1:0, text-to-image and image-to-image."""
    fields = Checker(read_json(body))
    prompt = fields.text("prompt", minimum=1, maximum=MAX_PROMPT, required=True)
    negative = fields.text("negative_prompt", maximum=MAX_PROMPT)
    mode = fields.choice("mode", ("text-to-image", "image-to-image"), "text-to-image")
    seed = _seed(fields)
    output_format = _output_format(fields)
    ratio = fields.choice("aspect_ratio", SD35_SIZES, "1:1")
    from_image = mode == "image-to-image"
    picture = fields.picture("image", PICTURE_FORMATS, _sd35_image_limits, required=from_image)
    strength = fields.number("strength", 0, 1, 1, required=from_image)
    if from_image and "aspect_ratio" in fields:
        fields.refuse("", "extraneous key [aspect_ratio] is not permitted")
    if not from_image:
        for name in ("image", "strength"):
            if name in fields:
                fields.refuse("", f"extraneous key [{name}] is not permitted")
    fields.finish()
    if picture is None:
        width, height = SD35_SIZES[ratio]
        return PanelOrder(prompt, negative, width, height, seed, output_format)
    data, header = picture
    width, height = image_to_image_size(header.width, header.height)
    return VaryOrder(prompt, data, width, height, strength, seed, output_format)


def parse_core(body: bytes) -> PictureOrder:
    """stability.stable-image-core-v1:1: words only."""
    fields = Checker(read_json(body))
    order = _from_words(fields, _SERVICE_FORMATS)
    fields.finish()
    return order


def parse_ultra(body: bytes) -> PictureOrder:
    """stability.stable-image-ultra-v1:1: words, and a picture with a strength where one is given.

    Only one of its two pages lists image and strength (0.35 unless given); no page gives their limits.
    """
    fields = Checker(read_json(body))
    order = _from_words(fields, _SERVICE_FORMATS)
    picture = fields.picture("image", PICTURE_FORMATS, service_image_limits)
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


def _from_words(fields: Checker, formats: tuple[str, ...]) -> PanelOrder:
    prompt = fields.text("prompt", minimum=1, maximum=MAX_PROMPT, required=True)
    negative = fields.text("negative_prompt", maximum=MAX_PROMPT)
    width, height = SD35_SIZES[fields.choice("aspect_ratio", SD35_SIZES, "1:1")]
    seed = _seed(fields)
    output_format = fields.choice("output_format", formats, "png")
    return PanelOrder(prompt, negative, width, height, seed, cast("OutputFormat", output_format))


def parse_erase(body: bytes) -> PictureOrder:
    """stability.stable-image-erase-object-v1:0."""
    fields = Checker(read_json(body))
    image, mask = _image_and_mask(fields)
    grow = fields.integer("grow_mask", 0, MAX_GROW, 5)
    seed = _seed(fields)
    output_format = _output_format(fields)
    fields.finish()
    return EraseOrder(image, mask, grow, seed, output_format)


def parse_inpaint(body: bytes) -> PictureOrder:
    """stability.stable-image-inpaint-v1:0."""
    fields = Checker(read_json(body))
    prompt = fields.text("prompt", minimum=1, maximum=MAX_PROMPT, required=True)
    fields.text("negative_prompt", maximum=MAX_PROMPT)
    fields.choice("style_preset", STYLE_PRESETS, "")
    image, mask = _image_and_mask(fields)
    grow = fields.integer("grow_mask", 0, MAX_GROW, 5)
    seed = _seed(fields)
    output_format = _output_format(fields)
    fields.finish()
    return InpaintOrder(prompt, image, mask, grow, seed, output_format)


def parse_outpaint(body: bytes) -> PictureOrder:
    """stability.stable-outpaint-v1:0."""
    fields = Checker(read_json(body))
    prompt = fields.text("prompt", maximum=MAX_PROMPT)
    fields.text("negative_prompt", maximum=MAX_PROMPT)
    fields.choice("style_preset", STYLE_PRESETS, "")
    picture = fields.picture("image", PICTURE_FORMATS, service_image_limits, required=True)
    left, right, up, down = (
        fields.integer(name, 0, MAX_EXTENSION, 0) for name in ("left", "right", "up", "down")
    )
    creativity = fields.number("creativity", 0.1, 1, 0.5)
    seed = _seed(fields)
    output_format = _output_format(fields)
    if not fields.violations and not (left or right or up or down):
        fields.refuse("", "at least one of left, right, up, down must be greater than 0")
    fields.finish()
    data, _ = cast("tuple[bytes, Header]", picture)
    return OutpaintOrder(prompt, data, left, right, up, down, creativity, seed, output_format)


PARSERS: dict[str, Callable[[bytes], PictureOrder]] = {
    "stability.sd3-5-large-v1:0": parse_sd35,
    "stability.stable-outpaint-v1:0": parse_outpaint,
    "stability.stable-image-erase-object-v1:0": parse_erase,
    "stability.stable-image-inpaint-v1:0": parse_inpaint,
    "stability.stable-image-core-v1:1": parse_core,
    "stability.stable-image-ultra-v1:1": parse_ultra,
}


def answer(seed: int, picture: bytes) -> dict[str, Any]:
    return {"seeds": [seed], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}


def filtered(reason: str) -> dict[str, Any]:
    """An answer without a picture: HTTP 200 and a finish reason, nothing else."""
    return {"finish_reasons": [reason]}


def image_to_image_size(width: int, height: int) -> tuple[int, int]:
    """The input's size, at most about one megapixel, each side rounded down to a multiple of 64."""
    scale = min(1.0, math.sqrt(_SD35_PIXELS / (width * height)))
    return _step_down(width * scale), _step_down(height * scale)


def service_image_limits(header: Header) -> str | None:
    """Limits of every Stability image service: sides, pixels, proportion."""
    wrong = _sd35_image_limits(header)
    if wrong is None and max(header.width, header.height) > MAX_RATIO * min(header.width, header.height):
        return f"image aspect ratio must be between 1:{MAX_RATIO} and {MAX_RATIO}:1, actual: {header.width}x{header.height}"
    return wrong


def _sd35_image_limits(header: Header) -> str | None:
    if min(header.width, header.height) < MIN_SIDE:
        return f"every side of the image must be at least {MIN_SIDE} pixels, actual: {header.width}x{header.height}"
    if header.width * header.height > MAX_PIXELS:
        return f"image must not exceed {MAX_PIXELS} pixels, actual: {header.width * header.height}"
    return None


def _image_and_mask(fields: Checker) -> tuple[bytes, bytes | None]:
    picture = fields.picture("image", PICTURE_FORMATS, service_image_limits, required=True)
    mask = fields.picture("mask", PICTURE_FORMATS, service_image_limits)
    if picture is None:
        return b"", None
    data, header = picture
    if mask is not None:
        mask_data, mask_header = mask
        if (mask_header.width, mask_header.height) != (header.width, header.height):
            fields.refuse(
                "mask",
                f"mask must have the size of the image: expected {header.width}x{header.height}, "
                f"actual: {mask_header.width}x{mask_header.height}",
            )
        return data, mask_data
    if "mask" not in fields and not header.has_alpha:
        fields.refuse("", "required key [mask] not found: the image has no alpha channel")
    return data, None


def _seed(fields: Checker) -> int:
    """0 or absent means that the model picks one."""
    return fields.integer("seed", 0, MAX_SEED, 0) or random.SystemRandom().randint(1, MAX_SEED)


def _output_format(fields: Checker) -> OutputFormat:
    return cast("OutputFormat", fields.choice("output_format", OUTPUT_FORMATS, "png"))


def _step_down(side: float) -> int:
    return max(_SD35_STEP, int(side) // _SD35_STEP * _SD35_STEP)
