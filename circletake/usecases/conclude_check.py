"""The end of a check: the shots seen together, then the continuity sheet.

The verdicts are told as soon as they are there (`consistency_check.judged`); `consistency_check.finished` comes when
the sheet is drawn, signed and published, so that whoever hears it finds it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import defer

from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.profiles import Profile
from circletake.domain.consistency.sequences import SequenceJudgement, SequenceShot, judge_sequence
from circletake.domain.consistency.words import Aspect, CharacterKind, Verdict
from circletake.kit import clock
from circletake.ports import CastMember, FrameSeen
from circletake.records.characters import Character, Look
from circletake.records.consistency import (
    CheckMaterial,
    CheckResult,
    CheckSubject,
    ConsistencyCheck,
    Judgement,
)
from circletake.records.context import Sequence as SequenceRecord
from circletake.records.context import Shot
from circletake.records.generations import Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.check_events import announce_check, worst
from circletake.usecases.draw_continuity import draw_continuity
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.judge_material import profiles_of
from circletake.usecases.observe_media import known_observations, part_of
from circletake.usecases.plan_check import CastLook, approved_cast
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence
from circletake.usecases.tools import TenantAtWork, Tools

PAIRS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CheckedShot:
    """One file of the check in story order, as people call it."""

    material: CheckMaterial
    label: str
    scene: str | None
    media_type: str
    judgements: Mapping[UUID, Judgement]  # by the check's subject


@dataclass(frozen=True, slots=True)
class CheckedSubject:
    id: UUID
    character_id: UUID
    name: str
    kind: CharacterKind


@dataclass(frozen=True, slots=True)
class Checked:
    """A check whose files are all judged."""

    step: ClaimedStep
    tenant: TenantAtWork
    check: ConsistencyCheck
    subjects: Sequence[CheckedSubject]
    shots: Sequence[CheckedShot]
    looks: Mapping[UUID, str]  # names
    cast: Sequence[CastLook]
    profiles: Mapping[str, Profile]  # by the look's key

    def profile(self, subject: CheckedSubject) -> Profile:
        """The profile of this subject: of all its looks one, as profiles are a character's."""
        return next(
            self.profiles[look.key] for look in self.cast if look.character_id == subject.character_id
        )


async def conclude_check(tools: Tools, step: ClaimedStep) -> None:
    """Run a `conclude` step: `subject_id` is the check. What is recorded already isn't done again."""
    tenant = await tools.tenant(step.tenant_id)
    checked = await _read(tools, tenant, step)
    if checked is None:
        return
    if checked.check.judged_at is None:
        await _judge_together(tools, checked)
    await draw_continuity(tools, checked)


async def _read(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> Checked | None:
    async with tools.database.tenant(step.tenant_id) as session:
        check = await session.get_one(ConsistencyCheck, step.subject_id)
        if check.finished_at is not None:
            await end_step(session, step)
            return None
        subjects = await _subjects(session, check.id)
        shots = await _shots(session, check)
        cast = await approved_cast(session, check.production_id)
        look_ids = {each.look_id for shot in shots for each in shot.judgements.values()}
        looks = (await session.execute(select(Look.id, Look.name).where(Look.id.in_(look_ids)))).all()
    with_looks = {look.character_id for look in cast}
    return Checked(
        step=step,
        tenant=tenant,
        check=check,
        subjects=[each for each in subjects if each.character_id in with_looks],
        shots=shots,
        looks={row.id: row.name for row in looks},
        cast=cast,
        profiles=profiles_of(check, cast),
    )


async def _subjects(session: TenantSession, check_id: UUID) -> list[CheckedSubject]:
    rows = await session.execute(
        select(CheckSubject.id, Character.id, Character.script_name, Character.kind)
        .join(Character, Character.id == CheckSubject.character_id)
        .where(CheckSubject.check_id == check_id)
        .order_by(CheckSubject.position)
    )
    return [CheckedSubject(own, character, name, CharacterKind(kind)) for own, character, name, kind in rows]


async def _shots(session: TenantSession, check: ConsistencyCheck) -> list[CheckedShot]:
    judgements: dict[UUID, dict[UUID, Judgement]] = {}
    rows = await session.execute(
        select(CheckResult.material_id, CheckResult.subject_id, Judgement)
        .join(Judgement, Judgement.id == CheckResult.judgement_id)
        .where(CheckResult.check_id == check.id)
        .options(defer(Judgement.crop), defer(Judgement.frames), defer(Judgement.opinion_text))
    )
    for material_id, subject_id, judgement in rows:
        judgements.setdefault(material_id, {})[subject_id] = judgement
    found = (
        await session.execute(
            select(
                CheckMaterial,
                MediaFile.name,
                MediaFile.media_type,
                Shot.code,
                SequenceRecord.code,
                Take.number,
            )
            .join(MediaFile, MediaFile.id == CheckMaterial.media_id)
            .outerjoin(Shot, Shot.id == CheckMaterial.shot_id)
            .outerjoin(SequenceRecord, SequenceRecord.id == Shot.sequence_id)
            .outerjoin(Take, Take.id == CheckMaterial.take_id)
            .where(CheckMaterial.check_id == check.id)
            .order_by(CheckMaterial.position)
        )
    ).all()
    several = check.generation_id is not None  # takes of one shot, not shots of a story
    labels: dict[str, int] = {}
    shots = []
    for material, name, media_type, shot_code, sequence_code, number in found:
        label = (None if several else shot_code) or (f"take {number}" if number else name)
        labels[label] = labels.get(label, 0) + 1
        if labels[label] > 1:
            label = f"{label} take {number}" if number else f"{label} ({labels[label]})"
            labels[label] = labels.get(label, 0) + 1
            label = label if labels[label] == 1 else f"{label} ({labels[label]})"
        shots.append(CheckedShot(material, label, sequence_code, media_type, judgements.get(material.id, {})))
    return shots


async def _judge_together(tools: Tools, checked: Checked) -> None:
    """Across the shots, per subject; recorded and told."""
    found: list[tuple[CheckedSubject, SequenceJudgement]] = []
    beside: dict[UUID, dict[str, Any]] = {}
    for subject in checked.subjects:
        line = [shot for shot in checked.shots if shot.judgements.get(subject.id) is not None]
        pairs = await _neighbours(tools, checked, subject, line, beside)
        shots = [
            SequenceShot(
                shot.label,
                MaterialJudgement.from_json(shot.judgements[subject.id].body),
                str(shot.judgements[subject.id].look_id),
            )
            for shot in line
        ]
        found.append((subject, judge_sequence(shots, pairs, checked.profile(subject), subject.kind)))
    await _record(tools, checked, found, beside)


async def _neighbours(
    tools: Tools,
    checked: Checked,
    subject: CheckedSubject,
    line: Sequence[CheckedShot],
    beside: dict[UUID, dict[str, Any]],
) -> dict[tuple[int, int], Mapping[Aspect, float]]:
    """How alike the subject is in shots that follow each other. Kept with the later one's judgement: a pair is
    compared once in its life."""
    if checked.check.generation_id is not None:
        return {}  # takes of one shot never cut together
    pairs: dict[tuple[int, int], Mapping[Aspect, float]] = {}
    wanted: list[tuple[int, int]] = []
    for at in range(len(line) - 1):
        before, after = (line[place].judgements[subject.id] for place in (at, at + 1))
        known = after.beside.get(str(before.id))
        if known is not None:
            pairs[at, at + 1] = {Aspect(name): p for name, p in known.items()}
        else:
            wanted.append((at, at + 1))
    if not wanted:
        return pairs
    seen = await _seen(tools, checked, subject, [line[at] for pair in wanted for at in pair])
    gate = asyncio.Semaphore(PAIRS_AT_ONCE)

    async def compare(pair: tuple[int, int]) -> None:
        before, after = (line[place].judgements[subject.id] for place in pair)
        async with gate:
            scores = await _alike(tools, checked, subject, seen.get(before.id), seen.get(after.id))
        pairs[pair] = scores
        beside.setdefault(after.id, dict(after.beside))[str(before.id)] = {
            aspect.value: round(p, 6) for aspect, p in scores.items()
        }

    await asyncio.gather(*(compare(pair) for pair in wanted))
    return pairs


async def _seen(
    tools: Tools, checked: Checked, subject: CheckedSubject, shots: Sequence[CheckedShot]
) -> dict[UUID, FrameSeen]:
    """The frame that each judgement is about, reduced to the subject's own figure, by the judgement's id."""
    part = part_of(subject.kind)
    async with tools.database.tenant(checked.step.tenant_id) as session:
        known = await known_observations(
            session,
            checked.tenant.seal,
            str(tools.evaluator.id),
            [shot.material.media_id for shot in shots],
            [part],
        )
    found: dict[UUID, FrameSeen] = {}
    for shot in shots:
        judgement = shot.judgements[subject.id]
        frames = known.get(shot.material.media_id, {})
        frame = frames.get(judgement.worst_frame if judgement.worst_frame is not None else 0)
        if frame is None:
            continue
        if subject.kind is not CharacterKind.HUMAN:
            found[judgement.id] = frame
        elif judgement.figure is not None and judgement.figure < len(frame.figures):
            own = frame.figures[judgement.figure]
            found[judgement.id] = FrameSeen(frame.frame, frame.width, frame.height, (own,))
    return found


async def _alike(
    tools: Tools,
    checked: Checked,
    subject: CheckedSubject,
    before: FrameSeen | None,
    after: FrameSeen | None,
) -> dict[Aspect, float]:
    """Probability that two shots show the same, per aspect that both show."""
    if before is None or after is None:
        return {}
    human = subject.kind is CharacterKind.HUMAN
    features = before.figures[0].features if human else before.scene
    one = CastMember("before", subject.kind, [features], identity=str(subject.character_id))
    [matches] = await tools.evaluator.compare([one], [after])
    doubts = {*before.figures[0].doubts, *after.figures[0].doubts} if human else set()
    profile = checked.profile(subject)
    scores: dict[Aspect, float] = {}
    for match in matches:
        for aspect, values in match.values.items():
            calibration = tools.rules.calibrations.get(tools.evaluator.id, aspect)
            if calibration is not None and aspect not in doubts:
                scores[aspect] = probability(calibration, values, prior=profile.prior)
    return scores


async def _record(
    tools: Tools,
    checked: Checked,
    found: Sequence[tuple[CheckedSubject, SequenceJudgement]],
    beside: Mapping[UUID, Mapping[str, Any]],
) -> None:
    async with tools.database.tenant(checked.step.tenant_id) as session:
        check = (
            await session.scalars(
                select(ConsistencyCheck).where(ConsistencyCheck.id == checked.check.id).with_for_update()
            )
        ).one()
        await hold_fence(session, checked.step)
        for judgement_id, told in beside.items():
            judgement = await session.get(Judgement, judgement_id, options=[defer(Judgement.crop)])
            if judgement is not None:
                judgement.beside = dict(told)
        verdict = _verdict(checked, found)
        check.verdict = verdict.value if verdict else None
        check.summary = {
            **check.summary,
            "subjects": [
                {"subject": str(subject.id), "character": str(subject.character_id), **judged.as_json()}
                for subject, judged in found
            ],
            "unreadable": [shot.label for shot in checked.shots if shot.material.state == "unreadable"],
        }
        check.judged_at, check.state, check.waiting_for = clock.now(), "running", None
        await session.flush()
        await announce_check(session, check, "consistency_check.judged")
        await wake_dispatcher(session)
        for name in ("verdict", "summary", "judged_at", "state"):
            setattr(checked.check, name, getattr(check, name))


def _verdict(checked: Checked, found: Sequence[tuple[CheckedSubject, SequenceJudgement]]) -> Verdict | None:
    """The gravest of the subjects'; of an enforcement's takes the best one's. A file that can't be read is never
    a pass: a person looks."""
    if checked.check.generation_id is not None:
        takes = [
            worst([Verdict(each.verdict) for each in shot.judgements.values()]) for shot in checked.shots
        ]
        judged = [each for each in takes if each is not None]
        return Verdict.PASS if Verdict.PASS in judged else worst(judged)
    verdicts = [judged.verdict for _, judged in found if judged.shots]
    if any(shot.material.state == "unreadable" for shot in checked.shots):
        verdicts.append(Verdict.NEEDS_HUMAN)
    return worst(verdicts)
