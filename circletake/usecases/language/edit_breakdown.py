"""A person edits a breakdown. What the model wrote stays beside it, and who changed what is on record."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from circletake.domain.errors import Conflict, Invalid
from circletake.domain.language.breakdown import Breakdown, breakdown_problems, changes
from circletake.domain.language.words import LanguageTask
from circletake.domain.people import Actor
from circletake.kit import clock
from circletake.kit.hashing import canonical_json
from circletake.ports import Seal
from circletake.records.session import Database
from circletake.usecases.language.values import (
    LanguageView,
    calls_of,
    close_json,
    find_request,
    view_of,
)
from circletake.usecases.ledger import record_entry

_MOST_EDITS = 500  # shown; the ledger has every one


async def edit_breakdown(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    request_id: UUID,
    parts: Mapping[str, Any],
    expect: Callable[[int], None],
) -> LanguageView:
    """Put whole lists in the place of those that stand: `parts` are fields of Breakdown.

    Raises NotFound, Conflict while there is nothing to edit, what `expect` raises, or Invalid.
    """
    async with database.tenant(tenant_id) as session:
        row = await find_request(session, tenant_id, LanguageTask.SCRIPT_BREAKDOWN, request_id, lock=True)
        expect(row.version)
        view = view_of(seal, row, await calls_of(session, row))
        before = require_written(view)
        after = replace(before, **parts)
        found = breakdown_problems(after)
        if found:
            raise Invalid(found)
        changed = changes(before, after)
        if not changed:
            return view
        row.edited = close_json(seal, "edited", row.id, after.as_json())
        row.version += 1
        edit = {
            "at": clock.now().isoformat(),
            **actor.for_ledger(),
            "version": row.version,
            "changes": changed,
        }
        row.edits = [*row.edits, edit][-_MOST_EDITS:]
        await session.flush()
        await record_entry(
            session,
            seal,
            tenant_id=tenant_id,
            kind="script_breakdown.edited",
            subject_id=row.id,
            body={
                **actor.for_ledger(),
                "version": row.version,
                "changes": changed,
                "before_hash": seal.keyed_hash(canonical_json(before.as_json())),
                "after_hash": seal.keyed_hash(canonical_json(after.as_json())),
            },
        )
        return view_of(seal, row, await calls_of(session, row))


def require_written(view: LanguageView) -> Breakdown:
    """Return the breakdown as it stands. Raises Conflict where no model has written one."""
    breakdown = view.breakdown
    if breakdown is None:
        state = view.row.state
        raise Conflict(f"There is no breakdown: this request is {state}.", code="nothing_written")
    return breakdown
