"""Stability AI's image services on Bedrock: native request in, picture order out.

Members and limits: "Stability AI Image Services" (Amazon Bedrock User Guide). Masks: white = change.
"""

from collections.abc import Callable

from services.bedrock.dialects.schema import Checker, read_json
from services.bedrock.dialects.stability_fields import (
    MAX_PIXELS,
    MAX_PROMPT,
    MIN_SIDE,
    PICTURE_FORMATS,
    SIZES,
    random_seed,
    read_grow,
    read_image,
    read_negative,
    read_output_format,
    read_prompt,
    read_seed,
    read_style_preset,
    service_limits,
)
from services.bedrock.orders import (
    CutoutOrder,
    EraseOrder,
    InpaintOrder,
    LinesOrder,
    OutpaintOrder,
    PictureOrder,
    RecolorOrder,
    ReplaceOrder,
    StyleGuideOrder,
    StyleTransferOrder,
    UpscaleOrder,
)
from services.bedrock.pictures import Header

MAX_EXTENSION = 2_000
CREATIVE_PIXELS = (4_096, 1_048_576)
FAST_SIDES = (32, 1_536)
FAST_PIXELS = (1_024, 1_048_576)
FAST_FACTOR = 4
# AWS promises "4K resolution"; Stability AI's reference for both upscalers says "a 4 megapixel output image"
UPSCALED_PIXELS = 4_194_304


def parse_fast_upscale(body: bytes) -> PictureOrder:
    """stability.stable-fast-upscale-v1:0: four times each side. It takes a picture and a format, no words, no seed."""
    fields = Checker(read_json(body))
    image, header = read_image(fields, _fast_limits)
    output_format = read_output_format(fields)
    fields.finish()
    width, height = header.width * FAST_FACTOR, header.height * FAST_FACTOR
    return UpscaleOrder("fast", "", image, width, height, 0.0, random_seed(), output_format)


def parse_conservative_upscale(body: bytes) -> PictureOrder:
    """stability.stable-conservative-upscale-v1:0."""
    fields = Checker(read_json(body))
    prompt, _ = read_prompt(fields), read_negative(fields)
    image, header = read_image(fields, service_limits)
    creativity = fields.number("creativity", 0.1, 0.5, 0.35)
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    width, height = upscaled_size(header.width, header.height)
    return UpscaleOrder("conservative", prompt, image, width, height, creativity, seed, output_format)


def parse_creative_upscale(body: bytes) -> PictureOrder:
    """stability.stable-creative-upscale-v1:0."""
    fields = Checker(read_json(body))
    prompt, _ = read_prompt(fields), read_negative(fields)
    read_style_preset(fields)
    image, header = read_image(fields, _creative_limits)
    creativity = fields.number("creativity", 0.1, 0.5, 0.3)
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    width, height = upscaled_size(header.width, header.height)
    return UpscaleOrder("creative", prompt, image, width, height, creativity, seed, output_format)


def upscaled_size(width: int, height: int) -> tuple[int, int]:
    """The input's proportion at about `UPSCALED_PIXELS`; an input that is larger keeps its size."""
    scale = max(1.0, (UPSCALED_PIXELS / (width * height)) ** 0.5)
    return round(width * scale), round(height * scale)


def parse_erase(body: bytes) -> PictureOrder:
    """stability.stable-image-erase-object-v1:0."""
    fields = Checker(read_json(body))
    image, mask = _image_and_mask(fields)
    grow, seed, output_format = read_grow(fields), read_seed(fields), read_output_format(fields)
    fields.finish()
    return EraseOrder(image, mask, grow, seed, output_format)


def parse_inpaint(body: bytes) -> PictureOrder:
    """stability.stable-image-inpaint-v1:0."""
    fields = Checker(read_json(body))
    prompt, _ = read_prompt(fields), read_negative(fields)
    read_style_preset(fields)
    image, mask = _image_and_mask(fields)
    grow, seed, output_format = read_grow(fields), read_seed(fields), read_output_format(fields)
    fields.finish()
    return InpaintOrder(prompt, image, mask, grow, seed, output_format)


def parse_outpaint(body: bytes) -> PictureOrder:
    """stability.stable-outpaint-v1:0."""
    fields = Checker(read_json(body))
    prompt = fields.text("prompt", maximum=MAX_PROMPT)
    read_negative(fields)
    read_style_preset(fields)
    image, _ = read_image(fields, service_limits)
    left, right, up, down = (
        fields.integer(name, 0, MAX_EXTENSION, 0) for name in ("left", "right", "up", "down")
    )
    creativity = fields.number("creativity", 0.1, 1, 0.5)
    seed, output_format = read_seed(fields), read_output_format(fields)
    if not fields.violations and not (left or right or up or down):
        fields.refuse("", "at least one of left, right, up, down must be greater than 0")
    fields.finish()
    return OutpaintOrder(prompt, image, left, right, up, down, creativity, seed, output_format)


def parse_recolor(body: bytes) -> PictureOrder:
    """stability.stable-image-search-recolor-v1:0."""
    fields, prompt, search, image, grow = _searching(body, "select_prompt")
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    return RecolorOrder(prompt, search, image, grow, seed, output_format)


def parse_replace(body: bytes) -> PictureOrder:
    """stability.stable-image-search-replace-v1:0."""
    fields, prompt, search, image, grow = _searching(body, "search_prompt")
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    return ReplaceOrder(prompt, search, image, grow, seed, output_format)


def _searching(body: bytes, search_name: str) -> tuple[Checker, str, str, bytes, int]:
    fields = Checker(read_json(body))
    prompt, _ = read_prompt(fields), read_negative(fields)
    search = fields.text(search_name, minimum=1, maximum=MAX_PROMPT, required=True)
    read_style_preset(fields)
    image, _ = read_image(fields, service_limits)
    return fields, prompt, search, image, read_grow(fields)


def parse_remove_background(body: bytes) -> PictureOrder:
    """stability.stable-image-remove-background-v1:0. It takes a picture and a format, no words, no seed."""
    fields = Checker(read_json(body))
    image, _ = read_image(fields, service_limits)
    output_format = read_output_format(fields)
    fields.finish()
    return CutoutOrder(image, random_seed(), output_format)


def parse_sketch(body: bytes) -> PictureOrder:
    """stability.stable-image-control-sketch-v1:0."""
    return _lines(body, sketch=True)


def parse_structure(body: bytes) -> PictureOrder:
    """stability.stable-image-control-structure-v1:0."""
    return _lines(body, sketch=False)


def _lines(body: bytes, *, sketch: bool) -> PictureOrder:
    fields = Checker(read_json(body))
    prompt, negative = read_prompt(fields), read_negative(fields)
    read_style_preset(fields)
    image, header = read_image(fields, service_limits)
    strength = fields.number("control_strength", 0, 1, 0.7)
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    return LinesOrder(
        sketch, prompt, negative, image, header.width, header.height, strength, seed, output_format
    )


def parse_style_guide(body: bytes) -> PictureOrder:
    """stability.stable-image-style-guide-v1:0."""
    fields = Checker(read_json(body))
    prompt, negative = read_prompt(fields), read_negative(fields)
    read_style_preset(fields)
    style, _ = read_image(fields, service_limits)
    width, height = SIZES[fields.choice("aspect_ratio", SIZES, "1:1")]
    fidelity = fields.number("fidelity", 0, 1, 0.5)
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    return StyleGuideOrder(prompt, negative, style, width, height, fidelity, seed, output_format)


def parse_style_transfer(body: bytes) -> PictureOrder:
    """stability.stable-style-transfer-v1:0. It has no style preset: the style is the second picture's."""
    fields = Checker(read_json(body))
    prompt = fields.text("prompt", maximum=MAX_PROMPT)
    read_negative(fields)
    image, _ = read_image(fields, service_limits, "init_image")
    style, _ = read_image(fields, service_limits, "style_image")
    composition = fields.number("composition_fidelity", 0, 1, 0.9)
    strength = fields.number("style_strength", 0, 1, 1)
    change = fields.number("change_strength", 0.1, 1, 0.9)
    seed, output_format = read_seed(fields), read_output_format(fields)
    fields.finish()
    return StyleTransferOrder(prompt, image, style, composition, strength, change, seed, output_format)


def _fast_limits(header: Header) -> str | None:
    least, most = FAST_SIDES
    if min(header.width, header.height) < least or max(header.width, header.height) > most:
        return f"every side of the image must be between {least} and {most} pixels, actual: {header.width}x{header.height}"
    return _pixels_between(header, *FAST_PIXELS)


def _creative_limits(header: Header) -> str | None:
    if min(header.width, header.height) < MIN_SIDE:
        return f"every side of the image must be at least {MIN_SIDE} pixels, actual: {header.width}x{header.height}"
    return _pixels_between(header, *CREATIVE_PIXELS)


def _pixels_between(header: Header, least: int, most: int) -> str | None:
    pixels = header.width * header.height
    if not least <= pixels <= most:
        return f"image must have between {least} and {most} pixels, actual: {pixels}"
    return None


def _image_and_mask(fields: Checker) -> tuple[bytes, bytes | None]:
    """A mask of another size than the image's is resized to it, as the page says."""
    image, header = read_image(fields, service_limits)
    mask = fields.picture("mask", PICTURE_FORMATS, _mask_limits)
    if image and "mask" not in fields and not header.has_alpha:
        fields.refuse("", "required key [mask] not found: the image has no alpha channel")
    return image, None if mask is None else mask[0]


def _mask_limits(header: Header) -> str | None:
    """No page gives any; more pixels than an image may have are not worth decoding."""
    pixels = header.width * header.height
    return f"mask must not exceed {MAX_PIXELS} pixels, actual: {pixels}" if pixels > MAX_PIXELS else None


PARSERS: dict[str, Callable[[bytes], PictureOrder]] = {
    "stability.stable-fast-upscale-v1:0": parse_fast_upscale,
    "stability.stable-conservative-upscale-v1:0": parse_conservative_upscale,
    "stability.stable-creative-upscale-v1:0": parse_creative_upscale,
    "stability.stable-image-inpaint-v1:0": parse_inpaint,
    "stability.stable-outpaint-v1:0": parse_outpaint,
    "stability.stable-image-search-recolor-v1:0": parse_recolor,
    "stability.stable-image-search-replace-v1:0": parse_replace,
    "stability.stable-image-erase-object-v1:0": parse_erase,
    "stability.stable-image-remove-background-v1:0": parse_remove_background,
    "stability.stable-image-control-sketch-v1:0": parse_sketch,
    "stability.stable-image-control-structure-v1:0": parse_structure,
    "stability.stable-image-style-guide-v1:0": parse_style_guide,
    "stability.stable-style-transfer-v1:0": parse_style_transfer,
}
