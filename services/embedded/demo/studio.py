"""A partner studio's own software: what it calls over HTTP."""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp

from services.embedded.demo.plates import Still
from services.embedded.demo.show import Untrue
from services.embedded.sign_in.local import LocalSignIn

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    document: Any


@dataclass(frozen=True, slots=True)
class Output:
    """A file that came out, as it was downloaded. `bucket` and `key`: where its presigned URL pointed."""

    media: Mapping[str, Any]
    data: bytes
    bucket: str
    key: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(slots=True)
class Studio:
    """One caller: its name, its key or a person's token, and what the operator's answer said of its tenant."""

    http: aiohttp.ClientSession
    base: str
    name: str
    key: str = field(repr=False)
    sign_in: LocalSignIn
    tenant: Mapping[str, Any] = field(default_factory=dict)

    async def call(self, method: str, path: str, **kwargs: Any) -> Reply:
        """Call and read the answer whole; every POST that creates carries a fresh Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.key}", **kwargs.pop("headers", {})}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        async with self.http.request(method, self.base + path, headers=headers, **kwargs) as answer:
            body = await answer.read()
        document = json.loads(body) if body and "json" in answer.content_type else None
        return Reply(answer.status, body, document)

    async def expect(self, method: str, path: str, *statuses: int, **kwargs: Any) -> Any:
        """Call and return the JSON answer. Raises Untrue for another status than 200, 201 or 202."""
        reply = await self.call(method, path, **kwargs)
        if reply.status not in (statuses or (200, 201, 202)):
            detail = (reply.document or {}).get("detail") or reply.body[:200].decode(errors="replace")
            errors = (reply.document or {}).get("errors") or []
            raise Untrue(
                f"{method} {path} was expected to succeed, got {reply.status}: {detail} {errors or ''}"
            )
        return reply.document

    async def onboard(self, slug: str, name: str) -> "Studio":
        """As the operator: make a tenant, enter who vouches for its people, and return its first key's caller."""
        made = await self.expect(
            "POST", "/admin/v1/tenants", json={"slug": slug, "name": name, "key": {"name": "pipeline"}}
        )
        place = f"/admin/v1/tenants/{made['tenant']['id']}/identity-providers/local"
        await self.expect("PUT", place, json=self.sign_in.provider(slug))
        return Studio(self.http, self.base, name, made["key"]["text"], self.sign_in, made["tenant"])

    async def person(self, name: str, *roles: str) -> "Studio":
        """Sign somebody in: the same caller with a person's token in place of the key."""
        slug = self.tenant["slug"]
        token = await self.sign_in.token(slug, name, *roles, subject=name.lower())
        return replace(self, name=name, key=token)

    async def upload(self, still: Still, **declared: Any) -> Mapping[str, Any]:
        """Declare, PUT straight into the bucket, complete, and wait until it has been inspected."""
        declared |= {
            "name": still.path.name,
            "media_type": still.media_type,
            "size": still.size,
            "sha256": still.sha256,
        }
        file = await self.expect("POST", "/v1/media", json=declared)
        offer = file["upload"]
        if offer is not None:
            if offer["url"] is None:
                raise Untrue(f"{still.path.name} is too large for the demo: 64 MiB at most")
            data = await asyncio.to_thread(still.path.read_bytes)
            async with self.http.put(offer["url"], data=data, headers=offer["headers"]) as answer:
                if answer.status != 200:  # noqa: PLR2004
                    raise Untrue(
                        f"the presigned PUT of {still.path.name} was answered with {answer.status}, not 200"
                    )
            file = await self.expect(
                "POST", f"/v1/media/{file['id']}/complete", headers={"Prefer": "wait=30"}
            )
        if file["state"] != "ready":
            file = await self.expect("GET", f"/v1/media/{file['id']}", headers={"Prefer": "wait=30"})
        if file["state"] != "ready":
            raise Untrue(
                f"{still.path.name} was expected to be ready, it is {file['state']}: {file['problem']}"
            )
        return file  # type: ignore[no-any-return]

    async def finished(self, generation_id: str, seconds: float) -> Mapping[str, Any]:
        """Wait for a generation's takes and its contact sheet."""
        deadline = time.monotonic() + seconds
        while True:
            view = await self.expect("GET", f"/v1/generations/{generation_id}", headers={"Prefer": "wait=20"})
            if view["finished_at"] and view["sheet_media_id"]:
                return view  # type: ignore[no-any-return]
            if time.monotonic() > deadline:
                states = ", ".join(take["state"] for take in view["takes"])
                raise Untrue(
                    f"the {view['kind']} was expected to finish in {seconds:.0f} s; its takes are: {states}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def download(self, media_id: str) -> Output:
        media = await self.expect("GET", f"/v1/media/{media_id}")
        url = (await self.expect("POST", f"/v1/media/{media_id}/download"))["url"]
        async with self.http.get(url) as answer:
            data = await answer.read()
            if answer.status != 200:  # noqa: PLR2004
                raise Untrue(f"the presigned download of {media['name']} was answered with {answer.status}")
        bucket, _, key = answer.url.path.lstrip("/").partition("/")
        return Output(media, data, bucket, key)

    async def verify(self, data: bytes, media_type: str) -> Mapping[str, Any]:
        """Ask the service what is known of these bytes."""
        asked = await self.expect(
            "POST", "/v1/verify", data=data, headers={"Content-Type": media_type, "Prefer": "wait=30"}
        )
        for _ in range(150):
            if asked["state"] != "queued":
                break
            await asyncio.sleep(_POLL_SECONDS)
            asked = await self.expect("GET", f"/v1/verifications/{asked['id']}")
        return asked  # type: ignore[no-any-return]
