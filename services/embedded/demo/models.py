"""What the demo sets on the offline model server: whom it can draw, and how it draws her wrong."""

import base64
from collections.abc import Mapping
from typing import Any

import aiohttp

from services.embedded.demo.show import Untrue
from services.embedded.stack import Stack


class OfflineModels:
    """The server's own calls, under `/_offline/`. They are the operator's: a real model has nothing like them."""

    def __init__(self, http: aiohttp.ClientSession, stack: Stack, tenant_id: str) -> None:
        self._http = http
        self._base = stack.bedrock_url
        self._token = stack.facts.bedrock_admin_token
        self._tenant = tenant_id
        self._rules: list[str] = []

    async def register(self, name: str, picture: bytes, face: Mapping[str, float]) -> None:
        """Let prompts with this name have this figure; `face` is where its face is, in shares of the picture."""
        encoded = base64.b64encode(picture).decode()
        await self._call("POST", "subjects", {"name": name, "picture": encoded, "face": dict(face)})

    async def drift(self, drift: Mapping[str, float], **when: Any) -> None:
        """Let the studio's calls that `when` describes come out altered, from now on."""
        rule = {"tenant": self._tenant, "when": when, "drift": dict(drift)}
        self._rules.append((await self._call("POST", "drift", rule))["id"])

    async def no_drift(self) -> None:
        while self._rules:
            await self._call("DELETE", f"drift/{self._rules.pop()}")

    async def calls(self) -> int:
        """How many calls the server has seen so far."""
        return len((await self._call("GET", "calls"))["calls"])

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self._base}/_offline/{path}"
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            if not answer.ok:
                told = (await answer.text())[:200]
                raise Untrue(
                    f"the offline model server was expected to take {path}, got {answer.status}: {told}"
                )
            return await answer.json() if answer.content_length else None
