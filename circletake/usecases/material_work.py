"""One file to judge, read in one short transaction: the question, the cast, and what is known already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import defer

from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.profiles import Profile, Scoped
from circletake.domain.consistency.rules import profile_for
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.words import ShotSize
from circletake.ports import FrameSeen
from circletake.records.consistency import CheckMaterial, CheckSubject, ConsistencyCheck, Judgement
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.call_model import PaidCall
from circletake.usecases.judgement_keys import cast_digest, judgement_keys
from circletake.usecases.observe_media import PEOPLE, SCENE, known_parts, part_of
from circletake.usecases.plan_check import (
    CastLook,
    MaterialPlanned,
    SubjectAsked,
    approved_cast,
    planned_again,
)
from circletake.usecases.request_check import FrozenRules, with_keys
from circletake.usecases.steps import ClaimedStep, end_step
from circletake.usecases.tools import TenantAtWork, Tools

ENDED = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A second opinion: the judgement after it, what is kept of it, and its words (content)."""

    judgement: MaterialJudgement
    summary: dict[str, Any]
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one subject. `kept`: the judgement is on record already."""

    position: int
    look: CastLook
    judgement: MaterialJudgement
    frames: Sequence[FrameJudgement]
    figure: int | None = None  # in the frame that is shown
    crop: bytes | None = field(repr=False, default=None)
    opinion: Asked | None = None
    kept: UUID | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """One file to judge, as it was when the step began; nothing is locked any more."""

    step: ClaimedStep
    tenant: TenantAtWork
    check: ConsistencyCheck
    material: CheckMaterial
    file: MediaFile
    planned: MaterialPlanned
    subject_ids: Sequence[UUID]  # rows of the check's subjects, by position
    cast: Sequence[CastLook]
    rules: FrozenRules
    keys: Mapping[int, str]  # of the judgements, by the subject's position
    kept: Mapping[int, Judged]  # what this file was judged before, by the subject's position
    profiles: Mapping[str, Profile]  # by the look's key
    # what was seen, of this file and the references; the references grow with those that are seen first now
    known: dict[UUID, dict[int, FrameSeen]] = field(repr=False)
    folder: Path  # on the local disk, for as long as the step runs
    paid: PaidCall  # marks what a shutdown waits for

    @property
    def parts(self) -> frozenset[str]:
        """Which parts of a frame show whom the check asks about."""
        return frozenset(part_of(look.kind) for look in self.planned.looks.values())

    @property
    def people(self) -> bool:
        return PEOPLE in self.parts

    @property
    def scene(self) -> bool:
        return SCENE in self.parts


async def begin_work(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, paid: PaidCall, folder: Path
) -> Work | None:
    """Read the file's work. None: it was judged, given up, or its check has ended; then the step is ended too."""
    async with tools.database.tenant(step.tenant_id) as session:
        material, check, file = (
            await session.execute(
                select(CheckMaterial, ConsistencyCheck, MediaFile)
                .join(ConsistencyCheck, ConsistencyCheck.id == CheckMaterial.check_id)
                .join(MediaFile, MediaFile.id == CheckMaterial.media_id)
                .where(CheckMaterial.tenant_id == step.tenant_id, CheckMaterial.id == step.subject_id)
                .options(defer(ConsistencyCheck.summary))
            )
        ).one()
        if material.state != "queued" or check.state in ENDED:
            await end_step(session, step)
            return None
        if check.state == "queued":  # conditional: somebody may be canceling it
            await session.execute(
                update(ConsistencyCheck)
                .where(ConsistencyCheck.id == check.id, ConsistencyCheck.state == "queued")
                .values(state="running")
                .execution_options(synchronize_session=False)
            )
        subjects = list(
            await session.scalars(
                select(CheckSubject).where(CheckSubject.check_id == check.id).order_by(CheckSubject.position)
            )
        )
        cast = await approved_cast(session, check.production_id)
        planned = await planned_again(
            session,
            file=file,
            take_id=material.take_id,
            shot_id=material.shot_id,
            expected=material.expected,
            subjects=[SubjectAsked(each.character_id, each.look_id) for each in subjects],
            cast=cast,
        )
        rules = FrozenRules(check.evaluators, check.profile, check.sampling, check.second_opinion)
        keys = judgement_keys(planned, cast=cast_digest(cast), rules=rules.digest)
        kept = await _kept(session, step.tenant_id, planned, keys)
        known = {}
        if len(kept) < len(planned.looks):
            known = await _known(session, tools, tenant, file, cast, planned)
    return Work(
        step=step,
        tenant=tenant,
        check=check,
        material=material,
        file=file,
        planned=planned,
        subject_ids=[each.id for each in subjects],
        cast=cast,
        rules=rules,
        keys=keys,
        kept=kept,
        profiles=profiles_of(check, cast),
        known=known,
        folder=folder,
        paid=paid,
    )


async def _kept(
    session: TenantSession, tenant_id: UUID, planned: MaterialPlanned, keys: Mapping[int, str]
) -> dict[int, Judged]:
    """What another check, or an earlier try of this step, has put on record meanwhile."""
    rows = await session.scalars(
        select(Judgement)
        .where(with_keys(tenant_id, list(keys.values())))
        .options(defer(Judgement.crop), defer(Judgement.opinion_text), defer(Judgement.beside))
    )
    positions = {key: position for position, key in keys.items()}
    return {
        (position := positions[row.key]): Judged(
            position,
            planned.looks[position],
            MaterialJudgement.from_json(row.body),
            [FrameJudgement.from_json(each) for each in row.frames],
            row.figure,
            kept=row.id,
        )
        for row in rows
    }


async def _known(
    session: TenantSession,
    tools: Tools,
    tenant: TenantAtWork,
    file: MediaFile,
    cast: Sequence[CastLook],
    planned: MaterialPlanned,
) -> dict[UUID, dict[int, FrameSeen]]:
    """What was seen before of this file and of the references of all the cast that is of a kind asked about."""
    asked = frozenset(part_of(look.kind) for look in planned.looks.values())
    parts: dict[UUID, frozenset[str]] = {}
    for look in cast:
        if part_of(look.kind) in asked:
            for media_id, _ in look.references:
                parts[media_id] = parts.get(media_id, frozenset()) | {part_of(look.kind)}
    parts[file.id] = asked
    return await known_parts(session, tenant.seal, str(tools.evaluator.id), parts)


def profiles_of(check: ConsistencyCheck, cast: Sequence[CastLook]) -> dict[str, Profile]:
    """Return each look's profile, as the check froze it."""
    of = character_profiles(check, {look.character_id for look in cast})
    return {look.key: of[look.character_id] for look in cast}


def character_profiles(check: ConsistencyCheck, character_ids: Iterable[UUID]) -> dict[UUID, Profile]:
    """Return each character's profile, as the check froze it."""
    scoped = [_scoped(each) for each in check.profile["scoped"]]
    production = str(check.production_id)
    return {each: profile_for(scoped, production=production, character=str(each)) for each in character_ids}


def _scoped(stored: Mapping[str, Any]) -> Scoped:
    return Scoped(
        Profile.from_json(stored["profile"]),
        production=stored["production"],
        character=stored["character"],
        size=ShotSize(stored["size"]) if stored["size"] else None,
    )
