"""Sequences to judge: those of the folder, and such as can be made from its people with a planted fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from circletake.domain.consistency.words import CharacterKind, ShotSize
from evaluation.folder import PICTURES, Folder, LabelledSequence, Picture, Truth
from evaluation.making import SHARES, Half, Recipe
from evaluation.pictures import thumbnail_of
from evaluation.questions import Cast, Member
from evaluation.who import Who, rest

LEADS = 4
_CAST = 12
_NEARLY = 0.9  # correlation of thumbnails from which a reference and a shot are taken to be one picture
_MCU, _CU, _MS = (("framed", SHARES[size]) for size in (ShotSize.MCU, ShotSize.CU, ShotSize.MS))
Steps = tuple[tuple[str, float], ...]

# how one person is filmed over a sequence: other framings, other light, other material
_SHOTS: Sequence[Steps] = (
    (_MCU,),
    (_CU,),
    (_MS,),
    (("mirror", 1.0), _MCU),
    (("warm", 0.15), _MCU),
    (("exposed", -0.7), _MS),
    (_CU, ("jpeg", 35.0)),
    (("exposed", 0.4), _MCU),
    (("warm", -0.12), _MS),
    (("mirror", 1.0), _CU),
)


@dataclass(frozen=True, slots=True)
class PlannedShot:
    """A shot of a sequence. `subjects`: identity to cast key, of those in it. `truth` None: it could be said
    either way and doesn't count."""

    name: str
    picture: Path
    subjects: Mapping[str, str]
    truth: Truth | None
    aspect: str
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    kind: str
    cast: Cast
    shots: Sequence[PlannedShot]
    drifts: bool | None = None  # whether it drifts slowly, where that is known


def of_folder(folder: Folder, who: Who) -> list[Plan]:
    """The folder's own sequences. A reference that is also a shot, or nearly, is left out while others remain."""
    return [plan for sequence in folder.sequences if (plan := _labelled(folder, who, sequence)) is not None]


def _labelled(folder: Folder, who: Who, sequence: LabelledSequence) -> Plan | None:
    known = {**who.faces, **who.humans, **who.others}
    shown = [each for shot in sequence.shots if (each := thumbnail_of(shot.path)) is not None]
    names = list(dict.fromkeys(name for shot in sequence.shots for name in shot.subjects))
    cast = []
    for name in [*names, *(name for name in who.humans if name not in names)][:_CAST]:
        own = _given_references(folder.root, sequence.name, name)
        if not own and name in known:
            apart = [each for each in known[name] if not _shown(each, shown)]
            own = tuple(each.path for each in (apart or known[name])[:5])
        if own:
            cast.append(Member(name, who.kinds.get(name, CharacterKind.HUMAN), own))
    keys = {member.key for member in cast}
    shots = [
        PlannedShot(
            shot.name,
            shot.path,
            {name: name for name in shot.subjects if name in keys},
            shot.truth,
            shot.aspect,
        )
        for shot in sequence.shots
    ]
    shots = [shot for shot in shots if shot.subjects]
    return Plan(sequence.name, "of the folder", tuple(cast), shots) if shots else None


def _given_references(root: Path, sequence: str, name: str) -> tuple[Path, ...]:
    """References may lie beside a sequence: sequences/<name>/references/<subject>/."""
    beside = root / "sequences" / sequence / "references" / name
    return tuple(path for path in sorted(beside.glob("*")) if path.suffix.lower() in PICTURES)


def _shown(picture: Picture, shots: Sequence[NDArray[np.float64]]) -> bool:
    mine = thumbnail_of(picture.path)
    return mine is not None and any(float((mine * shot).sum()) >= _NEARLY for shot in shots)


def made(who: Who, into: Path, leads: int = LEADS) -> list[Plan]:
    """Sequences around several leads, each with one kind of fault; two references each, which no shot is made of."""
    people = {**who.humans, **who.faces}
    names = [name for name, pictures in people.items() if len(pictures) >= 3]
    plans = []
    for turn, name in enumerate(names[:leads]):
        others = [each for each in names if each != name]
        lead = _Lead(name, people, others, turn, into / "sequences" / name)
        plans += [lead.hidden(), lead.new_look()]
        if others:
            plans += [lead.intruder(), lead.drift(), lead.swapped()]
        plans.append(lead.wardrobe())
    return plans


@dataclass(frozen=True, slots=True)
class _Lead:
    name: str
    people: Mapping[str, Sequence[Picture]]
    others: Sequence[str]
    turn: int
    into: Path

    @property
    def cast(self) -> Cast:
        names = [self.name, *self.others][:_CAST]
        return tuple(
            Member(
                name,
                CharacterKind.HUMAN,
                tuple(each.path for each in rest(self.people[name], None, 2)),
            )
            for name in names
        )

    def take(self, place: int, name: str = "") -> Path:
        """A picture that is nobody's reference."""
        pictures = self.people[name or self.name][2:]
        return pictures[place % len(pictures)].path

    @property
    def other(self) -> str:
        return self.others[self.turn % len(self.others)]

    def shot(
        self,
        place: int,
        kind: str,
        steps: Steps = (),
        *,
        truth: Truth | None = Truth.OK,
        aspect: str = "none",
        base: str = "",
        other: Path | None = None,
        key: str = "",
        framed: bool = True,
    ) -> PlannedShot:
        frame = _SHOTS[place % len(_SHOTS)] if framed else ()
        half = Half(self.take(place, base), (*steps, *frame), other)
        # the untouched shots of all sequences are the same files, seen once
        folder = kind if steps or base or not framed else "ok"
        target = self.into / folder / f"{place:02d}.png"
        return PlannedShot(
            f"{kind} {place:02d}", target, {self.name: key or self.name}, truth, aspect, Recipe(target, half)
        )

    def plan(self, kind: str, shots: Sequence[PlannedShot], *, drifts: bool = False) -> Plan:
        return Plan(f"{self.name}, {kind}", kind, self.cast, shots, drifts)

    def intruder(self) -> Plan:
        wrong = {3, 6}
        return self.plan(
            "intruder",
            [
                self.shot(at, "intruder", truth=Truth.BREAK, aspect="face", base=self.other)
                if at in wrong
                else self.shot(at, "intruder")
                for at in range(8)
            ],
        )

    def wardrobe(self) -> Plan:
        wrong = {2, 4}
        return self.plan(
            "wrong wardrobe",
            [
                self.shot(at, "wrong wardrobe", (("dyed", 1.0 + at),), truth=Truth.BREAK, aspect="wardrobe")
                if at in wrong
                else self.shot(at, "wrong wardrobe")
                for at in range(8)
            ],
        )

    def drift(self) -> Plan:
        """Ten shots from the person to six tenths of another one. Between the two it could be said either way."""
        shots = []
        toward = self.take(0, self.other)
        for at in range(10):
            share = round(max(0.0, (at - 1) / 8) * 0.6, 3)
            truth = Truth.OK if share < 0.1 else Truth.BREAK if share >= 0.45 else None
            shots.append(
                self.shot(at, "slow drift", (("morphed", share),), truth=truth, aspect="face", other=toward)
            )
        return self.plan("slow drift", shots, drifts=True)

    def swapped(self) -> Plan:
        """Two in one frame, dressed in colours of their own; where it breaks, each has the other's face."""
        dyed: Steps = (("dyed", 4.2),)
        references = self._dyed_references("swapped", self.other, dyed)
        cast = tuple(
            Member(each.key, each.kind, tuple(one.target for one in references))
            if each.key == self.other
            else each
            for each in self.cast
        )
        shots = []
        for at in range(6):
            crossed = at in {2, 4}
            mine, theirs = self.take(at), self.take(at, self.other)
            swap: Steps = (("morphed", 1.0),) if crossed else ()
            target = self.into / "swapped" / f"{at:02d}.png"
            recipe = Recipe(
                target,
                Half(mine, (*swap, _MCU), theirs if crossed else None),
                Half(theirs, (*dyed, *swap, _MCU), mine if crossed else None),
            )
            shots.append(
                PlannedShot(
                    f"swapped {at:02d}",
                    target,
                    {self.name: self.name, self.other: self.other},
                    Truth.BREAK if crossed else Truth.OK,
                    "wardrobe" if crossed else "none",
                    recipe,
                )
            )
        kind = "swapped pair"
        return Plan(f"{self.name}, {kind}", kind, cast, [*_prepared(references), *shots], drifts=False)

    def _dyed_references(self, folder: str, name: str, steps: Steps) -> list[Recipe]:
        return [
            Recipe(self.into / folder / f"reference_{at}.png", Half(each.path, steps))
            for at, each in enumerate(rest(self.people[name], None, 2))
        ]

    def hidden(self) -> Plan:
        """Back of the head, a helmet, a face too small among shots that can be judged."""
        unseen: Mapping[int, Steps] = {
            1: (("behind", 1.0), _MCU),
            3: (("helmet", 1.0), _MCU),
            5: (("far", 8.0),),
        }
        return self.plan(
            "cannot be judged",
            [
                self.shot(at, "cannot be judged", unseen[at], truth=Truth.NOT_ASSESSABLE, framed=False)
                if at in unseen
                else self.shot(at, "cannot be judged")
                for at in range(8)
            ],
        )

    def new_look(self) -> Plan:
        """From the middle on another costume that has references of its own: nothing is broken."""
        key = f"{self.name}, second look"
        dyed: Steps = (("dyed", 2.5),)
        references = self._dyed_references("new look", self.name, dyed)
        look = Member(key, CharacterKind.HUMAN, tuple(each.target for each in references), identity=self.name)
        cast = tuple(
            Member(each.key, each.kind, each.references, self.name) if each.key == self.name else each
            for each in self.cast
        )
        shots = [
            self.shot(at, "new look", dyed, key=key) if at >= 4 else self.shot(at, "new look")
            for at in range(8)
        ]
        return Plan(
            f"{self.name}, new look",
            "new look",
            (*cast, look),
            [*_prepared(references), *shots],
            drifts=False,
        )


def _prepared(references: Sequence[Recipe]) -> list[PlannedShot]:
    """References that have to be made first; nobody is asked about them."""
    return [
        PlannedShot(f"reference {at}", each.target, {}, None, "none", each)
        for at, each in enumerate(references)
    ]
