"""Who is in a folder: people, who have a face to know them by, and everybody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from circletake.domain.consistency.words import CharacterKind
from evaluation.folder import Folder, Picture, subjects
from evaluation.judge import Judge

_PEOPLE = frozenset({"human", "person", "people", "face", "faces"})


@dataclass(frozen=True, slots=True)
class Who:
    """Subjects with their pictures, by name. `faces`: people of the face lists; `humans`: characters with a face."""

    faces: Mapping[str, Sequence[Picture]]
    humans: Mapping[str, Sequence[Picture]]
    others: Mapping[str, Sequence[Picture]]
    kinds: Mapping[str, CharacterKind]


async def sort_out(folder: Folder, judge: Judge) -> Who:
    """Tell people from the rest: by what the manifest says, by the breaks' aspects, else by whether faces are seen."""
    grouped = subjects(folder.pictures.values())
    dressed = {shot.character for shot in folder.breaks or () if shot.aspect in {"face", "hair", "wardrobe"}}
    faces: dict[str, list[Picture]] = {}
    humans: dict[str, list[Picture]] = {}
    others: dict[str, list[Picture]] = {}
    kinds: dict[str, CharacterKind] = {}
    for name, pictures in grouped.items():
        first = pictures[0]
        if first.group == "faces":
            faces[name], kinds[name] = pictures, CharacterKind.HUMAN
            continue
        if first.group == "objects" and not first.kind:
            others[name], kinds[name] = pictures, CharacterKind.OBJECT
            continue
        kind = _stated(first.kind)
        if kind is None:
            kind = CharacterKind.HUMAN if name in dressed else await _seen(pictures, judge)
        kinds[name] = kind
        (humans if kind is CharacterKind.HUMAN else others)[name] = pictures
    return Who(faces, humans, others, kinds)


def _stated(given: str) -> CharacterKind | None:
    word = given.strip().lower()
    if word in _PEOPLE:
        return CharacterKind.HUMAN
    return CharacterKind(word) if word in set(CharacterKind) else None


async def _seen(pictures: Sequence[Picture], judge: Judge) -> CharacterKind:
    await judge.look([picture.path for picture in pictures])
    found = sum(judge.figure(picture.path) is not None for picture in pictures)
    return CharacterKind.HUMAN if 2 * found > len(pictures) else CharacterKind.CREATURE


def rest(pictures: Sequence[Picture], left_out: Picture | None, count: int, turn: int = 0) -> list[Picture]:
    """Return `count` of the pictures without one of them; `turn` starts elsewhere in their order."""
    rotated = [*pictures[turn % len(pictures) :], *pictures[: turn % len(pictures)]]
    return [each for each in rotated if left_out is None or each.name != left_out.name][:count]
