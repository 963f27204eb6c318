"""Who calls: an API key becomes a principal of one tenant, or the operator."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from circletake.domain.api_keys import Scope
from circletake.domain.errors import Forbidden, Unauthenticated
from circletake.ports import Seal
from services.api.keys import Principal
from services.api.wiring import Gateway, gateway

bearer = HTTPBearer(auto_error=False, description="An API key: `ct_live_…`")
operator_bearer = HTTPBearer(auto_error=False, description="The operator's key")


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
        raise Unauthenticated("Send the operator's key as `Authorization: Bearer …`.")
    await desk.limits.count(request, "operator")
