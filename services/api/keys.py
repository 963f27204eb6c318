"""API keys at the gateway: a key becomes a principal of one tenant, remembered for a few seconds."""

import hmac
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text, update

from circletake.domain.api_keys import parse
from circletake.domain.errors import Forbidden, Unauthenticated
from circletake.domain.people import Actor, Person, Role
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
    """The caller: one API key of one tenant, or one person who signed in there."""

    tenant_id: UUID
    api_key_id: UUID | None  # None for a person
    scopes: frozenset[str]
    storage: TenantStorage
    wrapped_data_key: bytes
    person: Person | None = None  # None for a key

    @property
    def person_id(self) -> UUID | None:
        return self.person.id if self.person else None

    @property
    def roles(self) -> frozenset[Role]:
        """Empty for a key: a key has scopes, never a role."""
        return self.person.roles if self.person else frozenset()

    @property
    def actor(self) -> Actor:
        return Actor(self.api_key_id, self.person_id)


def storage_of(row: Any) -> TenantStorage:
    """Read the tenant's storage from what a lookup before the tenant is known answers."""
    return TenantStorage(
        tenant_id=row.tenant_id,
        slug=row.slug,
        region=row.region,
        bucket=row.bucket,
        kms_key_arn=row.kms_key_arn,
        work_role_arn=row.work_role_arn,
        grant_role_arn=row.grant_role_arn,
    )


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    api_key_id: UUID
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
        await self._note_use(known.principal.tenant_id, known.api_key_id)
        return known.principal

    async def _look_up(self, key_id: str) -> _Known | None:
        async with self._database.role() as session:
            row = (await session.execute(_LOOKUP, {"key_id": key_id})).one_or_none()
        if row is None or row.revoked_at is not None or row.tenant_state == "provisioning":
            self._known.pop(key_id, None)
            return None
        principal = Principal(
            row.tenant_id, row.api_key_id, frozenset(row.scopes), storage_of(row), row.wrapped_data_key
        )
        known = _Known(
            time.monotonic() + CACHE_SECONDS,
            row.api_key_id,
            row.secret_hash,
            principal,
            row.tenant_state,
            row.expires_at.timestamp(),
        )
        if len(self._known) > 10_000:  # noqa: PLR2004 - a bound on memory, not a tuning knob
            self._known.clear()
        self._known[key_id] = known
        return known

    async def _note_use(self, tenant_id: UUID, api_key_id: UUID) -> None:
        """Write the last use at most once a minute."""
        last = self._used.get(api_key_id, 0.0)
        if time.monotonic() - last < LAST_USED_SECONDS and last:
            return
        self._used[api_key_id] = time.monotonic()
        async with self._database.tenant(tenant_id) as session:
            await session.execute(
                update(ApiKey).where(ApiKey.id == api_key_id).values(last_used_at=clock.now())
            )
