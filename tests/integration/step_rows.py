"""Tenants, workers and steps as bare rows, for tests of the queue's own SQL with the roles that run it."""

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from circletake.kit.ids import new_id
from circletake.records.session import Database as Connections
from circletake.usecases.dispatch_steps import pick_steps
from circletake.usecases.steps import ClaimedStep, claim_step
from tests.stack import Database

MODEL, OTHER = "test.model-a", "test.model-b"
ENDPOINT_CAP = 3
_NEW: dict[str, Any] = {
    "kind": "generate", "lane": "generate", "state": "ready", "capped_by": "", "priority": 0, "attempt": 0,
    "crashes": 0, "crashes_alone": 0, "fence": 0, "ring_no": 0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ring:
    """One bell, as the dispatcher would ring it."""

    lane: str
    tenant_id: UUID
    step_id: UUID
    ring_no: int


@dataclass(slots=True)
class Queue:
    """The queue seen by the dispatcher (`desk`), by a worker (`app`) and by the test, which sees everything."""

    desk: Connections
    app: Connections
    connection: Any

    async def tenant(self, *, weight: int = 1, max_running: int = 1000, state: str = "active") -> UUID:
        tenant_id = new_id()
        await self.connection.execute(
            "insert into tenants (id, slug, name, state, region, weight, max_running)"
            " values ($1, $2, 'A studio', $3, 'us-west-2', $4, $5)",
            tenant_id,
            tenant_id.hex,
            state,
            weight,
            max_running,
        )
        return tenant_id

    async def worker(self, name: str = "w1", **slots: int) -> None:
        """Say that a worker is alive, with slots by lane (`async_` for async)."""
        for lane, count in slots.items():
            await self.connection.execute(
                "insert into worker_beats (worker, lane, slots) values ($1, $2, $3)"
                " on conflict (worker, lane) do update set slots = excluded.slots, seen_at = now()",
                name,
                lane.rstrip("_"),
                count,
            )

    async def cap(self, model: str, cap: int) -> None:
        await self.connection.execute(
            "insert into model_quotas (model_id, max_running, cap) values ($1, $2::int, $2::int)", model, cap
        )

    async def steps(
        self, tenant_id: UUID, count: int = 1, *, later: bool = False, **values: Any
    ) -> list[UUID]:
        """Insert ready steps of the generate lane, oldest first; `values` are columns, `later`: not due yet."""
        row = {**_NEW, **values}
        ids = [new_id() for _ in range(count)]
        places = ", ".join(f"${number}" for number in range(4, 4 + len(row)))
        await self.connection.execute(
            f"insert into steps (id, tenant_id, run_at, details, {', '.join(row)})"
            f" select unnest($1::uuid[]), $2, now() + $3, '{{}}', {places}",
            ids,
            tenant_id,
            timedelta(hours=later),
            *row.values(),
        )
        return ids

    async def pick(self, limit: int = 100) -> list[Ring]:
        bells = await pick_steps(self.desk, limit=limit, endpoint_cap=ENDPOINT_CAP)
        return rings(bells)

    async def picked(self, limit: int = 100) -> Counter[UUID]:
        """Pick once; return how many each tenant got."""
        return Counter(ring.tenant_id for ring in await self.pick(limit))

    async def claim(self, ring: Ring, *, worker: str = "w1", lease_seconds: float = 60) -> ClaimedStep | None:
        return await claim_step(
            self.app,
            tenant_id=ring.tenant_id,
            step_id=ring.step_id,
            ring_no=ring.ring_no,
            worker=worker,
            lease_seconds=lease_seconds,
        )

    async def claimed(self, tenant_id: UUID, **values: Any) -> ClaimedStep:
        """Insert a step, pick it and claim it."""
        [step_id] = await self.steps(tenant_id, **values)
        [ring] = [ring for ring in await self.pick() if ring.step_id == step_id]
        step = await self.claim(ring)
        assert step is not None
        return step

    async def expire(self, step_id: UUID) -> None:
        await self.connection.execute(
            "update step_leases set lease_until = now() - interval '1 second' where step_id = $1", step_id
        )

    async def row(self, step_id: UUID) -> dict[str, Any]:
        found = await self.connection.fetchrow("select * from steps where id = $1", step_id)
        return {**found, "details": json.loads(found["details"])}

    async def leases(self, step_id: UUID) -> list[int]:
        rows = await self.connection.fetch("select fence from step_leases where step_id = $1", step_id)
        return [row["fence"] for row in rows]


def rings(bells: Any) -> list[Ring]:
    found: dict[str, Sequence[tuple[UUID, UUID, int]]] = dict(bells)
    return [Ring(lane, *bell) for lane, some in found.items() for bell in some]


@contextlib.asynccontextmanager
async def queue_on(database: Database) -> AsyncIterator[Queue]:
    """Open the three views of an empty queue."""
    desk, app = Connections(database.url("dispatcher")), Connections(database.url("app"))
    connection = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        yield Queue(desk, app, connection)
    finally:
        await connection.close()
        await desk.close()
        await app.close()
