"""Consistency profiles: how strictly a production, one of its characters, or one shot size in it is judged.

A profile says only where it differs from the shipped one. A version never changes: a check says by which it judged,
so a change makes the next version and retires the one before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError

from circletake.domain.consistency.profiles import Profile, changed
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import ShotSize
from circletake.domain.errors import Conflict, NotFound, invalid
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.characters import Character
from circletake.records.consistency import ConsistencyProfile
from circletake.records.session import Database, TenantSession
from circletake.usecases.edit_context import UNIQUE_VIOLATION, hold_production
from circletake.usecases.find_characters import Position
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay

# What a refit writes; nobody sets it by hand.
LEARNT = frozenset({"learnt", "provisional"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a profile is for: a character or everybody, a shot size or all of them."""

    production_id: UUID
    character_id: UUID | None = None
    shot_size: ShotSize | None = None

    @classmethod
    def of(cls, profile: ConsistencyProfile) -> "Scope":
        size = None if profile.shot_size is None else ShotSize(profile.shot_size)
        return cls(profile.production_id, profile.character_id, size)


def effective(rules: JudgingRules, profile: ConsistencyProfile) -> Profile:
    """Return the shipped profile with what this one changes."""
    return changed(rules.default_profile, profile.body, id=str(profile.id), version=profile.version)


async def set_profile(
    database: Database,
    seal: Seal,
    rules: JudgingRules,
    *,
    tenant_id: UUID,
    actor: Actor,
    scope: Scope,
    overrides: Mapping[str, Any],
    keep_learnt: bool,
    claim: IdempotencyClaim | None,
    answer: Callable[[ConsistencyProfile], Answer],
) -> Answer:
    """Make a profile, or the next version of the one that holds for this scope. `keep_learnt`: with what a refit of
    the version before taught. Raises NotFound, Invalid for values that make no profile, Conflict."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await hold_production(session, tenant_id, scope.production_id)
        await _check_character(session, tenant_id, scope)
        before = await _active(session, tenant_id, scope)
        body, fitted = _spread(rules, overrides), None
        if before is not None and keep_learnt and before.fitted is not None:
            fitted = before.fitted
            body |= {name: before.body[name] for name in LEARNT if name in before.body}
        try:
            changed(rules.default_profile, body, id="new")
        except (ValueError, TypeError) as error:
            raise invalid("", "bad_profile", f"This makes no profile: {error}.") from None
        profile = await succeed(session, tenant_id, scope, before, body=body, fitted=fitted, actor=actor)
        reply = answer(profile)
        await remember(session, seal, tenant_id, claim, reply)
    return reply


def _spread(rules: JudgingRules, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of an aspect holds for every shot size, also where the shipped profile has one's own."""
    said = overrides.get("thresholds", {})
    by_size = {
        size.value: {aspect.value: said[aspect.value] for aspect in own if aspect.value in said}
        for size, own in rules.default_profile.by_size.items()
    }
    sizes = {size: own for size, own in by_size.items() if own}
    return {**overrides, **({"by_size": sizes} if sizes else {})}


async def succeed(
    session: TenantSession,
    tenant_id: UUID,
    scope: Scope,
    before: ConsistencyProfile | None,
    *,
    body: Mapping[str, Any],
    fitted: Mapping[str, Any] | None,
    actor: Actor,
) -> ConsistencyProfile:
    """Retire the version before, which is locked, and write the next one. Raises Conflict when another came first."""
    if before is not None:
        before.retired_at = clock.now()
        await session.flush()
    profile = ConsistencyProfile(
        id=new_id(),
        tenant_id=tenant_id,
        production_id=scope.production_id,
        character_id=scope.character_id,
        shot_size=scope.shot_size.value if scope.shot_size else None,
        version=before.version + 1 if before else 1,
        body=dict(body),
        fitted=dict(fitted) if fitted is not None else None,
        provisional=body.get("provisional", True),
        created_by=actor.api_key_id,
        created_by_person=actor.person_id,
    )
    session.add(profile)
    try:
        await session.flush()
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION:
            raise Conflict(
                "Somebody else made a profile for the same at this moment: read it, then decide.",
                code="profile_changed",
            ) from None
        raise
    return profile


async def retire_profile(database: Database, *, tenant_id: UUID, profile_id: UUID) -> ConsistencyProfile:
    """Let the wider profile hold again; one that is retired already is returned as it is. Raises NotFound."""
    async with database.tenant(tenant_id) as session:
        profile = await find_profile(session, tenant_id, profile_id, lock=True)
        if profile.retired_at is None:
            profile.retired_at = clock.now()
        return profile


async def get_profile(database: Database, tenant_id: UUID, profile_id: UUID) -> ConsistencyProfile:
    async with database.tenant(tenant_id) as session:
        return await find_profile(session, tenant_id, profile_id)


async def list_profiles(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    limit: int,
    before: Position | None = None,
    character_id: UUID | None = None,
    retired: bool = False,
) -> Sequence[ConsistencyProfile]:
    """Return a production's profiles, newest first; retired ones only if wanted. Raises NotFound."""
    query = select(ConsistencyProfile).where(
        ConsistencyProfile.tenant_id == tenant_id, ConsistencyProfile.production_id == production_id
    )
    if character_id is not None:
        query = query.where(ConsistencyProfile.character_id == character_id)
    if not retired:
        query = query.where(ConsistencyProfile.retired_at.is_(None))
    if before is not None:
        query = query.where(tuple_(ConsistencyProfile.created_at, ConsistencyProfile.id) < before)
    query = query.order_by(ConsistencyProfile.created_at.desc(), ConsistencyProfile.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_production(session, tenant_id, production_id)
        return list(await session.scalars(query))


async def find_profile(
    session: TenantSession, tenant_id: UUID, profile_id: UUID, *, lock: bool = False
) -> ConsistencyProfile:
    query = select(ConsistencyProfile).where(
        ConsistencyProfile.tenant_id == tenant_id, ConsistencyProfile.id == profile_id
    )
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFound("consistency profile")
    return found


async def _check_character(session: TenantSession, tenant_id: UUID, scope: Scope) -> None:
    if scope.character_id is None:
        return
    found = await session.scalar(
        select(Character.id)
        .where(
            Character.tenant_id == tenant_id,
            Character.production_id == scope.production_id,
            Character.id == scope.character_id,
            Character.deleted_at.is_(None),
        )
        .with_for_update(read=True)
    )
    if found is None:
        raise invalid("/character_id", "unknown_character", "There is no such character in this production.")


async def _active(session: TenantSession, tenant_id: UUID, scope: Scope) -> ConsistencyProfile | None:
    """Return the profile that holds for this very scope, locked."""
    size = scope.shot_size.value if scope.shot_size else None
    found: ConsistencyProfile | None = await session.scalar(
        select(ConsistencyProfile)
        .where(
            ConsistencyProfile.tenant_id == tenant_id,
            ConsistencyProfile.production_id == scope.production_id,
            ConsistencyProfile.character_id.is_not_distinct_from(scope.character_id),
            ConsistencyProfile.shot_size.is_not_distinct_from(size),
            ConsistencyProfile.retired_at.is_(None),
        )
        .with_for_update()
    )
    return found
