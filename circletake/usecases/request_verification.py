"""Ask what is known of a file: one of ours by its id, a take, or bytes that are posted for this only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from circletake.domain.errors import Conflict
from circletake.domain.media import verify_key
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import ObjectStore, Seal
from circletake.records.media import MediaFile, Verification
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_take
from circletake.usecases.find_media import find_file
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.steps import add_step


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A media file or a take of this tenant; exactly one of the two."""

    media_id: UUID | None = None
    take_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class PostedFile:
    """Bytes on the gateway's disk, never decoded there."""

    path: Path
    media_type: str


async def request_verification(
    database: Database,
    store: ObjectStore,
    seal: Seal,
    storage: TenantStorage,
    *,
    subject: OwnFile | PostedFile,
    claim: IdempotencyClaim | None,
    answer: Callable[[Verification], Answer],
) -> Answer:
    """Queue the question. Raises NotFound for an unknown file, Conflict for one that isn't ready."""
    tenant_id, verification_id = storage.tenant_id, new_id()
    if isinstance(subject, PostedFile):
        if claim is not None:  # known before the bytes travel a second time
            async with database.tenant(tenant_id) as session:
                remembered = await replay(session, seal, tenant_id, claim)
            if remembered is not None:
                return remembered
        await store.put_file(storage, verify_key(verification_id), subject.path, subject.media_type)
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered  # a posted copy that nobody needs expires with `incoming/`
        row = Verification(id=verification_id, tenant_id=tenant_id, state="queued")
        if isinstance(subject, PostedFile):
            row.object_key, row.media_type = verify_key(verification_id), subject.media_type
        else:
            file = await _own_file(session, tenant_id, subject)
            row.media_id, row.take_id, row.media_type = file.id, file.take_id, file.media_type
        session.add(row)
        await session.flush()
        await add_step(session, tenant_id, kind="verify", lane="inspect", subject_id=row.id)
        reply = answer(row)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


async def _own_file(session: TenantSession, tenant_id: UUID, subject: OwnFile) -> MediaFile:
    media_id = subject.media_id
    if subject.take_id is not None:
        take = await find_take(session, tenant_id, subject.take_id)
        if take.media_id is None:
            raise Conflict(f"This take is {take.state} and has no file.", code="take_has_no_file")
        media_id = take.media_id
    if media_id is None:
        raise ValueError("neither a media file nor a take")
    file = await find_file(session, tenant_id, media_id)
    if file.state != "ready":
        raise Conflict(
            f"This file is {file.state}; only a ready file can be verified.",
            code="media_not_ready",
            state=file.state,
        )
    return file
