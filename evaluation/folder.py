"""Reading a labelled folder. Any part may be missing; spellings of headers and answers are taken as they come."""

import csv
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from os.path import normpath
from pathlib import Path

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

# our name of a column: spellings that mean it
_SPELLINGS: Mapping[str, Sequence[str]] = {
    "path": ("path", "file", "image", "picture", "filename"),
    "subject": ("subject", "character", "person", "identity", "name"),
    "set": ("set", "group", "folder"),
    "kind": ("kind", "type"),
    "a": ("a", "path_a", "first", "left"),
    "b": ("b", "path_b", "second", "right"),
    "same": ("same", "label", "match", "is_same"),
    "shot": ("shot", "path", "file", "image", "picture", "filename"),
    "character": ("character", "subject", "person", "name"),
    "order": ("order", "index", "position", "number", "nr"),
    "subjects": ("subjects_present", "subjects", "present", "characters", "subject", "character", "cast"),
    "truth": ("truth", "label", "answer", "verdict"),
    "aspect": ("aspect", "aspects"),
    "change": ("change", "edit", "grade", "note"),
    "base": ("base", "made_from", "original"),
    "references": ("references", "refs", "reference"),
}
_YES = frozenset({"1", "true", "yes", "y", "same", "genuine", "match"})
_OK = frozenset(
    {"ok", "clean", "pass", "same", "good", "consistent", "1", "true", "none", "benign", "harmless", ""}
)
_UNSEEN = frozenset(
    {"not_assessable", "unassessable", "unseen", "na", "n/a", "not_visible", "back", "back_of_head", "occluded",
     "no_face", "hidden", "unknown"}
)  # fmt: skip


class Truth(StrEnum):
    OK = "ok"
    BREAK = "break"
    NOT_ASSESSABLE = "not_assessable"


@dataclass(frozen=True, slots=True)
class Picture:
    """`name` is the path relative to the folder, as the lists write it."""

    name: str
    path: Path
    subject: str
    group: str = ""
    source: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    a: str
    b: str
    same: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class BreakShot:
    """A shot of one character with at most one change. `aspect` is "none" where the truth is ok."""

    name: str
    path: Path
    character: str
    truth: Truth
    aspect: str
    change: str
    base: str = ""


@dataclass(frozen=True, slots=True)
class SequenceShot:
    name: str
    path: Path
    order: float
    subjects: tuple[str, ...]
    truth: Truth
    aspect: str


@dataclass(frozen=True, slots=True)
class LabelledSequence:
    name: str
    shots: Sequence[SequenceShot]


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found. None: that list isn't there, which is not the same as an empty one."""

    root: Path
    pictures: Mapping[str, Picture]
    face_pairs: Sequence[Pair] | None
    look_pairs: Sequence[Pair] | None
    breaks: Sequence[BreakShot] | None
    sequences: Sequence[LabelledSequence]
    complaints: Sequence[str] = field(default_factory=list)

    def of(self, subject: str) -> list[Picture]:
        return [each for each in self.pictures.values() if each.subject == subject]


class NotAFolder(Exception):
    """There is nothing to score."""


def read(root: Path) -> Folder:
    """Read a labelled folder. Raises NotAFolder when it holds neither lists nor pictures of subjects."""
    if not root.is_dir():
        raise NotAFolder(f"{root} is not a folder.")
    complaints: list[str] = []
    pictures = _manifest(root, complaints)
    folder = Folder(
        root=root,
        pictures=pictures,
        face_pairs=_pairs(root, "pairs_faces.csv", pictures, complaints),
        look_pairs=_pairs(root, "pairs_look.csv", pictures, complaints),
        breaks=_breaks(root, complaints),
        sequences=_sequences(root, {each.subject for each in pictures.values()}, complaints),
        complaints=complaints,
    )
    if not pictures and not folder.breaks and not folder.sequences:
        raise NotAFolder(f"{root} has no manifest.csv and no folders of pictures.")
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    """Read a list with a header, whatever separates its columns. Headers become lower_case."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    first = text.split("\n", 1)[0]
    separator = max((",", ";", "\t"), key=first.count)
    found = []
    for row in csv.DictReader(text.splitlines(), delimiter=separator):
        clean = {
            re.sub(r"[^a-z0-9]+", "_", key.strip().lower()).strip("_"): (value or "").strip()
            for key, value in row.items()
            if isinstance(key, str) and not isinstance(value, list)
        }
        if any(clean.values()):
            found.append(clean)
    return found


def cell(row: Mapping[str, str], column: str) -> str:
    return next((row[name] for name in _SPELLINGS.get(column, (column,)) if row.get(name)), "")


def _find(root: Path, given: str, beside: Path | None = None) -> Path | None:
    """Paths count from the folder's root or from the list they stand in; they never lead out of the root."""
    for start in [root, beside] if beside else [root]:
        path = Path(normpath(start / given))  # by name only: the folders themselves may be links
        if given and path.is_relative_to(normpath(root)) and path.is_file():
            return path
    return None


def _manifest(root: Path, complaints: list[str]) -> dict[str, Picture]:
    listed = rows(root / "manifest.csv") if (root / "manifest.csv").is_file() else []
    pictures: dict[str, Picture] = {}
    missing = 0
    for row in listed:
        path = _find(root, cell(row, "path"))
        if path is None:
            missing += 1
            continue
        name = cell(row, "path")
        subject = cell(row, "subject") or path.parent.name
        pictures[name] = Picture(
            name,
            path,
            subject,
            cell(row, "set") or _top(root, path),
            row.get("source", ""),
            cell(row, "kind"),
        )
    if missing:
        complaints.append(f"manifest.csv: {missing} of {len(listed)} files are not there")
    for group in ("faces", "characters", "objects"):
        listed_group = any(_top(root, each.path) == group for each in pictures.values())
        for path in () if listed_group else sorted((root / group).glob("*/*")):
            if path.suffix.lower() in PICTURES:
                name = path.relative_to(root).as_posix()
                pictures[name] = Picture(name, path, path.parent.name, group)
    return pictures


def _top(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else ""


def _pairs(root: Path, name: str, pictures: dict[str, Picture], complaints: list[str]) -> list[Pair] | None:
    if not (root / name).is_file():
        return None
    listed = rows(root / name)
    pairs = []
    for row in listed:
        ends = [_known(root, cell(row, end), pictures) for end in ("a", "b")]
        if ends[0] and ends[1]:
            source = row.get("source") or pictures[ends[0]].source
            pairs.append(Pair(ends[0], ends[1], cell(row, "same").lower() in _YES, source))
    if len(pairs) < len(listed):
        complaints.append(
            f"{name}: {len(listed) - len(pairs)} of {len(listed)} pairs name files that are not there"
        )
    return pairs


def _known(root: Path, given: str, pictures: dict[str, Picture]) -> str:
    """Return the picture's name; a picture that only a list of pairs knows belongs to the folder it lies in."""
    if given in pictures:
        return given
    path = _find(root, given)
    if path is None:
        return ""
    pictures[given] = Picture(given, path, path.parent.name, _top(root, path))
    return given


def _truth(given: str) -> Truth:
    word = given.strip().lower().replace(" ", "_").replace("-", "_")
    if word in _OK:
        return Truth.OK
    return Truth.NOT_ASSESSABLE if word in _UNSEEN else Truth.BREAK


def _breaks(root: Path, complaints: list[str]) -> list[BreakShot] | None:
    if not (root / "breaks.csv").is_file():
        return None
    listed = rows(root / "breaks.csv")
    shots = []
    for row in listed:
        path = _find(root, cell(row, "shot"))
        if path is not None:
            aspect, change = cell(row, "aspect").lower() or "none", cell(row, "change") or "unnamed"
            shots.append(
                BreakShot(
                    cell(row, "shot"),
                    path,
                    cell(row, "character"),
                    _truth(cell(row, "truth")),
                    aspect,
                    change,
                    cell(row, "base"),
                )
            )
    if len(shots) < len(listed):
        complaints.append(f"breaks.csv: {len(listed) - len(shots)} of {len(listed)} shots are not there")
    return shots


def _sequences(root: Path, known: set[str], complaints: list[str]) -> list[LabelledSequence]:
    found = []
    for path in sorted((root / "sequences").glob("*/shots.csv")):
        shots, listed = [], rows(path)
        for place, row in enumerate(listed):
            shot = _find(root, cell(row, "shot"), path.parent)
            if shot is not None:
                shots.append(
                    SequenceShot(
                        cell(row, "shot"),
                        shot,
                        _number(cell(row, "order"), place),
                        split(cell(row, "subjects"), known),
                        _truth(cell(row, "truth")),
                        cell(row, "aspect").lower() or "none",
                    )
                )
        if len(shots) < len(listed):
            complaints.append(
                f"{path.parent.name}/shots.csv: {len(listed) - len(shots)} of {len(listed)} shots are not there"
            )
        if shots:
            found.append(LabelledSequence(path.parent.name, sorted(shots, key=lambda shot: shot.order)))
    return found


def split(given: str, known: Container[str] = ()) -> tuple[str, ...]:
    """Split names that stand in one cell, separated by any of ; | , + or space; a known name may hold a space."""
    parts = [part.strip() for part in re.split(r"[;|,+]+", given)]
    names = [name for part in parts for name in ([part] if part in known else part.split())]
    return tuple(dict.fromkeys(names))


def _number(given: str, otherwise: int) -> float:
    try:
        return float(given)
    except ValueError:
        return float(otherwise)


def subjects(pictures: Iterable[Picture]) -> dict[str, list[Picture]]:
    """Group pictures by their subject, in the order of the names."""
    grouped: dict[str, list[Picture]] = {}
    for picture in sorted(pictures, key=lambda each: each.name):
        grouped.setdefault(picture.subject, []).append(picture)
    return grouped
