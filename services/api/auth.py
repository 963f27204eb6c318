"""Who calls: an API key becomes a principal of one tenant, or the operator."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from circletake.domain.api_keys import Scope
from circletake.domain.errors import Forbidden, Unauthenticated
from circletake.domain.people import Role, named
from circletake.ports import Seal
from services.api.keys import Principal
from services.api.wiring import Gateway, gateway

bearer = HTTPBearer(
    auto_error=False,
    description="An API key, `ct_live_…`, or the token that your studio's own sign-in gave a person",
)
operator_bearer = HTTPBearer(auto_error=False, description="The operator's key")


async def principal(
    request: Request,
    desk: Annotated[Gateway, Depends(gateway)],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Principal:
    if credentials is None:
        raise Unauthenticated(
            "Send an API key as `Authorization: Bearer ct_live_…`, or the token of a person who signed in."
        )
    presented = credentials.credentials
    # what isn't a key and has no dots is a mistyped key: the checksum says so
    is_token = not presented.startswith("ct_") and "." in presented
    who = await (desk.people if is_token else desk.keys).resolve(presented)
    request.state.api_key_id, request.state.person_id = who.api_key_id, who.person_id
    await desk.limits.count(request, str(who.api_key_id or who.person_id))
    await desk.beta.admit(request, who.tenant_id)
    return who


def may(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets in keys with this scope."""

    async def check(who: Annotated[Principal, Depends(principal)]) -> Principal:
        if scope.value not in who.scopes:
            whose = "None of your roles has" if who.person else "This key lacks"
            raise Forbidden(f"{whose} the scope `{scope}`.", code="missing_scope")
        return who

    return check


async def person(who: Annotated[Principal, Depends(principal)]) -> Principal:
    """Let in people who signed in, whatever their roles."""
    if who.person is None:
        raise Forbidden(
            "This is an act of a person, and a key is none: sign in through the studio's own sign-in"
            " and send that token as `Authorization: Bearer …`.",
            code="person_required",
        )
    return who


def person_with(*roles: Role) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets in people who have one of the roles. Keys are refused, whatever their scopes."""

    async def check(who: Annotated[Principal, Depends(person)]) -> Principal:
        if not who.roles & frozenset(roles):
            raise Forbidden(
                f"This takes a person who is {named(roles)}.", code="missing_role", roles=sorted(roles)
            )
        return who

    return check


Reader = Annotated[Principal, Depends(may(Scope.READ))]
Writer = Annotated[Principal, Depends(may(Scope.WRITE))]
Generator = Annotated[Principal, Depends(may(Scope.GENERATE))]
WebhookKeeper = Annotated[Principal, Depends(may(Scope.WEBHOOKS))]
Person = Annotated[Principal, Depends(person)]


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
