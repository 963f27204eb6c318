"""Checks a person's token: a signed JWT (RFC 7519, RFC 8725) of the studio's own OIDC provider."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ClaimError,
    ExpiredTokenError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from circletake.adapters.oidc.key_sets import KeySets, SigningKey
from circletake.ports import Issuer, SignInPlaces, TokenRefused

MOST_CHARACTERS = 8 * 1024
LEEWAY_SECONDS = 60
LONGEST_SECONDS = 24 * 3600  # a token that lives longer would outlive what it says about a person's roles
_MOST_AUDIENCES = 16
_LONGEST_NAME = 2048
_LONGEST_SUBJECT = 255  # OpenID Connect Core §2
_LONGEST_KEY_ID = 255
# the algorithms by name, never by what a token asks for: no `none`, and no HMAC, whose key would be the public one
_KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}


class _Bounded(JWSRegistry):
    max_header_length = MOST_CHARACTERS
    max_payload_length = MOST_CHARACTERS

    def get_alg(self, name: str) -> Any:
        """`EdDSA` without the library's warning: RFC 9864 renames it, and providers sign with the old name."""
        if name not in _KEY_TYPES:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


class JoseTokenVerifier:
    """The TokenVerifier port over joserfc."""

    def __init__(self, key_sets: KeySets) -> None:
        self._key_sets = key_sets

    def close(self) -> None:
        self._key_sets.close()

    def url_problem(self, url: str) -> str | None:
        return self._key_sets.url_problem(url)

    def look(self, token: str) -> tuple[str, tuple[str, ...]]:
        header, claims = _parts(token)
        _algorithm(header)
        issuer, told = claims.get("iss"), claims.get("aud")
        audiences = [told] if isinstance(told, str) else told
        if not _is_name(issuer):
            raise TokenRefused("token_malformed", "The token names no issuer (`iss`).")
        if not isinstance(audiences, list) or not 0 < len(audiences) <= _MOST_AUDIENCES:
            raise TokenRefused("token_malformed", "The token names no audience (`aud`), or too many.")
        if not all(map(_is_name, audiences)):
            raise TokenRefused("token_malformed", "The token's audience (`aud`) isn't one.")
        return issuer, tuple(dict.fromkeys(audiences))

    async def verify(self, token: str, issuer: Issuer, *, now: datetime) -> Mapping[str, Any]:
        header, _ = _parts(token)
        algorithm = _algorithm(header)
        key = await self._key(issuer, header, algorithm)
        registry = _Bounded(algorithms=[algorithm], strict_check_header=False)
        try:
            claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
        except BadSignatureError:
            raise TokenRefused("token_signature", "The token's signature doesn't fit.") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise TokenRefused("token_malformed", "The token can't be read.") from None
        _check(claims, issuer, int(now.timestamp()))
        return claims

    async def places(self, issuer: Issuer) -> SignInPlaces:
        return await self._key_sets.places(issuer)

    async def _key(self, issuer: Issuer, header: Mapping[str, Any], algorithm: str) -> SigningKey:
        key_id = header.get("kid")
        if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _LONGEST_KEY_ID):
            raise TokenRefused("token_malformed", "The token's key id (`kid`) isn't one.")
        keys = await self._key_sets.keys(issuer, key_id)
        fitting = [
            key
            for key in keys
            if key.key_type == _KEY_TYPES[algorithm]
            and key_id in {None, key.get("kid")}
            and key.get("alg", algorithm) in {algorithm, *_SAME.get(algorithm, ())}
        ]
        if len(fitting) != 1:  # without a key id, only a provider with one key can be meant
            raise TokenRefused(
                "token_key_unknown", "The token is signed with a key that its issuer doesn't publish."
            )
        return fitting[0]


_SAME = {"EdDSA": ("Ed25519",), "Ed25519": ("EdDSA",)}  # RFC 9864 renames it


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read header and claims without believing them."""
    if len(token) > MOST_CHARACTERS:
        raise TokenRefused("token_too_large", f"The token is longer than {MOST_CHARACTERS} characters.")
    parts = token.split(".")
    if len(parts) != 3 or not token.isascii():  # noqa: PLR2004 - JWS compact serialization
        raise TokenRefused("token_malformed", "This is neither an API key nor a signed token (JWT).")
    header, claims = (_object(part) for part in parts[:2])
    return header, claims


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenRefused("token_malformed", "This is neither an API key nor a signed token (JWT).")
    return found


def _is_name(value: Any) -> TypeGuard[str]:
    """Issuers, audiences and subjects are ASCII: anything else is looked for nowhere."""
    return (
        isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isascii() and value.isprintable()
    )


def _algorithm(header: Mapping[str, Any]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _KEY_TYPES:
        raise TokenRefused(
            "token_algorithm", f"The token has to be signed with one of {', '.join(_KEY_TYPES)}."
        )
    if "crit" in header:
        raise TokenRefused("token_algorithm", "The token asks for an extension that isn't known here.")
    return algorithm


def _check(claims: dict[str, Any], issuer: Issuer, now: int) -> None:
    try:
        JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer.url},
            aud={"essential": True, "value": issuer.audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        ).validate(claims)
    except ExpiredTokenError:
        raise TokenRefused("token_expired", "The token has expired: sign in again.") from None
    except ClaimError as error:
        raise TokenRefused(*_told(error)) from None
    lifetime = claims["exp"] - claims["iat"]
    if not 0 < lifetime <= LONGEST_SECONDS:
        raise TokenRefused(
            "token_lifetime", f"The token has to end within {LONGEST_SECONDS // 3600} hours of its issue."
        )
    if not _is_name(claims["sub"]) or len(claims["sub"]) > _LONGEST_SUBJECT:
        raise TokenRefused("token_malformed", "The token's subject (`sub`) isn't one.")


def _told(error: ClaimError) -> tuple[str, str]:
    names = "" if isinstance(error, MissingClaimError) else error.claim
    if names in {"nbf", "iat"}:
        return "token_not_yet_valid", f"The token isn't valid yet (`{names}`)."
    if names == "iss":
        return "token_issuer", "The token is another issuer's (`iss`)."
    if names == "aud":
        return "token_audience", "The token is meant for somebody else (`aud`)."
    return "token_malformed", "The token lacks what it has to say: iss, aud, sub, exp, iat."
