"""What the media tests share: one studio with a real bucket, key and database, and a worker's tools."""

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from circletake.adapters.c2pa.config import SigningConfig
from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.vision.desk import VisionPictureDesk
from circletake.domain.kinds import MediaRole
from circletake.domain.media import UploadRequest
from circletake.domain.people import PLATFORM
from circletake.domain.tenants import TenantStorage
from circletake.kit.children import ChildPool
from circletake.kit.ids import new_id
from circletake.ports import ManifestSigner, ObjectStore, PictureDesk, Seal
from circletake.records import session as records
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.usecases.complete_upload import complete_upload
from circletake.usecases.find_media import get_media
from circletake.usecases.inspect_media import inspect_media
from circletake.usecases.purge_media import purge_media
from circletake.usecases.request_upload import UploadAnswer, request_upload
from circletake.usecases.steps import ClaimedStep, claim_step
from circletake.usecases.tools import Tools
from circletake.usecases.verify_file import verify_file
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of
from tests.stack import Database

STORIES = {"inspect": inspect_media, "purge": purge_media, "verify": verify_file}


@dataclass
class Instruments:
    """Child processes for decoding and signing: started once for a whole file of tests."""

    desk: PictureDesk
    signer: ManifestSigner
    storage: Storage
    tenant: TenantStorage
    wrapped_key: bytes


@asynccontextmanager
async def instruments(stack: Stack) -> AsyncIterator[Instruments]:
    pool = ChildPool(1)
    desk = VisionPictureDesk(pool)
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    tenant = await storage.new_tenant(f"media-{new_id().hex[-8:]}")
    wrapped = await storage.vault("grants").create_data_key(tenant)
    config = SigningConfig(
        roots_path=stack.pki.roots,
        version="0.0.test",
        chain_path=stack.pki.chain,
        key_path=stack.pki.key,
        tsa_url=stack.tsa_url,
        tsa_roots_path=stack.pki.tsa_roots,
    )
    try:
        yield Instruments(desk, C2paManifestSigner(config, pool), storage, tenant, wrapped)
    finally:
        desk.close()
        pool.close()
        storage.clients.close()


@dataclass
class Bench:
    """One studio in one test's database: the gateway's side, the worker's side, and what can be seen from outside."""

    tools: Tools
    gateway: ObjectStore
    worker: ObjectStore
    tenant: TenantStorage
    seal: Seal
    superuser_url: str
    production_id: UUID
    shot_id: UUID

    @property
    def database(self) -> records.Database:
        return self.tools.database

    async def declare(self, data: bytes, *, claim: Any = None, **changes: Any) -> UploadAnswer:
        request = UploadRequest(
            **{
                "production_id": self.production_id,
                "shot_id": self.shot_id,
                "role": MediaRole.PLATE,
                "name": "AGM_104_TCC_0010.png",
                "media_type": "image/png",
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "rights_basis": "owned",
                **changes,
            }
        )
        return await request_upload(
            self.database,
            self.gateway,
            self.seal,
            self.tenant,
            actor=PLATFORM,
            request=request,
            claim=claim,
            location=lambda media_id: f"/v1/media/{media_id}",
        )

    async def uploaded(self, data: bytes, **changes: Any) -> MediaFile:
        """Declare and send; not completed."""
        answer = await self.declare(data, **changes)
        assert answer.offer is not None
        assert answer.offer.url is not None
        await put(answer.offer.url, data, answer.offer.headers)
        return answer.file

    async def completed(self, data: bytes, **changes: Any) -> MediaFile:
        """Declare, send and complete; the inspection waits in the queue."""
        file = await self.uploaded(data, **changes)
        return await complete_upload(self.database, self.gateway, self.tenant, media_id=file.id)

    async def ready(self, data: bytes, **changes: Any) -> MediaFile:
        file = await self.completed(data, **changes)
        await self.work()
        file = await self.look(file.id)
        assert file.state == "ready", file.problem_detail
        return file

    async def look(self, media_id: UUID) -> MediaFile:
        return await get_media(self.database, self.tenant.tenant_id, media_id)

    async def claim(self, subject_id: UUID, kind: str | None = None) -> ClaimedStep:
        """Ring and claim the next open step about something, as the dispatcher and a worker would."""
        (row,) = await self.sql(
            "update steps set state = 'rung', ring_no = ring_no + 1 where id = (select id from steps"
            " where subject_id = $1 and state in ('ready', 'running') and kind = coalesce($2, kind)"
            " order by run_at limit 1) returning id, ring_no",
            subject_id,
            kind,
        )
        step = await claim_step(
            self.database,
            tenant_id=self.tenant.tenant_id,
            step_id=row["id"],
            ring_no=row["ring_no"],
            worker="bench",
            lease_seconds=30,
        )
        assert step is not None
        return step

    async def run(self, step: ClaimedStep) -> None:
        await STORIES[step.kind](self.tools, step)

    async def work(self) -> None:
        """Run every step that is due."""
        for row in await self.sql(
            "select subject_id from steps where state = 'ready' and run_at <= now() order by id"
        ):
            await self.run(await self.claim(row["subject_id"]))

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """Look or act past every wall, as the test's own hand."""
        connection = await asyncpg.connect(self.superuser_url.replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.sql("select type, data from events order by id")
        return [(row["type"], json.loads(row["data"])) for row in rows]

    async def stored(self, prefix: str = "") -> list[str]:
        """Every key in the bucket, as a worker sees it."""
        return [one.key for one in await self.worker.list(self.tenant, prefix)]


@asynccontextmanager
async def bench(
    instruments: Instruments, database: Database, tmp_path: Path, **changes: Any
) -> AsyncIterator[Bench]:
    tenant, storage = instruments.tenant, instruments.storage
    app = records.Database(database.url("app"), pool_size=4)
    vault, worker = storage.vault("work"), storage.store("work")
    tools = Tools(
        **{
            "database": app,
            "catalogue": load_catalogue(None, offline=True),
            "vault": vault,
            "store": worker,
            "runner": None,
            "desk": instruments.desk,
            "signer": instruments.signer,
            "sender": None,
            "evaluator": None,
            "rules": load_rules(),
            "cuts": None,
            "storyboards": None,
            "timelines": None,
            "packs": None,
            "scratch": tmp_path,
            **changes,
        }
    )
    seal = await vault.seal(tenant, instruments.wrapped_key)
    production, shot = new_id(), new_id()
    made = Bench(
        tools, storage.store("grants"), worker, tenant, seal, database.superuser_url, production, shot
    )
    await made.sql(
        "insert into tenants (id, slug, name, state, region, bucket, kms_key_arn, work_role_arn, grant_role_arn,"
        " wrapped_data_key, weight, max_running) values ($1, $2, 'A studio', 'active', $3, $4, $5, $6, $7, $8, 1, 40)",
        tenant.tenant_id,
        tenant.slug,
        tenant.region,
        tenant.bucket,
        tenant.kms_key_arn,
        tenant.work_role_arn,
        tenant.grant_role_arn,
        instruments.wrapped_key,
    )
    async with app.tenant(tenant.tenant_id) as session:
        session.add(Production(id=production, tenant_id=tenant.tenant_id, code="AGM", title="A Good Morning"))
        await session.flush()
        session.add(Shot(id=shot, tenant_id=tenant.tenant_id, production_id=production, code="TCC_0010"))
    try:
        yield made
    finally:
        await app.close()
        for key in await made.stored():
            await worker.delete(tenant, [key])


async def put(url: str, data: bytes, headers: Any = None) -> None:
    """PUT as a partner's script would. Raises HTTPError."""
    # urllib would call it a form, and the S3 server would spend seconds on reading 16 MB as one
    named = {"Content-Type": "application/octet-stream", **dict(headers or {})}

    def send() -> None:
        request = urllib.request.Request(url, data=data, method="PUT", headers=named)
        with urllib.request.urlopen(request, timeout=100):
            return

    await asyncio.to_thread(send)
