"""The end of a check: the shots seen together, then the continuity sheet.

The verdicts are told as soon as they are there (`consistency_check.judged`); `consistency_check.finished` comes when
the sheet is drawn, signed and published, so that whoever hears it finds it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select

from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.sequences import SequenceJudgement, SequenceShot, judge_sequence
from circletake.domain.consistency.words import Aspect, CharacterKind, Reason, Verdict
from circletake.kit import clock
from circletake.ports import EvaluatorDown
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
from circletake.usecases.checked import Checked, CheckedShot, CheckedSubject
from circletake.usecases.compare_shots import PairScores, ShotPair, compare_pairs
from circletake.usecases.draw_continuity import draw_continuity
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.material_work import ENDED, character_profiles
from circletake.usecases.plan_check import approved_cast
from circletake.usecases.record_judgements import lock_check, wait_for_evaluator
from circletake.usecases.resolve_material import is_one_of
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence
from circletake.usecases.tools import TenantAtWork, Tools


async def conclude_check(tools: Tools, step: ClaimedStep) -> None:
    """Run a `conclude` step: `subject_id` is the check. What is recorded already isn't done again."""
    checked = await judge_together(tools, step)
    if checked is not None:
        await draw_continuity(tools, checked)


async def judge_together(tools: Tools, step: ClaimedStep) -> Checked | None:
    """See the shots together and put the verdicts on record. None: the check has ended, or waits for the evaluator."""
    tenant = await tools.tenant(step.tenant_id)
    checked = await _read(tools, tenant, step)
    if checked is None or checked.check.judged_at is not None:
        return checked
    try:
        pairs = await compare_pairs(tools, tenant, step.tenant_id, _pairs(checked))
    except EvaluatorDown as down:
        await wait_for_evaluator(tools, step, checked.check.id, str(down))
        return None
    return checked if await _record(tools, checked, _together(checked, pairs)) else None


async def _read(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> Checked | None:
    async with tools.database.tenant(step.tenant_id) as session:
        check = await session.get_one(ConsistencyCheck, step.subject_id)
        if check.state in ENDED:
            await end_step(session, step)
            return None
        subjects = await _subjects(session, check.id)
        shots = await _shots(session, check)
        cast = await approved_cast(session, check.production_id)
        look_ids = {each.look_id for shot in shots for each in shot.judgements.values()}
        looks = await session.execute(select(Look.id, Look.name).where(is_one_of(Look.id, list(look_ids))))
        names = {row.id: row.name for row in looks}
    return Checked(
        step=step,
        tenant=tenant,
        check=check,
        subjects=subjects,
        shots=shots,
        looks=names,
        cast=cast,
        profiles=character_profiles(check, [each.character_id for each in subjects]),
    )


async def _subjects(session: TenantSession, check_id: UUID) -> list[CheckedSubject]:
    rows = await session.execute(
        select(
            CheckSubject.id,
            Character.id,
            Character.script_name,
            Character.kind,
            Character.deleted_at.is_not(None),
        )
        .join(Character, Character.id == CheckSubject.character_id)
        .where(CheckSubject.check_id == check_id)
        .order_by(CheckSubject.position)
    )
    return [
        CheckedSubject(own, character, name, CharacterKind(kind), deleted)
        for own, character, name, kind, deleted in rows
    ]


async def _shots(session: TenantSession, check: ConsistencyCheck) -> list[CheckedShot]:
    judgements: dict[UUID, dict[UUID, Row[Any]]] = {}
    for row in await session.execute(_judgements(check)):
        judgements.setdefault(row.material_id, {})[row.subject_id] = row
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
    taken: set[str] = set()
    shots = []
    for material, name, media_type, shot_code, sequence_code, number in found:
        label = _label(
            (None if several else shot_code) or (f"take {number}" if number else name), number, taken
        )
        taken.add(label)
        shots.append(CheckedShot(material, label, sequence_code, media_type, judgements.get(material.id, {})))
    return shots


def _judgements(check: ConsistencyCheck) -> Any:
    """What the end of a check needs of its judgements: neither their frames nor what was cut out."""
    return (
        select(
            CheckResult.material_id,
            CheckResult.subject_id,
            Judgement.id,
            Judgement.look_id,
            Judgement.media_id,
            Judgement.verdict,
            Judgement.score,
            Judgement.reasons,
            Judgement.worst_frame,
            Judgement.figure,
            Judgement.scores,
            Judgement.body["broken"].label("broken"),
            Judgement.body["instead"].astext.label("instead"),
            Judgement.beside,
        )
        .join(Judgement, Judgement.id == CheckResult.judgement_id)
        .where(CheckResult.tenant_id == check.tenant_id, CheckResult.check_id == check.id)
    )


def _label(name: str, take: int | None, taken: set[str]) -> str:
    """Return a name that no other file of this check has: two takes of a shot, or the same file twice."""
    if name in taken and take and not name.startswith("take "):
        name = f"{name} take {take}"
    label, count = name, 1
    while label in taken:
        count += 1
        label = f"{name} ({count})"
    return label


def _pairs(checked: Checked) -> list[ShotPair]:
    """Every subject's neighbours in story order. Takes of one shot, as an enforcement's are, never cut together."""
    if checked.check.generation_id is not None:
        return []
    pairs = []
    for subject in checked.subjects:
        line = checked.line(subject)
        for at in range(len(line) - 1):
            before, after = (line[place].judgements[subject.id] for place in (at, at + 1))
            profile = checked.profile(subject)
            pairs.append(
                ShotPair(
                    subject.id,
                    subject.character_id,
                    subject.kind,
                    profile.prior,
                    at,
                    line[at + 1].material.position,
                    before,
                    after,
                )
            )
    return pairs


def _together(checked: Checked, pairs: PairScores) -> list[tuple[CheckedSubject, SequenceJudgement]]:
    """Across the shots, per subject."""
    found = []
    for subject in checked.subjects:
        shots = [
            SequenceShot(
                shot.label,
                _judgement(shot.judgements[subject.id]),
                str(shot.judgements[subject.id].look_id),
            )
            for shot in checked.line(subject)
        ]
        own = {(at, at + 1): scores for at, scores in pairs.get(subject.id, {}).items()}
        found.append((subject, judge_sequence(shots, own, checked.profile(subject), subject.kind)))
    return found


def _judgement(row: Row[Any]) -> MaterialJudgement:
    """What shots are held against each other by; a season has thousands, and their bodies aren't read."""
    return MaterialJudgement(
        key="",
        verdict=Verdict(row.verdict),
        score=row.score,
        scores={Aspect(name): p for name, p in row.scores.items()},
        reasons=tuple(Reason(each) for each in row.reasons),
        broken=tuple(Aspect(each) for each in row.broken),
        instead=row.instead,
    )


async def _record(
    tools: Tools, checked: Checked, found: Sequence[tuple[CheckedSubject, SequenceJudgement]]
) -> bool:
    """Put the verdicts on record and tell them. False: the check has ended meanwhile, and so has the step."""
    step = checked.step
    async with tools.database.tenant(step.tenant_id) as session:
        check = await lock_check(session, step.tenant_id, checked.check.id)
        await hold_fence(session, step)
        if check.state in ENDED:
            await end_step(session, step)
            return False
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
    return True


def _verdict(checked: Checked, found: Sequence[tuple[CheckedSubject, SequenceJudgement]]) -> Verdict | None:
    """The gravest of the subjects'; of an enforcement's takes the best one's. A file that can't be read is never
    a pass: a person looks. Where nobody was left to be judged, nothing can be said."""
    if checked.check.generation_id is not None:
        takes = [
            worst([Verdict(each.verdict) for each in shot.judgements.values()]) for shot in checked.shots
        ]
        judged = [each for each in takes if each is not None]
        return Verdict.PASS if Verdict.PASS in judged else worst(judged)
    verdicts = [judged.verdict for _, judged in found if judged.shots]
    if any(shot.material.state == "unreadable" for shot in checked.shots):
        verdicts.append(Verdict.NEEDS_HUMAN)
    return worst(verdicts or [Verdict.NOT_ASSESSABLE])
