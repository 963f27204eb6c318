"""Sign-in: what a token claims, and whether its issuer really said so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OIDC provider as a studio uses it. `jwks_uri` None: where its discovery document says."""

    url: str
    audience: str
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class SignInPlaces:
    """Where a browser goes to sign a person in (RFC 6749 §3)."""

    authorization_endpoint: str
    token_endpoint: str


class TokenRefused(Exception):
    """This token proves nothing. `code` is stable; `says` tells what is wrong and quotes nothing of it."""

    def __init__(self, code: str, says: str) -> None:
        super().__init__(says)
        self.code, self.says = code, says


class SignInDown(Exception):
    """The provider's keys can't be had now and the token needs them: neither true nor false."""


class TokenVerifier(Protocol):
    def url_problem(self, url: str) -> str | None:
        """Return why this address of a provider will never be asked, as a sentence for the operator, or None."""
        ...

    def look(self, token: str) -> tuple[str, tuple[str, ...]]:
        """Return (issuer, audiences) as an unverified token claims them: to find who would have to vouch for it.

        Raises TokenRefused for what can't be a token of ours whoever signed it.
        """
        ...

    async def verify(self, token: str, issuer: Issuer, *, now: datetime) -> Mapping[str, Any]:
        """Return the claims of a token that this issuer signed, for this audience, and that is valid now.

        `sub`, `exp` and `iat` are there and of the right type. Raises TokenRefused or SignInDown. May fetch the
        issuer's keys: call it outside any transaction.
        """
        ...

    async def places(self, issuer: Issuer) -> SignInPlaces:
        """Return where people sign in. Raises SignInDown."""
        ...
