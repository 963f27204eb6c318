"""Reads of characters, looks, reference sets and references. Every query names the tenant, beside row-level security.

Lock order: the character, the look, the reference set, the reference; then what `steps` says of the rest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from sqlalchemy import Select, select, tuple_

from circletake.domain.errors import NotFound
from circletake.ports import Seal
from circletake.records.characters import Character, Look, LookShot, Reference, ReferenceSet
from circletake.records.context import Shot
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_context import find_production
from circletake.usecases.sealed_text import open_text

T = TypeVar("T")
Lock = Literal["share", "update"]
Position = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class CharacterView:
    """A character with its opened description."""

    character: Character
    description: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LookView:
    """A look with its opened details: wardrobe, hair, age, wounds, notes; only those that were given."""

    look: Look
    details: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetView:
    """A reference set with its pictures, in the order they were added."""

    set: ReferenceSet
    references: Sequence[Reference]


@dataclass(frozen=True, slots=True)
class Lineage:
    """A reference set, or one of its references, with the look and the character it belongs to."""

    character: Character
    look: Look
    set: ReferenceSet


def description_place(character_id: UUID) -> str:
    return f"characters.description:{character_id}"


def details_place(look_id: UUID) -> str:
    return f"looks.details:{look_id}"


def character_view(seal: Seal, character: Character) -> CharacterView:
    place = description_place(character.id)
    return CharacterView(character, open_text(seal, character.description, place))


def look_view(seal: Seal, look: Look) -> LookView:
    opened = open_text(seal, look.details, details_place(look.id))
    return LookView(look, json.loads(opened) if opened else {})


async def get_character(database: Database, seal: Seal, tenant_id: UUID, character_id: UUID) -> CharacterView:
    async with database.tenant(tenant_id) as session:
        return character_view(seal, await find_character(session, tenant_id, character_id))


async def get_look(database: Database, seal: Seal, tenant_id: UUID, look_id: UUID) -> LookView:
    async with database.tenant(tenant_id) as session:
        return look_view(seal, await find_look(session, tenant_id, look_id))


async def get_reference_set(database: Database, tenant_id: UUID, set_id: UUID) -> SetView:
    async with database.tenant(tenant_id) as session:
        found = await find_set(session, tenant_id, set_id)
        return SetView(found, await references_of(session, tenant_id, set_id))


async def get_reference(database: Database, tenant_id: UUID, reference_id: UUID) -> Reference:
    async with database.tenant(tenant_id) as session:
        return await find_reference(session, tenant_id, reference_id)


async def list_characters(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    kind: str | None = None,
    script_name: str | None = None,
    external_ref: str | None = None,
) -> Sequence[Character]:
    """Return a production's characters, newest first, without deleted ones; descriptions stay sealed.
    Raises NotFound."""
    query = select(Character).where(
        Character.tenant_id == tenant_id,
        Character.production_id == production_id,
        Character.deleted_at.is_(None),
    )
    for column, value in (
        (Character.kind, kind),
        (Character.script_name, script_name),
        (Character.external_ref, external_ref),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(tuple_(Character.created_at, Character.id) < before)
    query = query.order_by(Character.created_at.desc(), Character.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query))


async def list_looks(
    database: Database, tenant_id: UUID, character_id: UUID, *, limit: int, before: Position | None = None
) -> Sequence[Look]:
    """Return a character's looks, newest first, without deleted ones; details stay sealed. Raises NotFound."""
    query = select(Look).where(
        Look.tenant_id == tenant_id, Look.character_id == character_id, Look.deleted_at.is_(None)
    )
    if before is not None:
        query = query.where(tuple_(Look.created_at, Look.id) < before)
    query = query.order_by(Look.created_at.desc(), Look.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_character(session, tenant_id, character_id)
        return list(await session.scalars(query))


async def list_look_shots(
    database: Database, tenant_id: UUID, look_id: UUID, *, limit: int, after: str | None = None
) -> Sequence[Shot]:
    """Return the shots that a look holds for, in the order of their codes. Raises NotFound."""
    query = (
        select(Shot)
        .join(LookShot, (LookShot.tenant_id == Shot.tenant_id) & (LookShot.shot_id == Shot.id))
        .where(Shot.tenant_id == tenant_id, LookShot.look_id == look_id)
    )
    if after is not None:
        query = query.where(Shot.code > after)
    async with database.tenant(tenant_id) as session:
        await find_look(session, tenant_id, look_id)
        return list(await session.scalars(query.order_by(Shot.code).limit(limit)))


async def list_reference_sets(
    database: Database, tenant_id: UUID, look_id: UUID, *, limit: int, before: Position | None = None
) -> Sequence[ReferenceSet]:
    """Return a look's reference sets, newest first. Raises NotFound."""
    query = select(ReferenceSet).where(ReferenceSet.tenant_id == tenant_id, ReferenceSet.look_id == look_id)
    if before is not None:
        query = query.where(tuple_(ReferenceSet.created_at, ReferenceSet.id) < before)
    query = query.order_by(ReferenceSet.created_at.desc(), ReferenceSet.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_look(session, tenant_id, look_id)
        return list(await session.scalars(query))


async def find_character(
    session: TenantSession, tenant_id: UUID, character_id: UUID, *, lock: Lock | None = None
) -> Character:
    """Return a character, deleted ones too, locked if wanted. Raises NotFound.

    Whoever writes biometric data of a character holds it in `share`, so that a deletion finds all of it.
    """
    query = select(Character).where(Character.tenant_id == tenant_id, Character.id == character_id)
    found = await session.scalar(_locked(query, lock))
    if found is None:
        raise NotFound("character")
    return found


async def find_look(
    session: TenantSession, tenant_id: UUID, look_id: UUID, *, lock: Lock | None = None
) -> Look:
    """Return a look, deleted ones too, locked if wanted. Raises NotFound."""
    query = select(Look).where(Look.tenant_id == tenant_id, Look.id == look_id)
    found = await session.scalar(_locked(query, lock))
    if found is None:
        raise NotFound("look")
    return found


async def find_set(
    session: TenantSession, tenant_id: UUID, set_id: UUID, *, lock: Lock | None = None
) -> ReferenceSet:
    query = select(ReferenceSet).where(ReferenceSet.tenant_id == tenant_id, ReferenceSet.id == set_id)
    found = await session.scalar(_locked(query, lock))
    if found is None:
        raise NotFound("reference set")
    return found


async def find_reference(
    session: TenantSession, tenant_id: UUID, reference_id: UUID, *, lock: Lock | None = None
) -> Reference:
    query = select(Reference).where(Reference.tenant_id == tenant_id, Reference.id == reference_id)
    found = await session.scalar(_locked(query, lock))
    if found is None:
        raise NotFound("reference")
    return found


async def references_of(session: TenantSession, tenant_id: UUID, set_id: UUID) -> Sequence[Reference]:
    """Return a set's references in the order they were added."""
    return list(
        await session.scalars(
            select(Reference)
            .where(Reference.tenant_id == tenant_id, Reference.reference_set_id == set_id)
            .order_by(Reference.created_at, Reference.id)
        )
    )


async def hold_set(session: TenantSession, tenant_id: UUID, set_id: UUID) -> Lineage:
    """Lock a reference set for a change, and keep its character and look from being deleted. Raises NotFound."""
    found = await find_set(session, tenant_id, set_id)
    look = await find_look(session, tenant_id, found.look_id)
    character = await find_character(session, tenant_id, look.character_id, lock="share")
    look = await find_look(session, tenant_id, found.look_id, lock="share")
    return Lineage(character, look, await find_set(session, tenant_id, set_id, lock="update"))


def _locked(query: Select[T], lock: Lock | None) -> Select[T]:
    """Lock the row, and read it as it is once the lock is had."""
    if lock is None:
        return query
    return query.with_for_update(read=lock == "share").execution_options(populate_existing=True)
