"""Limits on small doses, at the request, at the circle and when a cut comes: warn, hold or block."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select

from circletake.domain.errors import Conflict
from circletake.domain.exposure.doses import TRACE
from circletake.domain.exposure.limits import (
    Limit,
    LimitAction,
    Metric,
    Reading,
    crosses,
    passes,
    sentence,
)
from circletake.domain.exposure.meter import Meter
from circletake.domain.kinds import RULES, Kind, on_screen
from circletake.domain.people import Role
from circletake.domain.permission.holds import HoldLine, HoldReason, NewHold
from circletake.kit.ids import new_id
from circletake.records.context import Production, Shot
from circletake.records.exposure import Exposure, ExposureLimit
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event
from circletake.usecases.exposure.picture import (
    Extra,
    Picture,
    dose_of,
    load_picture,
    lock_production,
    scope_of,
)
from circletake.usecases.resolve_material import is_one_of

WARNING, LIMIT = "exposure.warning", "exposure.limit"


@dataclass(frozen=True, slots=True)
class ExposureAnswer:
    """What a request that isn't blocked is told. `events`: the type and the data of each that is to be recorded when the
    request is accepted."""

    holds: list[NewHold] = field(default_factory=list)
    warnings: list[HoldLine] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Past:
    limit: Limit
    reading: Reading

    @property
    def line(self) -> HoldLine:
        return HoldLine(f"exposure.{self.limit.metric}", sentence(self.limit, self.reading))

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "limit_id": str(self.limit.id),
            "scope": self.limit.scope,
            "scope_id": str(self.limit.scope_id),
            "metric": self.limit.metric.value,
            "action": self.limit.action.value,
            "value": float(self.limit.value),
            "reading": round(float(self.reading.after), 6),
        }


@dataclass(frozen=True, slots=True)
class ExposureRecord:
    """The limits of a production and what is in its picture, read once for all requests of it. Without a limit there is
    no picture: nobody needs it."""

    limits: Sequence[Limit] = ()
    picture: Picture | None = None


async def read_exposure(
    session: TenantSession, *, production: Production, shots: Sequence[Shot]
) -> ExposureRecord:
    """Read what says whether requests for these shots, of kinds that are seen on screen, stay inside the limits."""
    if not shots:
        return ExposureRecord()
    limits = await _limits(
        session,
        production.tenant_id,
        production.id,
        {shot.sequence_id for shot in shots if shot.sequence_id is not None},
        {shot.id for shot in shots},
    )
    return ExposureRecord(limits, await load_picture(session, production) if limits else None)


def exposure_of(
    record: ExposureRecord, *, production: Production, shot: Shot | None, kind: Kind
) -> ExposureAnswer:
    """Say what a request would lead to at least: one more shot with AI, its length on screen, and a whole frame where
    there is no plate. What a model draws of a plate is known once it is measured, and checked when it is circled.

    Raises Conflict `exposure_limit`.
    """
    if shot is None or not on_screen(kind) or record.picture is None:
        return ExposureAnswer()
    under = {production.id, shot.sequence_id, shot.id}
    limits = [each for each in record.limits if each.scope_id in under]
    if not limits:
        return ExposureAnswer()
    frame = Fraction(0) if RULES[kind].on_plate else Fraction(1)
    past = _readings(limits, record.picture, {shot.id: [(new_id(), TRACE)]}, frame)
    _block(past)
    place = {"production_id": str(production.id), "shot_id": str(shot.id)}
    held = [each for each in past if each.limit.action is LimitAction.HOLD]
    holds = [
        NewHold(
            HoldReason.EXPOSURE_LIMIT,
            tuple(each.line for each in held),
            {"limits": [each.facts for each in held]},
        )
    ]
    return ExposureAnswer(
        holds if held else [],
        [each.line for each in past if each.limit.action is LimitAction.WARN],
        _told(past, place),
    )


async def check_circle(
    session: TenantSession, *, generation: Generation, take: Take, roles: Collection[Role]
) -> None:
    """Let a take be circled, or not, by what was measured of it. Where a limit holds, only an approver may.

    Call it before `take.circled` is set. Raises Conflict `exposure_limit`.
    """
    if generation.shot_id is None or not on_screen(Kind(generation.kind)):
        return
    tenant_id = generation.tenant_id
    shot = await session.get_one(Shot, generation.shot_id)
    sequences = set() if shot.sequence_id is None else {shot.sequence_id}
    limits = await _limits(session, tenant_id, generation.production_id, sequences, {shot.id})
    if not limits:
        return
    exposure = await session.scalar(
        select(Exposure).where(Exposure.tenant_id == tenant_id, Exposure.take_id == take.id)
    )
    dose = dose_of(take.id, generation.id, generation.kind, take.changed_fraction, exposure)
    # two circles at once would each find room for themselves
    production = await lock_production(session, tenant_id, generation.production_id)
    picture = await load_picture(session, production)
    past = _readings(limits, picture, {shot.id: [(generation.id, dose.mean)]}, dose.most)
    _block(past)
    held = [each for each in past if each.limit.action is LimitAction.HOLD]
    if held and Role.APPROVER not in roles:
        raise _refused(held, "An approver has to circle this take: ")
    place = {
        "production_id": str(generation.production_id),
        "shot_id": str(shot.id),
        "take_id": str(take.id),
    }
    for event_type, data in _told(past, place, circled=True):
        await record_event(session, tenant_id, event_type, data)


async def tell_of_cut(session: TenantSession, production: Production) -> None:
    """Tell which limits the cut that counts now goes past. It is the editor's: nothing of it is refused."""
    rows = await session.scalars(_of(production.tenant_id, production.id))
    limits = [_limit(row) for row in rows]
    if not limits:
        return
    picture = await load_picture(session, production)
    for limit in limits:
        if limit.metric is Metric.FRAME_FRACTION:
            continue  # of takes, told when they were circled
        meter = _of_scope(picture, limit, {})
        reading = Reading(Fraction(0), _number(limit.metric, meter))
        if passes(limit, reading):
            place = {
                "production_id": str(production.id),
                "shot_id": str(limit.scope_id) if limit.scope == "shot" else None,
                "cut_id": str(picture.cut.id) if picture.cut else None,
            }
            warns = limit.action is LimitAction.WARN
            past = _Past(limit, reading)
            await record_event(
                session, production.tenant_id, WARNING if warns else LIMIT, {**place, **past.facts}
            )


def _readings(limits: Sequence[Limit], picture: Picture, extra: Extra, frame: Fraction) -> list[_Past]:
    past = []
    for limit in limits:
        if limit.metric is Metric.FRAME_FRACTION:
            reading = Reading(Fraction(0), frame)
        else:
            reading = Reading(
                _number(limit.metric, _of_scope(picture, limit, {})),
                _number(limit.metric, _of_scope(picture, limit, extra)),
            )
        if passes(limit, reading):
            past.append(_Past(limit, reading))
    return past


def _of_scope(picture: Picture, limit: Limit, extra: Extra) -> Meter:
    sequence_id = limit.scope_id if limit.scope == "sequence" else None
    shot_id = limit.scope_id if limit.scope == "shot" else None
    return picture.measure(scope_of(picture, sequence_id, shot_id), extra)


def _number(metric: Metric, meter: Meter) -> Fraction:
    return meter.share_of_shots if metric is Metric.SHARE_OF_SHOTS else meter.time.share


def _block(past: Sequence[_Past]) -> None:
    blocked = [each for each in past if each.limit.action is LimitAction.BLOCK]
    if blocked:
        raise _refused(blocked, "")


def _refused(past: Sequence[_Past], lead: str) -> Conflict:
    return Conflict(
        lead + " ".join(each.line.says for each in past),
        code="exposure_limit",
        limits=[{**each.facts, "says": each.line.says} for each in past],
    )


def _told(
    past: Sequence[_Past], place: dict[str, str], *, circled: bool = False
) -> list[tuple[str, dict[str, Any]]]:
    """A warning is told once, when the number first goes past; a limit every time somebody has to let it."""
    told = []
    for each in past:
        if each.limit.action is LimitAction.WARN:
            # a frame has no number that stays: every take that is circled past it is told
            if crosses(each.limit, each.reading) and (
                circled or each.limit.metric is not Metric.FRAME_FRACTION
            ):
                told.append((WARNING, {**place, **each.facts}))
        else:
            told.append((LIMIT, {**place, **each.facts}))
    return told


def _of(tenant_id: UUID, production_id: UUID) -> Any:
    return (
        select(ExposureLimit)
        .where(
            ExposureLimit.tenant_id == tenant_id,
            ExposureLimit.production_id == production_id,
            ExposureLimit.ended_at.is_(None),
        )
        .order_by(ExposureLimit.id)
    )


async def _limits(
    session: TenantSession,
    tenant_id: UUID,
    production_id: UUID,
    sequences: Collection[UUID],
    shots: Collection[UUID],
) -> list[Limit]:
    """Read the limits that these shots are under: the production's, their sequences' and their own."""
    whole = and_(ExposureLimit.sequence_id.is_(None), ExposureLimit.shot_id.is_(None))
    under = [whole, is_one_of(ExposureLimit.shot_id, list(shots))]
    if sequences:
        under.append(is_one_of(ExposureLimit.sequence_id, list(sequences)))
    rows = await session.scalars(_of(tenant_id, production_id).where(or_(*under)))
    return [_limit(row) for row in rows]


def _limit(row: ExposureLimit) -> Limit:
    scope, scope_id = "production", row.production_id
    if row.shot_id is not None:
        scope, scope_id = "shot", row.shot_id
    elif row.sequence_id is not None:
        scope, scope_id = "sequence", row.sequence_id
    return Limit(row.id, scope, scope_id, Metric(row.metric), Fraction(row.value), LimitAction(row.action))
