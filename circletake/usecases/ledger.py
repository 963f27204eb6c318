"""Ledger entries: a salted commitment to what was asked and to what came of it, in the same transaction."""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from circletake.kit.hashing import canonical_json, commitment
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.events import LedgerEntry
from circletake.records.session import TenantSession


def entry_row(
    seal: Seal,
    *,
    tenant_id: UUID,
    kind: str,
    subject_id: UUID,
    body: Mapping[str, Any],
    entry_id: UUID,
) -> dict[str, Any]:
    """Return an entry as its row. `body` carries ids, hashes and strings; floats are refused."""
    document = canonical_json({"kind": kind, "entry": str(entry_id), "subject": str(subject_id), **body})
    salt = secrets.token_bytes(32)
    return {
        "id": entry_id,
        "tenant_id": tenant_id,
        "kind": kind,
        "subject_id": subject_id,
        "commitment": commitment(salt, document),
        "salt": salt,
        "body": seal.close(document, place=f"ledger_entries.body:{entry_id}"),
    }


async def record_entry(
    session: TenantSession,
    seal: Seal,
    *,
    tenant_id: UUID,
    kind: str,
    subject_id: UUID,
    body: Mapping[str, Any],
) -> UUID:
    """Append an entry and return its id."""
    entry_id = new_id()
    row = entry_row(seal, tenant_id=tenant_id, kind=kind, subject_id=subject_id, body=body, entry_id=entry_id)
    await session.execute(insert(LedgerEntry).values(row))
    return entry_id
