"""What a production chooses for a kind: set, changed and given up by people, each change on record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text

from circletake.domain.availability import refusal
from circletake.domain.cards import card_document, card_from
from circletake.domain.choice.choices import PURPOSES, Because, Purpose
from circletake.domain.choice.kept import in_effect
from circletake.domain.errors import Invalid, NotFound
from circletake.domain.kinds import Kind
from circletake.domain.people import Actor
from circletake.domain.pictures import ModelCard, Violation
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.choice import ModelChoice
from circletake.records.context import Production
from circletake.records.session import Database, TenantSession
from circletake.usecases.choice.tell_endings import tell_endings
from circletake.usecases.events import record_event, wake_dispatcher
from circletake.usecases.find_context import find_production
from circletake.usecases.golden.start_run import queue_run_for_choice
from circletake.usecases.ledger import record_entry

MAX_MODELS = 20  # in each list

# Given the version of the choice that stands, None when there is none; raises when the edit was made from another one.
Expect = Callable[[int | None], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants a production to work with for one kind. `renew`: keep the cards as the catalogue has them
    now, also of models that are kept already."""

    model: str
    locked: bool
    allowed: Sequence[str] = ()
    fallback_order: Sequence[str] = ()
    fallback_on: Sequence[Because] = ()
    reason: str | None = field(default=None, repr=False)
    renew: bool = False

    @property
    def places(self) -> Mapping[str, str]:
        """Every model that is named, by the pointer to where it stands."""
        return {
            "/model": self.model,
            **{f"/allowed/{at}": model for at, model in enumerate(self.allowed)},
            **{f"/fallback/order/{at}": model for at, model in enumerate(self.fallback_order)},
        }


async def set_choice(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    production_id: UUID,
    kind: str,
    wish: Wish,
    expect: Expect,
    now: datetime,
) -> bool:
    """Choose the model of a kind; returns whether there was no choice before. What was asked for until now keeps its
    model. Raises NotFound, Invalid with everything that is wrong, or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        production = await find_production(session, tenant_id, production_id)
        purpose = purpose_of(kind)
        before = await _standing(session, production, purpose)
        expect(before.version if before else None)
        cards = _cards(catalogue, before, purpose, wish, now)
        choice = _row(seal, production, purpose, wish, cards, actor, now)
        choice.version = await _next_version(session, production, purpose)
        _supersede(before, actor, now)
        await session.flush()  # the one before ends first: only one stands
        choice.ledger_entry_id = await _enter(session, seal, "set", choice, wish.reason, actor)
        session.add(choice)
        await session.flush()
        for card in cards.values():
            await session.execute(_SEED_QUOTA, {"model": card.id, "most": card.max_running})
        await choice_changed(session, production, before, choice)
        await tell_endings(session, catalogue, tenant_id, now=now, production_id=production.id)
        await wake_dispatcher(session)
        return before is None


async def remove_choice(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    production_id: UUID,
    kind: str,
    expect: Expect,
    now: datetime,
) -> None:
    """Give a choice up: from now on requests follow the catalogue. Raises NotFound or what `expect` raises."""
    async with database.tenant(tenant_id) as session:
        production = await find_production(session, tenant_id, production_id)
        choice = await _standing(session, production, purpose_of(kind))
        if choice is None:
            raise NotFound("choice")
        expect(choice.version)
        _supersede(choice, actor, now)
        await _enter(session, seal, "removed", choice, None, actor)
        await choice_changed(session, production, choice, None)
        await wake_dispatcher(session)


async def choice_changed(
    session: TenantSession, production: Production, before: ModelChoice | None, after: ModelChoice | None
) -> None:
    """What follows from a changed choice, in its transaction. `after` None: the catalogue's default is asked again."""
    choice = after or before
    if choice is None:
        return
    await record_event(
        session,
        production.tenant_id,
        "model_choice.changed",
        {
            "production_id": str(production.id),
            "external_ref": production.external_ref,
            "kind": choice.kind,
            "model": after.model_id if after else None,
            "locked": after.locked if after else False,
            "fingerprint": after.fingerprint if after else None,
            "before": {
                "model": before.model_id,
                "locked": before.locked,
                "fingerprint": before.fingerprint,
            }
            if before
            else None,
        },
    )
    if after is not None:
        await queue_run_for_choice(
            session,
            tenant_id=production.tenant_id,
            production_id=production.id,
            kind=after.kind,
            model_id=after.model_id,
            fingerprint=after.fingerprint,
            choice_id=after.id,
            now=after.created_at,
        )


def purpose_of(kind: str) -> Purpose:
    """Return what is chosen for. Raises NotFound."""
    purpose = PURPOSES.get(kind)
    if purpose is None:
        raise NotFound("kind")
    return purpose


_ALONE = text("select pg_advisory_xact_lock(hashtextextended('model choice ' || cast(:of as text), 0))")
_SEED_QUOTA = text("select seed_model_quota(:model, :most)")


async def _standing(session: TenantSession, production: Production, purpose: Purpose) -> ModelChoice | None:
    """Return the choice that stands, and have other changes of it wait."""
    await session.execute(_ALONE, {"of": f"{production.id} {purpose.value}"})
    return await session.scalar(
        select(ModelChoice).where(
            ModelChoice.tenant_id == production.tenant_id,
            ModelChoice.production_id == production.id,
            ModelChoice.kind == purpose.value,
            ModelChoice.superseded_at.is_(None),
        )
    )


async def _next_version(session: TenantSession, production: Production, purpose: Purpose) -> int:
    """Versions count on over a choice that was given up: an ETag is of one choice only."""
    last = await session.scalar(
        select(func.max(ModelChoice.version)).where(
            ModelChoice.tenant_id == production.tenant_id,
            ModelChoice.production_id == production.id,
            ModelChoice.kind == purpose.value,
        )
    )
    return (last or 0) + 1


def _supersede(choice: ModelChoice | None, actor: Actor, now: datetime) -> None:
    if choice is not None:
        choice.superseded_at, choice.superseded_by = now, actor.person_id


def _cards(
    catalogue: ModelCatalogue, before: ModelChoice | None, purpose: Purpose, wish: Wish, now: datetime
) -> dict[str, ModelCard]:
    """Return the card to keep of every model that is named. Raises Invalid."""
    found = _list_violations(purpose, wish)
    cards = {}
    for pointer, model in wish.places.items():
        newest = catalogue.get(model)
        kept = before.cards.get(model) if before and before.locked and not wish.renew else None
        card = newest if kept is None else card_from(kept)
        if card is None:
            message = "There is no such model: GET /v1/models lists them."
            found.append(Violation(pointer, "unknown_model", message))
            continue
        refused = refusal(in_effect(card, newest), purpose, now.date(), pointer=pointer)
        found += [refused] if refused else []
        cards[model] = card
    if found:
        raise Invalid(found)
    return cards


def _list_violations(purpose: Purpose, wish: Wish) -> list[Violation]:
    found = []
    if wish.allowed and not wish.locked:
        message = "Without a lock every model may be asked for: lock the kind, or leave `allowed` out."
        found.append(Violation("/allowed", "not_locked", message))
    if wish.fallback_order and not isinstance(purpose, Kind):
        message = f"{purpose.value} has no fallback: leave it out."
        found.append(Violation("/fallback", "no_fallback", message))
    for pointer, models in (("/allowed", wish.allowed), ("/fallback/order", wish.fallback_order)):
        if wish.model in models:
            at = list(models).index(wish.model)
            found.append(
                Violation(f"{pointer}/{at}", "chosen_already", "This is the model itself: leave it out here.")
            )
        if len(set(models)) < len(models):
            found.append(Violation(pointer, "duplicate", "Name each model once."))
    return found


def _row(
    seal: Seal,
    production: Production,
    purpose: Purpose,
    wish: Wish,
    cards: Mapping[str, ModelCard],
    actor: Actor,
    now: datetime,
) -> ModelChoice:
    if actor.person_id is None:
        raise ValueError("a choice is made by a person")
    choice_id = new_id()
    return ModelChoice(
        id=choice_id,
        tenant_id=production.tenant_id,
        created_at=now,
        production_id=production.id,
        kind=purpose.value,
        model_id=wish.model,
        locked=wish.locked,
        allowed=list(wish.allowed),
        fallback_order=list(wish.fallback_order),
        fallback_on=sorted({each.value for each in wish.fallback_on}),
        cards={model: card_document(card) for model, card in cards.items()},
        fingerprint=cards[wish.model].fingerprint,
        reason=None if wish.reason is None else seal.close(wish.reason, place=reason_place(choice_id)),
        chosen_by=actor.person_id,
    )


def reason_place(choice_id: UUID) -> str:
    return f"model_choices.reason:{choice_id}"


async def _enter(
    session: TenantSession, seal: Seal, act: str, choice: ModelChoice, reason: str | None, actor: Actor
) -> UUID:
    body: dict[str, Any] = {
        "production": str(choice.production_id),
        "kind": choice.kind,
        "model": choice.model_id,
        "fingerprint": choice.fingerprint,
        "version": choice.version,
        "locked": choice.locked,
        "allowed": choice.allowed,
        "fallback": {"order": choice.fallback_order, "on": choice.fallback_on},
        "reason_hash": seal.keyed_hash(reason.encode()) if reason else None,
        **actor.for_ledger(),
    }
    return await record_entry(
        session,
        seal,
        tenant_id=choice.tenant_id,
        kind=f"model_choice.{act}",
        subject_id=choice.id,
        body=body,
    )
