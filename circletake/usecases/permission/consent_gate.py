"""Whom a request depicts, and whether their consents cover it.

A character whom nobody portrays needs no consent. What is read here is ids, dates and hashes: only `depictions` opens
sealed text, the names of performers, and only when a prompt could name one.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select

from circletake.domain.errors import Invalid
from circletake.domain.permission import consents as rule
from circletake.domain.permission.consents import Missing, Permission, Use
from circletake.domain.permission.coverage import permission
from circletake.domain.pictures import Violation
from circletake.ports import Seal
from circletake.records.characters import Character, Look, Reference, ReferenceSet
from circletake.records.generations import Generation
from circletake.records.media import MediaFile
from circletake.records.performers import Consent, ConsentExemption, Performer, Portrayal
from circletake.records.session import TenantSession
from circletake.usecases.permission.find_performers import name_of

__all__ = ["Depiction", "Missing", "Permission", "Use", "depictions", "permission_for"]

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Depiction:
    """A character that a request depicts. `how`: declared, consistency, reference_set, photograph, take or
    named_in_prompt."""

    character_id: UUID
    look_id: UUID | None
    how: str


async def depictions(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    production_id: UUID,
    declared: Sequence[UUID],
    consistency: Sequence[UUID],
    media_ids: Collection[UUID],
    prompt: str | None,
) -> list[Depiction]:
    """Return whom a request depicts, declared or not, each way it is known once.

    `declared`: characters of the body's `depicts`; one that isn't in the production raises Invalid. `consistency`:
    characters of an enforcement. `media_ids`: the request's inputs; a picture of a reference set of a portrayed
    character depicts it, one that is on record as somebody's photograph, and a take of a generation that depicted it.
    A prompt that has a portrayed character's script name or its performer's full name in it depicts that character.
    """
    found = [Depiction(each, None, "declared") for each in dict.fromkeys(declared)]
    found += [Depiction(each, None, "consistency") for each in dict.fromkeys(consistency)]
    if declared:
        await _refuse_unknown(session, tenant_id, production_id, declared)
    portrayed = await _portrayed(session, tenant_id, production_id)
    if not portrayed:
        return found
    if media_ids:
        found += await _shown(session, tenant_id, portrayed, media_ids)
    if prompt:
        found += _named(seal, portrayed, prompt)
    return list(dict.fromkeys(found))


async def permission_for(
    session: TenantSession, *, tenant_id: UUID, use: Use, characters: Collection[UUID]
) -> Permission:
    """Say what allows this use of these characters, and what is missing. One query, or two; nothing is locked."""
    if not characters:
        return Permission()
    rows = (await session.execute(_STANDING.where(*_of(tenant_id, characters)))).all()
    portrayals = [_portrayal(row) for row in rows]
    if not portrayals:
        return Permission()
    consents = {row.consent_id: _consent(row) for row in rows if row.consent_id is not None}
    exemptions: list[rule.Exemption] = []
    if use.alters_recording:
        exemptions = await _exemptions(session, tenant_id, use.production_id, characters)
    return permission(use, list(dict.fromkeys(portrayals)), list(consents.values()), exemptions)


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


async def _refuse_unknown(
    session: TenantSession, tenant_id: UUID, production_id: UUID, declared: Sequence[UUID]
) -> None:
    known = set(
        await session.scalars(
            select(Character.id).where(
                Character.tenant_id == tenant_id,
                Character.production_id == production_id,
                Character.id.in_(declared),
                Character.deleted_at.is_(None),
            )
        )
    )
    unknown = [
        Violation(f"/depicts/{index}", "unknown_character", "There is no such character in this production.")
        for index, character_id in enumerate(declared)
        if character_id not in known
    ]
    if unknown:
        raise Invalid(unknown)


async def _portrayed(session: TenantSession, tenant_id: UUID, production_id: UUID) -> Sequence[Any]:
    """The portrayals of the production, with what they are called by. A character that was deleted has no name any
    more; its performer has, and their likeness is theirs whatever became of the character."""
    rows = await session.execute(
        select(
            Portrayal.character_id,
            Portrayal.performer_id,
            Portrayal.media_id,
            Character.script_name,
            Performer.name,
        )
        .join(
            Character,
            and_(Character.tenant_id == Portrayal.tenant_id, Character.id == Portrayal.character_id),
        )
        .join(
            Performer,
            and_(Performer.tenant_id == Portrayal.tenant_id, Performer.id == Portrayal.performer_id),
        )
        .where(
            Portrayal.tenant_id == tenant_id,
            Portrayal.production_id == production_id,
            Portrayal.ended_at.is_(None),
        )
        .order_by(Portrayal.character_id, Portrayal.id)
    )
    return rows.all()


async def _shown(
    session: TenantSession, tenant_id: UUID, portrayed: Sequence[Any], media_ids: Collection[UUID]
) -> list[Depiction]:
    """The portrayed characters that these pictures show, as far as it is on record."""
    characters = {each.character_id for each in portrayed}
    found = [
        Depiction(each.character_id, None, "photograph")
        for each in portrayed
        if each.media_id is not None and each.media_id in media_ids
    ]
    # whatever version of a reference set they were taken for
    rows = await session.execute(
        select(Look.character_id, Look.id)
        .distinct()
        .join(ReferenceSet, and_(ReferenceSet.tenant_id == Look.tenant_id, ReferenceSet.look_id == Look.id))
        .join(
            Reference,
            and_(Reference.tenant_id == Look.tenant_id, Reference.reference_set_id == ReferenceSet.id),
        )
        .where(
            Look.tenant_id == tenant_id,
            Reference.media_id.in_(media_ids),
            Look.character_id.in_(characters),
        )
        .order_by(Look.character_id, Look.id)
    )
    found += [Depiction(character_id, look_id, "reference_set") for character_id, look_id in rows]
    of_takes = await session.scalars(
        select(Generation.depicts)
        .join(
            MediaFile,
            and_(MediaFile.tenant_id == Generation.tenant_id, MediaFile.generation_id == Generation.id),
        )
        .where(Generation.tenant_id == tenant_id, MediaFile.id.in_(media_ids))
    )
    shown = {UUID(each["character"]) for depicts in of_takes for each in depicts}
    return found + [Depiction(each, None, "take") for each in sorted(shown & characters)]


def _named(seal: Seal, portrayed: Iterable[Any], prompt: str) -> list[Depiction]:
    said = f" {' '.join(_words(prompt))} "
    found = []
    for each in portrayed:
        names = (each.script_name, name_of(seal, each.performer_id, each.name))
        if any(f" {' '.join(words)} " in said for words in map(_words, names) if words):
            found.append(Depiction(each.character_id, None, "named_in_prompt"))
    return found


def _words(text: str | None) -> list[str]:
    """Read a text as it would be said: without case, accents' spellings, punctuation or spacing."""
    return _WORD.findall(unicodedata.normalize("NFKC", text or "").casefold())
