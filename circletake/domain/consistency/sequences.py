"""One character across the shots of a sequence, in story order: what breaks, what drifts, what clashes in a cut.

The references are the anchor. Shots compared among themselves only point at what to look at: with a majority of
wrong shots such a comparison turns round and calls the right ones wrong.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from circletake.domain.consistency.calibration import logit
from circletake.domain.consistency.materials import DRIFT, DriftRule, MaterialJudgement
from circletake.domain.consistency.profiles import Profile
from circletake.domain.consistency.trends import Trend, robust_z, trend
from circletake.domain.consistency.words import MISMATCH, Aspect, CharacterKind, Reason, Verdict

OUTLIER_Z = -3.5  # Iglewicz and Hoaglin (1993) for a robust z
_LEAST_SPREAD = (
    2.0  # log-odds: shots of one person differ by that much for no reason (distance .05, measured)
)
_LEAST_OTHERS = 4
_CLAMP = 1e-7

# What a look fixes: across two looks these are meant to differ.
_OF_THE_LOOK = frozenset({Aspect.HAIR, Aspect.WARDROBE, Aspect.PALETTE, Aspect.OVERALL})


@dataclass(frozen=True, slots=True)
class SequenceShot:
    """One shot in story order with the judgement of its material; None: the subject isn't in it.

    `look` says which look holds for the shot.
    """

    shot: str
    judgement: MaterialJudgement | None
    look: str = ""


# Probability that two shots show the same, per aspect, by their index in story order (lower first).
Pairs = Mapping[tuple[int, int], Mapping[Aspect, float]]


@dataclass(frozen=True, slots=True)
class Break:
    """A shot that isn't the character as its references show it. `aspects`: the identity first."""

    shot: str
    aspects: tuple[Aspect, ...]
    reasons: tuple[Reason, ...]
    score: float | None
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Outlier:
    """A shot unlike the others of its look, whether or not it is near enough to the references. To be looked at."""

    shot: str
    aspect: Aspect
    z: float
    broken: bool  # the references say so too


@dataclass(frozen=True, slots=True)
class Drift:
    """A line that falls over the shots. `kind`: slowly, or at once from `since` on."""

    aspect: Aspect
    look: str  # empty: over all looks
    kind: Literal["slow_drift", "step"]
    since: str
    change: float  # log-odds over the whole line
    p_value: float
    shots: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Two neighbouring shots that both show the character. `clashing`: aspects that don't go together;
    `same_identity`: what the face (or what carries the identity) says, whatever is worn."""

    before: str
    after: str
    direct: bool  # nothing stands between them
    scores: Mapping[Aspect, float]
    clashing: tuple[Aspect, ...]
    same_identity: Verdict
    same_look: bool

    @property
    def clash(self) -> bool:
        return bool(self.clashing)


@dataclass(frozen=True, slots=True)
class SequenceJudgement:
    """`verdict`: fail when a shot breaks; a person looks when one is in doubt, drifts or clashes. `likeness` to the
    references and `self_consistency` among the shots are medians of the aspect that carries the identity."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    likeness: float | None
    self_consistency: float | None
    per_shot: Mapping[str, float] = field(default_factory=dict)  # median likeness to the other shots
    breaks: tuple[Break, ...] = ()
    outliers: tuple[Outlier, ...] = ()
    drifts: tuple[Drift, ...] = ()
    cuts: tuple[Cut, ...] = ()
    not_assessable: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    shots: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "reasons": [reason.value for reason in self.reasons],
            "likeness": _rounded(self.likeness),
            "self_consistency": _rounded(self.self_consistency),
            "per_shot": {shot: _rounded(p) for shot, p in self.per_shot.items()},
            "breaks": [
                {
                    "shot": each.shot,
                    "aspects": [aspect.value for aspect in each.aspects],
                    "reasons": [reason.value for reason in each.reasons],
                    "score": _rounded(each.score),
                    "instead": each.instead,
                }
                for each in self.breaks
            ],
            "outliers": [
                {"shot": each.shot, "aspect": each.aspect.value, "z": round(each.z, 2), "broken": each.broken}
                for each in self.outliers
            ],
            "drifts": [
                {
                    "aspect": each.aspect.value,
                    "look": each.look,
                    "kind": each.kind,
                    "since": each.since,
                    "change": round(each.change, 3),
                    "p_value": float(f"{each.p_value:.3g}"),
                    "shots": each.shots,
                }
                for each in self.drifts
            ],
            "cuts": [
                {
                    "before": each.before,
                    "after": each.after,
                    "direct": each.direct,
                    "scores": {aspect.value: _rounded(p) for aspect, p in each.scores.items()},
                    "clashing": [aspect.value for aspect in each.clashing],
                    "same_identity": each.same_identity.value,
                    "same_look": each.same_look,
                }
                for each in self.cuts
            ],
            "not_assessable": list(self.not_assessable),
            "in_doubt": list(self.in_doubt),
            "shots": self.shots,
        }


def judge_sequence(
    shots: Sequence[SequenceShot],
    pairs: Pairs,
    profile: Profile,
    kind: CharacterKind = CharacterKind.HUMAN,
    *,
    rule: DriftRule = DRIFT,
    between: int = 1,
) -> SequenceJudgement:
    """Judge one subject over shots in story order. Pure arithmetic on what was already judged and compared.

    Cuts are taken between shots with at most `between` others in the middle (a reverse angle). Raises ValueError
    for two shots of one name.
    """
    if len({each.shot for each in shots}) != len(shots):
        raise ValueError("a shot stands once in a sequence")
    counted = profile.counted(kind)
    breaks = tuple(_break(each.shot, each.judgement) for each in shots if _is(each, Verdict.FAIL))
    broken = {each.shot for each in breaks}
    drifts = _drifts(shots, counted, rule)
    outliers = _outliers(shots, counted, broken, drifts)
    cuts = _cuts(shots, pairs, profile, counted, between)
    in_doubt = tuple(each.shot for each in shots if _is(each, Verdict.NEEDS_HUMAN))
    per_shot = _among_themselves(shots, pairs, counted[0])
    likenesses = [p for each in shots if (p := _score(each, counted[0])) is not None]
    verdict = _verdict(shots, in_doubt, outliers, drifts, cuts, broken)
    reasons = [reason for each in breaks for reason in each.reasons if reason in set(MISMATCH.values())]
    reasons += [reason for each in breaks for reason in each.reasons if reason is Reason.SWAPPED_CHARACTERS]
    reasons += [Reason.SLOW_DRIFT for each in drifts if each.kind == "slow_drift"]
    reasons += [Reason.NEAR_THRESHOLD] if verdict is Verdict.NEEDS_HUMAN and in_doubt else []
    return SequenceJudgement(
        verdict=verdict,
        reasons=tuple(dict.fromkeys(reasons)),
        likeness=statistics.median(likenesses) if likenesses else None,
        self_consistency=_over_pairs(shots, pairs, counted[0]),
        per_shot=per_shot,
        breaks=breaks,
        outliers=outliers,
        drifts=drifts,
        cuts=cuts,
        not_assessable=tuple(each.shot for each in shots if _is(each, Verdict.NOT_ASSESSABLE)),
        in_doubt=in_doubt,
        shots=sum(each.judgement is not None for each in shots),
    )


def _verdict(
    shots: Sequence[SequenceShot],
    in_doubt: Sequence[str],
    outliers: Sequence[Outlier],
    drifts: Sequence[Drift],
    cuts: Sequence[Cut],
    broken: set[str],
) -> Verdict:
    if broken:
        return Verdict.FAIL
    if in_doubt or outliers or drifts or any(cut.clash for cut in cuts):
        return Verdict.NEEDS_HUMAN
    passed = any(_is(each, Verdict.PASS) for each in shots)
    return Verdict.PASS if passed else Verdict.NOT_ASSESSABLE


def _is(shot: SequenceShot, verdict: Verdict) -> bool:
    return shot.judgement is not None and shot.judgement.verdict is verdict


def _break(shot: str, judged: MaterialJudgement | None) -> Break:
    if judged is None:  # only shots that failed are asked for
        raise ValueError("a shot without a judgement can't break")
    return Break(shot, judged.broken, judged.reasons, judged.score, judged.instead)


def _score(shot: SequenceShot, aspect: Aspect) -> float | None:
    return None if shot.judgement is None else shot.judgement.scores.get(aspect)


def _lines(shots: Sequence[SequenceShot], aspect: Aspect) -> list[tuple[str, list[tuple[int, float]]]]:
    """Return (look, [(index, log-odds)]): one line over everything for what no look changes, one per look else."""
    points: dict[str, list[tuple[int, float]]] = {}
    for at, each in enumerate(shots):
        p = _score(each, aspect)
        if p is not None:
            points.setdefault(each.look if aspect in _OF_THE_LOOK else "", []).append((at, _log_odds(p)))
    return list(points.items())


def _drifts(shots: Sequence[SequenceShot], counted: Sequence[Aspect], rule: DriftRule) -> tuple[Drift, ...]:
    found: list[Drift] = []
    for aspect in counted:
        for look, line in _lines(shots, aspect):
            if len(line) < rule.least_points:
                continue
            line_trend = trend([float(at) for at, _ in line], [z for _, z in line])
            if not rule.holds(line_trend, len(line)):
                continue
            step = line_trend.step_at
            since = line[step][0] if step is not None else _leaves(line, line_trend)
            found.append(
                Drift(
                    aspect,
                    look,
                    "slow_drift" if step is None else "step",
                    shots[since].shot,
                    line_trend.change,
                    line_trend.p_value,
                    len(line),
                )
            )
    return tuple(found)


def _leaves(line: Sequence[tuple[int, float]], found: Trend) -> int:
    """Return the shot from which the line has fallen by a quarter of its whole fall."""
    first = line[0][0]
    quarter = found.at(first) + found.change / 4
    return next(at for at, _ in line if found.at(at) <= quarter + _CLAMP or at == line[-1][0])


def _outliers(
    shots: Sequence[SequenceShot], counted: Sequence[Aspect], broken: set[str], drifts: Sequence[Drift]
) -> tuple[Outlier, ...]:
    """Return shots far below the others of their look, measured from the falling line where there is one."""
    slow = {(each.aspect, each.look) for each in drifts if each.kind == "slow_drift"}
    found: list[Outlier] = []
    for aspect in counted:
        for look, line in _lines(shots, aspect):
            if len(line) <= _LEAST_OTHERS:
                continue
            rest = [z for _, z in line]
            if (aspect, look) in slow:
                base = trend([float(at) for at, _ in line], rest)
                rest = [z - base.at(at) for at, z in line]
            # leaving one out moves the median to its neighbour at most, so most shots are clear without looking
            highest = sorted(rest)[len(rest) // 2 + 1]
            for place, (at, _) in enumerate(line):
                if rest[place] - highest > OUTLIER_Z * _LEAST_SPREAD:
                    continue
                others = rest[:place] + rest[place + 1 :]
                z = robust_z(rest[place], others, least_spread=_LEAST_SPREAD)
                if z <= OUTLIER_Z:
                    found.append(Outlier(shots[at].shot, aspect, z, shots[at].shot in broken))
    return tuple(found)


def _cuts(
    shots: Sequence[SequenceShot],
    pairs: Pairs,
    profile: Profile,
    counted: Sequence[Aspect],
    between: int,
) -> tuple[Cut, ...]:
    shown = [at for at, each in enumerate(shots) if each.judgement is not None]
    found: list[Cut] = []
    for before, after in pairwise(shown):
        scores = pairs.get((before, after))
        if scores is None or after - before - 1 > between:
            continue
        same_look = shots[before].look == shots[after].look
        verdicts = {
            aspect: threshold.widened(profile.band).judge(p)
            for aspect, p in scores.items()
            if (threshold := profile.threshold(aspect)) is not None
        }
        clashing = tuple(
            aspect
            for aspect in counted
            if verdicts.get(aspect) is Verdict.FAIL and (same_look or aspect not in _OF_THE_LOOK)
        )
        identity = verdicts.get(counted[0], Verdict.NOT_ASSESSABLE)
        names = shots[before].shot, shots[after].shot
        found.append(Cut(*names, after - before == 1, dict(scores), clashing, identity, same_look))
    return tuple(found)


def _among_themselves(shots: Sequence[SequenceShot], pairs: Pairs, aspect: Aspect) -> dict[str, float]:
    own: dict[int, list[float]] = {}
    for (i, j), scores in pairs.items():
        if aspect in scores and _comparable(shots, i, j, aspect):
            own.setdefault(i, []).append(scores[aspect])
            own.setdefault(j, []).append(scores[aspect])
    return {shots[at].shot: statistics.median(ps) for at, ps in sorted(own.items())}


def _over_pairs(shots: Sequence[SequenceShot], pairs: Pairs, aspect: Aspect) -> float | None:
    ps = [
        scores[aspect]
        for (i, j), scores in pairs.items()
        if aspect in scores and _comparable(shots, i, j, aspect)
    ]
    return statistics.median(ps) if ps else None


def _comparable(shots: Sequence[SequenceShot], i: int, j: int, aspect: Aspect) -> bool:
    return aspect not in _OF_THE_LOOK or shots[i].look == shots[j].look


def _log_odds(p: float) -> float:
    return logit(min(max(p, _CLAMP), 1 - _CLAMP))


def _rounded(p: float | None) -> float | None:
    return None if p is None else round(p, 7)
