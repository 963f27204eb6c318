"""A script breakdown: scenes, characters, props, locations and shots, and the rules that it holds.

A model writes one and people edit it, under the same rules. Everything is named as people name it - a scene by its
number, a character by the script's name, a shot by its code - so that an edit never breaks a reference unnoticed.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

from circletake.domain.language.words import normal_text
from circletake.domain.pictures import Violation
from circletake.domain.shots import code_violation, text_violation

MAX_SCENES = 60
MAX_SHOTS = 400
MAX_NAMED = 200  # characters, props, locations, each
MAX_NUMBER = 16
MAX_NAME = 120
MAX_LINE = 200  # a heading, a time of day, a camera's movement
MAX_TEXT = 2_000  # a summary, a description, notes

_NUMBER = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NUMBER - 1}}}")
_NUMBER_PARTS = re.compile(r"([0-9]*)(.*)")


class Setting(StrEnum):
    """INT., EXT., INT./EXT. of a scene heading."""

    INTERIOR = "interior"
    EXTERIOR = "exterior"
    INTERIOR_EXTERIOR = "interior_exterior"


class Framing(StrEnum):
    """How much a shot shows."""

    ECU = "ECU"
    CU = "CU"
    MCU = "MCU"
    MS = "MS"
    MLS = "MLS"
    WS = "WS"
    EWS = "EWS"
    INSERT = "INSERT"


@dataclass(frozen=True, slots=True)
class Scene:
    number: str
    heading: str = field(repr=False)
    setting: Setting | None = None
    location: str | None = field(repr=False, default=None)
    time_of_day: str | None = field(repr=False, default=None)
    summary: str | None = field(repr=False, default=None)
    characters: tuple[str, ...] = field(repr=False, default=())
    props: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Named:
    """A character, a prop or a location."""

    name: str = field(repr=False)
    description: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class ProposedShot:
    """A shot that could cover a part of a scene."""

    code: str
    scene: str
    description: str = field(repr=False)
    size: Framing | None = None
    camera: str | None = field(repr=False, default=None)
    characters: tuple[str, ...] = field(repr=False, default=())
    props: tuple[str, ...] = field(repr=False, default=())
    notes: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Breakdown:
    scenes: tuple[Scene, ...] = ()
    characters: tuple[Named, ...] = ()
    props: tuple[Named, ...] = ()
    locations: tuple[Named, ...] = ()
    shots: tuple[ProposedShot, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {part: [asdict(each) for each in getattr(self, part)] for part in PARTS}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Breakdown":
        """Read what `as_json` wrote."""
        return cls(
            scenes=tuple(_scene(each) for each in stored["scenes"]),
            characters=tuple(Named(**each) for each in stored["characters"]),
            props=tuple(Named(**each) for each in stored["props"]),
            locations=tuple(Named(**each) for each in stored["locations"]),
            shots=tuple(_shot(each) for each in stored["shots"]),
        )


PARTS = ("scenes", "characters", "props", "locations", "shots")
_MOST = {"scenes": MAX_SCENES, "shots": MAX_SHOTS}


def _scene(stored: Mapping[str, Any]) -> Scene:
    setting = stored["setting"]
    lists = {"characters": tuple(stored["characters"]), "props": tuple(stored["props"])}
    return Scene(**{**stored, **lists, "setting": Setting(setting) if setting else None})


def _shot(stored: Mapping[str, Any]) -> ProposedShot:
    size = stored["size"]
    lists = {"characters": tuple(stored["characters"]), "props": tuple(stored["props"])}
    return ProposedShot(**{**stored, **lists, "size": Framing(size) if size else None})


# --- rules ------------------------------------------------------------------------------------------------------


def breakdown_problems(breakdown: Breakdown) -> list[Violation]:
    """Return what is wrong: counts, lengths, doubled names, and names that the breakdown doesn't have."""
    found: list[Violation] = []
    for part in PARTS:
        most = _MOST.get(part, MAX_NAMED)
        if len(getattr(breakdown, part)) > most:
            found.append(Violation(f"/{part}", "too_many", f"Keep it to {most}: split the script."))
    if found:
        return found
    names = {part: _names(getattr(breakdown, part)) for part in ("characters", "props", "locations")}
    numbers = {scene.number for scene in breakdown.scenes}
    found += _doubled("/scenes", "number", [scene.number for scene in breakdown.scenes])
    for part in ("characters", "props", "locations"):
        found += _doubled(f"/{part}", "name", [normal_text(each.name) for each in getattr(breakdown, part)])
    found += _doubled("/shots", "code", [shot.code for shot in breakdown.shots])
    for index, scene in enumerate(breakdown.scenes):
        found += _scene_problems(f"/scenes/{index}", scene, names)
    for part in ("characters", "props", "locations"):
        for index, each in enumerate(getattr(breakdown, part)):
            found += _named_problems(f"/{part}/{index}", each)
    for index, shot in enumerate(breakdown.shots):
        found += _shot_problems(f"/shots/{index}", shot, names, numbers)
    return found


def _names(items: Iterable[Named]) -> set[str]:
    return {normal_text(each.name) for each in items}


def _doubled(pointer: str, what: str, keys: Sequence[str]) -> Iterable[Violation]:
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        if first.setdefault(key, index) != index:
            message = f"Entry {first[key]} has this {what} already: keep one of them."
            yield Violation(f"{pointer}/{index}/{what}", f"doubled_{what}", message)


def _scene_problems(pointer: str, scene: Scene, names: Mapping[str, set[str]]) -> Iterable[Violation]:
    if not _NUMBER.fullmatch(scene.number):
        message = f"Use 1 to {MAX_NUMBER} letters, digits and . _ -, beginning with a letter or digit."
        yield Violation(f"{pointer}/number", "bad_number", message)
    yield from _texts(
        pointer,
        (("heading", scene.heading, MAX_LINE),),
        (("time_of_day", scene.time_of_day, MAX_LINE), ("summary", scene.summary, MAX_TEXT)),
    )
    if scene.location is not None:
        yield from _known(f"{pointer}/location", scene.location, names["locations"], "locations")
    yield from _members(pointer, scene, names)


def _named_problems(pointer: str, named: Named) -> Iterable[Violation]:
    yield from _texts(
        pointer, (("name", named.name, MAX_NAME),), (("description", named.description, MAX_TEXT),)
    )


def _shot_problems(
    pointer: str, shot: ProposedShot, names: Mapping[str, set[str]], numbers: set[str]
) -> Iterable[Violation]:
    bad = code_violation(f"{pointer}/code", shot.code)
    if bad is not None:
        yield bad
    if shot.scene not in numbers:
        message = "The breakdown has no scene with this number: add it, or name another."
        yield Violation(f"{pointer}/scene", "unknown_scene", message)
    yield from _texts(
        pointer,
        (("description", shot.description, MAX_TEXT),),
        (("camera", shot.camera, MAX_LINE), ("notes", shot.notes, MAX_TEXT)),
    )
    yield from _members(pointer, shot, names)


def _texts(
    pointer: str,
    required: Iterable[tuple[str, str, int]],
    optional: Iterable[tuple[str, str | None, int]],
) -> Iterable[Violation]:
    given = [*required, *((name, text, longest) for name, text, longest in optional if text is not None)]
    for name, text, longest in given:
        problem = text_violation(f"{pointer}/{name}", text, longest)
        if problem is not None:
            yield problem


def _members(pointer: str, one: Scene | ProposedShot, names: Mapping[str, set[str]]) -> Iterable[Violation]:
    for part in ("characters", "props"):
        members: tuple[str, ...] = getattr(one, part)
        if len(members) > MAX_NAMED:
            yield Violation(f"{pointer}/{part}", "too_many", f"Keep it to {MAX_NAMED}.")
            continue
        seen: set[str] = set()
        for index, name in enumerate(members):
            place = f"{pointer}/{part}/{index}"
            if normal_text(name) in seen:
                yield Violation(place, "doubled_name", "It is in this list already: keep it once.")
            seen.add(normal_text(name))
            yield from _known(place, name, names[part], part)


def _known(pointer: str, name: str, names: set[str], part: str) -> Iterable[Violation]:
    if normal_text(name) not in names:
        yield Violation(pointer, "unknown_name", f"Add it to `{part}` first, or leave it out here.")


# --- what comes from whom -----------------------------------------------------------------------------------------

Origin = Literal["model", "model_edited", "person"]

_KEYS: Mapping[str, Callable[[Any], str]] = {
    "scenes": lambda each: each.number,
    "characters": lambda each: normal_text(each.name),
    "props": lambda each: normal_text(each.name),
    "locations": lambda each: normal_text(each.name),
    "shots": lambda each: each.code,
}


def origins(written: Breakdown, current: Breakdown) -> dict[str, list[Origin]]:
    """Say of each entry as it stands whose words it is: the model's, the model's and then a person's, a person's."""
    found: dict[str, list[Origin]] = {}
    for part, key in _KEYS.items():
        before = {key(each): each for each in getattr(written, part)}
        found[part] = [_origin(before.get(key(each)), each) for each in getattr(current, part)]
    return found


def _origin(before: object, now: object) -> Origin:
    if before is None:
        return "person"
    return "model" if before == now else "model_edited"


def changes(before: Breakdown, after: Breakdown) -> dict[str, dict[str, int]]:
    """Count what an edit added, changed and removed, by part; parts that it left alone are left out."""
    counted = {}
    for part, key in _KEYS.items():
        old = {key(each): each for each in getattr(before, part)}
        new = {key(each): each for each in getattr(after, part)}
        if getattr(before, part) == getattr(after, part):
            continue
        counted[part] = {
            "added": len(new.keys() - old.keys()),
            "changed": sum(old[name] != new[name] for name in new.keys() & old.keys()),
            "removed": len(old.keys() - new.keys()),
        }
    return counted


# --- numbers and codes --------------------------------------------------------------------------------------------


def sequence_code(number: str) -> str:
    """Return the sequence that a scene's shots go into: scene 12A is SC012A."""
    digits, rest = _NUMBER_PARTS.fullmatch(number).groups()  # type: ignore[union-attr]  # it fits any text
    return f"SC{digits.zfill(3)}{rest}" if digits else f"SC_{rest}"


def numbered(printed: Sequence[str | None]) -> list[str]:
    """Return every scene's number: as printed where that can name it, else the next that is free."""
    given = [each if each and _NUMBER.fullmatch(each) else None for each in printed]
    taken: set[str] = set()
    kept = []
    for each in given:
        kept.append(None if each is None or each in taken else each)
        taken.add(each or "")
    numbers = []
    following = 1
    for each in kept:
        while each is None and str(following) in taken:
            following += 1
        number = each or str(following)
        taken.add(number)
        numbers.append(number)
    return numbers


def shot_codes(scenes: Sequence[str]) -> list[str]:
    """Return a code for each shot, by the scene that it is of: 0010, 0020 … within the scene."""
    counts: dict[str, int] = {}
    codes = []
    for scene in scenes:
        counts[scene] = counts.get(scene, 0) + 10
        codes.append(f"{sequence_code(scene)}_{counts[scene]:04d}")
    return codes


def completed(breakdown: Breakdown) -> Breakdown:
    """Return it with every name that a scene or shot uses in the lists of names. For what a model wrote: it names
    somebody in a shot and forgets them in the list."""
    users: list[Scene | ProposedShot] = [*breakdown.scenes, *breakdown.shots]
    places = [scene.location for scene in breakdown.scenes if scene.location is not None]
    return Breakdown(
        breakdown.scenes,
        _with(breakdown.characters, [name for each in users for name in each.characters]),
        _with(breakdown.props, [name for each in users for name in each.props]),
        _with(breakdown.locations, places),
        breakdown.shots,
    )


def _with(named: tuple[Named, ...], used: Iterable[str]) -> tuple[Named, ...]:
    known = _names(named)
    added = []
    for name in used:
        if normal_text(name) not in known:
            known.add(normal_text(name))
            added.append(Named(name))
    return (*named, *added)
