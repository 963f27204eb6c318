"""Generations: ask for takes, follow them, stop them."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from circletake.domain.errors import Invalid
from circletake.domain.kinds import Kind
from circletake.domain.pictures import Violation
from circletake.domain.takes import GenerationState
from circletake.kit import clock
from circletake.usecases import find_generations
from circletake.usecases.cancel_takes import cancel_generation
from circletake.usecases.generation_rows import GenerationView
from circletake.usecases.idempotency import Answer
from circletake.usecases.request_generation import request_generation
from services.api.auth import Generator, Reader, seal_of
from services.api.live import wait_changed
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply, until
from services.api.schemas.common import ExternalRef, Page
from services.api.schemas.events import EventEntry
from services.api.schemas.generations import GenerationBody, GenerationReply, GenerationSummary
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/generations", tags=["generations"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def generation_accepted(view: GenerationView) -> Answer:
    return Answer(202, GenerationReply.of_view(view).body(), f"/v1/generations/{view.generation.id}")


@router.post(
    "",
    status_code=202,
    response_model=GenerationReply,
    responses={
        200: {"model": GenerationReply, "description": "Finished within the time of `Prefer: wait`"},
        202: {"description": "Accepted; `Location` is where to follow it"},
        **declared(409),
    },
)
async def request(body: GenerationBody, who: Generator, desk: Desk, claim: Claim, wait: Wait) -> Response:
    """Ask for takes. Everything that can be refused is refused here, before any money is spent."""
    seal = await seal_of(desk, who)
    accepted = await request_generation(
        desk.database,
        desk.catalogue,
        desk.rules,
        desk.packs,
        seal,
        tenant_id=who.tenant_id,
        actor=who.actor,
        request=body.to_request(),
        claim=claim,
        now=clock.now(),
        answer=generation_accepted,
    )
    if not wait:
        return reply(accepted)
    generation_id = UUID((accepted.location or "").rsplit("/", 1)[-1])

    async def ended() -> GenerationView | None:
        view = await find_generations.get_generation(desk.database, seal, who.tenant_id, generation_id)
        return view if view.generation.finished_at else None

    view = await until(desk.live, str(generation_id), wait, ended)
    if view is None:
        return reply(accepted)
    response = Response(GenerationReply.of_view(view).body(), 200, media_type="application/json")
    response.headers["Location"] = accepted.location or ""
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


@router.get("", response_model=Page[GenerationSummary])
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    kind: Kind | None = None,
    state: GenerationState | None = None,
    external_ref: ExternalRef | None = None,
) -> Any:
    """List generations, newest first."""
    before = position(desk.cursors, "generations", cursor)
    rows = await find_generations.list_generations(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=before,
        production_id=production_id,
        shot_id=shot_id,
        kind=kind.value if kind else None,
        state=state.value if state else None,
        external_ref=external_ref,
    )
    following = next_cursor(desk.cursors, "generations", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[GenerationSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{generation_id}", response_model=GenerationReply)
async def get(generation_id: UUID, who: Reader, desk: Desk, wait: Wait) -> Response:
    """Read one generation with its takes; with `Prefer: wait=N`, once it has finished."""
    seal = await seal_of(desk, who)
    view = await find_generations.get_generation(desk.database, seal, who.tenant_id, generation_id)
    if wait and not view.generation.finished_at:

        async def ended() -> GenerationView | None:
            now = await find_generations.get_generation(desk.database, seal, who.tenant_id, generation_id)
            return now if now.generation.finished_at else None

        view = await until(desk.live, str(generation_id), wait, ended) or (
            await find_generations.get_generation(desk.database, seal, who.tenant_id, generation_id)
        )
    return Response(GenerationReply.of_view(view).body(), media_type="application/json")


@router.post("/{generation_id}/cancel", response_model=GenerationReply, responses=declared(409))
async def cancel(generation_id: UUID, who: Generator, desk: Desk) -> Response:
    """Cancel every take that hasn't ended, and an enforcement that is at work. A call that a model has accepted is
    paid all the same."""
    seal = await seal_of(desk, who)
    await cancel_generation(desk.database, seal, who.tenant_id, generation_id)
    view = await find_generations.get_generation(desk.database, seal, who.tenant_id, generation_id)
    return Response(GenerationReply.of_view(view).body(), media_type="application/json")


async def _resume_after(
    generation_id: UUID,
    who: Reader,
    desk: Desk,
    last_event_id: Annotated[str | None, Header(description="Resume after this sequence number")] = None,
) -> int:
    """Refuse before the stream begins: afterwards its status has been sent."""
    async with desk.database.tenant(who.tenant_id) as session:
        await find_generations.find_generation(session, who.tenant_id, generation_id)
    return _sequence(last_event_id)


@router.get("/{generation_id}/events", response_class=EventSourceResponse)
async def follow(
    generation_id: UUID, who: Reader, desk: Desk, after: Annotated[int, Depends(_resume_after)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a generation as server-sent events, from its beginning or after `Last-Event-ID`. Ends with it."""
    sequence = after
    async with desk.live.changed(str(generation_id)) as changed:
        while True:
            events = await find_generations.events_after(
                desk.database, who.tenant_id, generation_id, sequence
            )
            for event in events:
                sequence = event.seq or sequence
                yield ServerSentEvent(
                    data=EventEntry.of(event).model_dump(mode="json"), event=event.type, id=str(event.seq)
                )
            if not events:
                if await _finished(desk, who.tenant_id, generation_id):
                    return
                await wait_changed(changed, 15)


def _sequence(last_event_id: str | None) -> int:
    if last_event_id is None:
        return 0
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 10):  # noqa: PLR2004
        raise Invalid(
            [Violation("header.Last-Event-ID", "bad_event_id", "Use the id of an event of this stream.")]
        )
    return int(last_event_id)


async def _finished(desk: Gateway, tenant_id: UUID, generation_id: UUID) -> bool:
    async with desk.database.tenant(tenant_id) as session:
        generation = await find_generations.find_generation(session, tenant_id, generation_id)
    return generation.finished_at is not None
