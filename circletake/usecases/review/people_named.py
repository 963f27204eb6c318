"""Who a consultation or an authorship entry is about: one of the studio's people, or a name that somebody enters."""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import invalid
from circletake.ports import Seal
from circletake.records.people import PersonRecord
from circletake.records.session import TenantSession
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class Named:
    """Exactly one of the two."""

    person_id: UUID | None = None
    name: str | None = field(default=None, repr=False)


async def require_known(session: TenantSession, tenant_id: UUID, who: Named) -> None:
    """Raise Invalid for a person who has never signed in here."""
    if who.person_id is None:
        return
    known = await session.scalar(
        select(PersonRecord.id).where(PersonRecord.tenant_id == tenant_id, PersonRecord.id == who.person_id)
    )
    if known is None:
        raise invalid("/person_id", "unknown_person", "There is no such person: give their name instead.")


def sealed(seal: Seal, text: str | None, place: str) -> bytes | None:
    return None if text is None else seal.close(text, place=place)


def opened(seal: Seal, value: bytes | None, place: str) -> str | None:
    return open_text(seal, value, place)
