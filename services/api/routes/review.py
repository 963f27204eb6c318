"""What review rests on: consultations, the authorship log, the studio's rules; and what waits for a person."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from circletake.domain.people import Role
from circletake.domain.policy.facts import ConsultedRole
from circletake.domain.review.words import AuthorAct
from circletake.usecases.idempotency import Answer
from circletake.usecases.review import authorship, consultations, rules
from circletake.usecases.review.authorship import EntryView
from circletake.usecases.review.consultations import ConsultationView
from circletake.usecases.review.inbox import read_inbox
from services.api.auth import Person, Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.routes.versions import the_person
from services.api.schemas.common import Page
from services.api.schemas.review import (
    AuthorshipBody,
    AuthorshipReply,
    ConsultationBody,
    ConsultationReply,
    InboxItem,
    InboxPage,
    RulesBody,
    RulesReply,
)
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["review"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Manager = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER))]
Recorder = Annotated[
    Principal,
    Depends(
        person_with(Role.REVIEWER, Role.APPROVER, Role.PRODUCTION_MANAGER, Role.RIGHTS_CLEARANCE_MANAGER)
    ),
]


def _consultation_answer(view: ConsultationView) -> Answer:
    place = f"/v1/consultations/{view.consultation.id}"
    return Answer(201, ConsultationReply.of(view).model_dump_json().encode(), place)


@router.post("/consultations", status_code=201, response_model=ConsultationReply, responses=declared(409))
async def record_consultation(body: ConsultationBody, who: Recorder, desk: Desk, claim: Claim) -> Response:
    """Put on record that somebody was consulted about creative elements. It stays as it was entered."""
    answer = await consultations.record_consultation(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        new=body.to_consultation(),
        claim=claim,
        answer=_consultation_answer,
    )
    return reply(answer)


@router.get("/consultations")
async def list_consultations(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    shot_id: UUID | None = None,
    version_id: UUID | None = None,
    role: ConsultedRole | None = None,
) -> Page[ConsultationReply]:
    """List consultations, newest first."""
    views = await consultations.list_consultations(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "consultations", cursor),
        production_id=production_id,
        shot_id=shot_id,
        version_id=version_id,
        role=role.value if role else None,
    )
    following = next_cursor(desk.cursors, "consultations", [view.consultation for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ConsultationReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/consultations/{consultation_id}")
async def get_consultation(consultation_id: UUID, who: Reader, desk: Desk) -> ConsultationReply:
    """Read one consultation."""
    view = await consultations.get_consultation(
        desk.database, await seal_of(desk, who), who.tenant_id, consultation_id
    )
    return ConsultationReply.of(view)


def _authorship_answer(view: EntryView) -> Answer:
    return Answer(201, AuthorshipReply.of(view).model_dump_json().encode())


@router.post("/authorship-entries", status_code=201, response_model=AuthorshipReply, responses=declared(409))
async def record_authorship(body: AuthorshipBody, who: Person, desk: Desk, claim: Claim) -> Response:
    """Put on record what a person did to a take. Circling writes its entry by itself."""
    person = the_person(who)
    answer = await authorship.record_authorship(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=person,
        new=body.to_entry(person.id),
        claim=claim,
        answer=_authorship_answer,
    )
    return reply(answer)


@router.get("/authorship-entries")
async def list_authorship(
    http: Request,
    response: Response,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    production_id: UUID | None = None,
    take_id: UUID | None = None,
    version_id: UUID | None = None,
    what: AuthorAct | None = None,
) -> Page[AuthorshipReply]:
    """List the authorship log, newest first; of a version: everything that was done to its take."""
    views = await authorship.list_authorship(
        desk.database,
        await seal_of(desk, who),
        who.tenant_id,
        limit=limit + 1,
        before=position(desk.cursors, "authorship", cursor),
        production_id=production_id,
        take_id=take_id,
        version_id=version_id,
        what=what.value if what else None,
    )
    following = next_cursor(desk.cursors, "authorship", [view.entry for view in views], limit)
    response.headers.update(link_next(http, following))
    return Page(data=[AuthorshipReply.of(view) for view in views[:limit]], next_cursor=following)


@router.get("/review-rules")
async def get_rules(who: Reader, desk: Desk) -> RulesReply:
    """Read what your studio demands of its own review."""
    return RulesReply.of(await rules.get_rules(desk.database, who.tenant_id))


@router.put("/review-rules")
async def set_rules(body: RulesBody, who: Manager, desk: Desk) -> RulesReply:
    """Set what your studio demands of its own review: an act of a production manager, on the ledger."""
    view = await rules.set_rules(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        person=the_person(who),
        approved_before_download=body.approved_before_download,
    )
    return RulesReply.of(view)


@router.get("/inbox")
async def inbox(
    http: Request,
    response: Response,
    who: Person,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
) -> InboxPage:
    """List what waits for you, the oldest first: holds that your roles may release, versions that you may approve,
    consents to be decided. Nothing of your own asking is among it."""
    rows = await read_inbox(
        desk.database,
        who.tenant_id,
        the_person(who),
        limit=limit + 1,
        after=position(desk.cursors, "inbox", cursor),
    )
    following = next_cursor(desk.cursors, "inbox", rows, limit)
    response.headers.update(link_next(http, following))
    return InboxPage(data=[InboxItem.of(row) for row in rows[:limit]], next_cursor=following)
