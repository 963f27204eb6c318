"""What waits for a person: holds they may release, versions they may approve, consents they may see decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from circletake.domain.people import Person, Role
from circletake.domain.review.states import APPROVERS
from circletake.records.session import Database


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits. `kind` is hold, version or consent; `lines` are a hold's."""

    kind: str
    id: UUID
    since: datetime
    production_id: UUID | None
    shot_id: UUID | None
    generation_id: UUID | None
    take_id: UUID | None
    reason: str
    lines: list[Any]

    @property
    def created_at(self) -> datetime:
        """Where it stands in the list."""
        return self.since


# each arm reads a partial index of what is open: what was decided long ago costs nothing
OPEN_HOLDS = """
    select 'hold' as kind, h.id, h.created_at as since, h.production_id, g.shot_id, h.generation_id, h.take_id,
           h.reason, h.lines, h.released_by as roles, h.requested_by_person as asked_by, null::uuid as submitted_by
    from holds h join generations g on g.tenant_id = h.tenant_id and g.id = h.generation_id
    where h.tenant_id = :tenant and h.state = 'open'
"""
WAITING_VERSIONS = """
    select 'version', v.id, v.changed_at, v.production_id, v.shot_id, v.generation_id, v.take_id,
           v.state, '[]'::jsonb, cast(:approvers as text[]), v.requested_by_person, v.submitted_by
    from versions v where v.tenant_id = :tenant and v.state = 'wfa'
"""
REQUESTED_CONSENTS = """
    select 'consent', c.id, c.requested_at,
           case when cardinality(c.production_ids) = 1 then c.production_ids[1] end, null, null, null,
           c.state, '[]'::jsonb, cast(:clearers as text[]), null, null
    from consents c where c.tenant_id = :tenant and c.state = 'requested'
"""
WAITING = f"{OPEN_HOLDS} union all {WAITING_VERSIONS} union all {REQUESTED_CONSENTS}"
ROLES = {"approvers": sorted(APPROVERS), "clearers": [Role.RIGHTS_CLEARANCE_MANAGER.value]}

_MINE = text(
    f"""
    select kind, id, since, production_id, shot_id, generation_id, take_id, reason, lines
    from ({WAITING}) w
    where roles && cast(:roles as text[]) and asked_by is distinct from :person
      and submitted_by is distinct from :person
      and (cast(:after_since as timestamptz) is null or (since, id) > (cast(:after_since as timestamptz), :after_id))
    order by since, id limit :limit
    """  # noqa: S608 - constants
)


async def read_inbox(
    database: Database,
    tenant_id: UUID,
    person: Person,
    *,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> Sequence[Waiting]:
    """Return at most `limit` things that wait for this person, the oldest first, after the position (since, id). What
    they asked for or submitted themselves isn't among them: nobody decides on their own."""
    since, after_id = after or (None, None)
    values = {
        "tenant": tenant_id,
        "roles": sorted(person.roles),
        "person": person.id,
        "after_since": since,
        "after_id": after_id,
        "limit": limit,
        **ROLES,
    }
    async with database.tenant(tenant_id) as session:
        rows = (await session.execute(_MINE, values)).all()
    return [Waiting(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
