"""Reference sets of a look: the pictures that say how a character looks, and who approved them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.records.characters import Reference
from circletake.usecases import find_characters, keep_references
from circletake.usecases.approve_references import approve_set
from circletake.usecases.find_characters import SetView
from circletake.usecases.idempotency import Answer
from services.api.auth import Reader, Writer, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, Wait, link_next, reply, until
from services.api.schemas.characters import (
    ApproveBody,
    ReferenceBody,
    ReferenceEdit,
    ReferenceReply,
    ReferenceSetBody,
    ReferenceSetReply,
    ReferenceSetSummary,
)
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["reference sets"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Approver = Annotated[Principal, Depends(person_with(Role.APPROVER, Role.RIGHTS_CLEARANCE_MANAGER))]

SETTLED = frozenset({"ready", "unusable"})
INSPECTED: dict[int | str, dict[str, Any]] = {
    200: {"model": ReferenceReply, "description": "Inspected: `findings` says what is wrong with it"},
    202: {
        "model": ReferenceReply,
        "description": "Being inspected, or waiting for an evaluator that is down",
    },
}


def _set_answer(view: SetView) -> Answer:
    return Answer(201, ReferenceSetReply.of_view(view).body(), f"/v1/reference-sets/{view.set.id}")


def _place(reference_id: UUID) -> str:
    return f"/v1/references/{reference_id}"


def _reference_answer(reference: Reference) -> Answer:
    return Answer(202, ReferenceReply.of(reference).body(), _place(reference.id))


@router.post(
    "/looks/{look_id}/reference-sets",
    status_code=201,
    response_model=ReferenceSetReply,
    responses=declared(409),
)
async def create(
    look_id: UUID, who: Writer, desk: Desk, claim: Claim, body: ReferenceSetBody | None = None
) -> Response:
    """Begin the next version of a look's references. There is one draft at a time."""
    answer = await keep_references.create_set(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        look_id=look_id,
        copy_latest=body.copy_latest if body else False,
        claim=claim,
        answer=_set_answer,
    )
    return reply(answer)


@router.get("/looks/{look_id}/reference-sets", response_model=Page[ReferenceSetSummary])
async def list_all(
    http: Request,
    response: Response,
    look_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Any:
    """List the versions of a look's references, newest first."""
    purpose = f"reference-sets:{look_id}"
    rows = await find_characters.list_reference_sets(
        desk.database,
        who.tenant_id,
        look_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ReferenceSetSummary.of(row) for row in rows[:limit]], next_cursor=following)


@router.get("/reference-sets/{reference_set_id}")
async def get(reference_set_id: UUID, who: Reader, desk: Desk) -> ReferenceSetReply:
    """Read one version, with its pictures and what is wrong with them."""
    view = await find_characters.get_reference_set(desk.database, who.tenant_id, reference_set_id)
    return ReferenceSetReply.of_view(view)


@router.post("/reference-sets/{reference_set_id}/approve", responses=declared(409))
async def approve(
    reference_set_id: UUID, who: Approver, desk: Desk, body: ApproveBody | None = None
) -> ReferenceSetReply:
    """Let this version define the look, in place of the one before. It never changes again, and the act is put into
    the ledger with the person: an approver or a rights and clearance manager, never a key. Refused while a picture is being inspected or can't be used, or with findings nobody accepted."""
    view = await approve_set(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        set_id=reference_set_id,
        accept_findings=body.accept_findings if body else False,
    )
    return ReferenceSetReply.of_view(view)


@router.post(
    "/reference-sets/{reference_set_id}/references",
    status_code=202,
    response_model=ReferenceReply,
    responses={**INSPECTED, **declared(409)},
)
async def add_reference(
    reference_set_id: UUID, body: ReferenceBody, who: Writer, desk: Desk, claim: Claim, wait: Wait
) -> Response:
    """Put a picture into a draft. It is looked at: no face, several, too small, blurred, turned away, covered, nearly
    the same as another one, not matching the others."""
    accepted = await keep_references.add_reference(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        set_id=reference_set_id,
        media_id=body.media_id,
        figure=body.figure,
        claim=claim,
        answer=_reference_answer,
    )
    reference_id = UUID((accepted.location or "").rsplit("/", 1)[-1])
    return await _once_inspected(desk, who, reference_id, accepted, wait)


@router.get("/references/{reference_id}")
async def get_reference(reference_id: UUID, who: Reader, desk: Desk, wait: Wait) -> ReferenceReply:
    """Read one reference; with `Prefer: wait=N`, once it has been inspected."""
    found = await find_characters.get_reference(desk.database, who.tenant_id, reference_id)
    if wait and found.state not in SETTLED:
        found = await _inspected(desk, who, reference_id, wait) or found
    return ReferenceReply.of(found)


@router.patch(
    "/references/{reference_id}",
    status_code=202,
    response_model=ReferenceReply,
    responses={**INSPECTED, **declared(409)},
)
async def choose_figure(
    reference_id: UUID, body: ReferenceEdit, who: Writer, desk: Desk, wait: Wait
) -> Response:
    """Say which face of a draft's picture is the character's; it is looked at again."""
    chosen = await keep_references.choose_figure(
        desk.database, tenant_id=who.tenant_id, reference_id=reference_id, figure=body.figure
    )
    answer = _reference_answer(chosen)
    if chosen.state in SETTLED:
        answer = Answer(200, answer.body, answer.location)
    return await _once_inspected(desk, who, reference_id, answer, wait)


@router.delete("/references/{reference_id}", status_code=204, responses=declared(409))
async def remove_reference(reference_id: UUID, who: Writer, desk: Desk) -> None:
    """Take a picture out of a draft. The file stays."""
    await keep_references.remove_reference(desk.database, tenant_id=who.tenant_id, reference_id=reference_id)


async def _once_inspected(
    desk: Gateway, who: Principal, reference_id: UUID, accepted: Answer, wait: float
) -> Response:
    """Answer at once, or when the inspection has ended in time."""
    if not wait or accepted.status == 200:  # noqa: PLR2004
        return reply(accepted)
    found = await _inspected(desk, who, reference_id, wait)
    if found is None:
        return reply(accepted)
    response = reply(Answer(200, ReferenceReply.of(found).body(), accepted.location, accepted.replayed))
    response.headers["Preference-Applied"] = f"wait={int(wait)}"
    return response


async def _inspected(desk: Gateway, who: Principal, reference_id: UUID, wait: float) -> Reference | None:
    async def look() -> Reference | None:
        now = await find_characters.get_reference(desk.database, who.tenant_id, reference_id)
        return now if now.state in SETTLED else None

    return await until(desk.live, str(reference_id), wait, look)
