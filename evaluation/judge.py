"""Questions put to what the product ships: its evaluator sees and compares, its domain judges. Nothing is judged here."""

import asyncio
import mimetypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from circletake.domain.consistency.calibration import Calibrations, probability
from circletake.domain.consistency.judging import judge_frame
from circletake.domain.consistency.materials import MaterialJudgement, judge_material
from circletake.domain.consistency.profiles import Profile
from circletake.domain.consistency.subjects import WHOLE_FRAME, FrameJudgement, Subject
from circletake.domain.consistency.words import Aspect, CharacterKind, Verdict
from circletake.ports import CastMember, Evaluator, Figure, FrameSeen, Match, PictureRefused
from evaluation.questions import Answer, AspectAnswer, Cast, Member, Question

_TYPES = {".webp": "image/webp", ".tif": "image/tiff", ".tiff": "image/tiff"}


@dataclass(slots=True)
class Judge:
    """Answers questions about pictures; sees each picture once. `jobs` pictures are looked at side by side."""

    evaluator: Evaluator
    calibrations: Calibrations
    profile: Profile
    jobs: int = 2
    refused: dict[Path, str] = field(default_factory=dict)
    _people: dict[Path, FrameSeen] = field(default_factory=dict)
    _scenes: dict[Path, FrameSeen] = field(default_factory=dict)

    async def look(self, pictures: Iterable[Path], *, scene: bool = False, expected: int = 1) -> None:
        """See these pictures, for people or (`scene`) as whole frames, unless they were seen already."""
        seen = self._scenes if scene else self._people
        turns = asyncio.Semaphore(self.jobs)

        async def one(path: Path) -> None:
            async with turns:
                kind = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "image/jpeg"
                try:
                    frames = await self.evaluator.see(
                        path, kind, frames=[0], people=not scene, scene=scene, expected=expected
                    )
                except PictureRefused as refused:
                    self.refused[path] = str(refused)
                else:
                    seen[path] = frames[0]

        wanted = [path for path in dict.fromkeys(pictures) if path not in seen and path not in self.refused]
        await asyncio.gather(*(one(path) for path in wanted))

    def figure(self, path: Path) -> Figure | None:
        """Return the largest face of a picture that was looked at."""
        seen = self._people.get(path)
        return max(seen.figures, key=lambda figure: figure.face_px, default=None) if seen else None

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer in order. Questions about the same cast are compared in one call."""
        await self._prepare(questions)
        answers: dict[int, Answer] = {}
        groups: dict[tuple[Cast, bool], list[int]] = {}
        for place, question in enumerate(questions):
            groups.setdefault((question.cast, question.lone), []).append(place)
        turns = asyncio.Semaphore(self.jobs)

        async def one(cast: Cast, places: Sequence[int]) -> None:
            async with turns:
                answers.update(await self._ask(cast, {place: questions[place] for place in places}))

        await asyncio.gather(*(one(cast, places) for (cast, _), places in groups.items()))
        return [answers[place] for place in range(len(questions))]

    async def _ask(self, cast: Cast, questions: Mapping[int, Question]) -> dict[int, Answer]:
        members = [self._member(member) for member in cast]
        usable = [member for member in members if member.references]
        frames = {place: self._frame(question, members) for place, question in questions.items()}
        # one picture is often asked about several members of the cast: it is compared with all of them anyway
        once = {_view(questions[place]): frame for place, frame in frames.items() if frame is not None}
        said = dict(zip(once, await self.evaluator.compare(usable, list(once.values())), strict=True))
        return {
            place: Answer(Verdict.NOT_ASSESSABLE, None)
            if frame is None
            else self._answer(questions[place], frame, said[_view(questions[place])])
            for place, frame in frames.items()
        }

    async def _prepare(self, questions: Sequence[Question]) -> None:
        people: dict[Path, int] = {}
        scenes: dict[Path, None] = {}
        for question in questions:
            for member in question.cast:
                for path in member.references:
                    if member.kind is CharacterKind.HUMAN:
                        people.setdefault(path, 1)
                    else:
                        scenes[path] = None
            if _kind(question) is CharacterKind.HUMAN:
                people[question.picture] = max(people.get(question.picture, 1), len(question.expected))
            else:
                scenes[question.picture] = None
        for expected in sorted(set(people.values())):
            await self.look([path for path, count in people.items() if count == expected], expected=expected)
        await self.look(scenes, scene=True)

    def _member(self, member: Member) -> CastMember:
        features: list[bytes] = []
        for path in member.references:
            if member.kind is CharacterKind.HUMAN:
                figure = self.figure(path)
                features += [figure.features] if figure else []
            elif path in self._scenes:
                features.append(self._scenes[path].scene)
        return CastMember(member.key, member.kind, features, member.identity)

    def _frame(self, question: Question, members: Sequence[CastMember]) -> FrameSeen | None:
        human = _kind(question) is CharacterKind.HUMAN
        frame = (self._people if human else self._scenes).get(question.picture)
        own = next(member for member in members if member.key == question.asked)
        if frame is None or not own.references:
            return None
        if question.lone and len(frame.figures) > 1:
            return replace(frame, figures=[max(frame.figures, key=lambda figure: figure.face_px)])
        return frame

    def _answer(self, question: Question, frame: FrameSeen, matches: Sequence[Match]) -> Answer:
        keys = question.expected or (question.asked,)
        kinds = {member.key: member for member in question.cast}
        human = _kind(question) is CharacterKind.HUMAN
        keys = tuple(key for key in keys if (kinds[key].kind is CharacterKind.HUMAN) == human)
        subjects = [Subject(key, kinds[key].kind, identity=kinds[key].identity) for key in keys]
        judged = judge_frame(subjects, frame, {self.evaluator.id: matches}, self.calibrations, self.profile)
        own = next(each for each in judged if each.key == question.asked)
        told = judge_material([own], self.profile, kinds[question.asked].kind, margins=self._margins())
        return self._read(question, own, told, matches)

    def _margins(self) -> dict[Aspect, float]:
        own = {aspect: self.calibrations.get(self.evaluator.id, aspect) for aspect in Aspect}
        return {aspect: each.margin for aspect, each in own.items() if each is not None}

    def _read(
        self, question: Question, judged: FrameJudgement, told: MaterialJudgement, matches: Sequence[Match]
    ) -> Answer:
        figure = WHOLE_FRAME if judged.figure is None else judged.figure
        values = _values(matches, question.asked, figure)
        aspects: dict[Aspect, AspectAnswer] = {}
        for aspect in {**told.verdicts, **values}:
            raw = tuple(values.get(aspect, ()))
            p = judged.scores.get(aspect)
            if p is None and raw:
                calibration = self.calibrations.get(self.evaluator.id, aspect)
                p = probability(calibration, raw, prior=self.profile.prior) if calibration else None
            doubt = judged.doubts.get(aspect)
            verdict = told.verdicts.get(aspect, Verdict.NOT_ASSESSABLE)
            aspects[aspect] = AspectAnswer(p, raw, verdict, (doubt,) if doubt else ())
        counted = [
            judged.scores[aspect]
            for aspect in self.profile.counted(_kind(question))
            if aspect in judged.scores
        ]
        return Answer(
            told.verdict,
            min(counted, default=None),
            aspects,
            told.reasons,
            judged.face_px or 0.0,
            told,
        )


def _view(question: Question) -> tuple[Path, bool]:
    return question.picture, _kind(question) is CharacterKind.HUMAN


def _kind(question: Question) -> CharacterKind:
    return next(member.kind for member in question.cast if member.key == question.asked)


def _values(matches: Sequence[Match], key: str, figure: int) -> Mapping[Aspect, Sequence[float]]:
    return next((match.values for match in matches if match.key == key and match.figure == figure), {})
