"""The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636), without HTTP."""

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from services.embedded.sign_in.people import LocalPerson, PeopleFile
from services.embedded.sign_in.tokens import Minter

_CODE_SECONDS = 60.0
_MOST_CODES = 1000
_CLIENT = re.compile(r"circletake:([a-z][a-z0-9-]{1,39})")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
CARRIED = (
    "client_id", "redirect_uri", "response_type", "state", "nonce", "scope", "code_challenge",
    "code_challenge_method",
)  # fmt: skip


class BadRequest(Exception):
    """The authorization request can't be answered; the text is for the person."""


@dataclass(frozen=True, slots=True)
class _Code:
    until: float
    person: LocalPerson
    asked: Mapping[str, str]


class Flow:
    """Codes are kept in memory, for a minute, for one use."""

    def __init__(self, people: PeopleFile, minter: Minter) -> None:
        self.people = people
        self.minter = minter
        self._codes: dict[str, _Code] = {}
        self._guard = threading.Lock()

    def check(self, asked: Mapping[str, str]) -> str:
        """Return the studio that an authorization request is for. Raises BadRequest."""
        client = _CLIENT.fullmatch(asked.get("client_id", ""))
        if client is None:
            raise BadRequest("This client isn't known here.")
        place = urlsplit(asked.get("redirect_uri", ""))
        if place.scheme != "http" or place.hostname not in {"127.0.0.1", "localhost"} or place.fragment:
            raise BadRequest("People are sent back to this machine only.")
        if asked.get("response_type") != "code":
            raise BadRequest("Only the authorization code flow is spoken here.")
        if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(
            asked.get("code_challenge", "")
        ):
            raise BadRequest("The request needs a code challenge (PKCE, S256).")
        return client[1]

    def answer(self, asked: Mapping[str, str], subject: str, password: str) -> str | None:
        """Return where to send the person who gave the right password, or None."""
        person = self.people.find(self.check(asked), subject)
        if person is None or not hmac.compare_digest(person.password.encode(), password.strip().encode()):
            return None
        code = secrets.token_urlsafe(32)
        with self._guard:
            now = time.monotonic()
            self._codes = {key: each for key, each in self._codes.items() if each.until > now}
            if len(self._codes) < _MOST_CODES:
                self._codes[code] = _Code(now + _CODE_SECONDS, person, dict(asked))
        back = {"code": code, "iss": self.minter.issuer}  # RFC 9207
        if "state" in asked:
            back["state"] = asked["state"]
        uri = asked["redirect_uri"]
        return uri + ("&" if urlsplit(uri).query else "?") + urlencode(back)

    def redeem(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the tokens for a code, or None: it is unknown, used, late, or somebody else's."""
        with self._guard:
            found = self._codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or found is None or found.until < time.monotonic():
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        same = hmac.compare_digest(challenge, found.asked["code_challenge"])
        for name in ("client_id", "redirect_uri"):
            same = same and form.get(name) == found.asked[name]
        return self.minter.tokens(found.person, nonce=found.asked.get("nonce")) if same else None
