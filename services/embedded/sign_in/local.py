"""Signing somebody in without a browser: for the demo, benchmarks and scripts on this machine, who hold its secret."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

from services.embedded.sign_in.people import audience_of
from services.embedded.stack import Stack


@dataclass(frozen=True, slots=True)
class LocalSignIn:
    http: aiohttp.ClientSession
    issuer: str
    secret: str = field(repr=False)

    @classmethod
    def of(cls, stack: Stack, http: aiohttp.ClientSession) -> "LocalSignIn":
        return cls(http, stack.sign_in_url, stack.facts.sign_in_secret)

    def provider(self, studio: str) -> dict[str, Any]:
        """Return what the operator enters for a studio: the body of `PUT …/identity-providers/{name}`."""
        return {"issuer": self.issuer, "audience": audience_of(studio), "client_id": audience_of(studio)}

    async def token(self, studio: str, name: str, *roles: str, subject: str | None = None) -> str:
        """Enter a person, or change the one with this subject, and return a token of theirs for an hour."""
        wanted = {"studio": studio, "name": name, "roles": roles, "subject": subject, "seconds": 3600}
        headers = {"Authorization": f"Bearer {self.secret}"}
        async with self.http.post(f"{self.issuer}/_local/tokens", json=wanted, headers=headers) as answer:
            answer.raise_for_status()
            return str((await answer.json())["access_token"])
