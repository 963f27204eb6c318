"""Where in a frame an aspect of a person is, from the box of the face. In pixels of the frame as it is shown.

Proportions of an adult seen from the front: the shoulders are about three faces wide, a padded suit with its sleeves
nearly five; the hair rises about two thirds of a face above the brow. Generous on purpose: what is filled anew has to
meet what stays, and a strip of the wrong costume left beside it is worse than some background made anew.
"""

from collections.abc import Iterable, Sequence

from circletake.domain.consistency.words import Aspect, Box

# left, top, width, height in faces, from the face box's upper left corner
_FACE = ((-0.12, -0.15, 1.24, 1.3),)
_HAIR = (
    (-0.45, -0.75, 1.9, 0.85),  # above the brow
    (-0.45, 0.1, 0.42, 1.1),  # beside the face, which itself stays
    (1.03, 0.1, 0.42, 1.1),
)
_WARDROBE = ((-1.9, 1.08, 4.8, 4.2),)
_OVERALL = ((-0.05, -0.05, 1.1, 1.1),)  # the box is the whole subject's

_PLACES = {
    Aspect.FACE: _FACE,
    Aspect.HAIR: _HAIR,
    Aspect.WARDROBE: _WARDROBE,
    Aspect.OVERALL: _OVERALL,
}


def has_region(aspect: Aspect) -> bool:
    """Say whether an aspect has a place in the frame: a palette or a style is everywhere."""
    return aspect in _PLACES


def region_of(aspects: Iterable[Aspect], box: Box, width: int, height: int) -> list[Box]:
    """Return where these aspects are, clipped to the frame; empty when nothing of them lies inside it.

    Raises ValueError for an aspect without a place.
    """
    found = []
    for aspect in aspects:
        if aspect not in _PLACES:
            raise ValueError(f"{aspect.value} has no place of its own")
        for left, top, across, down in _PLACES[aspect]:
            part = _clipped(
                box.left + left * box.width,
                box.top + top * box.height,
                across * box.width,
                down * box.height,
                (width, height),
            )
            if part is not None:
                found.append(part)
    return found


def feather_of(boxes: Sequence[Box]) -> int:
    """Return how softly such a region ends: an eighth of its narrower side, at least 4 pixels."""
    return max(4, round(min(min(box.width, box.height) for box in boxes) / 8))


def _clipped(left: float, top: float, across: float, down: float, frame: tuple[int, int]) -> Box | None:
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = min(frame[0], round(left + across)), min(frame[1], round(top + down))
    return Box(x0, y0, x1 - x0, y1 - y0) if x0 < x1 and y0 < y1 else None
