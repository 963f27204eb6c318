"""The models that a production works with: chosen, locked and given up by people."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Response

from circletake.domain.choice.choices import PURPOSES
from circletake.domain.errors import PreconditionFailed, PreconditionRequired
from circletake.domain.people import Role
from circletake.kit import clock
from circletake.usecases.choice import find_choices, keep_choice
from circletake.usecases.choice.keep_choice import Expect
from services.api.auth import Reader, person_with, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS, declared
from services.api.requests import IfMatch, etag, require_match
from services.api.schemas.choices import ModelChoiceBody, ProductionModel, ProductionModels
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/productions/{production_id}/models", tags=["choices"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Decider = Annotated[Principal, Depends(person_with(Role.PRODUCTION_MANAGER, Role.APPROVER))]
KindName = Annotated[
    str,
    Path(description="A generation's kind, or a language task", json_schema_extra={"enum": sorted(PURPOSES)}),
]


async def _read_match(
    if_match: Annotated[
        str | None, Header(description="The ETag of the choice; leave it out to make the first one")
    ] = None,
) -> str | None:
    return if_match


MatchIfThere = Annotated[str | None, Depends(_read_match)]
MADE: dict[int | str, dict[str, Any]] = {
    201: {"description": "There was no choice", "model": ProductionModel},
    **declared(412, 428),
}


def _expect(given: str | None) -> Expect:
    """A choice that stands is only changed by who has read it."""

    def check(version: int | None) -> None:
        if version is None and given is not None:
            raise PreconditionFailed("There is no choice to change: leave If-Match out to make one.")
        if version is not None and given is None:
            raise PreconditionRequired(
                "There is a choice already: read it, and send If-Match with its ETag to change it."
            )
        if version is not None and given is not None:
            require_match(given, version)

    return check


@router.get("")
async def list_all(production_id: UUID, who: Reader, desk: Desk) -> ProductionModels:
    """List what a production works with for every kind and language task: its choice or the catalogue's default, when
    that model ends, and whether the catalogue has changed since it was chosen."""
    seal = await seal_of(desk, who)
    views = await find_choices.list_models(
        desk.database, desk.catalogue, seal, who.tenant_id, production_id, now=clock.now()
    )
    return ProductionModels(data=[ProductionModel.of_view(view) for view in views])


@router.get("/{kind}")
async def get(
    production_id: UUID, kind: KindName, response: Response, who: Reader, desk: Desk
) -> ProductionModel:
    """Read what a production works with for one kind. A choice has an ETag, a default has none."""
    return await _get(desk, who, production_id, kind, response)


@router.put("/{kind}", responses=MADE)
async def choose(
    production_id: UUID,
    kind: KindName,
    body: ModelChoiceBody,
    response: Response,
    who: Decider,
    desk: Desk,
    match: MatchIfThere,
) -> ProductionModel:
    """Choose the model of a kind, and lock it: an act of a production_manager or approver, never of a key.

    A lock keeps the model's entry as it is now, so that no change of the catalogue reaches the production; only a model
    that has ended is refused. Prices follow the provider. What was asked for before keeps the model it was accepted with.
    """
    made = await keep_choice.set_choice(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        production_id=production_id,
        kind=kind,
        wish=body.to_wish(),
        expect=_expect(match),
        now=clock.now(),
    )
    response.status_code = 201 if made else 200
    return await _get(desk, who, production_id, kind, response)


@router.delete("/{kind}", status_code=204, responses=declared(412, 428))
async def unlock(production_id: UUID, kind: KindName, who: Decider, desk: Desk, match: IfMatch) -> None:
    """Give a choice up: requests follow the catalogue again. The choice and its end stay on record."""
    await keep_choice.remove_choice(
        desk.database,
        await seal_of(desk, who),
        tenant_id=who.tenant_id,
        actor=who.actor,
        production_id=production_id,
        kind=kind,
        expect=_expect(match),
        now=clock.now(),
    )


async def _get(
    desk: Gateway, who: Principal, production_id: UUID, kind: str, response: Response
) -> ProductionModel:
    view = await find_choices.get_model(
        desk.database,
        desk.catalogue,
        await seal_of(desk, who),
        who.tenant_id,
        production_id,
        kind,
        now=clock.now(),
    )
    if view.choice is not None:
        response.headers["ETag"] = etag(view.choice.version)
    return ProductionModel.of_view(view)
