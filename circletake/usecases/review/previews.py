"""Ask for a preview of a take: smaller, with a visible mark that names who asked. Made once for each take and viewer."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.errors import Conflict, NotFound
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.records.media import MediaFile
from circletake.records.review import Preview
from circletake.records.session import Database, TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_take
from circletake.usecases.steps import add_step


async def request_preview(database: Database, *, tenant_id: UUID, actor: Actor, take_id: UUID) -> Preview:
    """Return the caller's preview of a take, and have it made unless it is there or on its way. Raises NotFound, or
    Conflict for a take that has no file."""
    viewer, viewer_is = _viewer(actor)
    async with database.tenant(tenant_id) as session:
        await _require_file(session, tenant_id, take_id)
        made = await session.scalar(
            upsert(Preview)
            .values(
                id=new_id(),
                tenant_id=tenant_id,
                take_id=take_id,
                viewer=viewer,
                viewer_is=viewer_is,
                state="queued",
                asked_at=clock.now(),
            )
            .on_conflict_do_nothing(index_elements=["tenant_id", "take_id", "viewer"])
            .returning(Preview.id)
        )
        preview = await _own(session, tenant_id, take_id, viewer, lock=True)
        if made is not None or await _to_be_made_again(session, preview):
            preview.state, preview.media_id, preview.failure_code = "queued", None, None
            preview.asked_at, preview.finished_at = clock.now(), None
            await session.flush()
            await add_step(
                session, tenant_id, kind="preview", lane="finish", subject_id=preview.id, priority=1
            )
            await wake_dispatcher(session)
        return preview


async def get_preview(database: Database, *, tenant_id: UUID, actor: Actor, take_id: UUID) -> Preview:
    """Return the caller's preview of a take. Raises NotFound when they never asked for one."""
    async with database.tenant(tenant_id) as session:
        return await _own(session, tenant_id, take_id, _viewer(actor)[0])


async def _own(
    session: TenantSession, tenant_id: UUID, take_id: UUID, viewer: UUID, *, lock: bool = False
) -> Preview:
    query = select(Preview).where(
        Preview.tenant_id == tenant_id, Preview.take_id == take_id, Preview.viewer == viewer
    )
    preview = await session.scalar(query.with_for_update() if lock else query)
    if preview is None:
        raise NotFound("preview")
    return preview


async def _require_file(session: TenantSession, tenant_id: UUID, take_id: UUID) -> None:
    take = await find_take(session, tenant_id, take_id)
    if take.media_id is None:
        raise Conflict(f"This take is {take.state} and has no file.", code="take_has_no_file")
    file = await session.get_one(MediaFile, take.media_id)
    if file.state != "ready":
        raise Conflict(
            f"This take's file is {file.state}; only of a ready one a preview is made.",
            code="media_not_ready",
            state=file.state,
        )


async def _to_be_made_again(session: TenantSession, preview: Preview) -> bool:
    """Whether the last one failed, or its file was withdrawn."""
    if preview.state != "ready" or preview.media_id is None:
        return preview.state == "failed"
    file = await session.get_one(MediaFile, preview.media_id)
    return file.state != "ready"


def _viewer(actor: Actor) -> tuple[UUID, str]:
    if actor.person_id is not None:
        return actor.person_id, "person"
    if actor.api_key_id is None:
        raise ValueError("a preview is made for somebody")
    return actor.api_key_id, "api_key"
