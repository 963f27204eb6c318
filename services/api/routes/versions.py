"""Versions: circled takes in review, their statuses and notes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Person
from circletake.domain.review.states import DECIDERS, SUBMITTERS, VersionState
from circletake.records.review import Version
from circletake.usecases.idempotency import Answer
from circletake.usecases.review import find_versions, notes
from circletake.usecases.review.change_version import change_version
from circletake.usecases.review.notes import NoteView
from circletake.usecases.review.submit_version import submit_version
from services.api.auth import Person as SignedIn
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.review import NoteBody, NoteReply, StatusBody, SubmitBody, VersionReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["versions"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Submitter = Annotated[Principal, Depends(person_with(*SUBMITTERS))]
Mover = Annotated[Principal, Depends(person_with(*SUBMITTERS, *DECIDERS))]


def the_person(who: Principal) -> Person:
    """Return the person behind a caller that the route's dependency has let in as one."""
    if who.person is None:
        raise ValueError("a key came through a person's door")
    return who.person


def _shown(who: Principal, version: Version) -> VersionReply:
    return VersionReply.of(version, roles=who.roles, person=who.person_id)


@router.post(
    "/takes/{take_id}/versions", status_code=201, response_model=VersionReply, responses=declared(409)
)
async def submit(
    take_id: UUID, who: Submitter, desk: Desk, claim: Claim, body: SubmitBody | None = None
) -> Response:
    """Submit a circled take to review: it becomes the next version of its shot, or of the production's concept work."""
    wanted = body or SubmitBody()
    answer = await submit_version(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        take_id=take_id,
        state=VersionState(wanted.status),
        note=wanted.note,
        claim=claim,
        answer=lambda version: Answer(
            201, _shown(who, version).model_dump_json().encode(), f"/v1/versions/{version.id}"
        ),
    )
    return reply(answer)


@router.get("/versions")
async def list_all(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    take_id: UUID | None = None,
    status: VersionState | None = None,
) -> Page[VersionReply]:
    """List versions, newest first."""
    rows = await find_versions.list_versions(
        desk.database,
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "versions", cursor),
        production_id=production_id,
        shot_id=shot_id,
        take_id=take_id,
        state=status.value if status else None,
    )
    following = next_cursor(desk.cursors, "versions", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[_shown(who, row) for row in rows[:limit]], next_cursor=following)


@router.get("/versions/{version_id}")
async def get(version_id: UUID, who: Reader, desk: Desk) -> VersionReply:
    """Read one version."""
    return _shown(who, await find_versions.get_version(desk.database, who.tenant_id, version_id))


@router.post("/versions/{version_id}/status", responses=declared(409))
async def set_status(version_id: UUID, body: StatusBody, who: Mover, desk: Desk) -> VersionReply:
    """Change a version's status. Only an approver approves, and never what they submitted or whose takes they asked
    for; 409 `not_approvable` lists everything that an approval still needs."""
    version = await change_version(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        version_id=version_id,
        wanted=body.status,
        note=body.note,
    )
    return _shown(who, version)


@router.get("/versions/{version_id}/notes")
async def list_notes(
    http: Request,
    response: Response,
    version_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> Page[NoteReply]:
    """List what was said of a version and every change of its status, newest first."""
    purpose = f"version_notes:{version_id}"
    views = await notes.list_notes(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        version_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
    )
    following = next_cursor(desk.cursors, purpose, [view.note for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[NoteReply.of(view) for view in views[:limit]], next_cursor=following)


@router.post(
    "/versions/{version_id}/notes", status_code=201, response_model=NoteReply, responses=declared(409)
)
async def add_note(version_id: UUID, body: NoteBody, who: SignedIn, desk: Desk, claim: Claim) -> Response:
    """Say something of a version. Notes stay as they were said."""
    answer = await notes.add_note(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        version_id=version_id,
        new=body.to_note(),
        claim=claim,
        answer=_note_answer,
    )
    return reply(answer)


def _note_answer(view: NoteView) -> Answer:
    return Answer(201, NoteReply.of(view).model_dump_json().encode())
