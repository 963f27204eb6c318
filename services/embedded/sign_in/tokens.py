"""The provider's key, made at the first start, and what it signs."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from circletake.kit import clock
from services.embedded.home import write_private
from services.embedded.sign_in.people import LocalPerson, audience_of

TOKEN_SECONDS = 15 * 60
LONGEST_SECONDS = 12 * 3600  # what a test or a script may ask for


@dataclass(frozen=True, slots=True)
class Minter:
    """Signs tokens as one issuer."""

    issuer: str
    key: ECKey

    @classmethod
    def of_home(cls, home: Path, issuer: str) -> "Minter":
        file = home / "sign-in-key.json"
        if not file.exists():
            fresh = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
            write_private(file, json.dumps(fresh.as_dict(private=True)))
        return cls(issuer, ECKey.import_key(json.loads(file.read_text())))

    def key_set(self) -> Mapping[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def tokens(
        self, person: LocalPerson, *, seconds: int = TOKEN_SECONDS, nonce: str | None = None
    ) -> dict[str, Any]:
        """Return a token response (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3)."""
        now = int(clock.now().timestamp())
        audience = audience_of(person.studio)
        common = {
            "iss": self.issuer,
            "sub": person.subject,
            "aud": audience,
            "iat": now,
            "exp": now + seconds,
            "name": person.name,
        }
        access = {
            **common,
            "jti": secrets.token_hex(12),
            "client_id": audience,
            "roles": list(person.roles),
        }
        return {
            "access_token": self._sign("at+jwt", access),
            "token_type": "Bearer",
            "expires_in": seconds,
            "id_token": self._sign("JWT", {**common, **({"nonce": nonce} if nonce else {})}),
        }

    def _sign(self, kind: str, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "ES256", "typ": kind, "kid": self.key.kid}, claims, self.key)
