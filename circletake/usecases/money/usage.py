"""What was made and what it cost, grouped as asked, in one query over takes, judging calls and language calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, literal, null, select, union_all
from sqlalchemy.sql import Subquery
from sqlalchemy.sql.elements import ColumnElement

from circletake.domain.errors import NotFound
from circletake.domain.kinds import Billed
from circletake.domain.money.usage import Usage, UsageBy
from circletake.domain.takes import TakeState
from circletake.records.consistency import ConsistencyCheck, EvaluatorCall
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, Take
from circletake.records.language import LanguageCall, LanguageRequest
from circletake.records.session import Database, TenantSession

CHECK_KIND = "consistency_check"  # the kind of judging that serves no generation

# asked of a model, whatever came of it; a canceled one only when it may have been paid
_MADE = (TakeState.SUCCEEDED.value, TakeState.FAILED.value, TakeState.FILTERED.value)

_COLUMNS = {
    UsageBy.SHOT: ("shot_id",),
    UsageBy.KIND: ("kind",),
    UsageBy.MODEL: ("model",),
    UsageBy.PERSON: ("person_id", "api_key_id"),
}


@dataclass(frozen=True, slots=True)
class UsageAsked:
    """`since` and `until` bound when takes were asked for and judging calls were made; `until` isn't in it."""

    by: Sequence[UsageBy] = ()
    production_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One group: the values it is grouped by, None where it has none, and what it sums up. Who asked is a person, or
    the key when a program asked by itself."""

    usage: Usage
    shot_id: UUID | None = None
    shot_code: str | None = None
    conventional_bid: Decimal | None = None
    kind: str | None = None
    model: str | None = None
    person_id: UUID | None = None
    api_key_id: UUID | None = None


async def find_usage(database: Database, tenant_id: UUID, asked: UsageAsked) -> list[UsageRow]:
    """Return a row for each group, the dearest first. Raises NotFound for an unknown production."""
    async with database.tenant(tenant_id) as session:
        if asked.production_id is not None:
            await _require_production(session, tenant_id, asked.production_id)
        rows = await session.execute(_grouped(tenant_id, asked))
        return [_row(row) for row in rows]


async def _require_production(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    known = await session.scalar(
        select(Production.id).where(Production.tenant_id == tenant_id, Production.id == production_id)
    )
    if known is None:
        raise NotFound("production")


def _row(row: Any) -> UsageRow:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
    sums = {name: values[name] for name in _SUMS}
    own = {name: values[name] for name in values if name not in _SUMS}
    return UsageRow(Usage(**sums), **own)


_SUMS = ("takes", "made", "succeeded", "filtered", "circled", "cost", "unknown", "judging", "language")


def _grouped(tenant_id: UUID, asked: UsageAsked) -> Any:
    spent = union_all(
        _of_takes(tenant_id, asked), _of_judging(tenant_id, asked), _of_language(tenant_id, asked)
    ).subquery("spent")
    keys = [spent.c[name] for by in asked.by for name in _COLUMNS[by]]
    sums = [func.coalesce(func.sum(spent.c[name]), 0).label(name) for name in _SUMS]
    # a total of nothing is a row of zeros, a group of nothing is no row
    groups = select(*keys, *sums).group_by(*keys).subquery("groups")
    columns: list[Any] = list(groups.c)
    source: Any = groups
    if UsageBy.SHOT in asked.by:
        columns += [Shot.code.label("shot_code"), Shot.conventional_bid_usd.label("conventional_bid")]
        source = groups.outerjoin(Shot, and_(Shot.tenant_id == tenant_id, Shot.id == groups.c.shot_id))
    dearest = groups.c.cost + groups.c.unknown + groups.c.judging + groups.c.language
    return (
        select(*columns)
        .select_from(source)
        .order_by(dearest.desc(), *[_last(groups, each.name) for each in keys])
    )


def _last(groups: Subquery, name: str) -> ColumnElement[Any]:
    return groups.c[name].asc().nulls_last()


def _of_takes(tenant_id: UUID, asked: UsageAsked) -> Any:
    paid = Take.billed == Billed.TRUE.value
    unknown = Take.billed == Billed.UNKNOWN.value
    made = Take.state.in_(_MADE) | and_(Take.state == TakeState.CANCELED.value, paid | unknown)
    query = (
        select(
            Generation.shot_id.label("shot_id"),
            func.coalesce(Take.changes["kind"].astext, Generation.kind).label("kind"),
            func.coalesce(Take.changes["model_id"].astext, Generation.model_id).label("model"),
            Generation.requested_by_person.label("person_id"),
            _key_of(Generation.requested_by_person, Generation.requested_by).label("api_key_id"),
            literal(1).label("takes"),
            _one(made).label("made"),
            _one(Take.state == TakeState.SUCCEEDED.value).label("succeeded"),
            _one(Take.state == TakeState.FILTERED.value).label("filtered"),
            _one(Take.circled).label("circled"),
            _usd(Take.cost_usd, paid).label("cost"),
            Take.unknown_usd.label("unknown"),
            literal(Decimal(0)).label("judging"),
            literal(Decimal(0)).label("language"),
        )
        .join(Generation, and_(Generation.tenant_id == Take.tenant_id, Generation.id == Take.generation_id))
        .where(Take.tenant_id == tenant_id, Generation.tenant_id == tenant_id)
        .where(*_between(Take.created_at, asked))
    )
    if asked.production_id is not None:
        query = query.where(Generation.production_id == asked.production_id)
    return query


def _of_judging(tenant_id: UUID, asked: UsageAsked) -> Any:
    """Judging counts by the model that judged, under whoever asked for it."""
    paid = EvaluatorCall.billed == Billed.TRUE.value
    unknown = EvaluatorCall.billed == Billed.UNKNOWN.value
    none = literal(0)
    # an enforcement's check may name nobody: then it is whoever asked for its takes
    person = case(
        (
            ConsistencyCheck.requested_by.is_(None),
            func.coalesce(ConsistencyCheck.requested_by_person, Generation.requested_by_person),
        ),
    )
    query = (
        select(
            EvaluatorCall.shot_id,
            func.coalesce(Generation.kind, CHECK_KIND),
            EvaluatorCall.model_id,
            person,
            _key_of(person, func.coalesce(ConsistencyCheck.requested_by, Generation.requested_by)),
            *[none.label(name) for name in ("takes", "made", "succeeded", "filtered", "circled")],
            literal(Decimal(0)).label("cost"),
            _usd(EvaluatorCall.cost_usd, unknown).label("unknown"),
            _usd(EvaluatorCall.cost_usd, paid).label("judging"),
            literal(Decimal(0)).label("language"),
        )
        .outerjoin(
            ConsistencyCheck,
            and_(
                ConsistencyCheck.tenant_id == EvaluatorCall.tenant_id,
                ConsistencyCheck.id == EvaluatorCall.check_id,
            ),
        )
        .outerjoin(
            Generation,
            and_(
                Generation.tenant_id == EvaluatorCall.tenant_id,
                Generation.id == ConsistencyCheck.generation_id,
            ),
        )
        .where(EvaluatorCall.tenant_id == tenant_id)
        .where(*_between(EvaluatorCall.created_at, asked))
    )
    if asked.production_id is not None:
        query = query.where(EvaluatorCall.production_id == asked.production_id)
    return query


def _of_language(tenant_id: UUID, asked: UsageAsked) -> Any:
    """A language model's writing counts by that model and by what it was asked for, under whoever asked."""
    none = literal(0)
    query = (
        select(
            LanguageCall.shot_id,
            LanguageRequest.task,
            LanguageCall.model_id,
            LanguageRequest.requested_by_person,
            _key_of(LanguageRequest.requested_by_person, LanguageRequest.requested_by),
            *[none.label(name) for name in ("takes", "made", "succeeded", "filtered", "circled")],
            literal(Decimal(0)).label("cost"),
            _usd(LanguageCall.cost_usd, LanguageCall.billed == Billed.UNKNOWN.value).label("unknown"),
            literal(Decimal(0)).label("judging"),
            _usd(LanguageCall.cost_usd, LanguageCall.billed == Billed.TRUE.value).label("language"),
        )
        .join(
            LanguageRequest,
            and_(
                LanguageRequest.tenant_id == LanguageCall.tenant_id,
                LanguageRequest.id == LanguageCall.subject_id,
            ),
        )
        .where(LanguageCall.tenant_id == tenant_id)
        .where(*_between(LanguageCall.created_at, asked))
    )
    if asked.production_id is not None:
        query = query.where(LanguageCall.production_id == asked.production_id)
    return query


def _key_of(person: Any, key: Any) -> ColumnElement[Any]:
    """The key counts only where no person stands behind the request."""
    return case((person.is_(None), key), else_=null())


def _one(condition: Any) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _usd(amount: Any, condition: Any) -> ColumnElement[Decimal]:
    return case((condition, amount), else_=Decimal(0))


def _between(at: Any, asked: UsageAsked) -> list[ColumnElement[bool]]:
    return [
        *([at >= asked.since] if asked.since else []),
        *([at < asked.until] if asked.until else []),
    ]
