"""Words in the order they are drawn in: Lettering knows letters, not scripts.

Hebrew and Arabic run from right to left, with numbers and Latin words inside them from left to right (Unicode
Standard Annex 9, without its explicit marks and its mirrored brackets but the common ones). Chinese and Japanese have no blanks and
break between any two characters. Letters are composed first: the font has é, not e with an accent behind it.
"""

import unicodedata
from collections.abc import Callable, Iterator

_RIGHT = frozenset({"R", "AL"})
_STRONG = frozenset({"L", *_RIGHT})
_NUMBERS = frozenset({"EN", "AN"})
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_WIDE = frozenset({"W", "F"})
# Kinsoku: what doesn't begin a line (the common ones)
_NOT_FIRST = frozenset("、。，．・：；？！）」』】〕〉》ー々…!?,.:;)]}")


def composed(text: str) -> str:
    """Compose letters with their accents, and drop what has no shape: direction marks, joiners."""
    return "".join(each for each in unicodedata.normalize("NFC", text) if unicodedata.category(each) != "Cf")


def runs_right(text: str) -> bool:
    """Whether a paragraph runs from right to left: its first strong letter says so (UAX 9, P2 and P3)."""
    first = next((kind for each in text if (kind := unicodedata.bidirectional(each)) in _STRONG), "L")
    return first in _RIGHT


def visual(text: str, *, right: bool) -> str:
    """Return a line's letters from left to right as they are drawn. `right`: its paragraph runs from right to left."""
    if not any(unicodedata.bidirectional(each) in _RIGHT for each in text):
        return text
    levels = _levels(text, right=right)
    runs: list[tuple[int, list[str]]] = []
    for letter, level in zip(text, levels, strict=True):
        if not runs or runs[-1][0] != level:
            runs.append((level, []))
        runs[-1][1].append(letter)
    # L2: turn what stands at each level, the highest first
    drawn = [
        (level, "".join(letters).translate(_MIRRORED) if level % 2 else "".join(letters))
        for level, letters in runs
    ]
    return _turned(drawn, 1)


def _turned(runs: list[tuple[int, str]], lowest: int) -> str:
    for level in range(max(each for each, _ in runs), lowest - 1, -1):
        turned: list[tuple[int, str]] = []
        at = 0
        while at < len(runs):
            if runs[at][0] < level:
                turned.append(runs[at])
                at += 1
                continue
            stop = at
            while stop < len(runs) and runs[stop][0] >= level:
                stop += 1
            turned += [(each, _backward(letters)) for each, letters in reversed(runs[at:stop])]
            at = stop
        runs = turned
    return "".join(letters for _, letters in runs)


def _backward(text: str) -> str:
    """Turn letters round; points and accents stay behind the letter they belong to."""
    clusters: list[str] = []
    for letter in text:
        if clusters and unicodedata.combining(letter):
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return "".join(reversed(clusters))


def _levels(text: str, *, right: bool) -> list[int]:
    """Return each letter's embedding level: even from left to right, odd from right to left."""
    base = 1 if right else 0
    kinds = [unicodedata.bidirectional(each) for each in text]
    strong: list[str | None] = []
    last = "R" if right else "L"
    for kind in kinds:
        if kind in _STRONG:
            last = "R" if kind in _RIGHT else "L"
            strong.append(last)
        elif kind in _NUMBERS:
            strong.append("N" if last == "R" else "L")
        elif kind == "NSM":
            strong.append(strong[-1] if strong else last)
        else:
            strong.append(None)
    _settle_separators(kinds, strong)
    ways = _neutrals(strong, "R" if right else "L")
    return [{"L": base + base % 2, "R": 1, "N": 2}[way] for way in ways]


def _settle_separators(kinds: list[str], strong: list[str | None]) -> None:
    """A sign between two digits belongs to the number: 12:30, 1,000 (W4)."""
    for at in range(1, len(kinds) - 1):
        if kinds[at] in {"CS", "ES"} and kinds[at - 1] in _NUMBERS and kinds[at + 1] in _NUMBERS:
            strong[at] = strong[at - 1]


def _neutrals(strong: list[str | None], base: str) -> list[str]:
    """Blanks and signs go with what stands on both sides of them, else with the paragraph (N1, N2)."""
    ways: list[str] = []
    for at, way in enumerate(strong):
        if way is not None:
            ways.append(way)
            continue
        before = ways[-1] if ways else base
        after = next((each for each in strong[at + 1 :] if each is not None), base)
        sides = {"R" if each == "N" else each for each in (before, after)}
        ways.append(sides.pop() if len(sides) == 1 else base)
    return ways


def wrapped(text: str, width: int, measure: Callable[[str], int], *, first: int = 0) -> list[str]:
    """Break a paragraph into lines that measure at most `width`; `first` is taken from the first line's width.

    At blanks, between wide characters, and inside a word only where it is longer than a line. Nothing is lost.
    """
    lines: list[str] = []
    line = ""
    room = width - first
    for piece in _pieces(text):
        glued = line + piece if line else piece.lstrip()
        if measure(glued.rstrip()) <= room:
            line = glued
            continue
        if line.strip():
            lines.append(line.rstrip())
            room = width
        line = piece.lstrip()
        while measure(line.rstrip()) > room and len(line) > 1:
            cut = _longest(line, room, measure)
            lines.append(line[:cut])
            line, room = line[cut:], width
    if line.strip():
        lines.append(line.rstrip())
    return lines


def _pieces(text: str) -> Iterator[str]:
    """Yield what may not be broken, with the blanks ahead of it."""
    piece = ""
    for letter in text:
        breaks = letter.isspace() and piece.strip()
        wide = unicodedata.east_asian_width(letter) in _WIDE and letter not in _NOT_FIRST
        if piece.strip() and (breaks or wide or (_ends_wide(piece) and letter not in _NOT_FIRST)):
            yield piece
            piece = ""
        piece += " " if letter.isspace() else letter
    if piece.strip():
        yield piece


def _ends_wide(piece: str) -> bool:
    return unicodedata.east_asian_width(piece[-1]) in _WIDE


def _longest(text: str, width: int, measure: Callable[[str], int]) -> int:
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low
