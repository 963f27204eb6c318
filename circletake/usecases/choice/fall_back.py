"""Fallback: a take that a model couldn't make is made by another one of the production's own list, and says so.

The take that failed stays as it ended, with its true bill; the new one names it. Nothing outside the list that the
production has now is ever asked, nothing that refuses the request or breaks `strict`, and no model twice for a take.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import exists, select

from circletake.domain.choice.choices import Because, Choice, Patience, out_of_patience, stand_ins
from circletake.domain.errors import Conflict
from circletake.kit import clock
from circletake.ports import ModelCatalogue, Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.choice import ModelChoice
from circletake.records.consistency import EnforcementAttempt
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.golden import GoldenResult
from circletake.records.session import TenantSession
from circletake.usecases.announce_take import take_data
from circletake.usecases.choice.another_take import (
    MAX_TAKES_WITH_RETRIES,
    OnModel,
    add_take,
    on_model,
    queue_or_hold,
    shape_of_take,
)
from circletake.usecases.choice.cards import at_its_quality
from circletake.usecases.choice.choose_model import as_choice, card_under
from circletake.usecases.effective_take import kind_of, model_of
from circletake.usecases.enforce_consistency import running_enforcement
from circletake.usecases.events import record_event
from circletake.usecases.ledger import record_entry
from circletake.usecases.policy.ask_again import require_allowed_again

RUNG = "fallback"


@dataclass(frozen=True, slots=True)
class StandIn:
    """The model that is asked instead."""

    made: OnModel
    because: Because


async def waited_enough(session: TenantSession, take: Take, patience: Patience) -> bool:
    """Say whether the answer that a take's model is busy, just given and not on record yet, is one too many."""
    calls = await session.execute(
        select(Invocation.outcome, Invocation.call_started_at)
        .where(Invocation.tenant_id == take.tenant_id, Invocation.take_id == take.id)
        .order_by(Invocation.id.desc())
        .limit(max(patience.answers, 50))
    )
    return out_of_patience([(call.outcome, call.call_started_at) for call in calls], patience, clock.now())


async def find_stand_in(
    session: TenantSession,
    catalogue: ModelCatalogue,
    packs: PolicyShelf,
    seal: Seal,
    *,
    generation: Generation,
    takes: Sequence[Take],
    take: Take,
    because: Because,
) -> StandIn | None:
    """Return who makes this take instead, or None. Generation and takes are locked; the production's packs are asked."""
    choice = await _choice_now(session, generation, take)
    models = stand_ins(choice, because, _tried(generation, takes, take))
    if choice is None or not models or not await _may_fall_back(session, generation, takes, take):
        return None
    shape = await shape_of_take(session, seal, generation, take)
    now = clock.now()
    for model in models:
        card = card_under(catalogue, choice, model)
        if card is None:
            continue
        card = at_its_quality(catalogue, generation, shape.kind, card)
        made = on_model(card, choice.id, shape, strict=generation.strict, now=now)
        if not isinstance(made, OnModel):
            continue
        try:
            await require_allowed_again(
                session, seal, packs, generation=generation, cards=[card], take_id=take.id
            )
        except Conflict:
            continue
        return StandIn(made, because)
    return None


async def make_instead(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    generation: Generation,
    takes: list[Take],
    old: Take,
    stand_in: StandIn,
) -> None:
    """Add the take that another model makes, to `takes` too: on the ledger, told, and through the gate like a request.
    The old one has ended."""
    now, made = clock.now(), stand_in.made
    instead_of = model_of(generation, old)
    changes = {
        **made.changes(old),
        "rung": RUNG,
        "instead_of": instead_of,
        "because": stand_in.because.value,
    }
    take = await add_take(
        session,
        generation,
        takes,
        old,
        seed=made.seed(old),
        changes=changes,
        estimate=made.price,
        now=now,
    )
    told = {"model": made.card.id, "instead_of": instead_of, "because": stand_in.because.value}
    await record_entry(
        session,
        seal,
        tenant_id=generation.tenant_id,
        kind="take.fell_back",
        subject_id=take.id,
        body={
            "generation": str(generation.id),
            "retry_of": str(old.id),
            "choice": str(made.lock_id),
            "seed": take.seed,
            "estimate_usd": str(made.price),
            **told,
        },
    )
    await record_event(
        session,
        generation.tenant_id,
        "take.fell_back",
        {**take_data(generation, take), "retry_of": str(old.id), **told},
        generation_id=generation.id,
    )
    await queue_or_hold(session, catalogue, seal, generation, takes, take, now=now, asked=False)


async def _choice_now(session: TenantSession, generation: Generation, take: Take) -> Choice | None:
    """The production's list as it is now: what it no longer allows isn't asked, whatever stood there before."""
    row = await session.scalar(
        select(ModelChoice).where(
            ModelChoice.tenant_id == generation.tenant_id,
            ModelChoice.production_id == generation.production_id,
            ModelChoice.kind == kind_of(generation, take).value,
            ModelChoice.superseded_at.is_(None),
        )
    )
    return as_choice(row) if row else None


def _tried(generation: Generation, takes: Sequence[Take], take: Take) -> set[str]:
    """The models that were asked for this take: its own, and those that it stands in for."""
    by_id = {each.id: each for each in takes}
    tried: set[str] = set()
    at: Take | None = take
    while at is not None:
        tried.add(model_of(generation, at))
        fell = (at.changes or {}).get("rung") == RUNG
        at = by_id.get(at.retry_of) if fell and at.retry_of else None
    return tried


async def _may_fall_back(
    session: TenantSession, generation: Generation, takes: Sequence[Take], take: Take
) -> bool:
    """An enforcement has a ladder of its own, a golden run asks what this very model makes, and what is past its
    deadline isn't wanted any more."""
    if len(takes) >= MAX_TAKES_WITH_RETRIES:
        return False
    if generation.deadline_at is not None and generation.deadline_at <= clock.now():
        return False
    if await running_enforcement(session, generation) is not None:
        return False
    made_for = await session.scalar(
        select(
            exists().where(
                EnforcementAttempt.tenant_id == take.tenant_id, EnforcementAttempt.take_id == take.id
            )
            | exists().where(
                GoldenResult.tenant_id == take.tenant_id, GoldenResult.generation_id == generation.id
            )
        )
    )
    return not made_for
