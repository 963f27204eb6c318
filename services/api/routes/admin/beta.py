"""The operator's side of the beta programme: invitations, features, the cohort report."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.domain.errors import Invalid
from circletake.domain.pictures import Violation
from circletake.kit import clock
from circletake.usecases.beta import cohort, features, invitations
from services.api.auth import operator
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS
from services.api.requests import Cursor, PageSize, link_next
from services.api.schemas.beta import (
    CohortReply,
    FeaturesBody,
    FeaturesReply,
    InvitationBody,
    InvitationReply,
)
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/admin/v1", tags=["beta"], dependencies=[Depends(operator)], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


@router.post("/invitations", status_code=201)
async def invite(body: InvitationBody, desk: Desk) -> InvitationReply:
    """Invite a studio under a version of the NDA. Until somebody of it accepts, it is answered 403 `nda_required`. A
    former invitation of the studio is revoked by this one."""
    view = await invitations.invite(desk.operator_database, body.to_invitation(), now=clock.now())
    return InvitationReply.of(view)


@router.get("/invitations")
async def list_invitations(
    http: Request,
    response: Response,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    tenant_id: UUID | None = None,
) -> Page[InvitationReply]:
    """List invitations, newest first."""
    views = await invitations.list_invitations(
        desk.operator_database,
        limit=limit + 1,
        now=clock.now(),
        before=position(desk.cursors, "invitations", cursor),
        tenant_id=tenant_id,
    )
    following = next_cursor(desk.cursors, "invitations", views, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[InvitationReply.of(view) for view in views[:limit]], next_cursor=following)


@router.post("/invitations/{invitation_id}/revoke")
async def revoke(invitation_id: UUID, desk: Desk) -> InvitationReply:
    """End an invitation: within seconds the studio is answered 403 `invitation_revoked`."""
    return InvitationReply.of(
        await invitations.revoke_invitation(desk.operator_database, invitation_id, now=clock.now())
    )


@router.get("/tenants/{tenant_id}/features")
async def list_features(tenant_id: UUID, desk: Desk) -> FeaturesReply:
    """List which features are open for a studio."""
    return FeaturesReply.of(await features.list_features(desk.operator_database, tenant_id))


@router.put("/tenants/{tenant_id}/features")
async def set_features(tenant_id: UUID, body: FeaturesBody, desk: Desk) -> FeaturesReply:
    """Open and close features for a studio. A closed one is answered 403 `not_enabled`, within seconds."""
    found = await features.set_features(desk.operator_database, tenant_id, body.features, now=clock.now())
    return FeaturesReply.of(found)


@router.get("/cohort-report")
async def report(
    desk: Desk,
    since: Annotated[date | None, Query(description="30 days ago when left out")] = None,
    until: Annotated[date | None, Query(description="Today when left out; included")] = None,
) -> CohortReply:
    """Report what people thought of takes, by model and kind, over all studios: numbers only, none from fewer than five
    feedbacks."""
    today = clock.now().date()
    last = until or today
    first = since or min(today, last) - timedelta(days=30)
    if not date(2000, 1, 1) <= first <= last <= today + timedelta(days=1):
        raise Invalid([Violation("query.since", "bad_period", "Give past days, the first one first.")])
    cells = await cohort.cohort_report(desk.operator_database, since=first, until=last)
    return CohortReply.of(first, last, list(cells))
