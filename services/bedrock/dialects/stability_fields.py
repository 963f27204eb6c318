"""What every Stability model's request shares: prompts, seeds, formats, pictures and their limits.

Limits: the Stability AI parameter pages of the Amazon Bedrock User Guide, "Stability AI Image Services" among them.
Its prompts have a minimum of 0 characters there and of 1 in Stability AI's own reference: 1 is asked for here.
"""

import random
from collections.abc import Callable
from typing import cast

from services.bedrock.dialects.schema import Checker
from services.bedrock.orders import OutputFormat
from services.bedrock.pictures import Header

MAX_PROMPT = 10_000
MAX_SEED = 4_294_967_294
MIN_SIDE = 64
MAX_PIXELS = 9_437_184
MAX_RATIO = 2.5
MAX_GROW = 20
PICTURE_FORMATS = ("jpeg", "png", "webp")
OUTPUT_FORMATS = ("jpeg", "png", "webp")

SIZES = {
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

Limits = Callable[[Header], str | None]


def read_prompt(fields: Checker) -> str:
    return fields.text("prompt", minimum=1, maximum=MAX_PROMPT, required=True)


def read_negative(fields: Checker) -> str:
    return fields.text("negative_prompt", maximum=MAX_PROMPT)


def read_style_preset(fields: Checker) -> str:
    return fields.choice("style_preset", STYLE_PRESETS, "")


def read_seed(fields: Checker, maximum: int = MAX_SEED) -> int:
    """0 or absent means that the model picks one."""
    return fields.integer("seed", 0, maximum, 0) or random_seed()


def random_seed() -> int:
    return random.SystemRandom().randint(1, MAX_SEED)


def read_output_format(fields: Checker) -> OutputFormat:
    return cast("OutputFormat", fields.choice("output_format", OUTPUT_FORMATS, "png"))


def read_grow(fields: Checker) -> int:
    return fields.integer("grow_mask", 0, MAX_GROW, 5)


def read_image(fields: Checker, limits: Limits, name: str = "image") -> tuple[bytes, Header]:
    """A picture that the model needs; empty bytes when it is missing or wrong, which `finish` will say."""
    found = fields.picture(name, PICTURE_FORMATS, limits, required=True)
    return found or (b"", Header("png", MIN_SIDE, MIN_SIDE, has_alpha=False))


def area_limits(header: Header) -> str | None:
    """Sides of at least 64 pixels, at most 9,437,184 pixels in all."""
    if min(header.width, header.height) < MIN_SIDE:
        return f"every side of the image must be at least {MIN_SIDE} pixels, actual: {header.width}x{header.height}"
    if header.width * header.height > MAX_PIXELS:
        return f"image must not exceed {MAX_PIXELS} pixels, actual: {header.width * header.height}"
    return None


def service_limits(header: Header) -> str | None:
    """The limits of most image services: sides, pixels, proportion."""
    wrong = area_limits(header)
    if wrong is None and max(header.width, header.height) > MAX_RATIO * min(header.width, header.height):
        return f"image aspect ratio must be between 1:{MAX_RATIO} and {MAX_RATIO}:1, actual: {header.width}x{header.height}"
    return wrong
