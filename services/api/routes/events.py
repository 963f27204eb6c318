"""The log of events across generations: what a receiver reads to catch up."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from circletake.kit.paging import BadCursor
from circletake.usecases import find_generations
from circletake.usecases.find_deliveries import get_event
from services.api.auth import Reader
from services.api.problems import ALWAYS
from services.api.requests import PageSize
from services.api.schemas.events import EventEntry, EventPage
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/events", tags=["events"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
After = Annotated[
    str | None, Query(max_length=512, description="`after` of the page before; the beginning when left out")
]

_PURPOSE = "events"


@router.get("")
async def list_events(who: Reader, desk: Desk, after: After = None, limit: PageSize = 50) -> EventPage:
    """Read events in the order in which they can't be overtaken: reading on never misses one.

    Across generations this is the order of commits, roughly; within one, `sequence` is the order.
    """
    rows = await find_generations.events_across(
        desk.database, who.tenant_id, after=_position(desk, after), limit=limit + 1
    )
    shown = rows[:limit]
    if shown:
        after = desk.cursors.write(_PURPOSE, str(shown[-1].txid), str(shown[-1].id))
    return EventPage(data=[EventEntry.of(event) for event in shown], after=after, more=len(rows) > limit)


def _position(desk: Gateway, after: str | None) -> tuple[int, UUID] | None:
    if after is None:
        return None
    parts = desk.cursors.read(_PURPOSE, after)
    if len(parts) != 2:  # noqa: PLR2004 - transaction and id
        raise BadCursor("not a position in the log")
    return int(parts[0]), UUID(parts[1])


@router.get("/{event_id}")
async def get_one(event_id: UUID, who: Reader, desk: Desk) -> EventEntry:
    """Read one event; its id is the webhook-id of its deliveries."""
    return EventEntry.of(await get_event(desk.database, who.tenant_id, event_id))
