"""Consistency profiles: how strictly a production, a character or a shot size is judged."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from circletake.records.consistency import ConsistencyProfile
from circletake.usecases import keep_profiles
from circletake.usecases.idempotency import Answer
from circletake.usecases.refit_profile import refit_profile
from services.api.auth import Reader, Writer, seal_of
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS, declared
from services.api.requests import Claim, Cursor, PageSize, link_next, reply
from services.api.schemas.common import Page
from services.api.schemas.profiles import DefaultProfileReply, ProfileBody, ProfileReply
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["consistency profiles"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]


def _answer(desk: Gateway, profile: ConsistencyProfile) -> Answer:
    shown = ProfileReply.of(desk.rules, profile)
    return Answer(201, shown.body(), f"/v1/consistency-profiles/{profile.id}")


@router.post(
    "/productions/{production_id}/consistency-profiles",
    status_code=201,
    response_model=ProfileReply,
    responses=declared(409),
)
async def create(production_id: UUID, body: ProfileBody, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Say how strictly to judge. What holds for the same production, character and shot size is retired, and this is
    its next version."""
    answer = await keep_profiles.set_profile(
        desk.database,
        await seal_of(desk, who),
        desk.rules,
        tenant_id=who.tenant_id,
        actor=who.actor,
        scope=body.scope(production_id),
        overrides=body.overrides(),
        keep_learnt=body.keep_learnt,
        claim=claim,
        answer=lambda profile: _answer(desk, profile),
    )
    return reply(answer)


@router.get("/productions/{production_id}/consistency-profiles", response_model=Page[ProfileReply])
async def list_all(
    http: Request,
    response: Response,
    production_id: UUID,
    who: Reader,
    desk: Desk,
    limit: PageSize = 50,
    cursor: Cursor = None,
    character_id: UUID | None = None,
    retired: Annotated[bool, Query(description="Earlier versions and ended ones too")] = False,
) -> Any:
    """List a production's profiles, newest first."""
    purpose = f"consistency-profiles:{production_id}"
    rows = await keep_profiles.list_profiles(
        desk.database,
        who.tenant_id,
        production_id,
        limit=limit + 1,
        before=position(desk.cursors, purpose, cursor),
        character_id=character_id,
        retired=retired,
    )
    following = next_cursor(desk.cursors, purpose, rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[ProfileReply.of(desk.rules, row) for row in rows[:limit]], next_cursor=following)


@router.get("/consistency-profiles/default")
async def get_default(who: Reader, desk: Desk) -> DefaultProfileReply:  # noqa: ARG001 - it is read with a key
    """Read what is shipped: the profile that holds where nobody says otherwise, and where its numbers come from."""
    return DefaultProfileReply.of_rules(desk.rules)


# an id is told from `default` by its form, so that either path takes its own methods only
@router.get("/consistency-profiles/{profile_id:uuid}")
async def get(profile_id: UUID, who: Reader, desk: Desk) -> ProfileReply:
    """Read one version of a profile, with every value in force."""
    return ProfileReply.of(
        desk.rules, await keep_profiles.get_profile(desk.database, who.tenant_id, profile_id)
    )


@router.delete("/consistency-profiles/{profile_id:uuid}")
async def retire(profile_id: UUID, who: Writer, desk: Desk) -> ProfileReply:
    """Retire a profile: the wider one holds again. Checks that judged by it still show it."""
    row = await keep_profiles.retire_profile(desk.database, tenant_id=who.tenant_id, profile_id=profile_id)
    return ProfileReply.of(desk.rules, row)


@router.post(
    "/consistency-profiles/{profile_id}/refits",
    status_code=201,
    response_model=ProfileReply,
    responses=declared(409),
)
async def refit(profile_id: UUID, who: Writer, desk: Desk, claim: Claim) -> Response:
    """Learn from takes that people circled or rejected what scores mean here, as the profile's next version. Refused
    with what is missing while there are too few."""
    answer = await refit_profile(
        desk.database,
        await seal_of(desk, who),
        desk.rules,
        tenant_id=who.tenant_id,
        actor=who.actor,
        profile_id=profile_id,
        claim=claim,
        answer=lambda profile: _answer(desk, profile),
    )
    return reply(answer)
