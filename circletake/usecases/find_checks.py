"""Reads of consistency checks, and stopping one. Every query names the tenant, beside row-level security."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import defer

from circletake.domain.errors import Conflict, NotFound
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.consistency import (
    CheckMaterial,
    CheckResult,
    CheckSubject,
    ConsistencyCheck,
    EvaluatorCall,
    Judgement,
)
from circletake.records.session import Database, TenantSession
from circletake.usecases.check_events import announce_check
from circletake.usecases.events import wake_dispatcher


@dataclass(frozen=True, slots=True)
class CheckView:
    """A check with its subjects and how far it is. `cost_usd`: of the models that were asked."""

    check: ConsistencyCheck
    subjects: Sequence[CheckSubject]
    materials: dict[str, int]  # by state
    cost_usd: str


@dataclass(frozen=True, slots=True)
class ResultView:
    judgement: Judgement
    differences: str | None  # the second opinion's words, as JSON


@dataclass(frozen=True, slots=True)
class MaterialView:
    material: CheckMaterial
    results: Sequence[ResultView]


async def find_check(session: TenantSession, tenant_id: UUID, check_id: UUID) -> ConsistencyCheck:
    check = await session.scalar(
        select(ConsistencyCheck).where(
            ConsistencyCheck.tenant_id == tenant_id, ConsistencyCheck.id == check_id
        )
    )
    if check is None:
        raise NotFound("consistency check")
    return check


async def get_check(database: Database, tenant_id: UUID, check_id: UUID) -> CheckView:
    """Return one check. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        check = await find_check(session, tenant_id, check_id)
        subjects = await session.scalars(
            select(CheckSubject)
            .where(CheckSubject.tenant_id == tenant_id, CheckSubject.check_id == check_id)
            .order_by(CheckSubject.position)
        )
        counts = await session.execute(
            select(CheckMaterial.state, func.count())
            .where(CheckMaterial.tenant_id == tenant_id, CheckMaterial.check_id == check_id)
            .group_by(CheckMaterial.state)
        )
        cost = await session.scalar(
            select(func.coalesce(func.sum(EvaluatorCall.cost_usd), 0)).where(
                EvaluatorCall.tenant_id == tenant_id, EvaluatorCall.check_id == check_id
            )
        )
        return CheckView(check, list(subjects), {row[0]: row[1] for row in counts}, f"{cost:f}")


async def list_checks(
    database: Database,
    tenant_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
    production_id: UUID | None,
    state: str | None,
    verdict: str | None,
    external_ref: str | None,
) -> list[ConsistencyCheck]:
    query = select(ConsistencyCheck).where(ConsistencyCheck.tenant_id == tenant_id)
    for column, value in (
        (ConsistencyCheck.production_id, production_id),
        (ConsistencyCheck.state, state),
        (ConsistencyCheck.verdict, verdict),
        (ConsistencyCheck.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(ConsistencyCheck.created_at, ConsistencyCheck.id) < before)
    query = query.order_by(ConsistencyCheck.created_at.desc(), ConsistencyCheck.id.desc()).limit(limit)
    # a season's summary is half a megabyte, and no list shows it
    query = query.options(defer(ConsistencyCheck.summary), defer(ConsistencyCheck.profile))
    async with database.tenant(tenant_id) as session:
        return list(await session.scalars(query))


async def list_results(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    check_id: UUID,
    *,
    limit: int,
    after: int,
    verdict: str | None,
    frames: bool,
) -> list[MaterialView]:
    """Return a check's files in story order with what was judged of each. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        await find_check(session, tenant_id, check_id)
        query = select(CheckMaterial).where(
            CheckMaterial.tenant_id == tenant_id,
            CheckMaterial.check_id == check_id,
            CheckMaterial.position > after,
        )
        if verdict is not None:
            query = query.where(
                CheckMaterial.id.in_(
                    select(CheckResult.material_id)
                    .join(Judgement, Judgement.id == CheckResult.judgement_id)
                    .where(CheckResult.check_id == check_id, Judgement.verdict == verdict)
                )
            )
        materials = list(await session.scalars(query.order_by(CheckMaterial.position).limit(limit)))
        options = [defer(Judgement.crop)] + ([] if frames else [defer(Judgement.frames)])
        rows = await session.execute(
            select(CheckResult.material_id, Judgement)
            .join(Judgement, Judgement.id == CheckResult.judgement_id)
            .join(CheckSubject, CheckSubject.id == CheckResult.subject_id)
            .where(
                CheckResult.tenant_id == tenant_id,
                CheckResult.material_id.in_([each.id for each in materials]),
            )
            .order_by(CheckSubject.position)
            .options(*options)
        )
        results: dict[UUID, list[ResultView]] = {}
        for material_id, judgement in rows:
            words = None
            if judgement.opinion_text is not None:
                place = f"judgements.opinion_text:{judgement.id}"
                words = seal.open(judgement.opinion_text, place=place).decode() or None
            results.setdefault(material_id, []).append(ResultView(judgement, words))
        return [MaterialView(each, results.get(each.id, [])) for each in materials]


async def cancel_check(database: Database, tenant_id: UUID, check_id: UUID) -> None:
    """Stop a check: what is judged already stays on record. Raises NotFound or Conflict."""
    async with database.tenant(tenant_id) as session:
        check = await session.scalar(
            select(ConsistencyCheck)
            .where(ConsistencyCheck.tenant_id == tenant_id, ConsistencyCheck.id == check_id)
            .with_for_update()
        )
        if check is None:
            raise NotFound("consistency check")
        if check.generation_id is not None:
            raise Conflict(
                "This check serves an enforcement: cancel the enforcement.", code="check_of_enforcement"
            )
        if check.state in {"succeeded", "failed", "canceled"}:
            raise Conflict(f"This check is {check.state} already.", code="check_ended")
        check.state, check.finished_at = "canceled", clock.now()
        await session.flush()
        await announce_check(session, check, "consistency_check.finished")
        await wake_dispatcher(session)
