"""One cell: the crop in its verdict's frame, and what was decided under it."""

from collections.abc import Sequence
from typing import Any

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.continuity import ink
from circletake.adapters.vision.continuity.crops import draw_missing, draw_picture
from circletake.adapters.vision.continuity.layout import LARGE
from circletake.adapters.vision.continuity.words import break_word, reason_words, verdict_words
from circletake.adapters.vision.lettering import Colour, Lettering, one_line
from circletake.domain.consistency.words import Verdict
from circletake.domain.frames import Box
from circletake.ports import ContinuityCell

_JOINTS = "_-. /"


def draw_crop(canvas: Any, letters: Lettering, cell: ContinuityCell, box: Box, bounds: Bounds) -> None:
    """Draw the crop, framed and marked; a crop that is missing becomes a panel that says why."""
    there = draw_picture(canvas, cell.crop, box, bounds)
    assessed = cell.verdict != Verdict.NOT_ASSESSABLE
    if not assessed:
        if there:
            ink.dim(canvas, box, 0.55)
        ink.hatch(canvas, box, (92, 92, 98))
    ink.verdict_frame(canvas, box, cell.verdict)
    if not there:
        draw_missing(letters, box, _why_missing(cell))
    if cell.verdict == Verdict.FAIL:
        _tab(canvas, letters, break_word(cell).upper(), box, ink.RED, ink.WHITE)
        radius = max(13, min(20, box.width // 10))
        ink.cross_badge(canvas, (box.right - radius + 4, box.top + radius - 4), radius)
    elif cell.verdict == Verdict.NEEDS_HUMAN:
        radius = max(13, min(20, box.width // 10))
        ink.question_badge(canvas, letters, (box.right - radius + 2, box.top + radius - 2), radius)
    elif not assessed and there:
        _tab(canvas, letters, reason_words(cell) or "not assessable", box, (58, 58, 63), ink.BRIGHT)


def _why_missing(cell: ContinuityCell) -> str:
    if cell.crop is not None:
        return "picture not readable"
    return reason_words(cell) or "no picture"


def _tab(canvas: Any, letters: Lettering, text: str, box: Box, ground: Colour, colour: Colour) -> None:
    """Write a word on a tab that hangs under the crop, so that it hides nothing of what has to be judged."""
    heavy = colour == ink.WHITE
    edge = ink.FRAME if heavy else 2
    bar = Box(box.left - edge, box.bottom, box.width + 2 * edge, _tab_height(box))
    if heavy:
        ink.fill(canvas, Box(bar.left - 2, bar.top, bar.width + 4, bar.height + 2), ink.WHITE)
    ink.fill(canvas, bar, ground)
    at = (box.left + box.width // 2, bar.top + 2)
    letters.line(text, at, _letters_for(box), colour, width=box.width, anchor="centre", heavy=heavy)


def _letters_for(box: Box) -> int:
    return 24 if box.width >= LARGE else 20


def _tab_height(box: Box) -> int:
    return _letters_for(box) + 11


def draw_caption(letters: Lettering, cell: ContinuityCell, box: Box) -> None:
    """Write label, score and verdict, and reasons under a crop; `box` is the caption's place."""
    broken = cell.verdict == Verdict.FAIL
    colour = ink.COLOURS.get(cell.verdict, ink.SOFT)
    size = _letters_for(box)
    tabbed = broken or (cell.verdict == Verdict.NOT_ASSESSABLE and cell.crop is not None)
    top = box.top + (_tab_height(box) + 6 if tabbed else 12)
    label = cut_front(letters, cell.label, size, box.width)
    letters.line(label, (box.left, top), size, ink.BRIGHT, heavy=broken)
    top += size + 6
    verdict = verdict_words(cell)
    fitting = next(
        (each for each in (size, size - 2, size - 3, size - 4) if letters.width(verdict, each) <= box.width),
        size - 5,
    )
    letters.line(verdict, (box.left, top + size - fitting), fitting, colour, width=box.width, heavy=broken)
    top += size + 7
    lines = max(1, (box.bottom - top) // (size + 1))
    for line in letters.wrapped(_remark(cell), size - 3, box.width, most=lines):
        letters.line(line, (box.left, top), size - 3, ink.BRIGHT if broken else ink.SOFT)
        top += size + 1


def _remark(cell: ContinuityCell) -> str:
    if cell.verdict == Verdict.NOT_ASSESSABLE and cell.crop is not None:
        return ""  # stands on the crop
    return reason_words(cell)


def cut_front(letters: Lettering, text: str, size: int, width: int) -> str:
    """Cut a shot code from the front: what tells two shots of a sequence apart is at its end."""
    text = one_line(text)
    if letters.width(text, size) <= width:
        return text
    low, high = 1, len(text)
    while low < high:
        middle = (low + high) // 2
        if letters.width("…" + text[middle:], size, heavy=True) <= width:
            high = middle
        else:
            low = middle + 1
    at_a_joint = next((at for at in range(low, min(low + 6, len(text))) if text[at - 1] in _JOINTS), low)
    return "…" + text[at_a_joint:].lstrip()


def draw_references(
    canvas: Any, letters: Lettering, references: Sequence[bytes], box: Box, bounds: Bounds
) -> None:
    """Draw as many references as fit in a box, large ones where there are few."""
    if not references:
        panel = Box(box.left, box.top, box.width, min(box.height, 150))
        ink.fill(canvas, panel, ink.EMPTY)
        draw_missing(letters, panel, "no reference")
        return
    across = 1 if len(references) == 1 else 2
    gap = 8
    side = (box.width - (across - 1) * gap) // across
    side = min(side, (box.height - gap) // 2 if len(references) > across else box.height)
    down = max(1, (box.height + gap) // (side + gap))
    for index, reference in enumerate(references[: across * down]):
        column, line = index % across, index // across
        place = Box(box.left + column * (side + gap), box.top + line * (side + gap), side, side)
        if not draw_picture(canvas, reference, place, bounds):
            draw_missing(letters, place, "picture not readable")
        ink.outline(canvas, place, ink.RULE, 1)
