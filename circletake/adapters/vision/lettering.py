"""Text on a picture: measured, cut with an ellipsis, wrapped; never outside its place. Child processes only."""

from typing import Any, Literal

import cv2

from circletake.domain.frames import Box

Colour = tuple[int, int, int]
Anchor = Literal["left", "right", "centre"]

_REGULAR, _HEAVY = 400, 560
_ASCENT = 0.93  # of the size: from a line's top to its baseline


class Lettering:
    """Draws on an 8-bit RGB canvas with the Unicode font inside OpenCV 5, the same on every machine. Sizes in pixels.

    It has Latin, Greek, Cyrillic and CJK letters; what it lacks becomes a question mark.
    """

    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas
        self._face = cv2.FontFace("sans")

    def width(self, text: str, size: int, *, heavy: bool = False) -> int:
        weight = _HEAVY if heavy else _REGULAR
        return int(cv2.getTextSize((0, 0), text, (0, 0), self._face, size, weight)[2])

    def line(
        self,
        text: str,
        at: tuple[int, int],
        size: int,
        colour: Colour,
        *,
        width: int | None = None,
        anchor: Anchor = "left",
        heavy: bool = False,
    ) -> int:
        """Draw one line whose top is at `at[1]`, cut to `width`; return how wide it became."""
        text = one_line(text)
        if width is not None:
            text = self.cut(text, size, width, heavy=heavy)
        drawn = self.width(text, size, heavy=heavy)
        if not text:
            return 0
        left = at[0] - {"left": 0, "centre": drawn // 2, "right": drawn}[anchor]
        baseline = at[1] + round(size * _ASCENT)
        weight = _HEAVY if heavy else _REGULAR
        cv2.putText(self._canvas, text, (left, baseline), colour, self._face, size, weight)
        return drawn

    def cut(self, text: str, size: int, width: int, *, heavy: bool = False) -> str:
        """Return as much of the text as fits, with an ellipsis when something is missing."""
        if self.width(text, size, heavy=heavy) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(text[:middle].rstrip() + "…", size, heavy=heavy) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…"

    def wrapped(self, text: str, size: int, width: int, *, most: int) -> list[str]:
        """Break text at spaces into at most `most` lines; the last one ends in an ellipsis when more follows."""
        lines: list[str] = []
        words = one_line(text).split()
        while words:
            if len(lines) == most - 1:
                return [*lines, self.cut(" ".join(words), size, width)]
            taken = 1
            while taken < len(words) and self.width(" ".join(words[: taken + 1]), size) <= width:
                taken += 1
            lines.append(self.cut(" ".join(words[:taken]), size, width))
            words = words[taken:]
        return lines

    def middle(self, text: str, box: Box, size: int, colour: Colour) -> None:
        """Draw one line in the middle of a box."""
        at = (box.left + box.width // 2, box.top + (box.height - size) // 2)
        self.line(text, at, size, colour, width=box.width - 40, anchor="centre")


def one_line(text: str) -> str:
    """Collapse line breaks, tabs and control characters, which a font draws as question marks."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def clock(seconds: float) -> str:
    """0:05, 12:40."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
