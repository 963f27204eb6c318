"""What the demo says on the terminal: short lines with the seconds since its start, and whether each claim held."""

import time
from collections.abc import Sequence
from typing import TextIO

_COLOURS = {"ok": "\x1b[32m", "no": "\x1b[31m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
_END = "\x1b[0m"
_CLEAR_LINE = "\r\x1b[K"


class Untrue(Exception):
    """Something the demo needs to go on isn't so; says what was expected and what came instead."""


class Show:
    """Prints progress. `failures` are the claims that did not hold; the demo's exit code comes from them."""

    def __init__(self, stream: TextIO) -> None:
        self.failures: list[str] = []
        self._stream = stream
        self._terminal = stream.isatty()
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def say(self, topic: str, text: str) -> None:
        self._line(" ", topic, text)

    def check(self, topic: str, claim: str, problem: str | None) -> None:
        """Print a claim and whether it held. `problem`: what was expected and found instead, None when it held."""
        if problem is None:
            self._line(self._painted("✓", "ok"), topic, claim)
            return
        self.failures.append(f"{claim}: {problem}")
        self._line(self._painted("✗", "no"), topic, claim)
        self._line(" ", "", self._painted(problem, "no"))

    def status(self, text: str) -> None:
        """Show what is going on now, until the next line replaces it. Nothing when nobody looks on."""
        if self._terminal:
            self._write(f"{_CLEAR_LINE}{self._painted(f'{self.seconds:6.1f} s    {text}', 'dim')}")

    def plain(self, text: str = "") -> None:
        self._write(f"{_CLEAR_LINE if self._terminal else ''}{text}\n")

    def bold(self, text: str) -> None:
        self.plain(self._painted(text, "bold"))

    def _line(self, mark: str, topic: str, text: str) -> None:
        self.plain(f"{self._painted(f'{self.seconds:6.1f} s', 'dim')}  {mark} {topic:11} {text}")

    def _painted(self, text: str, colour: str) -> str:
        return f"{_COLOURS[colour]}{text}{_END}" if self._terminal else text

    def _write(self, text: str) -> None:
        # one write: lines come from several threads
        self._stream.write(text)
        self._stream.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    """Return lines of aligned columns, two blanks between them. `right`: the columns aligned to the right."""
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return [line(header), line(["-" * width for width in widths]), *map(line, rows)]
