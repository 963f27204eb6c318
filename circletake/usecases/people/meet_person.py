"""Somebody signed in: the person of this token's subject, made at the first sight and kept up to date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from circletake.domain.errors import Forbidden
from circletake.domain.people import Person, Role, claim
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.people import PersonRecord
from circletake.records.session import Database, TenantSession

LONGEST_NAME = 200
_SEEN_WITHIN = timedelta(minutes=1)
_STANDARD_NAMES = ("name", "preferred_username")  # OpenID Connect Core §5.1


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a verified token says of a person. The subject is who it is; the rest may change."""

    provider_id: UUID
    subject: str
    name: str
    roles: frozenset[Role]


def name_in(claims: Mapping[str, Any], name_claim: str) -> str:
    """Return the name a token gives a person, or an empty one: it is for reading only."""
    for wanted in (name_claim, *_STANDARD_NAMES):
        told = claim(claims, wanted)
        if isinstance(told, str) and told.strip():
            return " ".join("".join(each if each.isprintable() else " " for each in told).split())[
                :LONGEST_NAME
            ]
    return ""


async def meet_person(
    database: Database, seal: Seal, *, tenant_id: UUID, signed_in: SignedIn, now: datetime
) -> Person:
    """Return who this is. Writes at most once a minute, or when roles or name changed. Raises Forbidden
    `person_suspended`."""
    subject_hash = seal.keyed_hash(f"subject:{signed_in.provider_id}:{signed_in.subject}".encode())
    async with database.tenant(tenant_id) as session:
        found = await _find(session, tenant_id, signed_in.provider_id, subject_hash)
        if found is None:
            await session.execute(_first(seal, tenant_id, signed_in, subject_hash, now))
            found = await _find(session, tenant_id, signed_in.provider_id, subject_hash)
            assert found is not None  # inserted here, or by the one who was faster
        person_id, state = found.id, found.state
        if state == "active":
            await _keep_current(session, seal, found, signed_in, now)
    if state != "active":
        raise Forbidden(
            "This person is suspended here: ask a production manager of the studio.", code="person_suspended"
        )
    return Person(person_id, signed_in.name, signed_in.roles)


async def _find(
    session: TenantSession, tenant_id: UUID, provider_id: UUID, subject_hash: str
) -> PersonRecord | None:
    found: PersonRecord | None = await session.scalar(
        select(PersonRecord).where(
            PersonRecord.tenant_id == tenant_id,
            PersonRecord.provider_id == provider_id,
            PersonRecord.subject_hash == subject_hash,
        )
    )
    return found


def _first(seal: Seal, tenant_id: UUID, signed_in: SignedIn, subject_hash: str, now: datetime) -> Any:
    person_id = new_id()
    return (
        insert(PersonRecord)
        .values(
            id=person_id,
            tenant_id=tenant_id,
            provider_id=signed_in.provider_id,
            subject_hash=subject_hash,
            subject=seal.close(signed_in.subject, place=f"people.subject:{person_id}"),
            name=seal.close(signed_in.name, place=f"people.name:{person_id}"),
            roles=sorted(signed_in.roles),
            state="active",
            last_seen_at=now,
        )
        .on_conflict_do_nothing()
    )


async def _keep_current(
    session: TenantSession, seal: Seal, found: PersonRecord, signed_in: SignedIn, now: datetime
) -> None:
    place = f"people.name:{found.id}"
    known = seal.open(found.name, place=place).decode()
    same = (known, found.roles) == (signed_in.name, sorted(signed_in.roles))
    if same and now - found.last_seen_at < _SEEN_WITHIN:
        return
    # one statement without a lock taken before: two requests of one person never wait for each other's reads
    await session.execute(
        update(PersonRecord)
        .where(PersonRecord.tenant_id == found.tenant_id, PersonRecord.id == found.id)
        .values(
            name=found.name if known == signed_in.name else seal.close(signed_in.name, place=place),
            roles=sorted(signed_in.roles),
            last_seen_at=now,
        )
    )
