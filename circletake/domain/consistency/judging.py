"""Whether this is still her, in one frame: who is who by assignment, and what every aspect says.

Nothing is passed that wasn't seen: an aspect that can't be judged says why, and never fails or passes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from circletake.domain.consistency.assignment import assign
from circletake.domain.consistency.calibration import (
    Calibration,
    Calibrations,
    bounded,
    combine,
    log_odds,
    logit,
)
from circletake.domain.consistency.profiles import HUMAN_ASPECTS, Profile, shot_size_of
from circletake.domain.consistency.subjects import (
    WHOLE_FRAME,
    FrameFacts,
    FrameJudgement,
    Matched,
    Subject,
)
from circletake.domain.consistency.words import (
    MISMATCH,
    Aspect,
    Box,
    CharacterKind,
    EvaluatorId,
    Reason,
    ShotSize,
    Verdict,
)

# For the assignment only. A face that can't be judged still says something, but never as much as one that can.
_UNSURE_WEIGHT = 0.25
_NEVER = 1e6  # an expected subject goes without a figure only when there is none left


@dataclass(frozen=True, slots=True)
class _Table:
    """Everything said about one frame, joined over the evaluators."""

    frame: FrameFacts
    profile: Profile
    scores: Mapping[tuple[str, int], Mapping[Aspect, float]]  # (key, figure) -> probabilities
    faces: Mapping[tuple[str, int], float]  # (key, figure) -> unbounded log-odds, for the assignment
    copies: Mapping[tuple[str, int], float]
    boxes: Mapping[str, Box]  # of whole-frame matches
    margins: Mapping[Aspect, float]
    identities: Mapping[str, str]  # of the cast, where a character has several looks

    def who(self, key: str) -> str:
        return self.identities.get(key) or key

    def doubts(self, figure: int) -> Mapping[Aspect, Reason]:
        """Return why aspects of a figure can't be judged. A face below the minimum size dooms the whole figure:
        its hair and torso are a few blurred pixels as well."""
        seen = self.frame.figures[figure]
        if seen.face_px < self.profile.min_face_px:
            return dict.fromkeys(HUMAN_ASPECTS, Reason.FACE_TOO_SMALL)
        return seen.doubts

    def likeness(self, key: str, figure: int) -> float:
        """Return the log-odds that this figure is this cast member, for telling figures apart. The face decides
        wherever it is visible; hair and wardrobe only speak where it isn't, and softly."""
        face = self.faces.get((key, figure))
        doubted = Aspect.FACE in self.frame.figures[figure].doubts
        if face is not None:
            return face * _UNSURE_WEIGHT if doubted else face
        scores = self.scores.get((key, figure), {})
        rest = [logit(scores[aspect]) for aspect in (Aspect.HAIR, Aspect.WARDROBE) if aspect in scores]
        return _UNSURE_WEIGHT * sum(rest) / len(rest) if rest else -_UNSURE_WEIGHT

    def plausible(self, key: str, figure: int, least: float) -> bool:
        """Say whether somebody who needn't be there may be this figure: without a face only when the rest speaks
        for it, or the back of every extra's head would be hers."""
        visible = (key, figure) in self.faces and Aspect.FACE not in self.frame.figures[figure].doubts
        return self.likeness(key, figure) > (least if visible else 0.0)

    def face(self, key: str, figure: int) -> Verdict:
        """Return what the face alone says of this figure being this cast member."""
        p = self.scores.get((key, figure), {}).get(Aspect.FACE)
        if p is None or Aspect.FACE in self.doubts(figure):
            return Verdict.NOT_ASSESSABLE
        return self._judge(Aspect.FACE, p, self.size(figure))

    def size(self, figure: int) -> ShotSize:
        found = _size(self.frame, figure)
        assert found is not None, "a figure, not the whole frame"
        return found

    def _judge(self, aspect: Aspect, p: float, size: ShotSize | None) -> Verdict:
        threshold = self.profile.threshold(aspect, size)
        if threshold is None:
            return Verdict.NOT_ASSESSABLE
        return threshold.widened(max(self.profile.doubt(aspect, size), self.margins.get(aspect, 0.0))).judge(
            p
        )

    def verdicts(
        self, scores: Mapping[Aspect, float], doubts: Mapping[Aspect, Reason], size: ShotSize | None
    ) -> dict[Aspect, Verdict]:
        found = {aspect: self._judge(aspect, p, size) for aspect, p in scores.items()}
        return found | dict.fromkeys(doubts, Verdict.NOT_ASSESSABLE)


def judge_frame(
    subjects: Sequence[Subject],
    frame: FrameFacts,
    evidence: Mapping[EvaluatorId, Sequence[Matched]],
    calibrations: Calibrations,
    profile: Profile | Mapping[str, Profile],
    *,
    identities: Mapping[str, str] | None = None,
) -> list[FrameJudgement]:
    """Judge every subject in one frame, in the order they were given.

    `evidence` holds each evaluator's matches for this frame, of all the cast: also of those nobody asks about, so
    that nobody is given another's face. Figures are those of `frame` for every evaluator. `profile` may differ per
    subject. `identities` says which cast keys are looks of one character (key to identity); the subjects' own are
    known. Raises ValueError when two subjects share a key.
    """
    keys = [subject.key for subject in subjects]
    if len(set(keys)) != len(keys):
        raise ValueError("every subject needs its own key")
    if not subjects:
        return []
    of = profile if isinstance(profile, Mapping) else dict.fromkeys(keys, profile)
    known = {**(identities or {}), **{each.key: each.identity for each in subjects if each.identity}}
    tables: dict[str, _Table] = {}
    for subject in subjects:
        own = of[subject.key]
        if own.name not in tables:
            tables[own.name] = _read(frame, evidence, calibrations, own, known)
    first = tables[of[keys[0]].name]
    people = [subject for subject in subjects if subject.kind is CharacterKind.HUMAN]
    places = _places(people, first)
    judged: dict[str, FrameJudgement] = {}
    for subject in subjects:
        own_table = tables[of[subject.key].name]
        if subject.kind is CharacterKind.HUMAN:
            judged[subject.key] = _judge_person(subject, places, own_table)
        else:
            judged[subject.key] = _judge_whole(subject, own_table)
    _mark_swapped(people, judged, first)
    return [judged[key] for key in keys]


def _read(
    frame: FrameFacts,
    evidence: Mapping[EvaluatorId, Sequence[Matched]],
    calibrations: Calibrations,
    profile: Profile,
    identities: Mapping[str, str],
) -> _Table:
    heard: dict[tuple[str, int], dict[Aspect, list[tuple[Calibration, float]]]] = {}
    copies: dict[tuple[str, int], float] = {}
    boxes: dict[str, Box] = {}
    margins: dict[Aspect, float] = {}
    for evaluator, matches in evidence.items():
        for match in matches:
            place = (match.key, match.figure)
            copies[place] = max(copies.get(place, 0.0), match.copy)
            if match.box is not None:
                boxes.setdefault(match.key, match.box)
            for aspect, values in match.values.items():
                calibration = calibrations.get(evaluator, aspect)
                if calibration is None:
                    continue  # raw values nobody can read are no evidence
                z = log_odds(calibration, values, prior=profile.prior)
                heard.setdefault(place, {}).setdefault(aspect, []).append((calibration, z))
                margins[aspect] = max(margins.get(aspect, 0.0), calibration.margin)
    scores = {
        place: {
            aspect: profile.probability(aspect, _joined(said, profile.prior), _size(frame, place[1]))
            for aspect, said in aspects.items()
        }
        for place, aspects in heard.items()
    }
    faces = {
        place: sum(calibration.trust * z for calibration, z in aspects[Aspect.FACE])
        for place, aspects in heard.items()
        if Aspect.FACE in aspects
    }
    return _Table(frame, profile, scores, faces, copies, boxes, margins, identities)


def _size(frame: FrameFacts, figure: int) -> ShotSize | None:
    """Return the shot size of a figure; None for the whole frame."""
    if figure == WHOLE_FRAME:
        return None
    return shot_size_of(frame.figures[figure].face_px, frame.width, frame.height)


def _joined(said: Sequence[tuple[Calibration, float]], prior: float) -> float:
    if len(said) == 1:
        calibration, z = said[0]
        return bounded(calibration, z)
    p = combine([(bounded(calibration, z), calibration.trust) for calibration, z in said], prior)
    return min(max(p, min(c.floor for c, _ in said)), max(c.ceiling for c, _ in said))


def _places(people: Sequence[Subject], table: _Table) -> dict[str, int | None]:
    """Return the figure of every cast key. One row per character, whichever looks of it were asked for.

    The others of the cast stand in line too, so that a face that is theirs isn't taken by somebody who needn't be
    there; but whoever is expected is served before them.
    """
    looks: dict[str, list[str]] = {}
    for key in dict.fromkeys([*(each.key for each in people), *(key for key, _ in table.faces)]):
        looks.setdefault(table.who(key), []).append(key)
    expected = {table.who(each.key) for each in people if each.expected}
    figures = range(len(table.frame.figures))
    if not looks or not figures:
        return dict.fromkeys(key for keys in looks.values() for key in keys)
    threshold = table.profile.threshold(Aspect.FACE)
    least = logit(threshold.fail_below) if threshold else 0.0
    costs, alone = [], []
    for identity, keys in looks.items():
        must = identity in expected
        costs.append([_cost(keys, figure, table, None if must else least) for figure in figures])
        alone.append(_NEVER if must else -least)
    found = assign(costs, alone)
    return {key: figure for keys, figure in zip(looks.values(), found, strict=True) for key in keys}


def _cost(keys: Sequence[str], figure: int, table: _Table, least: float | None) -> float:
    may = [key for key in keys if least is None or table.plausible(key, figure, least)]
    return min((-table.likeness(key, figure) for key in may), default=math.inf)


def _judge_person(subject: Subject, places: Mapping[str, int | None], table: _Table) -> FrameJudgement:
    figure = places.get(subject.key)
    frame = table.frame
    whole = table.scores.get((subject.key, WHOLE_FRAME), {})
    if figure is None:
        return _missing(subject, frame, whole)
    seen, size, doubts = frame.figures[figure], table.size(figure), dict(table.doubts(figure))
    told = {**whole, **table.scores.get((subject.key, figure), {})}
    scores = {aspect: p for aspect, p in told.items() if aspect not in doubts}
    copy = max(table.copies.get((subject.key, place), 0.0) for place in (figure, WHOLE_FRAME))
    judged = _verdict(subject, table, scores, doubts, size, copy)
    verdict, reasons, instead = judged.verdict, judged.reasons, None
    face = judged.verdicts.get(Aspect.FACE)
    if face is Verdict.FAIL:
        instead = _instead(figure, places, table)
        reasons += (Reason.SWAPPED_CHARACTERS,) if instead is not None else ()
    elif face is Verdict.PASS and _seen_twice(subject, places, table):
        reasons += (Reason.WRONG_CHARACTER_COUNT,)
        # a mirror and a photograph on the wall show somebody twice as well: a person decides
        verdict = Verdict.NEEDS_HUMAN if verdict is Verdict.PASS else verdict
    elif face in {None, Verdict.NOT_ASSESSABLE} and verdict is Verdict.FAIL and len(frame.figures) > 1:
        verdict = Verdict.NEEDS_HUMAN  # with the face hidden, other clothes may as well be another person's
    return FrameJudgement(
        subject.key,
        frame.frame,
        verdict,
        box=seen.box,
        face_px=seen.face_px,
        shot_size=size,
        scores=scores,
        verdicts=judged.verdicts,
        doubts=doubts,
        reasons=reasons,
        figure=figure,
        copy=copy,
        instead=instead,
    )


def _missing(subject: Subject, frame: FrameFacts, whole: Mapping[Aspect, float]) -> FrameJudgement:
    """Nobody is left to be this subject. Turned away and out of the picture look the same to a face detector, so
    this is never a fail; that others were seen and this one wasn't is said beside it."""
    reasons = [Reason.NO_DETECTION]
    if subject.expected and frame.figures:
        reasons.append(Reason.WRONG_CHARACTER_COUNT)
    doubts = dict.fromkeys(HUMAN_ASPECTS, Reason.NO_DETECTION)
    return FrameJudgement(
        subject.key,
        frame.frame,
        Verdict.NOT_ASSESSABLE,
        scores=dict(whole),
        verdicts=dict.fromkeys(doubts, Verdict.NOT_ASSESSABLE),
        doubts=doubts,
        reasons=tuple(reasons),
    )


def _judge_whole(subject: Subject, table: _Table) -> FrameJudgement:
    """Judge a character without a face: the whole frame is searched for it."""
    frame = table.frame
    scores = dict(table.scores.get((subject.key, WHOLE_FRAME), {}))
    counted = table.profile.counted(subject.kind)
    doubts = {aspect: Reason.NO_DETECTION for aspect in counted[:1] if aspect not in scores}
    copy = table.copies.get((subject.key, WHOLE_FRAME), 0.0)
    judged = _verdict(subject, table, scores, doubts, None, copy)
    if judged.verdict is Verdict.FAIL and not subject.expected:
        # nothing like it was found, and nobody said that it had to be there
        doubts = dict.fromkeys(counted, Reason.NO_DETECTION)
        judged = _verdict(subject, table, {}, doubts, None, copy)
    return FrameJudgement(
        subject.key,
        frame.frame,
        judged.verdict,
        box=table.boxes.get(subject.key),
        scores=scores,
        verdicts=judged.verdicts,
        doubts=doubts,
        reasons=judged.reasons,
        copy=copy,
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    verdict: Verdict
    verdicts: Mapping[Aspect, Verdict]
    reasons: tuple[Reason, ...]


def _verdict(
    subject: Subject,
    table: _Table,
    scores: Mapping[Aspect, float],
    doubts: Mapping[Aspect, Reason],
    size: ShotSize | None,
    copy: float,
) -> _Judged:
    verdicts = table.verdicts(scores, doubts, size)
    counted = table.profile.counted(subject.kind)
    verdict, reasons = decide(counted, verdicts, doubts)
    if copy >= table.profile.copy_ceiling:
        reasons = (*reasons, Reason.COPY_PASTE_SUSPECTED)
        verdict = Verdict.NEEDS_HUMAN if verdict is Verdict.PASS else verdict
    return _Judged(verdict, verdicts, reasons)


def decide(
    counted: Sequence[Aspect], verdicts: Mapping[Aspect, Verdict], doubts: Mapping[Aspect, Reason]
) -> tuple[Verdict, tuple[Reason, ...]]:
    """Return the verdict of what counts, with its reasons; the first counted aspect carries the identity.

    One that fails, fails it; one in doubt sends it to a person; a pass needs the identity seen and passed.
    """
    failed = tuple(MISMATCH[aspect] for aspect in counted if verdicts.get(aspect) is Verdict.FAIL)
    unseen = tuple(dict.fromkeys(doubts[aspect] for aspect in counted if aspect in doubts))
    if failed:
        return Verdict.FAIL, failed + unseen
    if any(verdicts.get(aspect) is Verdict.NEEDS_HUMAN for aspect in counted):
        return Verdict.NEEDS_HUMAN, (Reason.NEAR_THRESHOLD, *unseen)
    if verdicts.get(counted[0]) is Verdict.PASS:
        return Verdict.PASS, unseen
    return Verdict.NOT_ASSESSABLE, unseen or (Reason.NO_DETECTION,)


def _instead(figure: int, places: Mapping[str, int | None], table: _Table) -> str | None:
    """Return who of the cast, seen nowhere else, has the face that stands in a subject's place."""
    fits = [
        (table.likeness(key, figure), key)
        for key, place in table.faces
        if place == figure and places.get(key) is None and table.face(key, figure) is Verdict.PASS
    ]
    return max(fits)[1] if fits else None


def _seen_twice(subject: Subject, places: Mapping[str, int | None], table: _Table) -> bool:
    """Say whether a second face, nobody else's, passes as this subject too."""
    taken = set(places.values())
    for figure in range(len(table.frame.figures)):
        if figure in taken or table.face(subject.key, figure) is not Verdict.PASS:
            continue
        rivals = [
            table.likeness(key, figure)
            for key, place in table.faces
            if place == figure and table.who(key) != table.who(subject.key)
        ]
        if table.likeness(subject.key, figure) >= max(rivals, default=-math.inf):
            return True
    return False


def _mark_swapped(people: Sequence[Subject], judged: dict[str, FrameJudgement], table: _Table) -> None:
    """Two people who stand in each other's place, or wear each other's clothes. The face says who is who."""
    for at, one in enumerate(people):
        for other in people[at + 1 :]:
            a, b = judged[one.key], judged[other.key]
            if a.figure is None or b.figure is None:
                continue
            if _places_crossed(one, other, a, b) or _dressed_as_each_other(a, b, table):
                judged[one.key] = _swapped(a)
                judged[other.key] = _swapped(b)


def _places_crossed(one: Subject, other: Subject, a: FrameJudgement, b: FrameJudgement) -> bool:
    if one.place is None or other.place is None or a.box is None or b.box is None:
        return False
    if not all(each.verdicts.get(Aspect.FACE) is Verdict.PASS for each in (a, b)):
        return False  # whoever isn't recognised can't be called swapped
    centre = [each.box.left + each.box.width / 2 for each in (a, b) if each.box is not None]
    return (one.place < other.place) != (centre[0] < centre[1]) and one.place != other.place


def _dressed_as_each_other(a: FrameJudgement, b: FrameJudgement, table: _Table) -> bool:
    for aspect in (Aspect.WARDROBE, Aspect.HAIR):
        if not all(each.verdicts.get(aspect) is Verdict.FAIL for each in (a, b)):
            continue
        crossed = []
        for key, other in ((a.key, b), (b.key, a)):
            p = table.scores.get((key, other.figure if other.figure is not None else WHOLE_FRAME), {}).get(
                aspect
            )
            crossed.append(
                p is not None and table.verdicts({aspect: p}, {}, other.shot_size)[aspect] is Verdict.PASS
            )
        if all(crossed):
            return True
    return False


def _swapped(judged: FrameJudgement) -> FrameJudgement:
    if Reason.SWAPPED_CHARACTERS in judged.reasons:
        return judged
    return replace(judged, verdict=Verdict.FAIL, reasons=(*judged.reasons, Reason.SWAPPED_CHARACTERS))
