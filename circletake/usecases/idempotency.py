"""Idempotency-Key: the same key and body give the same answer; nothing is made twice.

The record is written in the transaction that makes the thing, so a request refused before acceptance doesn't
consume its key (draft-ietf-httpapi-idempotency-key-header-07: 422 for another body, 409 while in flight).
"""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.errors import Conflict, Invalid
from circletake.domain.pictures import Violation
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.events import IdempotencyRecord
from circletake.records.session import TenantSession


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    key: str
    route: str
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it left, or will leave, the gateway."""

    status: int
    body: bytes = field(repr=False)
    location: str | None = None
    replayed: bool = False


def _place(route: str, key: str) -> str:
    return f"idempotency_keys.answer:{route}:{key}"


async def replay(
    session: TenantSession, seal: Seal, tenant_id: UUID, claim: IdempotencyClaim | None
) -> Answer | None:
    """Return the remembered answer, or None and hold the key until this transaction ends."""
    if claim is None:
        return None
    digest = hashlib.sha256(f"{tenant_id}:{claim.route}:{claim.key}".encode()).digest()
    lock = int.from_bytes(digest[:8], "big", signed=True)
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(lock))):
        raise Conflict(
            "A request with this Idempotency-Key is still being handled: wait and send it again.",
            code="idempotency_in_flight",
        )
    stored = await session.scalar(
        select(IdempotencyRecord).where(
            IdempotencyRecord.tenant_id == tenant_id,
            IdempotencyRecord.route == claim.route,
            IdempotencyRecord.key == claim.key,
        )
    )
    if stored is None:
        return None
    if stored.body_hash != claim.body_hash:
        raise Invalid(
            [
                Violation(
                    "",
                    "idempotency_key_reused",
                    "This Idempotency-Key was used with another body: send a new key for a new request.",
                )
            ],
            code="idempotency_key_reused",
        )
    body = seal.open(stored.answer, place=_place(claim.route, claim.key))
    return Answer(stored.status, body, stored.location, replayed=True)


async def remember(
    session: TenantSession, seal: Seal, tenant_id: UUID, claim: IdempotencyClaim | None, answer: Answer
) -> None:
    if claim is None:
        return
    await session.execute(
        insert(IdempotencyRecord).values(
            id=new_id(),
            tenant_id=tenant_id,
            route=claim.route,
            key=claim.key,
            body_hash=claim.body_hash,
            status=answer.status,
            location=answer.location,
            answer=seal.close(answer.body, place=_place(claim.route, claim.key)),
        )
    )
