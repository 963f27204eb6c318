"""The register of everything AI made in a production: read page by page, in short transactions."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, select, tuple_

from circletake.domain.register import RegisterLine, UsedInput
from circletake.ports import Seal
from circletake.records.context import Shot
from circletake.records.generations import Generation, GenerationInput, Take, TakeAct
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.records.tenancy import ApiKey
from circletake.usecases.effective_take import changed_inputs
from circletake.usecases.people.find_people import names_of

GENERATIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Circle:
    by: str | None  # the name of a key: until people signed in, keys could
    person: UUID | None
    at: datetime


async def read_register(
    database: Database, seal: Seal, tenant_id: UUID, production_id: UUID
) -> AsyncIterator[Sequence[RegisterLine]]:
    """Yield the takes of a production, oldest request first, some hundred at a time; each page is as of its own
    moment. An unknown production has none: whoever asks has looked for it before."""
    after: tuple[datetime, UUID] | None = None
    while True:
        async with database.tenant(tenant_id) as session:
            generations = await _generations(session, tenant_id, production_id, after)
            lines = await _lines(session, seal, tenant_id, generations)
        if lines:
            yield lines
        if len(generations) < GENERATIONS_AT_ONCE:
            return
        after = (generations[-1].created_at, generations[-1].id)


async def _generations(
    session: TenantSession, tenant_id: UUID, production_id: UUID, after: tuple[datetime, UUID] | None
) -> Sequence[Row[*tuple[Any, ...]]]:
    query = (
        select(
            Generation.id,
            Generation.created_at,
            Generation.kind,
            Generation.model_id,
            Generation.ledger_entry_id,
            Shot.code.label("shot"),
            Shot.external_ref.label("shot_external_ref"),
            ApiKey.name.label("requested_by"),
            Generation.requested_by_person,
        )
        .outerjoin(Shot, and_(Shot.tenant_id == tenant_id, Shot.id == Generation.shot_id))
        .outerjoin(ApiKey, and_(ApiKey.tenant_id == tenant_id, ApiKey.id == Generation.requested_by))
        .where(Generation.tenant_id == tenant_id, Generation.production_id == production_id)
        .order_by(Generation.created_at, Generation.id)
        .limit(GENERATIONS_AT_ONCE)
    )
    if after is not None:
        query = query.where(tuple_(Generation.created_at, Generation.id) > after)
    return (await session.execute(query)).all()


async def _lines(
    session: TenantSession, seal: Seal, tenant_id: UUID, generations: Sequence[Row[*tuple[Any, ...]]]
) -> list[RegisterLine]:
    by_id = {generation.id: generation for generation in generations}
    if not by_id:
        return []
    takes = (
        await session.execute(
            select(Take, MediaFile.sha256, MediaFile.digital_source_type, MediaFile.manifest_urn)
            .outerjoin(MediaFile, and_(MediaFile.tenant_id == tenant_id, MediaFile.id == Take.media_id))
            .where(Take.tenant_id == tenant_id, Take.generation_id.in_(by_id))
            .order_by(Take.number)
        )
    ).all()
    inputs = await _inputs(session, tenant_id, by_id)
    changed = await _changed_inputs(session, tenant_id, [take for take, *_ in takes])
    circles = await _circles(session, tenant_id, [take.id for take, *_ in takes if take.circled])
    people = {each.requested_by_person for each in generations} | {each.person for each in circles.values()}
    names = await names_of(session, seal, tenant_id, people)
    order = {generation_id: place for place, generation_id in enumerate(by_id)}
    return [
        _line(
            by_id[row[0].generation_id],
            row,
            changed.get(row[0].id, inputs.get(row[0].generation_id, [])),
            circles.get(row[0].id),
            names,
        )
        for row in sorted(takes, key=lambda row: order[row[0].generation_id])
    ]


async def _inputs(
    session: TenantSession, tenant_id: UUID, generation_ids: Any
) -> dict[UUID, list[UsedInput]]:
    rows = await session.execute(
        select(GenerationInput.generation_id, GenerationInput.slot, MediaFile.id, MediaFile.sha256)
        .join(MediaFile, and_(MediaFile.tenant_id == tenant_id, MediaFile.id == GenerationInput.media_id))
        .where(GenerationInput.tenant_id == tenant_id, GenerationInput.generation_id.in_(generation_ids))
        .order_by(GenerationInput.slot)
    )
    inputs: dict[UUID, list[UsedInput]] = {}
    for generation_id, slot, media_id, sha256 in rows:
        inputs.setdefault(generation_id, []).append(UsedInput(slot, media_id, sha256))
    return inputs


async def _changed_inputs(
    session: TenantSession, tenant_id: UUID, takes: Sequence[Take]
) -> dict[UUID, list[UsedInput]]:
    """Return the inputs of those takes that have others than their generation."""
    own = {take.id: changed_inputs(take.changes) for take in takes if take.changes}
    wanted = {media_id for inputs in own.values() for media_id in (inputs or {}).values()}
    if not wanted:
        return {take_id: [] for take_id, inputs in own.items() if inputs is not None}
    rows = await session.execute(
        select(MediaFile.id, MediaFile.sha256).where(
            MediaFile.tenant_id == tenant_id, MediaFile.id.in_(wanted)
        )
    )
    hashes: dict[UUID, str] = dict(rows.tuples().all())
    return {
        take_id: [
            UsedInput(slot.value, media_id, hashes.get(media_id, ""))
            for slot, media_id in sorted(inputs.items())
        ]
        for take_id, inputs in own.items()
        if inputs is not None
    }


async def _circles(session: TenantSession, tenant_id: UUID, take_ids: Sequence[UUID]) -> dict[UUID, _Circle]:
    """Who circled each take last."""
    if not take_ids:
        return {}
    rows = await session.execute(
        select(TakeAct.take_id, ApiKey.name, TakeAct.person_id, TakeAct.created_at)
        .outerjoin(ApiKey, and_(ApiKey.tenant_id == tenant_id, ApiKey.id == TakeAct.api_key_id))
        .where(TakeAct.tenant_id == tenant_id, TakeAct.take_id.in_(take_ids), TakeAct.act == "circle")
        .order_by(TakeAct.created_at, TakeAct.id)
    )
    return {take_id: _Circle(name, person, at) for take_id, name, person, at in rows}


def _line(
    generation: Row[*tuple[Any, ...]],
    row: Row[*tuple[Any, ...]],
    inputs: Sequence[UsedInput],
    circle: _Circle | None,
    names: Mapping[UUID, str],
) -> RegisterLine:
    take, sha256, digital_source_type, manifest_urn = row
    return RegisterLine(
        shot=generation.shot,
        shot_external_ref=generation.shot_external_ref,
        generation=generation.id,
        kind=(take.changes or {}).get("kind", generation.kind),
        take_number=take.number,
        take=take.id,
        state=take.state,
        model=(take.changes or {}).get("model_id", generation.model_id),
        requested_by=names.get(generation.requested_by_person, generation.requested_by),
        requested_at=generation.created_at,
        circled=take.circled,
        circled_by=_circled_by(circle, names),
        circled_at=circle.at if circle else None,
        rejected=take.rejected,
        seed=take.seed_used or take.seed,
        billed=take.billed,
        cost_usd=take.cost_usd,
        inputs=inputs,
        output_media=take.media_id,
        output_sha256=sha256,
        digital_source_type=digital_source_type,
        manifest_urn=manifest_urn,
        ledger_entry=take.ledger_entry_id,
        request_ledger_entry=generation.ledger_entry_id,
    )


def _circled_by(circle: _Circle | None, names: Mapping[UUID, str]) -> str | None:
    if circle is None or circle.person is None:
        return circle.by if circle else None
    return names.get(circle.person)
