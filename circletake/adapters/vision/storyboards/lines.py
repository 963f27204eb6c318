"""A panel's words as lines. Runs in a child process only."""

from collections.abc import Sequence
from dataclasses import dataclass

from circletake.adapters.vision.lettering import Lettering, one_line
from circletake.adapters.vision.storyboards import layout
from circletake.adapters.vision.storyboards.script import composed, runs_right, visual, wrapped

_AFTER_LABEL = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is drawn. `label` stands ahead of it; `right`: it runs from right to left and stands so."""

    text: str
    label: str = ""
    right: bool = False
    heavy: bool = False
    logical: str = ""  # what a search finds


def lines_of(letters: Lettering, words: Sequence[tuple[str, str]], width: int) -> list[Line]:
    """Break a panel's words into lines of at most `width` pixels; a word without a label is a caption."""
    lines: list[Line] = []
    for label, text in words:
        for number, paragraph in enumerate(text.splitlines()):
            lines += _paragraph(letters, label if number == 0 else "", paragraph, width, heavy=not label)
    return lines


def _paragraph(letters: Lettering, label: str, text: str, width: int, *, heavy: bool) -> list[Line]:
    text = one_line(composed(text))
    right = runs_right(text)
    ahead = letters.width(label, layout.LETTERS, heavy=True) + _AFTER_LABEL if label else 0
    if right and label:
        # a label on the left and words from the right share the line badly
        return [Line("", label), *_broken(letters, text, width, heavy=heavy, right=True)]
    broken = _broken(letters, text, width, heavy=heavy, right=right, first=ahead)
    if label and broken:
        head = broken[0]
        broken[0] = Line(head.text, label, head.right, head.heavy, head.logical)
    return broken


def _broken(
    letters: Lettering, text: str, width: int, *, heavy: bool, right: bool, first: int = 0
) -> list[Line]:
    def measure(piece: str) -> int:
        return letters.width(piece, layout.LETTERS, heavy=heavy)

    return [
        Line(visual(piece, right=right), right=right, heavy=heavy, logical=piece)
        for piece in wrapped(text, width, measure, first=first)
    ]


def draw_lines(letters: Lettering, lines: Sequence[Line], left: int, top: int, width: int) -> None:
    """Draw lines one under the other."""
    for number, line in enumerate(lines):
        at = top + number * layout.LINE
        indent = 0
        if line.label:
            indent = letters.line(line.label, (left, at), layout.LETTERS, _LABEL, heavy=True) + _AFTER_LABEL
        if line.right:
            letters.line(
                line.text, (left + width, at), layout.LETTERS, _WORDS, anchor="right", heavy=line.heavy
            )
        else:
            letters.line(line.text, (left + indent, at), layout.LETTERS, _WORDS, heavy=line.heavy)


_WORDS = (34, 34, 38)
_LABEL = (126, 126, 134)
