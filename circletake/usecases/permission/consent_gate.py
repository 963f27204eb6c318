"""Whether consents cover the use of those whom a request depicts.

A character whom nobody portrays needs no consent. What is read here is ids, dates and hashes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from circletake.domain.permission import consents as rule
from circletake.domain.permission.consents import Missing, Permission, Use
from circletake.domain.permission.coverage import permission
from circletake.records.performers import Consent, ConsentExemption, Performer, Portrayal
from circletake.records.session import TenantSession

__all__ = ["Missing", "Permission", "Standing", "Use", "permission_for", "permission_in", "read_standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The portrayals of characters with the consents of their performers, and the exemptions from needing one."""

    rows: Sequence[Any] = ()
    exemptions: Sequence[rule.Exemption] = ()


async def permission_for(
    session: TenantSession, *, tenant_id: UUID, use: Use, characters: Collection[UUID]
) -> Permission:
    """Say what allows this use of these characters, and what is missing. One query, or two; nothing is locked."""
    standing = await read_standing(
        session,
        tenant_id=tenant_id,
        production_id=use.production_id,
        characters=characters,
        altered=use.alters_recording,
    )
    return permission_in(standing, use, characters)


async def read_standing(
    session: TenantSession,
    *,
    tenant_id: UUID,
    production_id: UUID,
    characters: Collection[UUID],
    altered: bool,
) -> Standing:
    """Read what may allow uses of these characters. `altered`: a use alters what was recorded."""
    if not characters:
        return Standing()
    rows = (await session.execute(_STANDING.where(*_of(tenant_id, characters)))).all()
    if not rows or not altered:
        return Standing(rows)
    return Standing(rows, await _exemptions(session, tenant_id, production_id, characters))


def permission_in(standing: Standing, use: Use, characters: Collection[UUID]) -> Permission:
    """Say what allows this use of these characters, and what is missing."""
    rows = [row for row in standing.rows if row.character_id in characters]
    if not rows:
        return Permission()
    portrayals = list(dict.fromkeys(_portrayal(row) for row in rows))
    consents = {row.consent_id: _consent(row) for row in rows if row.consent_id is not None}
    exemptions: list[rule.Exemption] = []
    if use.alters_recording:
        exemptions = [each for each in standing.exemptions if each.character_id in characters]
    return permission(use, portrayals, list(consents.values()), exemptions)


_STANDING = (
    select(
        Portrayal.character_id,
        Portrayal.performer_id,
        Portrayal.kind,
        Performer.is_minor,
        Performer.guardian.is_not(None).label("has_guardian"),
        Performer.deceased,
        Consent.id.label("consent_id"),
        Consent.state,
        Consent.replica_type,
        Consent.production_ids,
        Consent.kinds,
        Consent.media,
        Consent.territories,
        Consent.shot_ids,
        Consent.sequence_ids,
        Consent.valid_from,
        Consent.valid_until,
        Consent.no_end,
        Consent.signer_role,
        Consent.signed_on,
        Consent.granted_at,
        Consent.document_sha256,
    )
    .join(Performer, and_(Performer.tenant_id == Portrayal.tenant_id, Performer.id == Portrayal.performer_id))
    .outerjoin(
        Consent,
        and_(Consent.tenant_id == Portrayal.tenant_id, Consent.performer_id == Portrayal.performer_id),
    )
    .order_by(Portrayal.character_id, Portrayal.performer_id, Portrayal.kind)
)


def _of(tenant_id: UUID, characters: Collection[UUID]) -> tuple[Any, ...]:
    return (
        Portrayal.tenant_id == tenant_id,
        Portrayal.character_id.in_(characters),
        Portrayal.ended_at.is_(None),
    )


def _portrayal(row: Any) -> rule.Portrayal:
    return rule.Portrayal(
        character_id=row.character_id,
        performer_id=row.performer_id,
        kind=rule.PortrayalKind(row.kind),
        is_minor=row.is_minor,
        has_guardian=row.has_guardian,
        deceased=row.deceased,
    )


def _consent(row: Any) -> rule.Consent:
    return rule.Consent(
        id=row.consent_id,
        performer_id=row.performer_id,
        state=rule.ConsentState(row.state),
        replica_type=rule.ReplicaType(row.replica_type),
        scope=rule.ConsentScope(
            production_ids=frozenset(row.production_ids),
            kinds=frozenset(row.kinds),
            media=frozenset(row.media),
            territories=frozenset(row.territories),
            shot_ids=frozenset(row.shot_ids),
            sequence_ids=frozenset(row.sequence_ids),
            since=row.valid_from,
            until=row.valid_until,
            no_end=row.no_end,
        ),
        signer_role=rule.SignerRole(row.signer_role) if row.signer_role else None,
        signed_on=row.signed_on,
        granted_at=row.granted_at,
        document_sha256=row.document_sha256,
    )


async def _exemptions(
    session: TenantSession, tenant_id: UUID, production_id: UUID, characters: Collection[UUID]
) -> list[rule.Exemption]:
    rows = await session.execute(
        select(
            ConsentExemption.id,
            ConsentExemption.character_id,
            ConsentExemption.performer_id,
            ConsentExemption.production_id,
            ConsentExemption.kinds,
            ConsentExemption.shot_ids,
            ConsentExemption.reason,
            ConsentExemption.recorded_at,
            ConsentExemption.until,
        )
        .where(
            ConsentExemption.tenant_id == tenant_id,
            ConsentExemption.production_id == production_id,
            ConsentExemption.character_id.in_(characters),
            ConsentExemption.ended_at.is_(None),
        )
        .order_by(ConsentExemption.id)
    )
    return [
        rule.Exemption(
            id=row.id,
            character_id=row.character_id,
            performer_id=row.performer_id,
            production_id=row.production_id,
            kinds=frozenset(row.kinds),
            shot_ids=frozenset(row.shot_ids),
            reason=rule.ExemptionReason(row.reason),
            recorded_at=row.recorded_at,
            until=row.until,
        )
        for row in rows
    ]
