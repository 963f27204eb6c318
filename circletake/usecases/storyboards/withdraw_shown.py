"""A picture is withdrawn: what shows it goes with it, or it would live on in stills, pages and animatics."""

from uuid import UUID

from sqlalchemy import select, update

from circletake.kit import clock
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.records.storyboards import StoryboardFile
from circletake.usecases.steps import add_step


async def withdraw_drawings(session: TenantSession, tenant_id: UUID, media_id: UUID) -> int:
    """Withdraw every file of the drawings and animatics that show a picture; return how many. The picture's row is
    locked, so none that shows it is being recorded. Stills of other pictures stay where another output has them."""
    showing = (
        select(StoryboardFile.output_id)
        .where(StoryboardFile.tenant_id == tenant_id, StoryboardFile.source_media_id == media_id)
        .distinct()
    )
    others = StoryboardFile.part != "still"
    own = StoryboardFile.source_media_id == media_id
    files = select(StoryboardFile.media_id).where(
        StoryboardFile.tenant_id == tenant_id, StoryboardFile.output_id.in_(showing), others | own
    )
    gone = await session.scalars(
        update(MediaFile)
        .where(MediaFile.tenant_id == tenant_id, MediaFile.id.in_(files), MediaFile.state == "ready")
        .values(state="withdrawn", object_key=None, etag=None, finished_at=clock.now())
        .returning(MediaFile.id)
        .execution_options(synchronize_session=False)
    )
    withdrawn = gone.all()
    for each in withdrawn:
        await add_step(session, tenant_id, kind="purge", lane="inspect", subject_id=each)
    return len(withdrawn)
