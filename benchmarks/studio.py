"""The stack under measurement and the studio that sends it work."""

import asyncio
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil  # type: ignore[import-untyped]

from services.embedded.own import Options
from services.embedded.sign_in.local import LocalSignIn
from services.embedded.stack import APPLICATION, INFRASTRUCTURE, Stack

_SLUG = "bench"

# ours: what a take costs outside the model, the databases and the object store
PRODUCT = ("api", "dispatcher", "worker")


@contextmanager
def running(home: Path) -> Iterator[Stack]:
    """Bring up a durable stack with an instant model, in a home of its own that is removed afterwards."""
    options = Options(
        bedrock_instant=True,
        env={
            "CIRCLETAKE_API__REQUESTS_PER_MINUTE": "100000000",
            "CIRCLETAKE_LOG__FORMAT": "json",
        },
    )
    stack = Stack(home, options)
    try:
        stack.start(INFRASTRUCTURE)
        # T1's own commit time; asked for here only, it is off in production
        asyncio.run(_execute(stack, "alter system set track_commit_timestamp = on"))
        stack.restart("postgres")
        stack.start(APPLICATION)
        yield stack
    finally:
        stack.discard()


async def _execute(stack: Stack, statement: str) -> None:
    connection = await connect(stack, "postgres")
    await connection.execute(statement)
    await connection.close()


async def connect(stack: Stack, database: str = "circletake") -> Any:
    """Connect as the superuser, to look at what every tenant sees a part of."""
    return await asyncpg.connect(stack.superuser_url(database, driver="postgresql"))


@dataclass(slots=True)
class Studio:
    """A tenant with a production, its key and an open HTTP session."""

    stack: Stack
    http: aiohttp.ClientSession
    rows: Any
    tenant_id: str
    key: str
    production_id: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def person(self, *roles: str) -> str:
        """Return the token of somebody who has signed in with these roles."""
        return await LocalSignIn.of(self.stack, self.http).token(_SLUG, "Ada", *roles, subject="ada")

    def work(self, takes: int) -> dict[str, Any]:
        """Concept art without inputs: one 1024 x 1024 JPEG per take."""
        return {
            "production_id": self.production_id,
            "kind": "concept_art",
            "prompt": "A lighthouse at dusk, wide shot, exterior, the sea is calm",
            "takes": takes,
            "controls": {"output_format": "jpeg"},
        }

    async def request(self, takes: int) -> str:
        """Ask for takes; return the generation's id."""
        url = f"{self.stack.api_url}/v1/generations"
        async with self.http.post(url, json=self.work(takes), headers=self.headers) as answer:
            if answer.status != 202:
                raise RuntimeError(f"refused: {answer.status} {await answer.text()}")
            return str((await answer.json())["id"])

    async def finished(self, generations: Sequence[str]) -> None:
        """Wait until the last contact sheet is drawn. Looks at the database, so that the gateway has no part in it."""
        while await self.rows.fetchval(  # noqa: ASYNC110 - changed by other processes
            "select count(*) from generations where id = any($1::uuid[]) and finished_at is null", generations
        ):
            await asyncio.sleep(0.05)
        states = await self.rows.fetch(
            "select distinct state from takes where generation_id = any($1::uuid[])", generations
        )
        if [row["state"] for row in states] != ["succeeded"]:
            raise RuntimeError(f"not every take succeeded: {[row['state'] for row in states]}")


async def open_studio(stack: Stack, http: aiohttp.ClientSession) -> Studio:
    """Make a tenant with a production, and let it have as much in flight as the fleet can take."""
    operator = {"Authorization": f"Bearer {stack.facts.admin_key}"}
    tenant = await _made(
        http,
        f"{stack.api_url}/admin/v1/tenants",
        operator,
        {"slug": _SLUG, "name": "Bench", "key": {"name": "bench"}},
    )
    key = tenant["key"]["text"]
    sign_in = LocalSignIn.of(stack, http)
    async with http.put(
        f"{stack.api_url}/admin/v1/tenants/{tenant['tenant']['id']}/identity-providers/local",
        json=sign_in.provider(_SLUG),
        headers=operator,
    ) as answer:
        answer.raise_for_status()
    production = await _made(
        http,
        f"{stack.api_url}/v1/productions",
        {"Authorization": f"Bearer {key}"},
        {"code": "BENCH", "title": "A production"},
    )
    return Studio(stack, http, await connect(stack), tenant["tenant"]["id"], key, production["id"])


async def _made(http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: Any) -> Any:
    async with http.post(url, json=body, headers=headers) as answer:
        if answer.status != 201:
            raise RuntimeError(f"{url}: {answer.status} {await answer.text()}")
        return await answer.json()


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and of everything they started, the ended included."""
    total = 0.0
    for pid in pids:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue  # its parent counts it from now on
            total += times.user + times.system + times.children_user + times.children_system
    return total


def product_pids(stack: Stack) -> dict[str, int]:
    return {name: pid for name, pid in stack.pids().items() if name.startswith(PRODUCT)}


async def quiet(stack: Stack, *names: str) -> None:
    """Stop these processes for good, and wait for their end."""
    pids = [pid for name, pid in stack.pids().items() if name.startswith(names)]
    for name in [name for name in stack.pids() if name.startswith(names)]:
        stack.kill(name, signal.SIGTERM)
    while any(  # noqa: ASYNC110 - other processes
        psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids
    ):
        await asyncio.sleep(0.1)
