"""The signed paper of a consent. It is kept in the database, sealed under the tenant's data key: so the paper, its
hash and the ledger entry are one transaction, nothing is left behind in a bucket, and destroying the key destroys it.
"""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.errors import Conflict, NotFound, invalid
from circletake.domain.people import Actor
from circletake.domain.permission.consents import ConsentState
from circletake.domain.permission.documents import DOCUMENT_TYPES, begins_as
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.performers import ConsentDocument
from circletake.records.session import Database
from circletake.usecases.edit_context import Expect
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.find_consents import ConsentView, consent_view, find_consent


@dataclass(frozen=True, slots=True)
class Paper:
    """A document as it was given."""

    media_type: str
    sha256: str
    content: bytes = field(repr=False)


def _place(consent_id: UUID) -> str:
    return f"consent_documents.content:{consent_id}"


async def put_document(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    consent_id: UUID,
    media_type: str,
    content: bytes,
    expect: Expect,
) -> ConsentView:
    """Keep the paper of a consent that isn't decided yet, in place of the one before; its hash replaces a stated one.

    Raises NotFound, Invalid for bytes that aren't of the type, Conflict for a consent that was decided, or what
    `expect` raises.
    """
    if not begins_as(media_type, content):
        known = ", ".join(DOCUMENT_TYPES)
        raise invalid("", "not_that_type", f"The bytes aren't {media_type}; send one of: {known}.")
    sha256 = hashlib.sha256(content).hexdigest()
    async with database.tenant(tenant_id) as session:
        consent = await find_consent(session, tenant_id, consent_id, lock=True)
        expect(consent.version)
        if consent.state not in {ConsentState.DRAFT, ConsentState.REQUESTED}:
            raise Conflict(
                f"This consent is {consent.state}: its document stays as it is.",
                code="consent_state",
                state=consent.state,
            )
        values = {
            "media_type": media_type,
            "size": len(content),
            "sha256": sha256,
            "content": seal.close(content, place=_place(consent_id)),
        }
        row = {"id": new_id(), "tenant_id": tenant_id, "consent_id": consent_id, **values}
        await session.execute(
            upsert(ConsentDocument)
            .values(row)
            .on_conflict_do_update(
                index_elements=["tenant_id", "consent_id"], set_={**values, "created_at": func.now()}
            )
        )
        consent.document_sha256 = sha256
        consent.version += 1
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="consent.document_kept",
            subject_id=consent_id,
            body={"sha256": sha256, "size": len(content), "media_type": media_type, **actor.for_ledger()},
        )
        return consent_view(seal, consent)


async def read_document(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, consent_id: UUID
) -> Paper:
    """Open the paper; that somebody did is put on the ledger. Raises NotFound, also where only its hash is known."""
    async with database.tenant(tenant_id) as session:
        await find_consent(session, tenant_id, consent_id)
        row = await session.scalar(
            select(ConsentDocument).where(
                ConsentDocument.tenant_id == tenant_id, ConsentDocument.consent_id == consent_id
            )
        )
        if row is None:
            raise NotFound("document")
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="consent.document_read",
            subject_id=consent_id,
            body={"sha256": row.sha256, **actor.for_ledger()},
        )
        return Paper(row.media_type, row.sha256, seal.open(row.content, place=_place(consent_id)))
