"""Who calls: an API key becomes a principal of one tenant, or the operator."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import text, update

from circletake.domain.api_keys import Scope, parse
from circletake.domain.errors import Forbidden, Unauthenticated
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.session import Database
from circletake.records.tenancy import ApiKey
from services.api.wiring import Gateway, gateway

# A revoked key stops within this time (the promise is five seconds).
CACHE_SECONDS = 3.0
LAST_USED_SECONDS = 60.0

_LOOKUP = text("select * from auth_lookup(:key_id)")

bearer = HTTPBearer(auto_error=False, description="An API key: `ct_live_…`")
operator_bearer = HTTPBearer(auto_error=False, description="The operator's key")


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


async def principal(
    request: Request,
    desk: Annotated[Gateway, Depends(gateway)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Principal:
    if credentials is None:
        raise Unauthenticated("Send the API key as `Authorization: Bearer ct_live_…`.")
    who = await desk.keys.resolve(credentials.credentials)
    request.state.api_key_id = who.api_key_id
    await desk.limits.count(request, str(who.api_key_id))
    return who


def may(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets in keys with this scope."""

    async def check(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if scope.value not in who.scopes:
            raise Forbidden(f"This key lacks the scope `{scope}`.", code="missing_scope")
        return who

    return check


Reader = Annotated[Principal, Depends(may(Scope.READ))]
Writer = Annotated[Principal, Depends(may(Scope.WRITE))]
Generator = Annotated[Principal, Depends(may(Scope.GENERATE))]
Reviewer = Annotated[Principal, Depends(may(Scope.REVIEW))]
WebhookKeeper = Annotated[Principal, Depends(may(Scope.WEBHOOKS))]


async def seal_of(desk: Gateway, who: Principal) -> Seal:
    """Unwrap the tenant's data key: before any transaction opens."""
    return await desk.vault.seal(who.storage, who.wrapped_data_key)


async def operator(
    request: Request,
    desk: Annotated[Gateway, Depends(gateway)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(operator_bearer)],
) -> None:
    expected = desk.admin_key
    presented = credentials.credentials if credentials else ""
    if not expected or not hmac.compare_digest(presented.encode(), expected.encode()):
        await asyncio.sleep(0)
        raise Unauthenticated("Send the operator's key as `Authorization: Bearer …`.")
    await desk.limits.count(request, "operator")
