"""People at the gateway: the token of a studio's own sign-in becomes a principal of that studio.

A token is verified in full at first sight and remembered for a few seconds by its hash, as keys are.
"""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from circletake.domain.errors import Forbidden, Unauthenticated, Unavailable
from circletake.domain.people import roles_in, scopes_of
from circletake.kit import clock
from circletake.ports import Issuer, SignInDown, SignInPlaces, TokenRefused, TokenVerifier, Vault
from circletake.records.session import Database
from circletake.usecases.people.meet_person import SignedIn, meet_person, name_in
from services.api.keys import CACHE_SECONDS, Principal, storage_of

_LOOKUP = text("select * from provider_lookup(:issuer, :audiences)")
_SIGN_IN = text("select * from sign_in_lookup(:slug)")
_DOWN = "The studio's sign-in can't be reached, and without it nobody can be told from anybody: try again."
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class SignInStart:
    """As whom, and where, the console asks a studio's provider to sign people in."""

    studio: str
    issuer: str
    client_id: str
    scope: str
    places: SignInPlaces


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    principal: Principal
    expires_at: float


class SignedInPeople:
    """Resolves people's tokens. What is wrong with a token is told; what is in it never is."""

    def __init__(self, database: Database, verifier: TokenVerifier, vault: Vault) -> None:
        self._database = database
        self._verifier = verifier
        self._vault = vault
        self._known: dict[bytes, _Known] = {}

    async def resolve(self, token: str) -> Principal:
        """Raises Unauthenticated with the token's fault, Forbidden, or Unavailable `sign_in_unavailable`."""
        now = clock.now()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known.until > time.monotonic() and known.expires_at > now.timestamp():
            return known.principal
        self._known.pop(digest, None)
        try:
            principal, expires_at = await self._verify(token, now)
        except TokenRefused as refused:
            raise Unauthenticated(refused.says, code=refused.code) from None
        except SignInDown:
            raise Unavailable(_DOWN, code="sign_in_unavailable") from None
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known[digest] = _Known(time.monotonic() + CACHE_SECONDS, principal, expires_at)
        return principal

    async def begin(self, studio: str) -> SignInStart | None:
        """Return where the console signs people of this studio in; None when the operator let it do so nowhere, or
        there is no such studio. Raises Unavailable."""
        async with self._database.role() as session:
            row = (await session.execute(_SIGN_IN, {"slug": studio})).one_or_none()
        if row is None:
            return None
        issuer = Issuer(row.issuer, row.audience, row.jwks_uri)
        try:
            places = await self._verifier.places(issuer)
        except SignInDown:
            raise Unavailable(_DOWN, code="sign_in_unavailable") from None
        return SignInStart(studio, issuer.url, row.client_id, row.sign_in_scope, places)

    async def _verify(self, token: str, now: datetime) -> tuple[Principal, float]:
        row = await self._provider(token)
        issuer = Issuer(row.issuer, row.audience, row.jwks_uri)
        claims = await self._verifier.verify(token, issuer, now=now)
        if row.tenant_state != "active":
            raise Forbidden("This studio is suspended: ask the operator.", code="tenant_suspended")
        seal = await self._vault.seal(storage_of(row), row.wrapped_data_key)
        roles = roles_in(claims, row.roles_claim, row.role_map)
        signed_in = SignedIn(row.provider_id, claims["sub"], name_in(claims, row.name_claim), roles)
        person = await meet_person(
            self._database, seal, tenant_id=row.tenant_id, signed_in=signed_in, now=now
        )
        principal = Principal(
            row.tenant_id, None, scopes_of(roles), storage_of(row), row.wrapped_data_key, person
        )
        return principal, float(claims["exp"])

    async def _provider(self, token: str) -> Any:
        """Find who has to vouch for this token. One that several studios could claim belongs to none of them."""
        url, audiences = self._verifier.look(token)
        async with self._database.role() as session:
            rows = (await session.execute(_LOOKUP, {"issuer": url, "audiences": list(audiences)})).all()
        rows = [row for row in rows if row.tenant_state != "provisioning"]
        if not rows:
            raise TokenRefused(
                "token_audience",
                "No studio here takes tokens of this issuer (`iss`) for this audience (`aud`).",
            )
        if len(rows) > 1:
            raise TokenRefused("token_audience", "The token is meant for several studios at once (`aud`).")
        return rows[0]
