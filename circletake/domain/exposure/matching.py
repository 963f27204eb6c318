"""Which take or shot a clip of a cut is, from what the clip says of itself."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
# <shot>_<kind>_<last six of the generation's id>_t<number>, as takes are named
_TAKE_NAME = re.compile(r"(?<![0-9a-z])([0-9a-f]{6})_t([0-9]{2,6})(?![0-9a-z])", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{2,5}$")
_BREAK = re.compile(r"[^A-Za-z0-9]+")
_MOST_WORDS = 24  # of a name: a path is looked at from its end


@dataclass(frozen=True, slots=True)
class Hints:
    """What a clip's texts name. Codes are looked for in its own name and its files' only."""

    ids: frozenset[UUID] = frozenset()
    hashes: frozenset[str] = frozenset()
    take_names: frozenset[tuple[str, int]] = frozenset()
    names: tuple[str, ...] = field(default=(), repr=False)


def hints_of(name: str, texts: Iterable[str]) -> Hints:
    """Read a clip's name and what else it says (URLs, metadata)."""
    texts = list(texts)
    everything = [name, *texts]
    return Hints(
        ids=frozenset(UUID(found) for text in everything for found in _UUID.findall(text)),
        hashes=frozenset(found.lower() for text in everything for found in _SHA256.findall(text)),
        take_names=frozenset(
            (gid.lower(), int(number)) for text in everything for gid, number in _TAKE_NAME.findall(text)
        ),
        names=(name, *(each for text in texts if (each := _file_name(text)))),
    )


def _file_name(text: str) -> str:
    """Return the last part of a path or URL, and nothing of any other text."""
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return last if "/" in text or _EXTENSION.search(last) else ""


def shot_in(names: Iterable[str], codes: Mapping[str, UUID]) -> UUID | None:
    """Return the shot whose code stands in one of the names, whole between separators; the longest code wins.

    `codes` are in lower case. A name that is tried first wins over a later one.
    """
    for name in names:
        found = _longest(name.lower(), codes)
        if found is not None:
            return found
    return None


def _longest(name: str, codes: Mapping[str, UUID]) -> UUID | None:
    starts, ends = [], []
    now = 0
    for found in _BREAK.finditer(name):
        if found.start() > now:
            starts.append(now)
            ends.append(found.start())
        now = found.end()
    if now < len(name):
        starts.append(now)
        ends.append(len(name))
    starts, ends = starts[-_MOST_WORDS:], ends[-_MOST_WORDS:]
    best: tuple[int, UUID] | None = None
    for index, start in enumerate(starts):
        for end in ends[index:]:
            shot = codes.get(name[start:end])
            if shot is not None and (best is None or end - start > best[0]):
                best = (end - start, shot)
    return None if best is None else best[1]
