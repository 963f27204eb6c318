"""API keys at the gateway: a key becomes a principal of one tenant, remembered for a few seconds."""

import hmac
import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text, update

from circletake.domain.api_keys import parse
from circletake.domain.errors import Forbidden, Unauthenticated
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.records.session import Database
from circletake.records.tenancy import ApiKey

# A revoked key stops within this time (the promise is five seconds).
CACHE_SECONDS = 3.0
LAST_USED_SECONDS = 60.0

_LOOKUP = text("select * from auth_lookup(:key_id)")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: one API key of one tenant."""

    tenant_id: UUID
    api_key_id: UUID
    scopes: frozenset[str]
    storage: TenantStorage
    wrapped_data_key: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    secret_hash: bytes
    principal: Principal
    state: str
    expires_at: float


class KeyRing:
    """Resolves keys, remembering them for a few seconds. A wrong secret is never remembered as right."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, _Known] = {}
        self._used: dict[UUID, float] = {}

    async def resolve(self, presented: str) -> Principal:
        parsed = parse(presented)
        if parsed is None:
            raise Unauthenticated("The API key is mistyped or incomplete: its checksum doesn't fit.")
        key_id, secret_hash = parsed
        known = self._known.get(key_id)
        if known is None or known.until < time.monotonic():
            known = await self._look_up(key_id)
        if known is None or not hmac.compare_digest(known.secret_hash, secret_hash):
            raise Unauthenticated("There is no such API key, or it was revoked or has expired.")
        if known.expires_at < clock.now().timestamp():
            raise Unauthenticated("There is no such API key, or it was revoked or has expired.")
        if known.state == "suspended":
            raise Forbidden("This studio is suspended: ask the operator.", code="tenant_suspended")
        await self._note_use(known.principal)
        return known.principal

    async def _look_up(self, key_id: str) -> _Known | None:
        async with self._database.role() as session:
            row = (await session.execute(_LOOKUP, {"key_id": key_id})).one_or_none()
        if row is None or row.revoked_at is not None or row.tenant_state == "provisioning":
            self._known.pop(key_id, None)
            return None
        storage = TenantStorage(
            tenant_id=row.tenant_id,
            slug=row.slug,
            region=row.region,
            bucket=row.bucket,
            kms_key_arn=row.kms_key_arn,
            work_role_arn=row.work_role_arn,
            grant_role_arn=row.grant_role_arn,
        )
        principal = Principal(
            row.tenant_id, row.api_key_id, frozenset(row.scopes), storage, row.wrapped_data_key
        )
        known = _Known(
            time.monotonic() + CACHE_SECONDS,
            row.secret_hash,
            principal,
            row.tenant_state,
            row.expires_at.timestamp(),
        )
        if len(self._known) > 10_000:  # noqa: PLR2004 - a bound on memory, not a tuning knob
            self._known.clear()
        self._known[key_id] = known
        return known

    async def _note_use(self, principal: Principal) -> None:
        """Write the last use at most once a minute."""
        last = self._used.get(principal.api_key_id, 0.0)
        if time.monotonic() - last < LAST_USED_SECONDS and last:
            return
        self._used[principal.api_key_id] = time.monotonic()
        async with self._database.tenant(principal.tenant_id) as session:
            await session.execute(
                update(ApiKey).where(ApiKey.id == principal.api_key_id).values(last_used_at=clock.now())
            )
