"""Pairs: is a picture of the same person, or the same subject, as one, two or three references?"""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circletake.domain.consistency.words import Aspect, CharacterKind, Verdict
from evaluation.folder import Folder, Pair, Picture
from evaluation.judge import Judge
from evaluation.leftout import Seen, left_out
from evaluation.metrics import Scored, figures, of, share
from evaluation.questions import Answer, Cast, Member, Question, Row
from evaluation.who import Who, rest

_STRANGERS = (
    100  # different people asked per set of references; enough for an error rate of one in a thousand
)
_ROUNDS = 3
_CAST = 40  # members of a cast at most; a larger folder is cut into several


@dataclass(frozen=True, slots=True)
class Asked:
    question: Question
    same: bool
    subject: str
    other: str
    references: tuple[str, ...]
    query: str
    group: str


@dataclass(frozen=True, slots=True)
class Outcome:
    asked: Asked
    answer: Answer


async def answered(judge: Judge, asked: Sequence[Asked]) -> list[Outcome]:
    answers = await judge.ask([each.question for each in asked])
    return [Outcome(each, answer) for each, answer in zip(asked, answers, strict=True)]


def rows(part: str, aspect: Aspect, outcomes: Sequence[Outcome]) -> list[Row]:
    made = []
    for each in outcomes:
        found = each.answer.aspects.get(aspect)
        made.append(
            Row(
                part=part,
                group=each.asked.group,
                aspect=aspect.value,
                subject=each.asked.subject,
                references=each.asked.references,
                query=each.asked.query,
                same=each.asked.same,
                score=found.probability if found else None,
                values=found.values if found else (),
                verdict=each.answer.verdict.value,
                aspect_verdict=found.verdict.value if found else "",
                reasons=[reason.value for reason in each.answer.reasons],
            )
        )
    return made


def scored(aspect: Aspect, outcomes: Sequence[Outcome]) -> list[Scored]:
    """Every pair that has a probability, also where the judge found the picture too poor to say so."""
    found = []
    for each in outcomes:
        p = each.answer.probability(aspect)
        if p is not None:
            found.append(Scored(each.asked.same, p, each.asked.subject, each.asked.other))
    return found


def _seen(aspect: Aspect, outcomes: Sequence[Outcome]) -> list[Seen]:
    return [
        Seen(found.values, each.asked.same, each.asked.subject, each.asked.other)
        for each in outcomes
        if (found := each.answer.aspects.get(aspect)) is not None and found.values
    ]


def summary(aspect: Aspect, outcomes: Sequence[Outcome], references: int) -> dict[str, Any] | None:
    """Figures over pairs, what the shipped thresholds made of them, and each source for itself."""
    found = figures(scored(aspect, outcomes))
    if found is None:
        return None
    same = [each for each in outcomes if each.asked.same]
    other = [each for each in outcomes if not each.asked.same]
    accepted = [
        each.answer.aspects[aspect].verdict is Verdict.PASS for each in other if aspect in each.answer.aspects
    ]
    turned = [
        each.answer.aspects[aspect].verdict is not Verdict.PASS
        for each in same
        if aspect in each.answer.aspects
    ]
    found |= {
        "references": references,
        "false_accept": of(share(accepted, ["all"] * len(accepted))),
        "false_reject": of(share(turned, ["all"] * len(turned))),
        "false_reject_failed": _verdicts(aspect, same).get("fail", 0) / max(1, len(same)),
        "verdicts_same": _verdicts(aspect, same),
        "verdicts_different": _verdicts(aspect, other),
        "unscored": sum(each.answer.probability(aspect) is None for each in outcomes),
    }
    groups = sorted({each.asked.group for each in outcomes})
    if len(groups) > 1:
        found["sources"] = {
            group: figures(scored(aspect, [each for each in outcomes if each.asked.group == group]))
            for group in groups
        }
    return found


def _verdicts(aspect: Aspect, outcomes: Sequence[Outcome]) -> dict[str, int]:
    counts = dict.fromkeys((verdict.value for verdict in Verdict), 0)
    for each in outcomes:
        found = each.answer.aspects.get(aspect)
        counts[(found.verdict if found else Verdict.NOT_ASSESSABLE).value] += 1
    return counts


async def faces(folder: Folder, who: Who, judge: Judge) -> tuple[dict[str, Any] | None, list[Row]]:
    """People: pairs from one reference, sets of three, and characters of one cast from two."""
    one = await answered(judge, _face_pairs(folder, who))
    three = await answered(judge, _threes(who))
    two = await answered(judge, _in_cast(who.humans, 2, who.kinds))
    found = {
        "from_one": summary(Aspect.FACE, one, 1),
        "from_three": summary(Aspect.FACE, three, 3),
        "from_two": summary(Aspect.FACE, two, 2),
    }
    written = [
        row
        for part, outcomes in (("face_one", one), ("face_three", three), ("face_two", two))
        for row in rows(part, Aspect.FACE, outcomes)
    ]
    if not any(found.values()):
        return None, written
    main = next(each for each in found.values() if each)
    flat = {name: value for name, value in main.items() if name != "sources"}
    return {**flat, "pairs_from": "pairs_faces.csv" if folder.face_pairs else "characters", **found}, written


def _face_pairs(folder: Folder, who: Who) -> list[Asked]:
    pairs = folder.face_pairs
    if not pairs:
        known = [picture for pictures in (who.faces or who.humans).values() for picture in pictures]
        pairs = [Pair(a.name, b.name, a.subject == b.subject) for a, b in itertools.combinations(known, 2)]
    return [_pair(pair, folder.pictures) for pair in pairs]


def _pair(pair: Pair, pictures: Mapping[str, Picture]) -> Asked:
    a, b = pictures[pair.a], pictures[pair.b]
    cast = (Member(a.subject, CharacterKind.HUMAN, (a.path,)),)
    # a folder may give every picture a subject of its own: the list of pairs has the last word
    other = a.subject if pair.same else b.subject if b.subject != a.subject else f"not {a.subject}"
    return Asked(
        Question(b.path, cast, a.subject, lone=True),
        pair.same,
        a.subject,
        other,
        (pair.a,),
        pair.b,
        pair.source or a.source,
    )


def _threes(who: Who) -> list[Asked]:
    """From three references, each person for themselves: nobody else's references are known."""
    people = who.faces or who.humans
    everybody = [picture for pictures in people.values() for picture in pictures]
    asked = []
    for name, pictures in people.items():
        if len(pictures) < 4:
            continue
        strangers = [picture for picture in everybody if picture.subject != name]
        for turn in range(min(_ROUNDS, len(pictures))):
            references = rest(pictures, None, 3, turn)
            cast = (Member(name, CharacterKind.HUMAN, tuple(each.path for each in references)),)
            own = [picture for picture in pictures if picture not in references]
            chance = random.Random(f"{name} {turn}")  # noqa: S311 - the same draw every time is what is wanted
            others = chance.sample(strangers, min(_STRANGERS, len(strangers)))
            asked += [_one(cast, name, references, query) for query in [*own, *others]]
    return asked


def _one(cast: Cast, name: str, references: Sequence[Picture], query: Picture) -> Asked:
    return Asked(
        Question(query.path, cast, name, lone=True),
        query.subject == name,
        name,
        query.subject,
        tuple(each.name for each in references),
        query.name,
        query.source,
    )


def _in_cast(
    people: Mapping[str, Sequence[Picture]], count: int, kinds: Mapping[str, CharacterKind]
) -> list[Asked]:
    """Every picture that is nobody's reference against every member of the cast; other references each round."""
    enough = {name: pictures for name, pictures in people.items() if len(pictures) > count}
    asked = []
    for group in _groups(enough):
        for turn in range(_ROUNDS):
            references = {name: rest(pictures, None, count, turn) for name, pictures in group.items()}
            cast = tuple(
                Member(name, kinds[name], tuple(each.path for each in chosen))
                for name, chosen in references.items()
            )
            used = {each.name for chosen in references.values() for each in chosen}
            queries = [each for pictures in group.values() for each in pictures if each.name not in used]
            asked += [_one(cast, name, references[name], query) for query in queries for name in group]
    return asked


def _groups(people: Mapping[str, Sequence[Picture]]) -> list[dict[str, Sequence[Picture]]]:
    """Casts: a source's subjects belong together; a crowd is cut."""
    by_source: dict[str, dict[str, Sequence[Picture]]] = {}
    for name, pictures in people.items():
        by_source.setdefault(pictures[0].source, {})[name] = pictures
    cut = []
    for subjects in by_source.values():
        names = list(subjects)
        cut += [
            {name: subjects[name] for name in names[start : start + _CAST]}
            for start in range(0, len(names), _CAST)
        ]
    return [group for group in cut if len(group) > 1]


async def looks(folder: Folder, who: Who, judge: Judge) -> tuple[dict[str, Any] | None, list[Row]]:
    """Whole subjects: pairs from one reference in their cast, and from two and three.

    Characters with a face are among them where the list has them, as the published figures do; `non_human` leaves
    them out.
    """
    listed = {folder.pictures[name].subject for pair in folder.look_pairs or () for name in (pair.a, pair.b)}
    everybody = {**who.others, **{name: who.humans[name] for name in who.humans if name in listed}}
    if not everybody:
        return None, []
    kinds = dict.fromkeys(everybody, CharacterKind.CREATURE) | {
        name: kind for name, kind in who.kinds.items() if name in who.others
    }
    one = await answered(judge, _look_pairs(folder, everybody, kinds))
    found: dict[str, Any] = {"from_one": summary(Aspect.OVERALL, one, 1)}
    written = rows("look_one", Aspect.OVERALL, one)
    for name, count in (("from_two", 2), ("from_three", 3)):
        outcomes = await answered(judge, _in_cast(everybody, count, kinds))
        found[name] = summary(Aspect.OVERALL, outcomes, count)
        if found[name]:
            found[name]["left_out"] = left_out(
                judge.evaluator.id, Aspect.OVERALL, _seen(Aspect.OVERALL, outcomes)
            )
        written += rows(name.replace("from", "look"), Aspect.OVERALL, outcomes)
        inside = found[name]
        if inside and who.humans:
            others = [
                each
                for each in outcomes
                if each.asked.subject in who.others and each.asked.other in who.others
            ]
            inside["non_human"] = figures(scored(Aspect.OVERALL, others))
    main = found["from_two"] or found["from_one"] or found["from_three"]
    if main is None:
        return None, written
    flat = {name: value for name, value in main.items() if name not in {"sources", "non_human"}}
    return {**flat, **found}, written


def _look_pairs(
    folder: Folder, everybody: Mapping[str, Sequence[Picture]], kinds: Mapping[str, CharacterKind]
) -> list[Asked]:
    """The listed pairs, each for itself: no cast says how much likeness means in it."""
    pairs = folder.look_pairs
    if pairs is None:
        pairs = [
            Pair(a.name, b.name, a.subject == b.subject, a.source)
            for group in _groups(everybody)
            for a, b in itertools.combinations([each for own in group.values() for each in own], 2)
        ]
    asked = []
    for pair in pairs:
        a, b = folder.pictures[pair.a], folder.pictures[pair.b]
        cast = (Member(a.subject, kinds.get(a.subject, CharacterKind.CREATURE), (a.path,)),)
        asked.append(
            Asked(
                Question(b.path, cast, a.subject),
                pair.same,
                a.subject,
                b.subject,
                (pair.a,),
                pair.b,
                pair.source,
            )
        )
    return asked
