"""Ask a language model: accept a script breakdown or a proposed prompt. It is sent when a worker has a free slot."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from circletake.dialects.registry import LANGUAGES, language_for
from circletake.domain.costs import cost_of_tokens
from circletake.domain.errors import Conflict, Invalid, invalid
from circletake.domain.kinds import Kind, Quality
from circletake.domain.language.briefs import (
    MAX_PROMPT,
    CharacterBrief,
    PromptBrief,
    ScriptPage,
    takes_prompt,
)
from circletake.domain.language.words import LanguageTask
from circletake.domain.people import Actor
from circletake.domain.pictures import ModelCard, Violation
from circletake.domain.policy.declaration import UseDeclaration
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.characters import Character, Look, LookShot
from circletake.records.context import Production, Shot
from circletake.records.events import LedgerEntry
from circletake.records.language import LanguageRequest
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.usecases.choice.choose_model import ProductionModels, choose_model, production_models
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.find_characters import character_view, look_view
from circletake.usecases.find_context import notes_place
from circletake.usecases.idempotency import Answer, IdempotencyClaim, remember, replay
from circletake.usecases.language.text_policy import Asker, require_allowed
from circletake.usecases.language.values import LanguageView, close_json, view_of
from circletake.usecases.ledger import entry_row
from circletake.usecases.money.budgets import budget_room
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class BreakdownAsked:
    production_id: UUID
    text: str = field(repr=False)
    model: str | None = None
    use: UseDeclaration = field(default_factory=UseDeclaration)
    external_ref: str | None = None


@dataclass(frozen=True, slots=True)
class PromptAsked:
    """`notes`: None means the shot's own."""

    shot_id: UUID
    kind: Kind
    notes: str | None = field(repr=False, default=None)
    characters: Sequence[UUID] = ()
    model: str | None = None
    use: UseDeclaration = field(default_factory=UseDeclaration)
    external_ref: str | None = None


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What is written down of a request that isn't refused."""

    task: LanguageTask
    production: Production
    shot: Shot | None
    kind: Kind | None
    brief: ScriptPage | PromptBrief
    given: dict[str, Any] = field(repr=False)
    card: ModelCard
    lock_id: UUID | None
    use: UseDeclaration
    external_ref: str | None


async def request_breakdown(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    asker: Asker,
    asked: BreakdownAsked,
    claim: IdempotencyClaim | None,
    answer: Callable[[LanguageView], Answer],
) -> Answer:
    """Accept a script page. Raises Invalid, or Conflict `policy_prohibited`, `approval_needed` or `budget_exhausted`;
    then nothing has been written."""
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        production = await session.scalar(
            select(Production).where(Production.tenant_id == tenant_id, Production.id == asked.production_id)
        )
        if production is None:
            raise invalid("/production_id", "unknown_production", "There is no such production.")
        models = await production_models(session, tenant_id, production.id)
        card, lock_id = _choose(catalogue, models, LanguageTask.SCRIPT_BREAKDOWN, asked.model)
        accepted = _Accepted(
            task=LanguageTask.SCRIPT_BREAKDOWN,
            production=production,
            shot=None,
            kind=None,
            brief=ScriptPage(asked.text),
            given={"text": asked.text},
            card=card,
            lock_id=lock_id,
            use=asked.use,
            external_ref=asked.external_ref,
        )
        return await _accept(session, seal, actor, asker, accepted, claim, answer)


async def request_prompt(
    database: Database,
    catalogue: ModelCatalogue,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    asker: Asker,
    asked: PromptAsked,
    claim: IdempotencyClaim | None,
    answer: Callable[[LanguageView], Answer],
) -> Answer:
    """Accept notes to propose a prompt from. Raises what `request_breakdown` raises."""
    if not takes_prompt(asked.kind):
        raise invalid("/kind", "no_prompt", f"A generation of the kind {asked.kind.value} takes no prompt.")
    async with database.tenant(tenant_id) as session:
        remembered = await replay(session, seal, tenant_id, claim)
        if remembered is not None:
            return remembered
        shot = await session.scalar(select(Shot).where(Shot.tenant_id == tenant_id, Shot.id == asked.shot_id))
        if shot is None:
            raise invalid("/shot_id", "unknown_shot", "There is no such shot.")
        production = await session.get_one(Production, shot.production_id)
        notes = asked.notes or open_text(seal, shot.notes, notes_place(shot.id))
        if notes is None:
            raise invalid("/notes", "required", "The shot has no notes of its own: give some.")
        models = await production_models(session, tenant_id, production.id)
        card, lock_id = _choose(catalogue, models, LanguageTask.SHOT_PROMPT, asked.model)
        characters = await character_briefs(session, seal, shot, asked.characters)
        known = {each for each, _ in characters}
        unknown = [
            Violation(
                f"/characters/{index}", "unknown_character", "There is no such character in the production."
            )
            for index, each in enumerate(asked.characters)
            if each not in known
        ]
        if unknown:
            raise Invalid(unknown)
        given: dict[str, Any] = {
            "notes": notes,
            "shots_own": asked.notes is None,
            "characters": [str(each) for each in asked.characters],
            "prompt_max": _prompt_max(catalogue, models, asked.kind),
        }
        accepted = _Accepted(
            task=LanguageTask.SHOT_PROMPT,
            production=production,
            shot=shot,
            kind=asked.kind,
            brief=prompt_brief(asked.kind, given, [brief for _, brief in characters]),
            given=given,
            card=card,
            lock_id=lock_id,
            use=asked.use,
            external_ref=asked.external_ref,
        )
        return await _accept(session, seal, actor, asker, accepted, claim, answer)


def prompt_brief(kind: Kind, given: dict[str, Any], characters: Sequence[CharacterBrief]) -> PromptBrief:
    """Return what a prompt is proposed from, of what the request keeps."""
    return PromptBrief(kind, given["notes"], tuple(characters), given["prompt_max"])


async def character_briefs(
    session: TenantSession, seal: Seal, shot: Shot, character_ids: Sequence[UUID]
) -> list[tuple[UUID, CharacterBrief]]:
    """Return the characters as the production describes them now, in the look that they have in this shot; those
    that it doesn't have, or has no more, are left out."""
    if not character_ids:
        return []
    rows = await session.execute(
        select(Character, Look)
        .outerjoin(
            LookShot,
            (LookShot.tenant_id == Character.tenant_id)
            & (LookShot.character_id == Character.id)
            & (LookShot.shot_id == shot.id),
        )
        .outerjoin(
            Look,
            (Look.tenant_id == LookShot.tenant_id)
            & (Look.id == LookShot.look_id)
            & Look.deleted_at.is_(None),
        )
        .where(
            Character.tenant_id == shot.tenant_id,
            Character.production_id == shot.production_id,
            Character.id.in_(character_ids),
            Character.deleted_at.is_(None),
        )
    )
    found = {}
    for character, look in rows:
        details = look_view(seal, look).details if look is not None else {}
        found[character.id] = CharacterBrief(
            character.script_name,
            character_view(seal, character).description,
            "; ".join(f"{name}: {text}" for name, text in sorted(details.items())) or None,
        )
    return [(each, found[each]) for each in character_ids if each in found]


def _choose(
    catalogue: ModelCatalogue, models: ProductionModels, task: LanguageTask, asked: str | None
) -> tuple[ModelCard, UUID | None]:
    chosen = choose_model(catalogue, models, kind=task, asked=asked, quality=Quality.FULL, on=_today())
    if chosen.violations or chosen.card is None:
        raise Invalid(chosen.violations)
    if chosen.card.dialect not in LANGUAGES:  # what a lock has kept
        raise invalid("/model", "model_gone", "This version can't ask the model any more: choose another.")
    return chosen.card, chosen.lock_id


def _prompt_max(catalogue: ModelCatalogue, models: ProductionModels, kind: Kind) -> int:
    """How long a prompt the production's model for this kind takes."""
    chosen = choose_model(catalogue, models, kind=kind, asked=None, quality=Quality.FULL, on=_today())
    most = chosen.card.limits.get("prompt_max_chars") if chosen.card else None
    return min(int(most or MAX_PROMPT), MAX_PROMPT)


def _today() -> date:
    return clock.now().date()


async def _accept(
    session: TenantSession,
    seal: Seal,
    actor: Actor,
    asker: Asker,
    accepted: _Accepted,
    claim: IdempotencyClaim | None,
    answer: Callable[[LanguageView], Answer],
) -> Answer:
    dialect = language_for(accepted.card)
    found = dialect.check(accepted.brief, accepted.card)
    if found:
        raise Invalid(found)
    tenant_id = accepted.production.tenant_id
    policy = await require_allowed(
        session,
        seal,
        asker,
        production=accepted.production,
        shot=accepted.shot,
        card=accepted.card,
        use=accepted.use,
    )
    estimate = cost_of_tokens(accepted.card, *dialect.at_most(accepted.brief, accepted.card))
    room = await budget_room(
        session,
        tenant_id=tenant_id,
        production_id=accepted.production.id,
        shot_id=accepted.shot.id if accepted.shot else None,
        amount=estimate,
    )
    if not room.room:
        raise Conflict(room.lines[0].says, code="budget_exhausted")
    row = _row(seal, actor, accepted)
    await session.execute(insert(LanguageRequest).values(row))
    await session.execute(insert(LedgerEntry).values(_ledger_row(seal, row, policy)))
    await session.execute(
        insert(Step).values(
            id=new_id(),
            tenant_id=tenant_id,
            kind="language",
            lane="judge",
            capped_by=accepted.card.id,
            subject_id=row["id"],
        )
    )
    reply = answer(view_of(seal, LanguageRequest(**row), []))
    await remember(session, seal, tenant_id, claim, reply)
    await wake_dispatcher(session)
    return reply


def _row(seal: Seal, actor: Actor, accepted: _Accepted) -> dict[str, Any]:
    request_id = new_id()
    written = json.dumps(accepted.given, sort_keys=True, ensure_ascii=False).encode()
    return {
        "id": request_id,
        "tenant_id": accepted.production.tenant_id,
        "created_at": clock.now(),
        "task": accepted.task.value,
        "production_id": accepted.production.id,
        "shot_id": accepted.shot.id if accepted.shot else None,
        "kind": accepted.kind.value if accepted.kind else None,
        "model_id": accepted.card.id,
        "model_lock_id": accepted.lock_id,
        "use": accepted.use.stored(),
        "external_ref": accepted.external_ref,
        "state": "queued",
        "version": 1,
        "edits": [],
        "applied": [],
        "input": close_json(seal, "input", request_id, accepted.given),
        "input_hash": seal.keyed_hash(written),
        "requested_by": actor.api_key_id,
        "requested_by_person": actor.person_id,
        "ledger_entry_id": new_id(),
    }


def _ledger_row(seal: Seal, row: dict[str, Any], policy: dict[str, Any] | None) -> dict[str, Any]:
    """Who asked which model for what, with the text as a keyed hash, and what the packs said."""
    return entry_row(
        seal,
        tenant_id=row["tenant_id"],
        kind=f"{row['task']}.requested",
        subject_id=row["id"],
        entry_id=row["ledger_entry_id"],
        body={
            "production": str(row["production_id"]),
            "shot": str(row["shot_id"]) if row["shot_id"] else None,
            "requested_by": str(row["requested_by"]) if row["requested_by"] else None,
            "requested_by_person": str(row["requested_by_person"]) if row["requested_by_person"] else None,
            "model": row["model_id"],
            "model_lock": str(row["model_lock_id"]) if row["model_lock_id"] else None,
            "input_hash": row["input_hash"],
            "use": row["use"],
            "policy": policy,
        },
    )
