"""How strictly a character is judged: thresholds per aspect and shot size, and what counts at all.

A profile may belong to a production or a character; the shipped one is provisional until somebody refits it from
takes that people circled or rejected.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from circletake.domain.consistency.calibration import EVEN, logit, sigmoid
from circletake.domain.consistency.words import Aspect, CharacterKind, ShotSize, Verdict


class Statistic(StrEnum):
    """What stands for a take of several frames."""

    MINIMUM = "minimum"
    P05 = "p05"
    MEDIAN = "median"


@dataclass(frozen=True, slots=True)
class Threshold:
    """Below `fail_below` it fails, from `pass_from` it passes, between them a person looks."""

    fail_below: float
    pass_from: float

    def __post_init__(self) -> None:
        if not 0 < self.fail_below <= self.pass_from < 1:
            raise ValueError("thresholds lie between 0 and 1, fail_below not above pass_from")

    def widened(self, half_width: float) -> "Threshold":
        """Return the same with a zone of doubt at least `half_width` log-odds to either side of its middle."""
        low, high = logit(self.fail_below), logit(self.pass_from)
        middle = (low + high) / 2
        if high - low >= 2 * half_width:
            return self
        # there and back through the log-odds may come out a hair inside where it began
        return Threshold(
            min(self.fail_below, sigmoid(middle - half_width)),
            max(self.pass_from, sigmoid(middle + half_width)),
        )

    def judge(self, p: float) -> Verdict:
        if p < self.fail_below:
            return Verdict.FAIL
        return Verdict.PASS if p >= self.pass_from else Verdict.NEEDS_HUMAN


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a production's own decisions say of a probability: log-odds = slope x (shipped log-odds) + offset, at even
    odds (Platt). It can be undone, so that a later refit learns from the same scale. `margin`: half-width of the
    95 % interval of where the decision lies, in log-odds."""

    slope: float
    offset: float
    margin: float = 0.0

    def __post_init__(self) -> None:
        if self.slope <= 0 or self.margin < 0:
            raise ValueError("a slope is above 0, a margin 0 or more")

    def apply(self, p: float, prior: float) -> float:
        shift = logit(prior)
        return _within(sigmoid(self.slope * (logit(_within(p)) - shift) + self.offset + shift))

    def undo(self, p: float, prior: float) -> float:
        shift = logit(prior)
        return _within(sigmoid((logit(_within(p)) - shift - self.offset) / self.slope + shift))


def _within(p: float) -> float:
    return min(max(p, _LEAST), 1 - _LEAST)


_LEAST = 1e-6
HUMAN_ASPECTS = (Aspect.FACE, Aspect.HAIR, Aspect.WARDROBE)
COUNTS: Mapping[CharacterKind, tuple[Aspect, ...]] = {
    CharacterKind.HUMAN: HUMAN_ASPECTS,
    CharacterKind.CREATURE: (Aspect.OVERALL,),
    CharacterKind.STYLISED: (Aspect.OVERALL, Aspect.STYLE),
    CharacterKind.OBJECT: (Aspect.OVERALL,),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """`counts`: which aspects decide per kind; the first carries the identity, and no pass is given without it.

    `band` is the half-width, in log-odds, of the zone around a threshold that goes to a person; it matters where
    `fail_below` and `pass_from` lie closer together. `min_coverage` is the least share of a take's frames in
    which the identity must have been visible for a pass. Faces with less than `min_face_px` between the eye
    centres are not judged. `copy_ceiling`: from there on a picture is suspected to be a pasted reference.
    `learnt`: what decisions of the production say of the probabilities; `learnt_by_size`, for one shot size.
    """

    id: str
    version: int
    thresholds: Mapping[Aspect, Threshold]
    by_size: Mapping[ShotSize, Mapping[Aspect, Threshold]] = field(default_factory=dict)
    statistic: Statistic = Statistic.P05
    min_face_px: float = 13.0
    copy_ceiling: float = 0.95
    prior: float = EVEN
    band: float = 0.0
    counts: Mapping[CharacterKind, tuple[Aspect, ...]] = field(default_factory=lambda: dict(COUNTS))
    min_coverage: float = 0.3
    provisional: bool = True
    learnt: Mapping[Aspect, Learnt] = field(default_factory=dict)
    learnt_by_size: Mapping[ShotSize, Mapping[Aspect, Learnt]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1:
            raise ValueError("a prior lies between 0 and 1, and is neither")
        if self.min_face_px < 0 or self.band < 0:
            raise ValueError("min_face_px and band are 0 or more")
        if self.copy_ceiling <= 0 or not 0 <= self.min_coverage <= 1:
            raise ValueError("copy_ceiling is above 0, min_coverage from 0 to 1")
        for kind in CharacterKind:
            counted = self.counts.get(kind, ())
            if not counted:
                raise ValueError(f"nothing counts for a {kind.value}")
            for aspect in counted:
                if aspect not in self.thresholds:
                    raise ValueError(f"{aspect.value} counts for a {kind.value} but has no threshold")

    @property
    def name(self) -> str:
        return f"{self.id}@{self.version}"

    def threshold(self, aspect: Aspect, size: ShotSize | None = None) -> Threshold | None:
        """Return the threshold of an aspect, the shot size's own where there is one; None: it is never judged."""
        if size is not None and aspect in self.by_size.get(size, {}):
            return self.by_size[size][aspect]
        return self.thresholds.get(aspect)

    def probability(self, aspect: Aspect, p: float, size: ShotSize | None = None) -> float:
        """Return what a shipped probability means here, after what was learnt."""
        learnt = self.learnt_of(aspect, size)
        return p if learnt is None else learnt.apply(p, self.prior)

    def learnt_of(self, aspect: Aspect, size: ShotSize | None = None) -> Learnt | None:
        own = self.learnt_by_size.get(size, {}) if size is not None else {}
        return own.get(aspect) or self.learnt.get(aspect)

    def doubt(self, aspect: Aspect, size: ShotSize | None = None) -> float:
        """Return the least half-width of the zone around a threshold that goes to a person, in log-odds."""
        learnt = self.learnt_of(aspect, size)
        return self.band if learnt is None else max(self.band, learnt.margin)

    def counted(self, kind: CharacterKind) -> tuple[Aspect, ...]:
        return self.counts[kind]

    def carrying(self, kind: CharacterKind) -> Aspect:
        """Return the aspect that carries the identity of this kind of character."""
        return self.counts[kind][0]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "version": self.version,
            "thresholds": _as_json(self.thresholds),
            "by_size": {size.value: _as_json(own) for size, own in self.by_size.items()},
            "statistic": self.statistic.value,
            "min_face_px": self.min_face_px,
            "copy_ceiling": self.copy_ceiling,
            "prior": self.prior,
            "band": self.band,
            "counts": {kind.value: [each.value for each in own] for kind, own in self.counts.items()},
            "min_coverage": self.min_coverage,
            "provisional": self.provisional,
            "learnt": _learnt_as_json(self.learnt),
            "learnt_by_size": {size.value: _learnt_as_json(own) for size, own in self.learnt_by_size.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Profile":
        """Build it from `as_json`. Raises ValueError or KeyError for what isn't one."""
        counts = {CharacterKind(k): tuple(Aspect(a) for a in own) for k, own in stored["counts"].items()}
        return cls(
            id=stored["id"],
            version=stored["version"],
            thresholds=_from_json(stored["thresholds"]),
            by_size={ShotSize(size): _from_json(own) for size, own in stored["by_size"].items()},
            statistic=Statistic(stored["statistic"]),
            min_face_px=stored["min_face_px"],
            copy_ceiling=stored["copy_ceiling"],
            prior=stored["prior"],
            band=stored["band"],
            counts=counts,
            min_coverage=stored["min_coverage"],
            provisional=stored["provisional"],
            learnt=_learnt_from_json(stored.get("learnt", {})),
            learnt_by_size={
                ShotSize(size): _learnt_from_json(own)
                for size, own in stored.get("learnt_by_size", {}).items()
            },
        )


def changed(base: Profile, overrides: Mapping[str, Any], *, id: str, version: int = 1) -> Profile:  # noqa: A002
    """Return a profile that differs from `base` only in what `overrides` names (keys as in `as_json`).

    Thresholds, `by_size` and `counts` are merged entry by entry. Raises ValueError for unknown keys or values.
    """
    stored = base.as_json()
    unknown = set(overrides) - set(stored) - {"id", "version"}
    if unknown:
        raise ValueError(f"a profile has no {', '.join(sorted(unknown))}")
    for name, value in overrides.items():
        if name == "by_size":
            stored[name] = {
                size: {**stored[name].get(size, {}), **value.get(size, {})}
                for size in (*stored[name], *value)
            }
        elif name in {"thresholds", "counts"}:
            stored[name] = {**stored[name], **value}
        else:
            stored[name] = value
    return replace(Profile.from_json(stored), id=id, version=version)


@dataclass(frozen=True, slots=True)
class Scoped:
    """A profile with whom it is for; None means all."""

    profile: Profile
    production: str | None = None
    character: str | None = None
    size: ShotSize | None = None


def choose(
    scoped: Iterable[Scoped], *, production: str | None, character: str | None, size: ShotSize | None = None
) -> Profile | None:
    """Return the most specific profile that applies: a character's before a production's before a size's.

    Among equals the last given wins. None when none applies.
    """
    best: tuple[int, Profile] | None = None
    asked = (character, production, size)
    for each in scoped:
        own = (each.character, each.production, each.size)
        if any(mine is not None and mine != theirs for mine, theirs in zip(own, asked, strict=True)):
            continue
        rank = sum(weight for mine, weight in zip(own, (4, 2, 1), strict=True) if mine is not None)
        if best is None or rank >= best[0]:
            best = (rank, each.profile)
    return best[1] if best else None


# Least share of the frame's height between the eye centres. An adult's eyes are about 63 mm apart and a body about
# 28 times that; the frame's height then covers about 33 cm (ECU), 60 cm (CU: head and shoulders), 93 cm (MCU: to the
# chest), 157 cm (MS: to the waist or the knees). The bounds lie between the framings a camera assistant would name.
_SIZES = (
    (0.19, ShotSize.ECU),
    (0.105, ShotSize.CU),
    (0.068, ShotSize.MCU),
    (0.040, ShotSize.MS),
    (0.0, ShotSize.WS),
)
_TALLEST = (
    16 / 9
)  # a taller picture isn't a camera's frame but a strip; its height says nothing of the framing


def shot_size_of(face_px: float, frame_width: int, frame_height: int) -> ShotSize:
    """Return the shot size of a person from the distance between the eye centres, all in pixels of the frame."""
    if frame_width <= 0 or frame_height <= 0 or face_px < 0:
        raise ValueError("a frame and a face have a size")
    height = min(frame_height, frame_width * _TALLEST)
    return next(size for bound, size in _SIZES if face_px / height >= bound)


def _as_json(thresholds: Mapping[Aspect, Threshold]) -> dict[str, dict[str, float]]:
    return {
        aspect.value: {"fail_below": each.fail_below, "pass_from": each.pass_from}
        for aspect, each in thresholds.items()
    }


def _from_json(stored: Mapping[str, Mapping[str, float]]) -> dict[Aspect, Threshold]:
    return {Aspect(name): Threshold(**each) for name, each in stored.items()}


def _learnt_as_json(learnt: Mapping[Aspect, Learnt]) -> dict[str, dict[str, float]]:
    return {aspect.value: asdict(each) for aspect, each in learnt.items()}


def _learnt_from_json(stored: Mapping[str, Mapping[str, float]]) -> dict[Aspect, Learnt]:
    return {Aspect(name): Learnt(**each) for name, each in stored.items()}
