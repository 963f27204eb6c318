"""Golden shots: a succeeded take becomes one, and stays one until a person retires it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.golden.verdict import GoldenAspect
from circletake.domain.people import Actor, Person
from circletake.domain.takes import TakeState
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.generations import Generation, Take
from circletake.records.golden import GoldenShot
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.cards import card_kept, lock_of
from circletake.usecases.effective_take import kind_of, model_of
from circletake.usecases.find_context import find_production
from circletake.usecases.find_generations import find_generation, find_take
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry

MAX_SHOTS = 100  # of a production, at a time


@dataclass(frozen=True, slots=True)
class NewGolden:
    """A take that is to be golden. `name` is content: it never reaches a log. `aspects` empty: all that apply."""

    take_id: UUID
    name: str = field(repr=False)
    aspects: Collection[GoldenAspect] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GoldenView:
    golden: GoldenShot
    name: str = field(repr=False)

    @classmethod
    def of(cls, seal: Seal, golden: GoldenShot) -> "GoldenView":
        return cls(golden, name_of(seal, golden))


def name_of(seal: Seal, golden: GoldenShot) -> str:
    return seal.open(golden.name, place=f"golden_shots.name:{golden.id}").decode()


async def keep_golden(
    database: Database,
    seal: Seal,
    catalogue: ModelCatalogue,
    *,
    tenant_id: UUID,
    person: Person,
    production_id: UUID,
    new: NewGolden,
    claim: IdempotencyClaim | None,
    answer: Callable[[GoldenView], Answer],
) -> Answer:
    """Make a take golden. Raises NotFound, or Conflict: it didn't succeed, it is golden already, or its request can't be
    made again as it was."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await find_production(session, tenant_id, production_id)
        take = await find_take(session, tenant_id, new.take_id)
        generation = await find_generation(session, tenant_id, take.generation_id)
        if generation.production_id != production_id:
            raise NotFound("take")
        await _require_repeatable(session, take)
        await _require_room(session, tenant_id, production_id)
        golden = await _golden(session, seal, catalogue, generation, take, person, new)
        session.add(golden)
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="golden_shot.kept",
            subject_id=golden.id,
            body={
                "take": str(take.id),
                "media": str(take.media_id),
                "model": golden.model_id,
                "fingerprint": golden.fingerprint,
                "seed": golden.seed,
                **Actor(person_id=person.id).for_ledger(),
            },
        )
        reply = answer(GoldenView(golden, new.name))
        await remember(session, seal, tenant_id, claim, reply)
    return reply


async def _golden(
    session: TenantSession,
    seal: Seal,
    catalogue: ModelCatalogue,
    generation: Generation,
    take: Take,
    person: Person,
    new: NewGolden,
) -> GoldenShot:
    golden_id, model = new_id(), model_of(generation, take)
    # as the model is, not as a draft uses it
    card = await card_kept(session, catalogue, take.tenant_id, lock_of(generation, take), model)
    return GoldenShot(
        id=golden_id,
        tenant_id=take.tenant_id,
        created_at=clock.now(),
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        generation_id=generation.id,
        take_id=take.id,
        media_id=take.media_id,
        kind=kind_of(generation, take).value,
        model_id=model,
        fingerprint=card.fingerprint if card else "",
        seed=take.seed,
        name=seal.close(new.name, place=f"golden_shots.name:{golden_id}"),
        aspects=sorted(each.value for each in new.aspects),
        thresholds=dict(new.thresholds),
        created_by=person.id,
    )


async def _require_repeatable(session: TenantSession, take: Take) -> None:
    if take.state != TakeState.SUCCEEDED or take.media_id is None:
        raise Conflict(
            f"This take is {take.state}; only a succeeded take can be golden.", code="take_not_succeeded"
        )
    if {"region", "kind"} & (take.changes or {}).keys():
        raise Conflict(
            "This take repaints a part of another one, and can't be made again from its request: choose a take that was"
            " made whole.",
            code="take_not_repeatable",
        )
    file = await session.get_one(MediaFile, take.media_id)
    if file.state != "ready":
        raise Conflict("This take's file was withdrawn.", code="media_not_ready")
    # locked, so that two people don't make it golden twice
    await session.execute(
        select(Take.id)
        .where(Take.tenant_id == take.tenant_id, Take.id == take.id)
        .with_for_update(key_share=True)
    )
    known = await session.scalar(
        select(GoldenShot.id).where(
            GoldenShot.tenant_id == take.tenant_id,
            GoldenShot.take_id == take.id,
            GoldenShot.retired_at.is_(None),
        )
    )
    if known is not None:
        raise Conflict("This take is golden already.", code="golden_exists", golden_id=str(known))


async def _require_room(session: TenantSession, tenant_id: UUID, production_id: UUID) -> None:
    kept = await session.scalar(
        select(func.count()).where(
            GoldenShot.tenant_id == tenant_id,
            GoldenShot.production_id == production_id,
            GoldenShot.retired_at.is_(None),
        )
    )
    if (kept or 0) >= MAX_SHOTS:
        raise Conflict(
            f"A production keeps at most {MAX_SHOTS} golden shots: retire one first.",
            code="too_many_golden_shots",
        )


async def retire_golden(
    database: Database, seal: Seal, *, tenant_id: UUID, person: Person, golden_id: UUID
) -> None:
    """Take a golden shot out of future runs; what was judged stays on record. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        golden = await find_golden(session, tenant_id, golden_id, lock=True)
        if golden.retired_at is not None:
            return
        golden.retired_at, golden.retired_by = clock.now(), person.id
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="golden_shot.retired",
            subject_id=golden.id,
            body={"take": str(golden.take_id), **Actor(person_id=person.id).for_ledger()},
        )


async def find_golden(
    session: TenantSession, tenant_id: UUID, golden_id: UUID, *, lock: bool = False
) -> GoldenShot:
    query = select(GoldenShot).where(GoldenShot.tenant_id == tenant_id, GoldenShot.id == golden_id)
    golden = await session.scalar(query.with_for_update() if lock else query)
    if golden is None:
        raise NotFound("golden shot")
    return golden


async def get_golden(database: Database, seal: Seal, tenant_id: UUID, golden_id: UUID) -> GoldenView:
    async with database.tenant(tenant_id) as session:
        return GoldenView.of(seal, await find_golden(session, tenant_id, golden_id))


async def list_goldens(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
    kind: str | None = None,
    model: str | None = None,
    retired: bool = False,
) -> Sequence[GoldenView]:
    """Return a production's golden shots, newest first. Raises NotFound."""
    query = select(GoldenShot).where(
        GoldenShot.tenant_id == tenant_id, GoldenShot.production_id == production_id
    )
    if not retired:
        query = query.where(GoldenShot.retired_at.is_(None))
    for column, value in ((GoldenShot.kind, kind), (GoldenShot.model_id, model)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(GoldenShot.created_at, GoldenShot.id) < before)
    query = query.order_by(GoldenShot.created_at.desc(), GoldenShot.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return [GoldenView.of(seal, row) for row in await session.scalars(query)]
