"""Take back a file that was uploaded by mistake, or whose rights holder insists. Its row stays as a tombstone.

A generation's record keeps its inputs; a reference doesn't keep a file: see `withdraw_references`.
"""

from uuid import UUID

from sqlalchemy import func, select

from circletake.domain.errors import Conflict
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.consistency import Enforcement
from circletake.records.generations import GenerationInput
from circletake.records.media import MediaFile
from circletake.records.session import Database, TenantSession
from circletake.usecases.approve_references import withdraw_references
from circletake.usecases.events import EVENTS_CHANNEL, wake_dispatcher
from circletake.usecases.find_media import find_file
from circletake.usecases.steps import add_step
from circletake.usecases.storyboards.withdraw_shown import withdraw_drawings


async def withdraw_media(
    database: Database, seal: Seal, *, tenant_id: UUID, actor: Actor, media_id: UUID
) -> MediaFile:
    """Mark the file withdrawn and have its object purged; one whose object is gone already is returned as it is.

    The row is locked: a request that would use the file either came first, and this is refused, or finds it
    withdrawn. Raises NotFound, or Conflict `media_in_use` or `enforcement_running`.
    """
    async with database.tenant(tenant_id) as session:
        file = await find_file(session, tenant_id, media_id, lock=True)
        if file.state in {"withdrawn", "refused"}:
            return file
        if file.generation_id is not None:
            raise Conflict("This file is an output: outputs stay on record.", code="media_in_use")
        used = await session.scalar(
            select(GenerationInput.generation_id)
            .where(GenerationInput.tenant_id == tenant_id, GenerationInput.media_id == media_id)
            .limit(1)
        )
        if used is not None:
            raise Conflict(
                "A generation was requested with this file, and its record needs it.",
                code="media_in_use",
                generation_id=str(used),
            )
        await withdraw_references(session, seal, file, actor=actor)
        await _require_not_started_from(session, tenant_id, media_id)
        file.state, file.finished_at = "withdrawn", clock.now()
        file.object_key, file.etag = None, None
        await session.flush()
        await add_step(session, tenant_id, kind="purge", lane="inspect", subject_id=file.id)
        await withdraw_drawings(session, tenant_id, file.id)
        await session.execute(select(func.pg_notify(EVENTS_CHANNEL, str(file.id))))
        await wake_dispatcher(session)
    return file


async def _require_not_started_from(session: TenantSession, tenant_id: UUID, media_id: UUID) -> None:
    """Raise Conflict when an enforcement starts takes from this picture."""
    enforcement_id = await session.scalar(
        select(Enforcement.id)
        .where(
            Enforcement.tenant_id == tenant_id,
            Enforcement.options["approved_media_id"].astext == str(media_id),
        )
        .limit(1)
    )
    if enforcement_id is not None:
        raise Conflict(
            "An enforcement starts takes from this picture, and its record needs it.",
            code="media_in_use",
            enforcement_id=str(enforcement_id),
        )
