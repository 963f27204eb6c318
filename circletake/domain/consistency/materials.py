"""What a take's frames say together: one verdict, the statistic the profile asks for, and where it was worst."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from circletake.domain.consistency.calibration import combine, logit
from circletake.domain.consistency.judging import decide
from circletake.domain.consistency.profiles import Profile, Statistic, Threshold
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.trends import Trend, trend
from circletake.domain.consistency.words import (
    MISMATCH,
    Aspect,
    CharacterKind,
    Reason,
    ShotSize,
    Verdict,
)

_P05_NEEDS = 20  # frames of which one is five per cent
_FEW = 2  # so few frames outvote nothing
_HALF = 0.5
_CLAMP = 1e-7
_PERSONS_MATTER = {Reason.COPY_PASTE_SUSPECTED, Reason.WRONG_CHARACTER_COUNT, Reason.SWAPPED_CHARACTERS}


@dataclass(frozen=True, slots=True)
class DriftRule:
    """When a falling line is called drift: enough points, unlikely by chance, and a fall that matters (log-odds)."""

    least_points: int = 6
    significance: float = 0.01
    least_fall: float = 2.0

    def holds(self, found: Trend, points: int) -> bool:
        enough = points >= self.least_points and found.p_value <= self.significance
        return enough and -found.change >= self.least_fall


DRIFT = DriftRule()


@dataclass(frozen=True, slots=True)
class MaterialJudgement:
    """One subject over a take's judged frames.

    `score`: the worst counted aspect; a shot is as good as what is wrong with it. `scores`: per aspect, the statistic of the frames that showed it. `drift_curve`: (frame, worst counted score or
    None where nothing could be judged). `counted`: the aspects that decide, the identity first; `broken`: those of
    them that failed.
    `observed`: frames that showed the aspect. `unseen`: how many frames gave each doubt about the identity.
    `instead`: the cast member seen most often in the subject's place.
    """

    key: str
    verdict: Verdict
    score: float | None = None
    scores: Mapping[Aspect, float] = field(default_factory=dict)
    verdicts: Mapping[Aspect, Verdict] = field(default_factory=dict)
    drift_curve: tuple[tuple[int, float | None], ...] = ()
    worst_frame: int | None = None
    reasons: tuple[Reason, ...] = ()
    broken: tuple[Aspect, ...] = ()
    counted: tuple[Aspect, ...] = ()
    observed: Mapping[Aspect, int] = field(default_factory=dict)
    unseen: Mapping[Reason, int] = field(default_factory=dict)
    frames: int = 0
    statistic: Statistic = Statistic.P05
    shot_size: ShotSize | None = None
    profile: str = ""
    provisional: bool = True
    instead: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "verdict": self.verdict.value,
            "score": None if self.score is None else round(self.score, 7),
            "scores": {aspect.value: round(p, 7) for aspect, p in self.scores.items()},
            "verdicts": {aspect.value: verdict.value for aspect, verdict in self.verdicts.items()},
            "drift_curve": [[at, None if p is None else round(p, 7)] for at, p in self.drift_curve],
            "worst_frame": self.worst_frame,
            "reasons": [reason.value for reason in self.reasons],
            "broken": [aspect.value for aspect in self.broken],
            "counted": [aspect.value for aspect in self.counted],
            "observed": {aspect.value: count for aspect, count in self.observed.items()},
            "unseen": {reason.value: count for reason, count in self.unseen.items()},
            "frames": self.frames,
            "statistic": self.statistic.value,
            "shot_size": None if self.shot_size is None else self.shot_size.value,
            "profile": self.profile,
            "provisional": self.provisional,
            "instead": self.instead,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "MaterialJudgement":
        size = stored["shot_size"]
        return cls(
            key=stored["key"],
            verdict=Verdict(stored["verdict"]),
            score=stored["score"],
            scores={Aspect(name): p for name, p in stored["scores"].items()},
            verdicts={Aspect(name): Verdict(each) for name, each in stored["verdicts"].items()},
            drift_curve=tuple((at, p) for at, p in stored["drift_curve"]),
            worst_frame=stored["worst_frame"],
            reasons=tuple(Reason(each) for each in stored["reasons"]),
            broken=tuple(Aspect(each) for each in stored["broken"]),
            counted=tuple(Aspect(each) for each in stored["counted"]),
            observed={Aspect(name): count for name, count in stored["observed"].items()},
            unseen={Reason(name): count for name, count in stored["unseen"].items()},
            frames=stored["frames"],
            statistic=Statistic(stored["statistic"]),
            shot_size=None if size is None else ShotSize(size),
            profile=stored["profile"],
            provisional=stored["provisional"],
            instead=stored["instead"],
        )


def judge_material(
    frames: Sequence[FrameJudgement],
    profile: Profile,
    kind: CharacterKind = CharacterKind.HUMAN,
    *,
    margins: Mapping[Aspect, float] | None = None,
) -> MaterialJudgement:
    """Return the verdict over a take's frames of one subject, in their order; for a still, over its one frame.

    Fails when any counted aspect that was seen fails by the profile's statistic; passes when the aspect that
    carries the identity was seen in enough frames and passed; otherwise says why not. `margins` are the
    calibrations' half-widths, per aspect, in log-odds. Raises ValueError without frames or for two subjects.
    """
    if not frames:
        raise ValueError("a verdict needs at least one frame")
    if len({frame.key for frame in frames}) > 1:
        raise ValueError("these frames are of several subjects")
    counted = profile.counted(kind)
    size = _shot_size(frames)
    seen = _seen(frames)
    scores = {aspect: statistic_of(list(ps), profile.statistic) for aspect, ps in seen.items()}
    verdicts: dict[Aspect, Verdict] = {}
    for aspect, ps in seen.items():
        threshold = profile.threshold(aspect, size)
        if threshold is not None:
            width = max(profile.doubt(aspect, size), (margins or {}).get(aspect, 0.0))
            verdicts[aspect] = _aspect_verdict(ps, profile.statistic, threshold.widened(width))
    doubts = _doubts(frames, seen)
    verdicts |= dict.fromkeys(doubts, Verdict.NOT_ASSESSABLE)
    verdict, reasons = decide(counted, verdicts, doubts)
    verdict, reasons = _what_frames_add(verdict, reasons, frames, counted, seen, profile)
    curve = tuple((frame.frame, _worst(frame, counted)) for frame in frames)
    known = [(p, at) for at, p in curve if p is not None]
    return MaterialJudgement(
        key=frames[0].key,
        verdict=verdict,
        score=min((p for aspect, p in scores.items() if aspect in counted), default=None),
        scores=scores,
        verdicts=verdicts,
        drift_curve=curve,
        worst_frame=min(known)[1] if known else None,
        reasons=tuple(dict.fromkeys((*reasons, *_drift(frames, counted[0])))),
        broken=tuple(aspect for aspect in counted if verdicts.get(aspect) is Verdict.FAIL),
        counted=counted,
        observed={aspect: len(ps) for aspect, ps in seen.items()},
        unseen=Counter(frame.doubts[counted[0]] for frame in frames if counted[0] in frame.doubts),
        frames=len(frames),
        statistic=profile.statistic,
        shot_size=size,
        profile=profile.name,
        provisional=profile.provisional,
        instead=_most(frame.instead for frame in frames),
    )


def statistic_of(ps: Sequence[float], statistic: Statistic) -> float:
    """Return what stands for these probabilities. Below twenty frames none is the worst five per cent, so p05 is
    the lowest; above, it lies between its two neighbours (Hyndman and Fan's type 7)."""
    if statistic is Statistic.MEDIAN:
        return statistics.median(ps)
    ordered = sorted(ps)
    if statistic is Statistic.MINIMUM or len(ps) < _P05_NEEDS:
        return ordered[0]
    at = 0.05 * (len(ps) - 1)
    low = int(at)
    return ordered[low] + (at - low) * (ordered[low + 1] - ordered[low])


def second_opinion(
    judged: MaterialJudgement,
    opinion: Mapping[Aspect, float],
    profile: Profile,
    *,
    trust: float = 1.0,
) -> MaterialJudgement:
    """Return the judgement after another evaluator was heard on a take that went to a person.

    `opinion` holds calibrated probabilities at the profile's prior. Only what was in doubt can change: what the
    first could see and found clearly right or wrong stands, a suspected copy or a wrong count stays a person's.
    """
    if judged.verdict is not Verdict.NEEDS_HUMAN:
        return judged
    scores, verdicts = dict(judged.scores), dict(judged.verdicts)
    for aspect, p in opinion.items():
        threshold = profile.threshold(aspect, judged.shot_size)
        if verdicts.get(aspect) is not Verdict.NEEDS_HUMAN or threshold is None:
            continue
        joined = combine([(_open(scores[aspect]), 1.0), (_open(p), trust)], profile.prior)
        scores[aspect] = joined
        verdicts[aspect] = threshold.widened(profile.band).judge(joined)
    from_doubts = {
        aspect: Reason.NO_DETECTION for aspect, v in verdicts.items() if v is Verdict.NOT_ASSESSABLE
    }
    verdict, reasons = decide(judged.counted, verdicts, from_doubts)
    kept = tuple(r for r in judged.reasons if r is not Reason.NEAR_THRESHOLD and r not in MISMATCH.values())
    own = tuple(r for r in reasons if r is Reason.NEAR_THRESHOLD or r in MISMATCH.values())
    if verdict is Verdict.PASS and set(kept) & _PERSONS_MATTER:
        verdict = Verdict.NEEDS_HUMAN
    return replace(
        judged,
        verdict=verdict,
        score=min((p for aspect, p in scores.items() if aspect in judged.counted), default=None),
        scores=scores,
        verdicts=verdicts,
        reasons=own + kept,
        broken=tuple(aspect for aspect in judged.counted if verdicts.get(aspect) is Verdict.FAIL),
    )


def _open(p: float) -> float:
    return min(max(p, _CLAMP), 1 - _CLAMP)


def _seen(frames: Sequence[FrameJudgement]) -> dict[Aspect, tuple[float, ...]]:
    aspects = dict.fromkeys(aspect for frame in frames for aspect in frame.scores)
    return {
        aspect: tuple(frame.scores[aspect] for frame in frames if aspect in frame.scores)
        for aspect in aspects
    }


def _doubts(frames: Sequence[FrameJudgement], seen: Mapping[Aspect, object]) -> dict[Aspect, Reason]:
    """Return why an aspect was seen in no frame: what kept it from being judged most often."""
    found: dict[Aspect, Reason] = {}
    for aspect in dict.fromkeys(aspect for frame in frames for aspect in frame.doubts):
        if aspect not in seen:
            found[aspect] = Counter(f.doubts[aspect] for f in frames if aspect in f.doubts).most_common(1)[0][
                0
            ]
    return found


def _aspect_verdict(ps: Sequence[float], statistic: Statistic, threshold: Threshold) -> Verdict:
    verdict = threshold.judge(statistic_of(ps, statistic))
    lone = sum(p < threshold.fail_below for p in ps) == 1 and _FEW < len(ps) < _P05_NEEDS
    if verdict is Verdict.FAIL and lone and statistic is Statistic.P05:
        return Verdict.NEEDS_HUMAN  # one frame among a few is no five per cent; a blink or a blur does it
    return verdict


def _what_frames_add(
    verdict: Verdict,
    reasons: tuple[Reason, ...],
    frames: Sequence[FrameJudgement],
    counted: Sequence[Aspect],
    seen: Mapping[Aspect, Sequence[float]],
    profile: Profile,
) -> tuple[Verdict, tuple[Reason, ...]]:
    """Carry over what frames alone can know: swapped or doubled people, copies, how rarely somebody was seen."""
    # a reference that starts a shot is legitimate in its first frames; most of a take repeating it isn't
    copied = _share(frames, Reason.COPY_PASTE_SUSPECTED) >= _HALF
    swapped = _share(frames, Reason.SWAPPED_CHARACTERS) >= _HALF
    miscounted = _share(frames, Reason.WRONG_CHARACTER_COUNT) >= _HALF
    rare = len(seen.get(counted[0], ())) < profile.min_coverage * len(frames)
    found = {
        Reason.SWAPPED_CHARACTERS: swapped,
        Reason.WRONG_CHARACTER_COUNT: miscounted,
        Reason.COPY_PASTE_SUSPECTED: copied,
    }
    reasons += tuple(reason for reason, holds in found.items() if holds)
    if swapped and verdict in {Verdict.PASS, Verdict.NEEDS_HUMAN}:
        return Verdict.FAIL, reasons
    if verdict is Verdict.FAIL and all(frame.verdict is not Verdict.FAIL for frame in frames):
        return Verdict.NEEDS_HUMAN, reasons  # every frame had a reason not to be sure of it
    if verdict is not Verdict.PASS:
        return verdict, reasons
    if rare:
        why = Counter(frame.doubts[counted[0]] for frame in frames if counted[0] in frame.doubts)
        reasons += tuple(reason for reason, _ in why.most_common()) or (Reason.NO_DETECTION,)
    return (Verdict.NEEDS_HUMAN if rare or copied or miscounted else verdict), reasons


def _drift(frames: Sequence[FrameJudgement], aspect: Aspect) -> tuple[Reason, ...]:
    """Say whether the identity slides away within the take, whatever its verdict."""
    points = [(frame.frame, logit(_open(frame.scores[aspect]))) for frame in frames if aspect in frame.scores]
    if len(points) < DRIFT.least_points:
        return ()
    found = trend([float(at) for at, _ in points], [z for _, z in points])
    return (Reason.SLOW_DRIFT,) if DRIFT.holds(found, len(points)) and found.step_at is None else ()


def _worst(frame: FrameJudgement, counted: Sequence[Aspect]) -> float | None:
    return min((frame.scores[aspect] for aspect in counted if aspect in frame.scores), default=None)


def _share(frames: Sequence[FrameJudgement], reason: Reason) -> float:
    return sum(reason in frame.reasons for frame in frames) / len(frames)


def _shot_size(frames: Sequence[FrameJudgement]) -> ShotSize | None:
    """Return the size most frames have; of two as frequent, the closer one, whose bar is the stricter."""
    sizes = [frame.shot_size for frame in frames if frame.shot_size is not None]
    order = list(ShotSize)
    return max(set(sizes), key=lambda size: (sizes.count(size), -order.index(size)), default=None)


def _most(names: Iterable[str | None]) -> str | None:
    said = [name for name in names if name is not None]
    return Counter(said).most_common(1)[0][0] if said else None
