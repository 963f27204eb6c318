"""Whole sequences in story order: which shots break, which can't be judged, does it drift?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from circletake.domain.consistency.sequences import SequenceJudgement, SequenceShot, judge_sequence
from circletake.domain.consistency.words import Verdict
from evaluation.folder import Truth
from evaluation.judge import Judge
from evaluation.making import Maker
from evaluation.metrics import of, share
from evaluation.plans import Plan, PlannedShot
from evaluation.questions import Answer, Question, Row


@dataclass(frozen=True, slots=True)
class Judged:
    """One shot with what was said of everybody in it."""

    plan: Plan
    shot: PlannedShot
    said: Verdict
    answers: Sequence[tuple[str, Answer]]
    drifted: bool  # a slow drift of somebody in it has reached this shot

    @property
    def flagged(self) -> bool:
        return self.said is Verdict.FAIL or self.drifted

    @property
    def right(self) -> bool:
        """Sorted rightly into broken, not to be judged, and neither; a person's look isn't an alarm."""
        if self.shot.truth is Truth.NOT_ASSESSABLE:
            return self.said is Verdict.NOT_ASSESSABLE
        if self.shot.truth is Truth.BREAK:
            return self.flagged
        return not self.flagged and self.said is not Verdict.NOT_ASSESSABLE


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    shots: Sequence[Judged]
    judgements: Sequence[SequenceJudgement]

    @property
    def drifts(self) -> bool:
        return any(drift.kind == "slow_drift" for judged in self.judgements for drift in judged.drifts)


async def judged(judge: Judge, maker: Maker, plans: Sequence[Plan]) -> list[Outcome]:
    recipes = {shot.recipe.target: shot.recipe for plan in plans for shot in plan.shots if shot.recipe}
    made = await maker.make(list(recipes.values()))
    outcomes = []
    for plan in plans:
        shots = [shot for shot in plan.shots if shot.subjects and (not shot.recipe or shot.picture in made)]
        outcomes.append(await _one(judge, plan, shots))
    return outcomes


async def _one(judge: Judge, plan: Plan, shots: Sequence[PlannedShot]) -> Outcome:
    questions = [
        Question(shot.picture, plan.cast, key, expected=tuple(shot.subjects.values()))
        for shot in shots
        for key in shot.subjects.values()
    ]
    answers = iter(await judge.ask(questions))
    by_shot = [{name: next(answers) for name in shot.subjects} for shot in shots]
    kinds = {member.key: member.kind for member in plan.cast}
    judgements, drifted = [], set()
    for name in dict.fromkeys(name for shot in shots for name in shot.subjects):
        key = next(shot.subjects[name] for shot in shots if name in shot.subjects)
        line = [
            SequenceShot(
                str(at), answered[name].judgement if name in answered else None, shot.subjects.get(name, "")
            )
            for at, (shot, answered) in enumerate(zip(shots, by_shot, strict=True))
        ]
        found = judge_sequence(line, {}, judge.profile, kinds[key])
        judgements.append(found)
        for drift in found.drifts:
            if drift.kind == "slow_drift":
                drifted |= set(range(int(drift.since), len(shots)))
    return Outcome(
        plan,
        [
            Judged(plan, shot, _worst(answered), list(answered.items()), at in drifted)
            for at, (shot, answered) in enumerate(zip(shots, by_shot, strict=True))
        ],
        judgements,
    )


def _worst(answers: dict[str, Answer]) -> Verdict:
    order = (Verdict.FAIL, Verdict.NOT_ASSESSABLE, Verdict.NEEDS_HUMAN, Verdict.PASS)
    return min((answer.verdict for answer in answers.values()), key=order.index)


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    made = []
    for outcome in outcomes:
        for each in outcome.shots:
            for name, answer in each.answers:
                made.append(
                    Row(
                        part="sequence",
                        group=outcome.plan.name,
                        aspect="",
                        subject=name,
                        references=_references(outcome.plan, each.shot.subjects[name]),
                        query=each.shot.name,
                        same=None if each.shot.truth is None else each.shot.truth is not Truth.BREAK,
                        score=answer.score,
                        values=[],
                        verdict=answer.verdict.value,
                        grade=each.shot.truth.value if each.shot.truth else "either",
                        reasons=[
                            *(reason.value for reason in answer.reasons),
                            *(["slow_drift"] if each.drifted else []),
                        ],
                    )
                )
    return made


def _references(plan: Plan, key: str) -> list[str]:
    own = next(member for member in plan.cast if member.key == key)
    return [f"{path.parent.name}/{path.name}" for path in own.references]


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Recall and false alarm over shots, accuracy over three answers; per kind of fault; drift per sequence."""
    if not any(outcome.shots for outcome in outcomes):
        return None
    kinds = dict.fromkeys(outcome.plan.kind for outcome in outcomes)
    known = [outcome for outcome in outcomes if outcome.plan.drifts is not None]
    drifting = [outcome for outcome in known if outcome.plan.drifts]
    steady = [outcome for outcome in known if not outcome.plan.drifts]
    return {
        **_figures(outcomes),
        "sequences": len(outcomes),
        "drift_found": of(share([each.drifts for each in drifting], [each.plan.name for each in drifting])),
        "drift_false": of(share([each.drifts for each in steady], [each.plan.name for each in steady])),
        "kinds": {kind: _figures([each for each in outcomes if each.plan.kind == kind]) for kind in kinds},
    }


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    shots = [shot for outcome in outcomes for shot in outcome.shots if shot.shot.truth is not None]
    broken = [shot for shot in shots if shot.shot.truth is Truth.BREAK]
    others = [shot for shot in shots if shot.shot.truth is Truth.OK]
    names = [shot.plan.name for shot in shots]
    accuracy = share([shot.right for shot in shots], names)
    return {
        "recall": of(share([shot.flagged for shot in broken], [""] * len(broken))),
        "false_alarm": of(share([shot.flagged for shot in others], [""] * len(others))),
        "accuracy": of(accuracy),
        "needs_human": of(share([shot.said is Verdict.NEEDS_HUMAN for shot in shots], names)),
        "shots": len(shots),
        "ci": {"accuracy": (accuracy or {}).get("ci")},
    }
