"""Idempotency-Key: the same key and body give the same answer; nothing is made twice.

The record is written in the transaction that makes the thing, so a request refused before acceptance doesn't
consume its key (draft-ietf-httpapi-idempotency-key-header-07: 422 for another body, 409 while in flight).
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Row, and_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

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


# The lock may be given after the statement's snapshot was taken, and so after another request with the key committed
# unseen: then the row can't be inserted, see `in_flight`.
LOOK = (
    select(
        func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger())).label("locked"),
        IdempotencyRecord.body_hash,
        IdempotencyRecord.status,
        IdempotencyRecord.location,
        IdempotencyRecord.answer,
    )
    .select_from(select(literal(1)).subquery("always"))
    .outerjoin(
        IdempotencyRecord,
        and_(
            IdempotencyRecord.tenant_id == bindparam("of_tenant"),
            IdempotencyRecord.route == bindparam("route"),
            IdempotencyRecord.key == bindparam("key"),
        ),
    )
)


def look_values(tenant_id: UUID, claim: IdempotencyClaim) -> dict[str, Any]:
    """Return the parameters of LOOK."""
    digest = hashlib.sha256(f"{tenant_id}:{claim.route}:{claim.key}".encode()).digest()
    lock = int.from_bytes(digest[:8], "big", signed=True)
    return {"lock": lock, "of_tenant": tenant_id, "route": claim.route, "key": claim.key}


def in_flight() -> Conflict:
    return Conflict(
        "A request with this Idempotency-Key is still being handled: wait and send it again.",
        code="idempotency_in_flight",
    )


async def replay(
    session: TenantSession, seal: Seal, tenant_id: UUID, claim: IdempotencyClaim | None
) -> Answer | None:
    """Return the remembered answer, or None and hold the key until this transaction ends."""
    if claim is None:
        return None
    found = (await session.execute(LOOK, look_values(tenant_id, claim))).one()
    return replayed(seal, claim, found)


def replayed(seal: Seal, claim: IdempotencyClaim, stored: Row[Any]) -> Answer | None:
    """Return the answer that LOOK found. Raises Conflict while the key is in use, Invalid for another body."""
    if not stored.locked:
        raise in_flight()
    if stored.status is None:
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


def answer_row(seal: Seal, tenant_id: UUID, claim: IdempotencyClaim, answer: Answer) -> dict[str, Any]:
    """Return the answer as the row that remembers it."""
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "route": claim.route,
        "key": claim.key,
        "body_hash": claim.body_hash,
        "status": answer.status,
        "location": answer.location,
        "answer": seal.close(answer.body, place=_place(claim.route, claim.key)),
    }


async def remember(
    session: TenantSession, seal: Seal, tenant_id: UUID, claim: IdempotencyClaim | None, answer: Answer
) -> None:
    """Keep the answer, in the transaction that made it true. Raises Conflict when another request came first."""
    if claim is None:
        return
    kept = await session.scalar(
        upsert(IdempotencyRecord)
        .values(answer_row(seal, tenant_id, claim, answer))
        .on_conflict_do_nothing(index_elements=["tenant_id", "route", "key"])
        .returning(IdempotencyRecord.id)
    )
    if kept is None:
        raise in_flight()
