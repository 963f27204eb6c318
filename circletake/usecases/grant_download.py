"""Leave to download one media file, for at most 15 minutes. Recorded; the URL itself isn't kept."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from circletake.domain.errors import Conflict
from circletake.domain.media import expiry_of
from circletake.domain.people import Actor
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import ObjectStore
from circletake.records.media import Grant
from circletake.records.session import Database
from circletake.usecases.find_media import find_file
from circletake.usecases.grant_upload import GRANT_SECONDS
from circletake.usecases.review.approvals import require_approval


async def grant_download(
    database: Database,
    store: ObjectStore,
    storage: TenantStorage,
    *,
    actor: Actor,
    media_id: UUID,
) -> tuple[str, datetime]:
    """Return a presigned URL and when it ends. Raises NotFound, or Conflict: the file isn't ready, or the studio wants
    the take approved first."""
    async with database.tenant(storage.tenant_id) as session:
        file = await find_file(session, storage.tenant_id, media_id)
        await require_approval(session, file)
    if file.state != "ready" or file.object_key is None:
        raise Conflict(
            f"This file is {file.state}; only a ready file can be downloaded.",
            code="media_not_ready",
            state=file.state,
        )
    url = await store.presign_get(storage, file.object_key, seconds=GRANT_SECONDS, filename=file.name)
    expires_at = expiry_of(url)
    async with database.tenant(storage.tenant_id) as session:
        await session.execute(
            insert(Grant).values(
                id=new_id(),
                tenant_id=storage.tenant_id,
                media_id=file.id,
                purpose="download",
                api_key_id=actor.api_key_id,
                person_id=actor.person_id,
                expires_at=expires_at,
            )
        )
    return url, expires_at
