"""Re-route: a take that a model refused or couldn't make is offered to the production's other models, and made by the
one that somebody chooses. Nothing is sent on by itself, and nothing of the request is changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert

from circletake.dialects.registry import DIALECTS
from circletake.domain.choice.choices import Choice
from circletake.domain.errors import Conflict, invalid
from circletake.domain.people import Actor
from circletake.domain.pictures import ModelCard
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.choice import ShotClearance
from circletake.records.generations import Generation, Take, TakeAct
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.another_take import (
    MAX_TAKES_WITH_RETRIES,
    OnModel,
    add_take,
    on_model,
    queue_or_hold,
    shape_of_take,
)
from circletake.usecases.choice.cards import at_its_quality
from circletake.usecases.choice.choose_model import card_under, production_models
from circletake.usecases.choice.clearances import clearances_at
from circletake.usecases.effective_take import TakeView, kind_of, model_of, report_of
from circletake.usecases.end_take import one_take
from circletake.usecases.enforce_consistency import running_enforcement
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_generations import find_generation, find_take
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.ask_again import require_allowed_again
from circletake.usecases.steps import lock_generation, lock_takes

RUNG = "reroute"
# how a take ends that another model may make
_OF_THE_MODEL = ("model_", "outcome_unknown", "no_usable_answer", "invocation_lost", "result_missing")


@dataclass(frozen=True, slots=True)
class Route:
    """One model that would take the request. `differs`: what would become otherwise of a control that was asked for."""

    made: OnModel
    differs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Routes:
    """What a take could be made with instead. `clearances`: what the production cleared the shot to show."""

    take: Take
    model: str
    routes: Sequence[Route]
    clearances: Sequence[ShotClearance]


async def find_routes(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    tenant_id: UUID,
    take_id: UUID,
    *,
    now: datetime,
) -> Routes:
    """Return the models of the production that would take what this take was refused for, cheapest first. Raises
    NotFound, Conflict for a take that isn't at its end for a model's reasons."""
    async with database.tenant(tenant_id) as session:
        take = await find_take(session, tenant_id, take_id)
        generation = await find_generation(session, tenant_id, take.generation_id)
        _require_reroutable(take)
        found = await _routes(session, catalogue, seal, generation, take, now)
        clearances = await clearances_at(session, tenant_id, generation.shot_id, now)
    report = {line["control"]: line for line in report_of(TakeView(generation, take))}
    routes = [Route(made, _differences(made, report)) for made in found]
    routes.sort(key=lambda route: (route.made.price, route.made.card.id))
    return Routes(take, model_of(generation, take), routes, clearances)


async def reroute_take(
    database: Database,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    take_id: UUID,
    model: str,
    reason: str,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[TakeView], Answer],
) -> Answer:
    """Make a take on another model, as somebody asks, as a new take. Raises NotFound, Conflict when it can't be made
    again or the packs speak against it, Invalid when the model isn't one of its routes."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        found = await find_take(session, tenant_id, take_id)
        session.expunge(found)
        generation = await lock_generation(session, tenant_id, found.generation_id)
        takes = await lock_takes(session, tenant_id, generation.id)
        old = one_take(takes, take_id)
        await _require_free(session, generation, takes, old)
        routes = await _routes(session, catalogue, seal, generation, old, now)
        made = next((each for each in routes if each.card.id == model), None)
        if made is None:
            raise invalid(
                "/model",
                "no_route",
                f"This take can't be made on that model: GET /v1/takes/{take_id}/reroutes lists those that it can be"
                " made on.",
            )
        await require_allowed_again(
            session, seal, packs, generation=generation, cards=[made.card], take_id=old.id
        )
        take = await add_take(
            session,
            generation,
            takes,
            old,
            seed=made.seed(old),
            changes={
                **made.changes(old),
                "rung": RUNG,
                "instead_of": model_of(generation, old),
                "because": "asked",
            },
            estimate=made.price,
            now=now,
        )
        await _record(session, seal, generation, old, take, made, actor, reason)
        await queue_or_hold(session, catalogue, seal, generation, takes, take, now=now, asked=True)
        reply = answer(TakeView(generation, take))
        await remember(session, seal, tenant_id, claim, reply)
        await wake_dispatcher(session)
    return reply


def _require_reroutable(take: Take) -> None:
    code = take.failure_code or ""
    of_model = take.state == TakeState.FAILED and code.startswith(_OF_THE_MODEL)
    if take.state != TakeState.FILTERED and not of_model:
        raise Conflict(
            f"This take is {take.state}; only one that a model refused or couldn't make is offered to another. A retry"
            " makes it again as it was.",
            code="take_not_reroutable",
        )


async def _require_free(
    session: TenantSession, generation: Generation, takes: Sequence[Take], old: Take
) -> None:
    _require_reroutable(old)
    if len(takes) >= MAX_TAKES_WITH_RETRIES:
        raise Conflict("This generation has too many takes: make a new generation.", code="too_many_takes")
    if await running_enforcement(session, generation) is not None:
        raise Conflict(
            "An enforcement is at work on this generation and makes takes by itself: wait for its end, or cancel it.",
            code="enforcement_running",
        )


async def _routes(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    generation: Generation,
    take: Take,
    now: datetime,
) -> list[OnModel]:
    kind = kind_of(generation, take)
    choice = (await production_models(session, generation.tenant_id, generation.production_id)).of(kind)
    shape = await shape_of_take(session, seal, generation, take)
    lock_id = choice.id if choice else None
    tried = [
        on_model(
            at_its_quality(catalogue, generation, kind, card),
            lock_id,
            shape,
            strict=generation.strict,
            now=now,
        )
        for card in _candidates(catalogue, choice)
        if card.id != model_of(generation, take) and kind in card.kinds and card.dialect in DIALECTS
    ]
    return [made for made in tried if isinstance(made, OnModel)]


def _candidates(catalogue: ModelCatalogue, choice: Choice | None) -> Iterable[ModelCard]:
    """What the production allows: what its lock names, or without one the whole catalogue."""
    if choice is None:
        return catalogue.all()
    names = choice.named
    if not choice.locked:
        names = tuple(dict.fromkeys((*names, *(card.id for card in catalogue.all()))))
    cards = (card_under(catalogue, choice, model) for model in names)
    return [card for card in cards if card is not None]


def _differences(made: OnModel, before: dict[str, dict[str, object]]) -> list[str]:
    """The controls of which something else would become: another state, or another value sent."""
    found = []
    for line in made.report:
        was = before.get(line.control)
        same_value = line.control == "seed" or (was is not None and was.get("sent") == line.sent)
        if was is None or was.get("state") != line.state.value or not same_value:
            found.append(line.control)
    now = {line.control for line in made.report}
    return sorted([*found, *(control for control in before if control not in now)])


async def _record(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    old: Take,
    take: Take,
    made: OnModel,
    actor: Actor,
    reason: str,
) -> None:
    act_id = new_id()
    await session.execute(
        insert(TakeAct).values(
            id=act_id,
            tenant_id=take.tenant_id,
            take_id=old.id,
            act=RUNG,
            reason=seal.close(reason, place=f"take_acts.reason:{act_id}"),
            api_key_id=actor.api_key_id,
            person_id=actor.person_id,
        )
    )
    await record_entry(
        session,
        seal,
        tenant_id=take.tenant_id,
        kind="take.rerouted",
        subject_id=take.id,
        body={
            "generation": str(generation.id),
            "retry_of": str(old.id),
            "model": made.card.id,
            "instead_of": model_of(generation, old),
            "choice": str(made.lock_id) if made.lock_id else None,
            "seed": take.seed,
            "estimate_usd": str(made.price),
            "reason_hash": seal.keyed_hash(reason.encode()),
            "requested_by": str(actor.api_key_id) if actor.api_key_id else None,
            "requested_by_person": str(actor.person_id) if actor.person_id else None,
        },
    )
