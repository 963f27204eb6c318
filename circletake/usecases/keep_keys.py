"""API keys as the operator keeps them: issue, list, rotate, revoke. Only a hash of the secret is stored.

A lost answer is not replayed: no secret is kept that could be. Issue another key and revoke the lost one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from circletake.domain.api_keys import ALL_SCOPES, issue
from circletake.domain.errors import Conflict, NotFound
from circletake.kit import logs
from circletake.records.session import Database
from circletake.records.tenancy import ApiKey, Tenant

log = logs.logger(__name__)

MAX_KEY_DAYS = 366
MAX_LIVE_KEYS = 20  # per tenant
MAX_LIVE_KEYS_PER_NAME = 2  # the old one and the new one, while clients change over


@dataclass(frozen=True, slots=True)
class KeyWish:
    """What a new key is for. `expires_in_days` is 1 to MAX_KEY_DAYS."""

    name: str
    scopes: Sequence[str] = ALL_SCOPES
    expires_in_days: int = MAX_KEY_DAYS


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and, this once, its text."""

    key: ApiKey
    text: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.key_id})"


async def list_keys(
    database: Database, tenant_id: UUID, *, limit: int, before: tuple[datetime, UUID] | None = None
) -> Sequence[ApiKey]:
    """Return a tenant's keys, newest first, dead ones too. Raises NotFound."""
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id)
    if before is not None:
        query = query.where(tuple_(ApiKey.created_at, ApiKey.id) < before)
    async with database.role() as session:
        if await session.get(Tenant, tenant_id) is None:
            raise NotFound("tenant")
        return list(
            await session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(limit))
        )


async def issue_key(database: Database, tenant_id: UUID, wish: KeyWish, *, now: datetime) -> NewKey:
    """Add a key to a provisioned tenant. Raises NotFound, Conflict when too many are live."""
    async with database.role() as session:
        tenant = await lock_tenant(session, tenant_id)
        if tenant.state == "provisioning":
            raise Conflict(
                "This tenant isn't provisioned yet: finish that first.", code="provisioning_incomplete"
            )
        await _require_room(session, tenant_id, wish.name, now)
        new = await add_key(session, tenant_id, wish, now=now)
    log.info("key_issued", tenant_id=tenant_id, api_key_id=new.key.id)
    return new


async def rotate_key(
    database: Database,
    tenant_id: UUID,
    api_key_id: UUID,
    *,
    overlap: timedelta,
    expires_in_days: int,
    now: datetime,
) -> NewKey:
    """Issue a key with the same name and scopes; the old one expires after the overlap, or sooner if it would.

    Raises NotFound, Conflict when the old key is dead or two of its name are live already.
    """
    async with database.role() as session:
        await lock_tenant(session, tenant_id)
        old = await _find(session, tenant_id, api_key_id)
        if not is_live(old, now):
            raise Conflict(
                "This key is revoked or has expired: issue a new one instead.", code="key_not_live"
            )
        await _require_room(session, tenant_id, old.name, now)
        new = await add_key(session, tenant_id, KeyWish(old.name, old.scopes, expires_in_days), now=now)
        old.expires_at = min(old.expires_at, now + overlap)
    log.info("key_rotated", tenant_id=tenant_id, api_key_id=new.key.id)
    return new


async def revoke_key(database: Database, tenant_id: UUID, api_key_id: UUID, *, now: datetime) -> ApiKey:
    """End a key for good; again is no error. Gateways remember keys for a few seconds. Raises NotFound."""
    async with database.role() as session:
        key = await _find(session, tenant_id, api_key_id, lock=True)
        if key.revoked_at is None:
            key.revoked_at = now
    log.info("key_revoked", tenant_id=tenant_id, api_key_id=api_key_id)
    return key


def is_live(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and key.expires_at > now


async def lock_tenant(session: AsyncSession, tenant_id: UUID) -> Tenant:
    """Lock a tenant's row, so that its keys are counted and its state is changed one at a time."""
    tenant = await session.get(Tenant, tenant_id, with_for_update=True)
    if tenant is None:
        raise NotFound("tenant")
    return tenant


async def add_key(session: AsyncSession, tenant_id: UUID, wish: KeyWish, *, now: datetime) -> NewKey:
    issued = issue()
    key = ApiKey(
        tenant_id=tenant_id,
        key_id=issued.key_id,
        secret_hash=issued.secret_hash,
        name=wish.name,
        scopes=sorted(set(wish.scopes)),
        expires_at=now + timedelta(days=wish.expires_in_days),
    )
    session.add(key)
    await session.flush()
    return NewKey(key, issued.text)


async def _require_room(session: AsyncSession, tenant_id: UUID, name: str, now: datetime) -> None:
    live = (
        await session.scalars(
            select(ApiKey.name).where(
                ApiKey.tenant_id == tenant_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
            )
        )
    ).all()
    if live.count(name) >= MAX_LIVE_KEYS_PER_NAME:
        raise Conflict(
            "Two live keys have this name already: revoke one of them first.", code="two_live_keys"
        )
    if len(live) >= MAX_LIVE_KEYS:
        raise Conflict(
            f"A tenant may have {MAX_LIVE_KEYS} live keys: revoke one first.", code="too_many_keys"
        )


async def _find(session: AsyncSession, tenant_id: UUID, api_key_id: UUID, *, lock: bool = False) -> ApiKey:
    query = select(ApiKey).where(ApiKey.tenant_id == tenant_id, ApiKey.id == api_key_id)
    key = await session.scalar(query.with_for_update() if lock else query)
    if key is None:
        raise NotFound("API key")
    return key
