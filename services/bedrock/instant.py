"""A picture at once: flat, of the right size, coloured by its seed. For measuring everything but the drawing."""

import colorsys
from functools import lru_cache

import numpy as np

from services.bedrock.orders import PanelOrder
from services.bedrock.pictures import encode

_COLOURS = 64  # so few that a benchmark soon finds every one in the cache


def instant_panel(order: PanelOrder) -> bytes:
    return _flat(order.width, order.height, order.seed % _COLOURS, order.output_format)


@lru_cache(maxsize=16 * _COLOURS)
def _flat(width: int, height: int, number: int, output_format: str) -> bytes:
    hue = number * 0.618033988749895 % 1.0  # the golden ratio keeps neighbouring seeds apart
    colour = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.55, 0.7)]
    return encode(np.full((height, width, 3), colour, dtype=np.uint8), output_format)
