"""Declare a file and get leave to upload it, unless its bytes are here already."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Invalid
from circletake.domain.kinds import RightsBasis
from circletake.domain.media import UploadRequest, part_size_for, upload_violations
from circletake.domain.people import Actor
from circletake.domain.pictures import Violation
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import ObjectStore, Seal
from circletake.records.context import Production, Shot
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_media import find_file
from circletake.usecases.grant_upload import UploadOffer, offer_upload
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.steps import add_step

CREATED, KNOWN = 201, 200


@dataclass(frozen=True, slots=True)
class UploadAnswer:
    """`status` 201: a new media file; 200: the tenant has this very file already. No `offer`: nothing to send."""

    status: int
    file: MediaFile
    offer: UploadOffer | None
    replayed: bool = False


async def request_upload(
    database: Database,
    store: ObjectStore,
    seal: Seal,
    storage: TenantStorage,
    *,
    actor: Actor,
    request: UploadRequest,
    claim: IdempotencyClaim | None,
    location: Callable[[UUID], str],
) -> UploadAnswer:
    """Record the file and grant its upload. A repeat under the same key finds the same file, with URLs of its own
    time: those of the first answer aren't kept. Raises Invalid; then nothing has been written."""
    tenant_id = storage.tenant_id
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            status = remembered.status
            media_id = UUID((remembered.location or "").rsplit("/", 1)[-1])
            file = await find_file(session, tenant_id, media_id)
        else:
            status, file = await _record(session, tenant_id, request)
            # the answer itself holds URLs, which are kept nowhere: the file's place is enough to give it again
            await remember(session, seal, tenant_id, claim, Answer(status, b"", location(file.id)))
    offer = None
    if file.state == "uploading":
        offer = await offer_upload(database, store, storage, file, actor=actor)
    return UploadAnswer(status, file, offer, replayed=remembered is not None)


async def _record(session: TenantSession, tenant_id: UUID, request: UploadRequest) -> tuple[int, MediaFile]:
    found = upload_violations(request) + await _context_violations(session, tenant_id, request)
    if found:
        raise Invalid(found)
    twins = await _same_bytes(session, tenant_id, request)
    for twin in twins:
        if _is_what_was_asked(twin, request):
            return KNOWN, twin
    file = MediaFile(
        id=new_id(),
        tenant_id=tenant_id,
        production_id=request.production_id,
        shot_id=request.shot_id,
        role=request.role.value,
        name=request.name,
        media_type=request.media_type,
        size=request.size,
        sha256=request.sha256,
        colour_space=request.colour_space,
        first_frame=request.first_frame,
        last_frame=request.last_frame,
        rights_basis=request.rights_basis,
        external_ref=request.external_ref,
        state="uploading",
        part_size=part_size_for(request.size),
    )
    session.add(file)
    if twins:
        # pinned like an upload; the inspector copies it inside the bucket
        file.state, file.part_size = "inspecting", None
        file.object_key, file.etag = twins[0].object_key, twins[0].etag
        await add_step(session, tenant_id, kind="inspect", lane="inspect", subject_id=file.id)
        await wake_dispatcher(session)
    await session.flush()
    return CREATED, file


async def _context_violations(
    session: TenantSession, tenant_id: UUID, request: UploadRequest
) -> list[Violation]:
    production = await session.scalar(
        select(Production.id).where(Production.tenant_id == tenant_id, Production.id == request.production_id)
    )
    if production is None:
        return [Violation("/production_id", "unknown_production", "There is no such production.")]
    if request.shot_id is None:
        return []
    shot = await session.scalar(
        select(Shot.id).where(
            Shot.tenant_id == tenant_id,
            Shot.id == request.shot_id,
            Shot.production_id == request.production_id,
        )
    )
    if shot is None:
        return [Violation("/shot_id", "unknown_shot", "There is no such shot in this production.")]
    return []


async def _same_bytes(session: TenantSession, tenant_id: UUID, request: UploadRequest) -> list[MediaFile]:
    """Find this tenant's ready files with these bytes; locked, so that none is withdrawn in between."""
    return list(
        await session.scalars(
            select(MediaFile)
            .where(
                MediaFile.tenant_id == tenant_id,
                MediaFile.sha256 == request.sha256,
                MediaFile.size == request.size,
                MediaFile.media_type == request.media_type,
                MediaFile.state == "ready",
            )
            .order_by(MediaFile.id)
            .limit(50)
            .with_for_update(read=True)
        )
    )


def _is_what_was_asked(file: MediaFile, request: UploadRequest) -> bool:
    """Whether a file stands for this request whole. What was said and differs (another shot, other rights) makes a
    media file of its own: nothing that was asked for is dropped."""
    if (file.production_id, file.role) != (request.production_id, request.role.value):
        return False
    rights = None if request.rights_basis == RightsBasis.UNKNOWN else request.rights_basis
    said = (
        (request.shot_id, file.shot_id),
        (rights, file.rights_basis),
        (request.colour_space, file.colour_space),
        (request.first_frame, file.first_frame),
        (request.last_frame, file.last_frame),
        (request.external_ref, file.external_ref),
    )
    return all(asked is None or asked == has for asked, has in said)
