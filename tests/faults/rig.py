"""A whole running stack with short leases, a studio on it, and the questions that every fault test ends with."""

import asyncio
import contextlib
import json
import signal
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from circletake.adapters.aws import AwsClients, LongLivedCredentials
from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.domain.tenants import TenantStorage
from circletake.records.session import Database
from circletake.usecases.money.sums import check_budgets
from services.embedded.own import Options
from services.embedded.s3 import REGION
from services.embedded.stack import Stack
from tests.faults.books import OurCall, Pairs, billed_by_log, check_pairs, paired, price_in
from tests.gateway import Studio, http_session, onboard
from tests.receiver import Receiver

_OUR_CALLS = """
    select id, model_id, billed, estimate_usd, cost_usd, call_started_at as began, ended_at, request_id, operation,
           token from invocations where tenant_id = $1
    union all select id, model_id, billed, estimate_usd, cost_usd, created_at, ended_at, request_id, 'judge', null
    from evaluator_calls where tenant_id = $1
    union all select id, model_id, billed, estimate_usd, cost_usd, created_at, ended_at, request_id, 'write', null
    from language_calls where tenant_id = $1
"""
SD35 = "stability.sd3-5-large-v1:0"
RAY2 = "luma.ray-v2:0"
TERMINAL = frozenset({"succeeded", "failed", "filtered", "canceled", "expired"})
EVENT_TYPES = [
    "generation.queued", "generation.finished", "take.succeeded", "take.failed", "take.filtered", "take.canceled",
    "take.expired",
]  # fmt: skip
LOST = (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError)
QUICK = {
    "CIRCLETAKE_WORKER__LEASE_SECONDS": "4",
    "CIRCLETAKE_WORKER__POLL_SECONDS": "0.3",
    "CIRCLETAKE_WORKER__SHUTDOWN_GRACE_SECONDS": "3",
    "CIRCLETAKE_WORKER__CHILD_PROCESSES": "1",  # each loads its networks again after each kill
    "CIRCLETAKE_DISPATCHER__RERING_AFTER_SECONDS": "1",
    "CIRCLETAKE_DISPATCHER__REAP_EVERY_SECONDS": "0.5",
}


@contextlib.contextmanager
def running_stack(
    home: Path, *, workers: int = 1, env: Mapping[str, str] | None = None, async_seconds: float = 0.0
) -> Iterator[Stack]:
    """Start everything on an empty home, and remove it at the end."""
    home.with_name("scratch").mkdir()
    options = Options(
        workers=workers,
        env={**QUICK, "CIRCLETAKE_WORKER__SCRATCH_DIR": str(home.with_name("scratch")), **(env or {})},
        bedrock_instant=True,
        bedrock_async_seconds=async_seconds,
        durable=False,
    )
    stack = Stack(home, options)
    try:
        stack.start()
        yield stack
    finally:
        stack.discard()


def scratch_of(stack: Stack) -> Path:
    """Where the workers of a stack keep the pictures at work."""
    return stack.home.path.with_name("scratch")


@dataclass(slots=True)
class Rig:
    """A studio on a stack. Looks into the database as the superuser, where no tenant's wall is in the way."""

    stack: Stack
    studio: Studio
    production_id: str
    shot_id: str
    pool: asyncpg.Pool

    # --- what a studio does ---------------------------------------------------------------------------------------

    async def generate(self, kind: str = "concept_art", **members: Any) -> str:
        """Request takes, as a client does that repeats a request whose answer it did not get; return the id."""
        if kind == "previs_shot":
            members = {"shot_id": self.shot_id, "controls": {"resolution": "540p"}, **members}
        body = {
            "production_id": self.production_id, "kind": kind, "prompt": "A lighthouse at dusk, wide", **members,
        }  # fmt: skip
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        while True:
            try:
                made = await self.studio.post("/v1/generations", body, headers=headers)
            except aiohttp.ClientError:
                await asyncio.sleep(0.2)
                continue
            assert made.status == 202, made.body
            return str(made.json["id"])

    async def finished(self, *generation_ids: str, seconds: float = 60) -> None:
        """Wait until these generations have been told finished."""
        wanted = [uuid.UUID(each) for each in generation_ids]
        await self.until(
            "select count(*) = $2 from generations where id = any($1) and finished_at is not null",
            wanted,
            len(wanted),
            seconds=seconds,
        )

    async def takes(self, generation_id: str) -> list[dict[str, Any]]:
        rows = await self.rows(
            "select * from takes where generation_id = $1 order by number", uuid.UUID(generation_id)
        )
        return [dict(row) for row in rows]

    async def take(self, generation_id: str) -> dict[str, Any]:
        [take] = await self.takes(generation_id)
        return take

    async def listen(self, receiver: Receiver) -> str:
        """Subscribe a receiver to everything about takes and generations."""
        made = await self.studio.post(
            "/v1/webhook-endpoints",
            {"url": receiver.url, "event_types": EVENT_TYPES},
            headers={"Prefer": "wait=20"},
        )
        assert made.json["state"] == "active", made.body
        return str(made.json["id"])

    # --- what the offline models are told, and what they say --------------------------------------------------------

    async def fault(self, kind: str, **members: Any) -> None:
        await self._offline("POST", "faults", {"kind": kind, **members})

    async def no_faults(self) -> None:
        await self._offline("DELETE", "faults")

    async def calls(self, operation: str = "InvokeModel") -> list[dict[str, Any]]:
        answer = await self._offline("GET", "calls?limit=10000")
        role = (await self.tenant())["work_role_arn"]
        return [
            call for call in answer["calls"] if call["operation"] == operation and call["role_arn"] == role
        ]

    async def pairs(self) -> Pairs:
        """Every call of this studio in the offline server's log, beside our row of it."""
        role = (await self.tenant())["work_role_arn"]
        log = [
            call
            for call in (await self._offline("GET", "calls?limit=10000"))["calls"]
            if call["role_arn"] == role and call["outcome"] != "repeated"
        ]
        now = datetime.now(UTC)
        ours = [
            OurCall(
                row["id"], row["model_id"], row["billed"] or "unknown", row["estimate_usd"],
                row["cost_usd"] if row["billed"] == "true" else Decimal(0),
                row["began"], row["ended_at"] or now, row["request_id"],
                row["token"] if row["operation"] == "start_async" else None,
            )
            for row in await self.rows(_OUR_CALLS, uuid.UUID(self.studio.tenant_id))
        ]  # fmt: skip
        return paired(log, ours)

    @property
    def catalogue(self) -> FileCatalogue:
        """The price list that the stack goes by."""
        own = self.stack.options.env.get("CIRCLETAKE_CATALOGUE__OVERRIDE_PATH")
        return load_catalogue(Path(own) if own else None)

    async def usage(self) -> dict[str, Decimal]:
        """The usage report's totals in dollars."""
        total = (await self.studio.get("/v1/usage")).json["total"]
        return {name: Decimal(value) for name, value in total.items() if name.endswith("_usd") and value}

    async def _offline(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.stack.facts.bedrock_admin_token}"}
        url = f"{self.stack.bedrock_url}/_offline/{path}"
        async with self.studio.http.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def narrow(self, model: str = SD35) -> None:
        """Let one call run at a time, until the next test."""
        await self.rows(
            "update model_quotas set cap = 1, raised_at = now() + interval '1 hour' where model_id = $1",
            model,
        )

    # --- what is done to the processes ------------------------------------------------------------------------------

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        await asyncio.to_thread(self.stack.kill, name, number)

    async def restart(self, name: str) -> None:
        await asyncio.to_thread(self.stack.restart, name)

    async def ended(self, name: str, seconds: float = 15) -> None:
        """Wait until a process has ended by itself."""
        async with asyncio.timeout(seconds):
            left: set[str] = set()
            while name not in left:
                await asyncio.sleep(0.1)
                left = {child.name for child in self.stack.ended()}

    async def nearly_given_up(self, where: str, *values: Any) -> None:
        """Let running steps have taken down a worker more, and one alone: two losses are left to them, not four.

        That all four are waited for is asked once, in `test_poison_is_isolated_and_its_neighbours_are_not_condemned`.
        """
        query = "update steps set crashes = crashes + 1, crashes_alone = crashes_alone + 1 where state = 'running'"
        await self.rows(f"{query} and ({where})", *values)

    # --- what the database says ---------------------------------------------------------------------------------------

    async def rows(self, query: str, *values: Any) -> list[Any]:
        try:
            return list(await self.pool.fetch(query, *values))
        except LOST:  # the connection that was kept died with its server; a new one may find the next server
            await self.pool.expire_connections()
            return list(await self.pool.fetch(query, *values))

    async def tenant(self) -> Any:
        [row] = await self.rows("select * from tenants where id = $1", uuid.UUID(self.studio.tenant_id))
        return row

    async def mine(self, table: str, where: str = "true", *values: Any) -> list[Any]:
        """The studio's rows of a table. `where` may name $2 and so on."""
        query = f"select * from {table} where tenant_id = $1 and ({where})"
        return await self.rows(query, uuid.UUID(self.studio.tenant_id), *values)

    async def value(self, query: str, *values: Any) -> Any:
        [row] = await self.rows(query, *values)
        return row[0]

    async def until(self, query: str, *values: Any, seconds: float = 30) -> None:
        """Wait until a query's one value is true; a database that is away is waited for too."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                        if await self.value(query, *values):
                            return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {query}\n{await self._open_work()}") from None

    async def _open_work(self) -> str:
        steps = await self.rows(
            "select s.kind, s.lane, s.state, s.attempt, s.crashes, s.ring_no, s.trouble, s.run_at - now() as due,"
            " l.worker, l.lease_until - now() as lease from steps s left join step_leases l on l.step_id = s.id"
            " where s.state not in ('done', 'dead')"
        )
        beats = await self.rows("select worker, lane, slots, now() - seen_at as age from worker_beats")
        busy = await self.rows(
            "select usename, state, wait_event, now() - xact_start as age, pg_blocking_pids(pid) as blocked_by, pid,"
            " left(query, 80) as query from pg_stat_activity where datname = 'circletake' and state <> 'idle'"
        )
        return "\n".join(str(dict(row)) for row in [*steps, *beats, *busy])

    async def quiet(self, seconds: float = 30) -> None:
        """Wait until nothing is queued, under way or leased; an upload's leavings go a quarter of an hour later."""
        await self.until(
            "select not exists (select 1 from steps where tenant_id = $1 and state not in ('done', 'dead')"
            " and not (kind = 'purge' and run_at > now() + interval '1 minute'))"
            " and not exists (select 1 from step_leases where tenant_id = $1)",
            uuid.UUID(self.studio.tenant_id),
            seconds=seconds,
        )

    async def bucket_keys(self, prefix: str) -> list[str]:
        """List the studio's bucket as a worker would: nobody else may."""
        row = await self.tenant()
        pair = self.stack.key_pair("worker")
        key = LongLivedCredentials(pair.access_key_id, pair.secret_access_key)
        clients = AwsClients(threads=1)
        sessions = StsTenantSessions(clients, StsPlace(REGION, self.stack.bedrock_url, key), role="work")
        store = S3ObjectStore(clients, sessions, S3Place(self.stack.s3_endpoint))
        storage = TenantStorage(
            row["id"], row["slug"], row["region"], row["bucket"], row["kms_key_arn"], row["work_role_arn"],
            row["grant_role_arn"],
        )  # fmt: skip
        try:
            return [found.key for found in await store.list(storage, prefix)]
        finally:
            clients.close()

    # --- the invariants -----------------------------------------------------------------------------------------------

    async def check_books(self) -> None:
        """Every take ended once; no trace of work is left; every file has its row; nothing was paid unseen."""
        await self.quiet()
        await self._check_ends()
        await self._check_calls()
        await self._check_files()
        await self._check_enforcements()
        await self.check_budgets()

    async def _check_ends(self) -> None:
        takes = {row["id"]: row["state"] for row in await self.mine("takes")}
        assert set(takes.values()) <= TERMINAL
        ends = [f"take.{state}" for state in TERMINAL]
        told = await self.mine("events", "type = any($2)", ends)
        assert Counter(json.loads(row["data"])["take_id"] for row in told) == Counter(map(str, takes))
        entries = await self.mine("ledger_entries", "kind = any($2)", ends)
        assert Counter(row["subject_id"] for row in entries) == Counter(takes.keys())
        assert {row["subject_id"]: row["kind"] for row in entries} == {
            take_id: f"take.{state}" for take_id, state in takes.items()
        }
        finished = await self.mine("events", "type = 'generation.finished'")
        generations = await self.mine("generations")
        assert Counter(row["generation_id"] for row in finished) == Counter(row["id"] for row in generations)
        assert all(row["finished_at"] and row["sheet_media_id"] for row in generations)

    async def _check_calls(self) -> None:
        starts = [call for call in await self.calls("StartAsyncInvoke") if call["invocation_arn"]]
        arns = {call["invocation_arn"] for call in starts}
        assert len(arns) == len({call["token"] for call in starts})
        accepted = await self.mine("invocations", "operation = 'start_async' and invocation_arn is not null")
        assert len({row["take_id"] for row in accepted}) == len(accepted)
        assert {row["invocation_arn"] for row in accepted} <= arns
        catalogue, pairs = self.catalogue, await self.pairs()
        check_pairs(catalogue, pairs)
        # to the cent: what usage says, and of what it doesn't know what the server billed
        usage = await self.usage()
        owed = usage["cost_usd"] + usage["judging_usd"] + usage["language_usd"]
        perhaps = sum(
            price_in(catalogue, call)
            for call, our in pairs.both
            if (call["billed"], our.billed) == ("yes", "unknown")
        )
        assert owed + perhaps == billed_by_log(catalogue, pairs)
        assert usage["unknown_usd"] == sum(our.unknown for _, our in pairs.both) + sum(
            our.unknown for our in pairs.only_ours
        )

    async def _check_files(self) -> None:
        files = await self.mine("media_files", "state = 'ready'")
        keys = await self.bucket_keys("media/")
        assert Counter(keys) == Counter(row["object_key"] for row in files)
        succeeded = await self.mine("takes", "state = 'succeeded'")
        assert Counter(row["take_id"] for row in files if row["take_id"]) == Counter(
            row["id"] for row in succeeded
        )

    async def _check_enforcements(self) -> None:
        """Each ended once, inside its caps; each of its finished takes was judged once."""
        enforcements = {row["id"]: row for row in await self.mine("enforcements")}
        ended = await self.mine("ledger_entries", "kind = 'consistency_enforcement.finished'")
        assert Counter(row["subject_id"] for row in ended) == Counter(enforcements.keys())
        told = await self.mine("events", "type = 'consistency_enforcement.finished'")
        assert len(told) == len(enforcements)
        judged = Counter(
            json.loads(row["data"])["take_id"] for row in await self.mine("events", "type = 'take.judged'")
        )
        for identifier, row in enforcements.items():
            assert row["state"] in {"passed", "needs_review", "failed", "canceled"}
            attempts = await self.mine("enforcement_attempts", "enforcement_id = $2", identifier)
            takes = {
                each["id"]: each
                for each in await self.mine("takes", "generation_id = $2", row["generation_id"])
            }
            assert Counter(each["take_id"] for each in attempts) == Counter(takes.keys())
            assert len(attempts) <= row["max_attempts"]
            assert sum(self.at_most(take) for take in takes.values()) <= row["max_cost_usd"]
            if row["state"] == "canceled":
                continue
            materials = await self.mine("check_materials", "check_id = $2", row["check_id"])
            finished = [each for each, take in takes.items() if take["state"] == "succeeded"]
            assert Counter(each["take_id"] for each in materials) == Counter(finished)
            assert all(each["judged_at"] for each in materials)
            assert all(each["judged_at"] for each in attempts if each["take_id"] in finished)
            assert all(judged[str(each)] == 1 for each in finished if not self._given_up(attempts, each))
            [check] = await self.mine("consistency_checks", "id = $2", row["check_id"])
            assert check["finished_at"]

    async def check_budgets(self) -> None:
        """Each counter is the sum of its rows, nothing is reserved any more, and no budget is passed."""
        database = Database(self.stack.database_url("app"), pool_size=1)
        tenant_id = uuid.UUID(self.studio.tenant_id)
        try:
            async with database.tenant(tenant_id) as session:
                assert await check_budgets(session, tenant_id) == []
        finally:
            await database.close()
        takes = await self.mine("takes")
        assert all(take["reserved_usd"] == 0 for take in takes)
        [budget] = await self.mine("budgets", "scope = 'tenant'")
        assert budget["spent_usd"] + budget["unknown_usd"] >= sum(self.at_most(take) for take in takes)
        assert budget["reserved_usd"] == 0

    @staticmethod
    def at_most(take: Mapping[str, Any]) -> Decimal:
        """What a take may have cost: an unknown bill counts whole."""
        return Decimal(take["cost_usd"] + take["unknown_usd"])

    @staticmethod
    def _given_up(attempts: list[Any], take_id: Any) -> bool:
        return any(each["take_id"] == take_id and "not_judged" in each["reasons"] for each in attempts)

    async def check_told(self, receiver: Receiver, endpoint_id: str) -> None:
        """Every event has one delivery for the endpoint, and its message arrived at least once."""
        rows = await self.rows(
            "select e.id, e.type, d.state from events e left join webhook_deliveries d"
            " on d.event_id = e.id and d.endpoint_id = $1 where e.tenant_id = $2 and e.type = any($3)",
            uuid.UUID(endpoint_id),
            uuid.UUID(self.studio.tenant_id),
            EVENT_TYPES,
        )
        assert all(row["state"] == "delivered" for row in rows)
        assert len({row["id"] for row in rows}) == len(rows)
        arrived = {message.id: message.json["type"] for message in receiver.events}
        assert arrived == {str(row["id"]): row["type"] for row in rows}


@contextlib.asynccontextmanager
async def studio_on(stack: Stack) -> AsyncIterator[Rig]:
    """Onboard a studio with a production and a shot."""
    async with http_session() as http:
        studio = await onboard(http, stack)
        production = await studio.production()
        shot = await studio.shot(production["id"])
        manager = await studio.person("production_manager")
        for path in ("tenant", f"shots/{shot['id']}"):
            made = await manager.call("PUT", f"/v1/budgets/{path}", json={"hard_usd": "1000"})
            assert made.status == 201, made.body
        # kept connections: hundreds of looks at a waiting database would cost more than what they wait for
        pool = asyncpg.create_pool(
            stack.superuser_url("circletake", driver="postgresql"), min_size=0, max_size=4
        )
        try:
            yield Rig(stack, studio, production["id"], shot["id"], await pool)
        finally:
            pool.terminate()
