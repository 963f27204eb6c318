"""A running gateway, dispatcher and workers over the test stack, and a studio that was onboarded on it."""

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from services.embedded.sign_in.people import ROLES, audience_of
from services.embedded.stack import Stack


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: Any
    body: bytes
    json: Any


@dataclass(slots=True)
class Client:
    """One caller with one key, or one person's token."""

    http: aiohttp.ClientSession
    base: str
    key: str

    async def call(self, method: str, path: str, **kwargs: Any) -> Reply:
        headers = {"Authorization": f"Bearer {self.key}", **kwargs.pop("headers", {})}
        async with self.http.request(method, self.base + path, headers=headers, **kwargs) as answer:
            body = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "") and body
            return Reply(
                answer.status, answer.headers, body, await answer.json(content_type=None) if is_json else None
            )

    async def get(self, path: str, **kwargs: Any) -> Reply:
        return await self.call("GET", path, **kwargs)

    async def post(self, path: str, json: Any = None, **kwargs: Any) -> Reply:
        return await self.call("POST", path, json=json, **kwargs)


PERSON_SECONDS = 6 * 3600  # people of a session-wide studio sign in once


@dataclass(slots=True)
class Studio(Client):
    """A tenant's pipeline, with its id; people sign in at its provider, the embedded stack's own."""

    tenant_id: str = ""
    slug: str = ""
    issuer: str = ""
    issuer_secret: str = field(default="", repr=False)

    async def person(self, *roles: str, name: str = "Ada", subject: str | None = None) -> Client:
        """Sign somebody in: the caller with that person's token. The same subject is the same person."""
        wanted = {"studio": self.slug, "name": name, "roles": roles, "seconds": PERSON_SECONDS}
        async with self.http.post(
            self.issuer + "/_local/tokens",
            json={**wanted, **({"subject": subject} if subject else {})},
            headers={"Authorization": f"Bearer {self.issuer_secret}"},
        ) as answer:
            assert answer.status == 200, await answer.text()
            return Client(self.http, self.base, (await answer.json())["access_token"])

    async def everybody(self) -> Client:
        """A person with every role: may do whatever anybody may."""
        return await self.person(*ROLES, name="Everybody", subject="everybody")

    async def production(self, code: str | None = None) -> Any:
        made = await self.post(
            "/v1/productions", {"code": code or f"P{secrets.token_hex(3)}", "title": "A production"}
        )
        assert made.status == 201, made.body
        return made.json

    async def shot(self, production_id: str, code: str = "AGM_104_TCC_0010") -> Any:
        made = await self.post(f"/v1/productions/{production_id}/shots", {"code": code})
        assert made.status == 201, made.body
        return made.json


@contextlib.asynccontextmanager
async def http_session() -> AsyncIterator[aiohttp.ClientSession]:
    # shorter than the server's own: a test that holds the loop doesn't see a connection being closed
    connector = aiohttp.TCPConnector(keepalive_timeout=2)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield session


async def onboard(http: aiohttp.ClientSession, stack: Stack, slug: str | None = None) -> Studio:
    """Create a tenant through the operator's API and return its first key's caller; its people can sign in."""
    operator = Client(http, stack.api_url, stack.facts.admin_key)
    slug = slug or f"studio-{secrets.token_hex(4)}"
    made = await operator.post(
        "/admin/v1/tenants", {"slug": slug, "name": "A studio", "key": {"name": "pipeline"}}
    )
    assert made.status == 201, made.body
    tenant_id = made.json["tenant"]["id"]
    entered = await operator.call(
        "PUT",
        f"/admin/v1/tenants/{tenant_id}/identity-providers/local",
        json={"issuer": stack.sign_in_url, "audience": audience_of(slug), "client_id": audience_of(slug)},
    )
    assert entered.status == 201, entered.body
    return Studio(
        http,
        stack.api_url,
        made.json["key"]["text"],
        tenant_id=tenant_id,
        slug=slug,
        issuer=stack.sign_in_url,
        issuer_secret=stack.facts.sign_in_secret,
    )
