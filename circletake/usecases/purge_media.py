"""Remove what a media file left in the bucket that isn't the published file.

A presigned PUT can be used again until it expires, so the purge is repeated once the last grant has ended.
"""

from sqlalchemy import func, select

from circletake.domain.media import incoming_key, media_prefix
from circletake.domain.permission.likeness import crops_prefix
from circletake.ports import StorageFault
from circletake.records.media import Grant, MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.steps import ClaimedStep, end_step, put_off
from circletake.usecases.tools import TenantAtWork, Tools

_MARGIN_SECONDS = 30.0  # a PUT that began before its URL expired may still be arriving


async def purge_media(tools: Tools, step: ClaimedStep) -> None:
    """Run a `purge` step: `subject_id` is the media file."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        file = await subject_file(session, step)
    await purge_objects(tools, tenant, file)
    crops = await tools.store.list(tenant.storage, crops_prefix(file.production_id, file.id))
    if crops:
        await tools.store.delete(tenant.storage, [each.key for each in crops])
    await end_or_purge_again(tools, step)


async def subject_file(session: TenantSession, step: ClaimedStep, *, lock: bool = False) -> MediaFile:
    query = select(MediaFile).where(MediaFile.tenant_id == step.tenant_id, MediaFile.id == step.subject_id)
    return (await session.scalars(query.with_for_update() if lock else query)).one()


async def purge_objects(tools: Tools, tenant: TenantAtWork, file: MediaFile) -> None:
    """Delete the upload and every copy but the published one. `file` is its row as committed."""
    keys = [incoming_key(file.id)]
    copies = await tools.store.list(tenant.storage, media_prefix(file.production_id, file.shot_id, file.id))
    published = file.object_key if file.state == "ready" else None
    keys += [copy.key for copy in copies if copy.key != published]
    if file.upload_id is not None and file.state != "uploading":
        try:
            await tools.store.abort_multipart(tenant.storage, incoming_key(file.id), file.upload_id)
        except StorageFault as fault:
            if fault.kind not in {"no_upload", "missing"}:
                raise
    await tools.store.delete(tenant.storage, keys)


async def end_or_purge_again(tools: Tools, step: ClaimedStep) -> None:
    """End the step, or come back when no grant can write any more."""
    async with tools.database.tenant(step.tenant_id) as session:
        left = await session.scalar(
            select(func.extract("epoch", func.max(Grant.expires_at) - func.now())).where(
                Grant.tenant_id == step.tenant_id,
                Grant.media_id == step.subject_id,
                Grant.purpose.in_(("upload", "part")),
            )
        )
        if left is not None and left > -_MARGIN_SECONDS:
            await put_off(session, step, seconds=float(left) + _MARGIN_SECONDS, counted=False, kind="purge")
            return
        await end_step(session, step)
        await wake_dispatcher(session)
