"""Colours and strokes of the continuity sheet. A verdict has a colour, a shape and a word, never a colour alone."""

from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.lettering import Colour, Lettering
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box

PAPER: Colour = (24, 24, 26)
PANEL: Colour = (36, 36, 39)
EMPTY: Colour = (46, 46, 50)
RULE: Colour = (62, 62, 67)
BRIGHT: Colour = (232, 232, 234)
SOFT: Colour = (160, 160, 166)
WHITE: Colour = (255, 255, 255)
INK: Colour = (20, 18, 14)
RED: Colour = (232, 56, 46)
AMBER: Colour = (240, 178, 52)
GREEN: Colour = (122, 160, 128)
GREY: Colour = (134, 134, 140)
BLUE: Colour = (104, 170, 236)
DULL_RED: Colour = (164, 70, 62)  # a limit; pure red is kept for what breaks
_PASS_RULE: Colour = (78, 98, 82)
FRAME = 7  # of a broken shot

COLOURS: dict[str, Colour] = {
    Verdict.PASS: GREEN,
    Verdict.FAIL: RED,
    Verdict.NEEDS_HUMAN: AMBER,
    Verdict.NOT_ASSESSABLE: GREY,
}


def fill(canvas: Any, box: Box, colour: Colour) -> None:
    if box.width > 0 and box.height > 0:
        cv2.rectangle(canvas, (box.left, box.top), (box.right - 1, box.bottom - 1), colour, cv2.FILLED)


def grown(box: Box, by: int) -> Box:
    return Box(box.left - by, box.top - by, box.width + 2 * by, box.height + 2 * by)


def outline(canvas: Any, box: Box, colour: Colour, thickness: int) -> None:
    """Draw a frame around a box, outside it."""
    for step in range(1, thickness + 1):
        edge = grown(box, step)
        cv2.rectangle(canvas, (edge.left, edge.top), (edge.right - 1, edge.bottom - 1), colour, 1)


def dim(canvas: Any, box: Box, share: float) -> None:
    under = canvas[box.top : box.bottom, box.left : box.right]
    under[:] = (under * share).astype(np.uint8)


def hatch(canvas: Any, box: Box, colour: Colour, *, every: int = 14, thickness: int = 2) -> None:
    """Draw diagonals across a box."""
    under = np.ascontiguousarray(canvas[box.top : box.bottom, box.left : box.right])
    for start in range(-box.height, box.width, every):
        cv2.line(under, (start, box.height), (start + box.height, 0), colour, thickness, cv2.LINE_AA)
    canvas[box.top : box.bottom, box.left : box.right] = under


def dashes(
    canvas: Any,
    start: tuple[int, int],
    end: tuple[int, int],
    colour: Colour,
    *,
    dash: int = 10,
    thickness: int = 1,
) -> None:
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    for at in np.arange(0.0, length, 2.0 * dash):
        ends = [
            (
                round(start[0] + (end[0] - start[0]) * share),
                round(start[1] + (end[1] - start[1]) * share),
            )
            for share in (at / length, min(1.0, (at + dash) / length))
        ]
        cv2.line(canvas, ends[0], ends[1], colour, thickness, cv2.LINE_AA)


def verdict_frame(canvas: Any, box: Box, verdict: str) -> None:
    """Frame a crop: a hairline for what passes, ever heavier for what has to be seen."""
    if verdict == Verdict.FAIL:
        outline(canvas, grown(box, FRAME), WHITE, 2)  # it shows in black and white too
        outline(canvas, box, RED, FRAME)
    elif verdict == Verdict.NEEDS_HUMAN:
        outline(canvas, box, AMBER, 4)
    elif verdict == Verdict.PASS:
        outline(canvas, box, _PASS_RULE, 2)
    else:
        outline(canvas, box, RULE, 2)


def cross_badge(canvas: Any, centre: tuple[int, int], radius: int) -> None:
    """The mark of a broken shot: a cross in a red disc."""
    cv2.circle(canvas, centre, radius, RED, cv2.FILLED, cv2.LINE_AA)
    arm = round(radius * 0.42)
    thick = max(2, radius // 5)
    for slope in (-1, 1):
        start = (centre[0] - arm, centre[1] - slope * arm)
        cv2.line(canvas, start, (centre[0] + arm, centre[1] + slope * arm), WHITE, thick, cv2.LINE_AA)


def question_badge(canvas: Any, letters: Lettering, centre: tuple[int, int], radius: int) -> None:
    """The mark of a shot a person decides: a question mark in an amber disc."""
    cv2.circle(canvas, centre, radius, AMBER, cv2.FILLED, cv2.LINE_AA)
    size = round(radius * 1.6)
    letters.line("?", (centre[0], centre[1] - round(size * 0.58)), size, INK, anchor="centre", heavy=True)


def clash_mark(canvas: Any, centre: tuple[int, int], radius: int = 14) -> None:
    """The mark between two shots that don't cut together: an unequal sign in a red disc."""
    cv2.circle(canvas, centre, radius + 2, PAPER, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(canvas, centre, radius, RED, cv2.FILLED, cv2.LINE_AA)
    arm = round(radius * 0.5)
    for shift in (-3, 3):
        start = (centre[0] - arm, centre[1] + shift)
        cv2.line(canvas, start, (centre[0] + arm, centre[1] + shift), WHITE, 2, cv2.LINE_AA)
    slash = ((centre[0] - arm // 2, centre[1] + arm), (centre[0] + arm // 2, centre[1] - arm))
    cv2.line(canvas, *slash, WHITE, 2, cv2.LINE_AA)
