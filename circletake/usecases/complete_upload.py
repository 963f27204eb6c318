"""The studio says that its bytes are there: join the parts, pin what arrived, have it inspected."""

from uuid import UUID

from circletake.domain.errors import Conflict
from circletake.domain.media import PartPlan, incoming_key
from circletake.domain.tenants import TenantStorage
from circletake.ports import ObjectStore, StorageFault, StoredObject
from circletake.records.media import MediaFile
from circletake.records.session import Database
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_media import find_file, get_media
from circletake.usecases.steps import add_step

MAX_MISSING_SHOWN = 100


async def complete_upload(
    database: Database, store: ObjectStore, storage: TenantStorage, *, media_id: UUID
) -> MediaFile:
    """Return the file, now `inspecting`; one that was completed before is returned as it is.

    Raises NotFound, or Conflict `upload_missing` or `parts_missing` with the part numbers.
    """
    tenant_id = storage.tenant_id
    file = await get_media(database, tenant_id, media_id)
    if file.state != "uploading":
        return file
    if file.part_size is not None:
        await _join(store, storage, file, file.part_size)
    pinned = await _pin(store, storage, file)
    async with database.tenant(tenant_id) as session:
        file = await find_file(session, tenant_id, media_id, lock=True)
        if file.state == "uploading":
            file.state = "inspecting"
            file.object_key, file.etag, file.upload_id = pinned.key, pinned.etag, None
            await session.flush()
            await add_step(session, tenant_id, kind="inspect", lane="inspect", subject_id=file.id)
            await wake_dispatcher(session)
    return file


async def _join(store: ObjectStore, storage: TenantStorage, file: MediaFile, part_size: int) -> None:
    if file.upload_id is None:
        raise _missing()
    key, plan = incoming_key(file.id), PartPlan(file.size, part_size)
    try:
        arrived = {part.number: part for part in await store.list_parts(storage, key, file.upload_id)}
        missing = plan.missing({number: part.size for number, part in arrived.items()})
        if missing:
            raise Conflict(
                f"{len(missing)} of {plan.count} parts haven't arrived, or not in their size: send them, then complete.",
                code="parts_missing",
                parts=list(missing[:MAX_MISSING_SHOWN]),
            )
        await store.finish_multipart(
            storage, key, file.upload_id, [arrived[number] for number in range(1, plan.count + 1)]
        )
    except StorageFault as fault:
        if fault.kind == "changed":
            raise Conflict(
                "A part was sent again meanwhile: complete once nothing is being sent any more.",
                code="parts_changed",
            ) from fault
        if fault.kind != "no_upload":
            raise
        # joined by an earlier call that never answered, or lost; the pin will tell


async def _pin(store: ObjectStore, storage: TenantStorage, file: MediaFile) -> StoredObject:
    try:
        return await store.head(storage, incoming_key(file.id))
    except StorageFault as fault:
        if fault.kind == "missing":
            raise _missing() from fault
        raise


def _missing() -> Conflict:
    return Conflict(
        "Nothing has been uploaded: PUT the bytes first; POST …/upload-urls gives fresh URLs.",
        code="upload_missing",
    )
