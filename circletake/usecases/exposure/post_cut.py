"""A cut is posted: kept in the studio's bucket as it came, and queued for a worker to read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from uuid import UUID

from circletake.domain.exposure.rates import rate_text
from circletake.domain.media import cut_upload_key
from circletake.domain.people import Actor
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import CutFormat, ObjectStore, Seal
from circletake.records.exposure import Cut
from circletake.records.session import Database
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_context import find_production
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.steps import add_step

MEDIA_TYPES = {"otio": "application/json", "edl": "text/plain"}


@dataclass(frozen=True, slots=True)
class PostedCut:
    """A file on the gateway's disk, never parsed there. `rate` is for a file that doesn't say its own."""

    path: Path
    form: CutFormat
    size: int
    sha256: str = field(repr=False)
    rate: Fraction | None = None


async def post_cut(
    database: Database,
    store: ObjectStore,
    seal: Seal,
    storage: TenantStorage,
    *,
    actor: Actor,
    production_id: UUID,
    posted: PostedCut,
    claim: IdempotencyClaim | None,
    answer: Callable[[Cut], Answer],
) -> Answer:
    """Keep the file and queue the reading of it. Raises NotFound."""
    tenant_id, cut_id = storage.tenant_id, new_id()
    async with database.tenant(tenant_id) as session:  # before the bytes travel
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        await find_production(session, tenant_id, production_id)
    key = cut_upload_key(cut_id)
    await store.put_file(storage, key, posted.path, MEDIA_TYPES[posted.form])
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered  # a copy that nobody needs expires with `incoming/`
        production = await find_production(session, tenant_id, production_id)
        cut = Cut(
            id=cut_id,
            tenant_id=tenant_id,
            production_id=production_id,
            format=posted.form,
            size=posted.size,
            sha256=posted.sha256,
            object_key=key,
            state="queued",
            frame_rate=rate_text(posted.rate) if posted.rate else production.frame_rate,
            posted_by=actor.api_key_id,
            posted_by_person=actor.person_id,
        )
        session.add(cut)
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="cut.posted",
            subject_id=cut_id,
            body={
                "production": str(production_id),
                "file_hash": seal.keyed_hash(posted.sha256.encode()),
                **actor.for_ledger(),
            },
        )
        await add_step(session, tenant_id, kind="cut", lane="inspect", subject_id=cut_id)
        reply = answer(cut)
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply
