"""Notice that the catalogue's models changed, or that a schedule is due. Run by the dispatcher, which alone sees every
studio: it reads which productions want to know, never what they keep."""

import hashlib
from datetime import datetime

from sqlalchemy import text

from circletake.ports import ModelCatalogue
from circletake.records.session import Database

_DUE = text(
    """
    with changed as (
        update golden_rules set seen_catalogue = :digest
        where on_change and seen_catalogue is distinct from :digest returning tenant_id, production_id),
    due as (
        update golden_rules set next_at = :now + make_interval(days => every_days)
        where every_days is not null and next_at <= :now returning tenant_id, production_id)
    insert into steps (id, tenant_id, kind, lane, state, capped_by, priority, attempt, crashes, crashes_alone,
                       fence, ring_no, subject_id, details)
    select gen_random_uuid(), w.tenant_id, 'golden_watch', 'notify', 'ready', '', 0, 0, 0, 0, 0, 0,
           w.production_id, w.details
    from (select tenant_id, production_id, jsonb_build_object('catalogue', cast(:digest as text)) as details
          from changed
          union all
          select tenant_id, production_id, jsonb_build_object('scheduled', cast(:day as text)) from due) w
    join tenants t on t.id = w.tenant_id where t.state = 'active'
    """
)


def catalogue_digest(catalogue: ModelCatalogue) -> str:
    """Return a digest that changes when any model does, as far as a studio can tell."""
    lines = sorted(f"{card.id} {card.fingerprint}" for card in catalogue.all())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


async def queue_golden_watches(database: Database, catalogue: ModelCatalogue, *, now: datetime) -> None:
    """Queue a look at every production whose rules want one now. Runs with the dispatcher's role."""
    async with database.role() as session:
        await session.execute(
            _DUE, {"digest": catalogue_digest(catalogue), "now": now, "day": now.date().isoformat()}
        )
