"""What is made from the folder's people: graded drift, and shots that nobody can judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circletake.domain.consistency.words import CharacterKind, ShotSize, Verdict
from evaluation.folder import Picture
from evaluation.judge import Judge
from evaluation.making import SHARES, Half, Maker, Recipe
from evaluation.metrics import of, share
from evaluation.questions import Answer, Cast, Member, Question, Row
from evaluation.who import Who, rest

BASES = 12
_REFERENCES = 3
_CAST = 12
MORPHS = (10, 20, 30, 40, 50, 60)
_AT_SIZES = (50,)
_TOO_SMALL = (9.0, 12.0)  # pixels between the eyes; the shipped minimum is 13


@dataclass(frozen=True, slots=True)
class Made:
    """A picture to make and ask about. `truth` is the verdict that would be right, None where two could be."""

    grade: str
    base: Picture
    recipe: Recipe
    cast: Cast
    truth: Verdict | None


@dataclass(frozen=True, slots=True)
class Judged:
    made: Made
    answer: Answer


def bases(who: Who, count: int = BASES) -> list[Picture]:
    """Pictures of people with references to spare, in turn over the people, so that none outweighs the others."""
    people = [pictures for pictures in {**who.faces, **who.humans}.values() if len(pictures) > 1]
    longest = max((len(pictures) for pictures in people), default=0)
    turns = [pictures[turn] for turn in range(longest) for pictures in people if turn < len(pictures)]
    return turns[:count]


def cast_without(who: Who, base: Picture) -> Cast:
    """The cast that a shot made from this picture is judged in; nobody's reference is this picture."""
    people = who.faces if base.subject in who.faces else who.humans
    names = [base.subject, *(name for name in people if name != base.subject)][:_CAST]
    return tuple(
        Member(
            name,
            CharacterKind.HUMAN,
            tuple(picture.path for picture in rest(people[name], base, _REFERENCES)),
        )
        for name in names
    )


def stranger(who: Who, base: Picture, turn: int) -> Picture:
    """Somebody else to drift toward, another one each time."""
    people = who.faces if base.subject in who.faces else who.humans
    names = [name for name in people if name != base.subject] or [base.subject]
    pictures = people[names[turn % len(names)]]
    return pictures[turn % len(pictures)]


async def judged(judge: Judge, maker: Maker, wanted: Sequence[Made]) -> list[Judged]:
    made = await maker.make([each.recipe for each in wanted])
    asked = [each for each in wanted if each.recipe.target in made]
    answers = await judge.ask([Question(each.recipe.target, each.cast, each.base.subject) for each in asked])
    return [Judged(each, answer) for each, answer in zip(asked, answers, strict=True)]


def rows(part: str, found: Sequence[Judged]) -> list[Row]:
    made = []
    for each in found:
        for aspect, own in each.answer.aspects.items():
            made.append(
                Row(
                    part=part,
                    group="made",
                    aspect=aspect.value,
                    subject=each.made.base.subject,
                    references=_names(each.made),
                    query=each.made.base.name,
                    same=None if each.made.truth is None else each.made.truth is not Verdict.FAIL,
                    score=own.probability,
                    values=own.values,
                    verdict=each.answer.verdict.value,
                    aspect_verdict=own.verdict.value,
                    grade=each.made.grade,
                    reasons=[reason.value for reason in each.answer.reasons],
                )
            )
    return made


def _names(made: Made) -> list[str]:
    own = next(member for member in made.cast if member.key == made.base.subject)
    return [f"{path.parent.name}/{path.name}" for path in own.references]


def counts(found: Sequence[Judged]) -> dict[str, int]:
    total = dict.fromkeys((verdict.value for verdict in Verdict), 0)
    for each in found:
        total[each.answer.verdict.value] += 1
    return total


async def grades(
    who: Who, judge: Judge, maker: Maker, into: Path, count: int = BASES
) -> tuple[dict[str, Any] | None, list[Row]]:
    """Drift by degrees, ageing, and harmless changes, at the shipped threshold."""
    wanted = []
    for turn, base in enumerate(bases(who, count)):
        other, cast = stranger(who, base, turn), cast_without(who, base)
        for grade, steps, truth in _graded():
            half = Half(base.path, steps, other.path)
            target = into / "grades" / f"{turn:03d}_{grade.replace(' ', '_')}.png"
            if truth is Verdict.FAIL and other.subject == base.subject:
                continue  # one person alone has nobody to drift toward
            wanted.append(Made(grade, base, Recipe(target, half), cast, truth))
    found = await judged(judge, maker, wanted)
    if not found:
        return None, []
    by_grade: dict[str, list[Judged]] = {}
    for each in found:
        by_grade.setdefault(each.made.grade, []).append(each)
    return {grade: _grade(each) for grade, each in by_grade.items()}, rows("grades", found)


def _graded() -> list[tuple[str, tuple[tuple[str, float], ...], Verdict | None]]:
    found: list[tuple[str, tuple[tuple[str, float], ...], Verdict | None]] = [
        ("untouched", (), Verdict.PASS),
        *((f"morph {percent}", (("morphed", percent / 100),), Verdict.FAIL) for percent in MORPHS),
        ("aged", (("aged", 1.0),), None),
        ("profile", (("turned", 55.0),), Verdict.PASS),
        ("blurred", (("blurred", 0.06),), Verdict.PASS),
        ("dark", (("exposed", -2.0),), Verdict.PASS),
        ("compressed", (("jpeg", 15.0),), Verdict.PASS),
    ]
    for size in ShotSize:
        frame = ("framed", SHARES[size])
        found.append((f"{size.value} untouched", (frame,), Verdict.PASS))
        found += [
            (f"{size.value} morph {percent}", (("morphed", percent / 100), frame), Verdict.FAIL)
            for percent in _AT_SIZES
        ]
    return found


def _grade(found: Sequence[Judged]) -> dict[str, Any]:
    """Share called a break, share sent to a person or called a break, and all verdicts."""
    people = [each.made.base.subject for each in found]
    failed = share([each.answer.verdict is Verdict.FAIL for each in found], people)
    doubted = share([each.answer.verdict in {Verdict.FAIL, Verdict.NEEDS_HUMAN} for each in found], people)
    truth = found[0].made.truth
    name = "recall" if truth is Verdict.FAIL else "called_break" if truth is None else "false_alarm"
    return {
        name: of(failed),
        "ci": (failed or {}).get("ci"),
        "flagged": of(doubted),
        "verdicts": counts(found),
    }


_HIDDEN: Mapping[str, tuple[tuple[str, float], ...]] = {
    "face covered": (("covered", 1.0),),
    "helmet": (("helmet", 1.0),),
    "back of head": (("behind", 1.0),),
    "head out of frame": (("headless", 1.0),),
    **{f"face of {eyes:.0f} px": (("far", eyes),) for eyes in _TOO_SMALL},
}
_SEEN: Mapping[str, tuple[tuple[str, float], ...]] = {
    "untouched": (),
    "MCU": (("framed", SHARES[ShotSize.MCU]),),
    "MS": (("framed", SHARES[ShotSize.MS]),),
}


async def hidden(
    who: Who, judge: Judge, maker: Maker, into: Path, count: int = BASES
) -> tuple[dict[str, Any] | None, list[Row]]:
    """Shots without a face to judge beside shots with one. Too small a face must never fail, whosever it is."""
    wanted = []
    for turn, base in enumerate(bases(who, count)):
        cast, other = cast_without(who, base), stranger(who, base, turn)
        for group, truth in ((_HIDDEN, Verdict.NOT_ASSESSABLE), (_SEEN, Verdict.PASS)):
            for grade, steps in group.items():
                target = into / "hidden" / f"{turn:03d}_{grade.replace(' ', '_')}.png"
                wanted.append(Made(grade, base, Recipe(target, Half(base.path, steps)), cast, truth))
        for eyes in _TOO_SMALL if other.subject != base.subject else ():
            grade = f"somebody else's face of {eyes:.0f} px"
            target = into / "hidden" / f"{turn:03d}_other_{eyes:.0f}.png"
            half = Half(other.path, (("far", eyes),))
            wanted.append(Made(grade, base, Recipe(target, half), cast, Verdict.NOT_ASSESSABLE))
    found = await judged(judge, maker, wanted)
    if not found:
        return None, []
    return {**unseen_figures([(each.made.truth, each.answer.verdict, each.made.base.subject) for each in found]),
            "small_faces": sum("px" in each.made.grade for each in found),
            "small_faces_failed": sum(
                "px" in each.made.grade and each.answer.verdict is Verdict.FAIL for each in found
            ),
            "verdicts": _by_grade(found)}, rows("not_assessable", found)  # fmt: skip


def _by_grade(found: Sequence[Judged]) -> dict[str, dict[str, int]]:
    grades_ = dict.fromkeys(each.made.grade for each in found)
    return {grade: counts([each for each in found if each.made.grade == grade]) for grade in grades_}


def unseen_figures(found: Sequence[tuple[Verdict | None, Verdict, str]]) -> dict[str, Any]:
    """Recall: shots nobody can judge that are called so. False alarm: others that are. Accuracy: both right."""
    known = [
        (truth is Verdict.NOT_ASSESSABLE, said is Verdict.NOT_ASSESSABLE, who) for truth, said, who in found
    ]
    right = share([truth == said for truth, said, _ in known], [who for _, _, who in known])
    recall = share([said for truth, said, _ in known if truth], [who for truth, _, who in known if truth])
    alarm = share(
        [said for truth, said, _ in known if not truth], [who for truth, _, who in known if not truth]
    )
    return {
        "recall": of(recall),
        "false_alarm": of(alarm),
        "accuracy": of(right),
        "shots": len(known),
        "ci": {"accuracy": (right or {}).get("ci"), "recall": (recall or {}).get("ci")},
    }
