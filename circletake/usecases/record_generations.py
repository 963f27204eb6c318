"""Writing generations: everything that they begin with, in as few statements as there are shapes of rows, and the
deliveries of what is told of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from circletake.records.base import Record
from circletake.records.events import Event, IdempotencyRecord, LedgerEntry
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.holds import Hold
from circletake.records.policies import PolicyEvaluation
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together
from circletake.usecases.events import ENDPOINTS_BY_TYPE, STEPS_CHANNEL, deliver_events
from circletake.usecases.generation_rows import GenerationRows

Row = Mapping[str, Any]


async def record_generations(
    session: TenantSession,
    tenant_id: UUID,
    generations: Sequence[GenerationRows],
    remembers: Sequence[Row] = (),
) -> None:
    """Insert generations with all that belongs to them, tell of them, and wake the dispatcher. `remembers`: the answer
    that is kept for a repeated request."""
    events = [row for each in generations for row in each.events]
    first_steps, *other_steps = _by_shape(
        row for each in generations for row in (*each.steps, *each.expiry)
    ) or [[]]
    written = await insert_together(
        session,
        (Generation, [each.generation for each in generations]),
        (GenerationInput, [row for each in generations for row in each.inputs]),
        (Take, [row for each in generations for row in each.takes]),
        (Step, first_steps),
        *_enforcing(generations),
        (Hold, [row for each in generations for row in each.holds]),
        (PolicyEvaluation, [row for each in generations for row in each.evaluations]),
        (LedgerEntry, [row for each in generations for row in (each.entry, *each.more_entries)]),
        (Event, events),
        (IdempotencyRecord, remembers),
        then=f"select {ENDPOINTS_BY_TYPE}, pg_notify(:channel, '')",
        tenant_id=tenant_id,
        types=sorted({row["type"] for row in events}),
        channel=STEPS_CHANNEL,
    )
    asked = written.scalar_one()
    for steps in other_steps:
        await insert_together(session, (Step, steps))
    await deliver_events(session, tenant_id, events, asked)


def _by_shape(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows of one table that name the same columns, together."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row)].append(row)
    return list(found.values())


def _enforcing(generations: Sequence[GenerationRows]) -> list[tuple[type[Record], Sequence[Row]]]:
    found: dict[type[Record], list[Row]] = defaultdict(list)
    for each in generations:
        for record, rows in each.enforcing:
            found[record] += rows
    return list(found.items())
