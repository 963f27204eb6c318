"""A studio with webhooks, driven by hand: the real use cases, dispatcher's picks and worker's claims, step by step."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import insert, select

from circletake.domain.tenants import TenantStorage
from circletake.ports import Seal
from circletake.records.events import WebhookDelivery, WebhookEndpoint
from circletake.records.session import Database
from circletake.records.tenancy import Tenant
from circletake.settings import Settings
from circletake.usecases import keep_endpoints
from circletake.usecases.call_model import PaidCall
from circletake.usecases.dispatch_steps import pick_steps
from circletake.usecases.events import record_event
from circletake.usecases.find_deliveries import AttemptView, DeliveryView, get_delivery
from circletake.usecases.idempotency import Answer
from circletake.usecases.keep_endpoints import EndpointView, UrlRules
from circletake.usecases.redeliver import Recovery, recover, redeliver
from circletake.usecases.steps import beat, claim_step
from circletake.usecases.webhook_secrets import NewSecrets
from services.worker.lanes import notify
from services.worker.wiring import build_workshop
from tests.integration.storage_tenants import storage_of
from tests.receiver import Receiver
from tests.stack import Database as TestDatabase

RULES = UrlRules(allow_loopback=True, allowed_ports=(443,))
ENDPOINT_CAP = 5


@dataclass
class Made:
    """An endpoint and what its owner was shown once."""

    id: UUID
    secret: str
    public_key: str


@dataclass
class WebhookStudio:
    """One tenant, and the worker and dispatcher that serve it."""

    tenant_id: UUID
    seal: Seal
    database: Database
    dispatcher: Database
    handlers: Mapping[str, Any]
    superuser_url: str

    # --- the owner's side

    async def endpoint(
        self, receiver: Receiver, event_types: list[str] | None = None, *, active: bool = True
    ) -> Made:
        """Register a receiver; `active`: and let it pass its challenge."""
        made: list[Made] = []

        def answer(view: EndpointView, secrets: NewSecrets) -> Answer:
            made.append(Made(view.endpoint.id, secrets.secret, secrets.public_key))
            return Answer(202, b"{}")

        await keep_endpoints.create_endpoint(
            self.database,
            self.seal,
            tenant_id=self.tenant_id,
            url=receiver.url,
            event_types=event_types or ["take.succeeded", "endpoint.disabled"],
            description=None,
            rules=RULES,
            claim=None,
            answer=answer,
        )
        if active:
            assert await self.work() == 1
            assert (await self.look(made[0].id)).endpoint.state == "active"
        return made[0]

    async def look(self, endpoint_id: UUID) -> EndpointView:
        return await keep_endpoints.get_endpoint(self.database, self.tenant_id, endpoint_id)

    async def happen(self, event_type: str = "take.succeeded", **data: Any) -> UUID:
        """Record an event, as the stories do that make it true."""
        async with self.database.tenant(self.tenant_id) as session:
            return await record_event(session, self.tenant_id, event_type, {"state": "succeeded", **data})

    async def deliveries(self, endpoint_id: UUID) -> list[WebhookDelivery]:
        """The endpoint's deliveries, the oldest first."""
        async with self.database.tenant(self.tenant_id) as session:
            return list(
                await session.scalars(
                    select(WebhookDelivery)
                    .where(WebhookDelivery.endpoint_id == endpoint_id)
                    .order_by(WebhookDelivery.created_at, WebhookDelivery.id)
                )
            )

    async def delivery(self, endpoint_id: UUID) -> WebhookDelivery:
        """The endpoint's newest delivery."""
        return (await self.deliveries(endpoint_id))[-1]

    async def log(self, delivery_id: UUID) -> tuple[DeliveryView, list[AttemptView]]:
        view, attempts = await get_delivery(self.database, self.seal, self.tenant_id, delivery_id)
        return view, list(attempts)

    async def redeliver(self, delivery_id: UUID) -> None:
        await redeliver(
            self.database,
            self.seal,
            tenant_id=self.tenant_id,
            delivery_id=delivery_id,
            claim=None,
            answer=lambda *_: Answer(202, b"{}"),
        )

    async def recover(self, endpoint_id: UUID, *, since: datetime, now: datetime) -> Recovery:
        found: list[Recovery] = []

        def answer(recovery: Recovery) -> Answer:
            found.append(recovery)
            return Answer(202, b"{}")

        await recover(
            self.database,
            self.seal,
            tenant_id=self.tenant_id,
            endpoint_id=endpoint_id,
            since=since,
            now=now,
            claim=None,
            answer=answer,
        )
        return found[0]

    async def rotate(self, endpoint_id: UUID, overlap: timedelta) -> Made:
        made: list[Made] = []

        def answer(view: EndpointView, secrets: NewSecrets) -> Answer:
            made.append(Made(view.endpoint.id, secrets.secret, secrets.public_key))
            return Answer(200, b"{}")

        await keep_endpoints.rotate_secrets(
            self.database,
            self.seal,
            tenant_id=self.tenant_id,
            endpoint_id=endpoint_id,
            overlap=overlap,
            claim=None,
            answer=answer,
        )
        return made[0]

    # --- the service's side

    async def work(self, *, limit: int = 100) -> int:
        """Pick what is due and run it, one step after the other; return how many steps ran."""
        await beat(self.database, worker="by-hand", slots={"notify": 50})
        bells = await pick_steps(self.dispatcher, limit=limit, endpoint_cap=ENDPOINT_CAP)
        rung = [bell for lane in bells.values() for bell in lane]
        for tenant_id, step_id, ring_no in rung:
            step = await claim_step(
                self.database,
                tenant_id=tenant_id,
                step_id=step_id,
                ring_no=ring_no,
                worker="by-hand",
                lease_seconds=30,
            )
            assert step is not None
            await self.handlers[step.kind](step, PaidCall())
        return len(rung)

    async def picked(self) -> int:
        """How many steps the dispatcher would let run at once now."""
        await beat(self.database, worker="by-hand", slots={"notify": 50})
        bells = await pick_steps(self.dispatcher, limit=100, endpoint_cap=ENDPOINT_CAP)
        return sum(len(lane) for lane in bells.values())

    async def later(self, **ago: float) -> None:
        """Let time pass: everything that was planned or began did so that much earlier."""
        connection = await asyncpg.connect(self.superuser_url.replace("postgresql+asyncpg", "postgresql"))
        try:
            passed = timedelta(**ago)
            for table, columns in (
                ("steps", ("run_at",)),
                ("webhook_endpoints", ("paused_until", "failing_since", "challenged_at")),
                ("webhook_secrets", ("expires_at",)),
            ):
                moved = ", ".join(f"{column} = {column} - $1::interval" for column in columns)
                await connection.execute(f"update {table} set {moved}", passed)
        finally:
            await connection.close()

    async def set_endpoint(self, endpoint_id: UUID, **columns: Any) -> None:
        async with self.database.tenant(self.tenant_id) as session:
            endpoint = await session.get_one(WebhookEndpoint, endpoint_id)
            for name, value in columns.items():
                setattr(endpoint, name, value)


async def _insert_tenant(database: TestDatabase, storage: TenantStorage, wrapped: bytes) -> None:
    operator = Database(database.url("operator"), pool_size=1)
    try:
        async with operator.role() as session:
            await session.execute(
                insert(Tenant).values(
                    id=storage.tenant_id,
                    slug=storage.slug,
                    name="A studio",
                    state="active",
                    region=storage.region,
                    kms_key_arn=storage.kms_key_arn,
                    bucket=storage.bucket,
                    work_role_arn=storage.work_role_arn,
                    grant_role_arn=storage.grant_role_arn,
                    wrapped_data_key=wrapped,
                )
            )
    finally:
        await operator.close()


def _settings(database: TestDatabase, scratch: Path) -> Settings:
    stack = database.stack
    key = stack.facts.principals["worker"]
    return Settings.model_validate(
        {
            "database": {"app_url": database.url("app")},
            "aws": {
                "s3_endpoint": stack.s3_endpoint,
                "kms_endpoint": stack.s3_endpoint,
                "iam_endpoint": stack.s3_endpoint,
                "sts_endpoint": stack.bedrock_url,
                "bedrock_endpoint": stack.bedrock_url,
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key,
            },
            "webhooks": {"allow_loopback": True, "timeout_seconds": 5},
            "signing": {
                "chain_path": stack.pki.chain,
                "key_path": stack.pki.key,
                "roots_path": stack.pki.roots,
            },
            "catalogue": {"offline": True},
            "worker": {"scratch_dir": scratch},
        }
    )


@contextlib.asynccontextmanager
async def webhook_studio(
    database: TestDatabase, storage: TenantStorage, wrapped: bytes, scratch: Path
) -> AsyncIterator[WebhookStudio]:
    """A provisioned tenant in this test's own database, with a workshop to work for it."""
    await _insert_tenant(database, storage, wrapped)
    workshop = build_workshop(_settings(database, scratch), slots=4)
    dispatcher = Database(database.url("dispatcher"), pool_size=2)
    try:
        tenant = await workshop.tools.tenant(storage.tenant_id)
        yield WebhookStudio(
            storage.tenant_id,
            tenant.seal,
            workshop.tools.database,
            dispatcher,
            notify.handlers(workshop.tools),
            database.superuser_url,
        )
    finally:
        await dispatcher.close()
        await workshop.close()


async def provisioned(database: TestDatabase, slug: str) -> tuple[TenantStorage, bytes]:
    """Make a tenant's key, bucket, roles and data key on the stack."""
    storage = storage_of(database.stack.s3_endpoint, database.stack.facts.principals)
    try:
        tenant = await storage.new_tenant(slug)
        return tenant, await storage.vault("grants").create_data_key(tenant)
    finally:
        storage.clients.close()
