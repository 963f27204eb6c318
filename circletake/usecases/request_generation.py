"""Stage 2, gate and record: everything a generation is, in one transaction, before the 202 leaves."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam
from sqlalchemy.exc import IntegrityError

from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.controls import take_seed
from circletake.domain.kinds import InputSlot
from circletake.domain.people import PLATFORM, Actor
from circletake.domain.permission.holds import HoldReason, first_reason
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.base import Record
from circletake.records.context import Production
from circletake.records.events import Event, IdempotencyRecord, LedgerEntry
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.holds import Hold
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together
from circletake.usecases.events import ENDPOINTS_ASKED, STEPS_CHANNEL, queue_deliveries, record_event
from circletake.usecases.generation_events import event_data
from circletake.usecases.idempotency import (
    LOOK,
    Answer,
    IdempotencyClaim,
    answer_row,
    in_flight,
    look_values,
    replayed,
)
from circletake.usecases.ledger import entry_row
from circletake.usecases.money.budgets import reserve
from circletake.usecases.money.reservations import NOTHING, budget_hold
from circletake.usecases.permission.gate_request import Permit, gate_request
from circletake.usecases.permission.open_holds import hold_data, hold_row, ledger_body
from circletake.usecases.plan_enforcement import EnforcementPlan, enforcement_rows
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation
from circletake.usecases.take_steps import screen_step, step_for_take


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation with its takes and its opened content."""

    generation: Generation
    takes: Sequence[Take]
    inputs: dict[InputSlot, UUID]
    prompt: str | None
    negative_prompt: str | None
    metadata: dict[str, Any] | None
    enforcement_id: UUID | None = None
    holds: Sequence[Hold] = ()


_LOOK = LOOK.add_columns(Production).outerjoin(  # both in one round trip
    Production,
    and_(Production.tenant_id == bindparam("of_tenant"), Production.id == bindparam("production")),
)


async def request_generation(
    database: Database,
    catalogue: ModelCatalogue,
    rules: JudgingRules,
    seal: Seal,
    *,
    tenant_id: UUID,
    actor: Actor,
    request: GenerationRequest,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[GenerationView], Answer],
) -> Answer:
    """Accept a request: T1. Raises Refused when it is not accepted; then nothing has been written.

    What needs a person first is accepted all the same, and held.
    """
    async with database.tenant(tenant_id) as session:
        production = None
        if claim is not None:
            values = {**look_values(tenant_id, claim), "production": request.production_id}
            found = (await session.execute(_LOOK, values)).one()
            remembered = replayed(seal, claim, found)
            if remembered is not None:
                return remembered
            production = found.Production
        plan = await plan_generation(session, catalogue, tenant_id, request, now=now, production=production)
        enforcing = await plan_consistency(session, catalogue, rules, request, plan, now=now)
        permit = await gate_request(
            session,
            seal,
            tenant_id=tenant_id,
            request=request,
            plan=plan,
            judged=[] if enforcing is None else [each.character_id for each in enforcing.request.subjects],
            now=now,
        )
        permit = await _with_room(session, tenant_id, request, plan, permit)
        rows = _rows(seal, tenant_id, actor, request, plan, permit, now)
        if enforcing is not None:
            rows = _with_enforcement(seal, tenant_id, actor.api_key_id, rows, enforcing, now)
        reply = answer(rows.view(request))
        remembers = [] if claim is None else [answer_row(seal, tenant_id, claim, reply)]
        await _record(session, tenant_id, rows, remembers)
    return reply


async def _with_room(
    session: TenantSession, tenant_id: UUID, request: GenerationRequest, plan: Plan, permit: Permit
) -> Permit:
    """Reserve what the takes may cost. What is held already reserves nothing until it is released."""
    if permit.holds:
        return permit
    room = await reserve(
        session,
        tenant_id=tenant_id,
        production_id=request.production_id,
        shot_id=request.shot_id,
        amount=plan.quote.total,
    )
    return permit if room.room else replace(permit, holds=[budget_hold(room)])


@dataclass(frozen=True, slots=True)
class _Rows:
    """Everything that T1 writes, but for the answer it remembers."""

    record: Generation
    generation: dict[str, Any]
    inputs: Sequence[dict[str, Any]]
    takes: Sequence[dict[str, Any]]
    steps: Sequence[dict[str, Any]]
    entry: dict[str, Any]
    event: dict[str, Any]
    enforcement_id: UUID | None = None
    enforcing: Sequence[tuple[type[Record], Sequence[dict[str, Any]]]] = ()
    more_entries: Sequence[dict[str, Any]] = ()
    holds: Sequence[dict[str, Any]] = ()

    def view(self, request: GenerationRequest) -> GenerationView:
        return GenerationView(
            self.record,
            [Take(**take) for take in self.takes],
            dict(request.inputs),
            request.prompt,
            request.negative_prompt,
            dict(request.metadata) if request.metadata is not None else None,
            self.enforcement_id,
            [Hold(**hold) for hold in self.holds],
        )


def _rows(
    seal: Seal,
    tenant_id: UUID,
    actor: Actor,
    request: GenerationRequest,
    plan: Plan,
    permit: Permit,
    now: datetime,
) -> _Rows:
    generation = _generation_row(seal, tenant_id, actor, request, plan, permit, now)
    generation_id, record = generation["id"], Generation(**generation)
    holds = [hold_row(record, each, at=now) for each in permit.holds]
    waits = first_reason(hold.reason for hold in permit.holds)
    takes = [
        _take_row(tenant_id, generation_id, number, plan, waits, now)
        for number in range(1, request.takes + 1)
    ]
    return _Rows(
        record,
        generation,
        [
            {
                "id": new_id(),
                "tenant_id": tenant_id,
                "generation_id": generation_id,
                "slot": slot.value,
                "media_id": media_id,
            }
            for slot, media_id in request.inputs.items()
        ],
        takes,
        _steps(tenant_id, generation_id, takes, plan, permit, request.deadline_at),
        entry_row(
            seal,
            tenant_id=tenant_id,
            kind="generation.requested",
            subject_id=generation_id,
            entry_id=generation["ledger_entry_id"],
            body=_ledger_body(seal, request, plan, actor, permit, takes),
        ),
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "generation_id": generation_id,
            "seq": generation["event_seq"],
            "type": "generation.held" if holds else "generation.queued",
            "data": event_data(record, state=generation["state"]),
        },
        more_entries=[
            entry_row(
                seal,
                tenant_id=tenant_id,
                kind="hold.opened",
                subject_id=row["id"],
                entry_id=new_id(),
                body=ledger_body(row, PLATFORM),
            )
            for row in holds
        ],
        holds=holds,
    )


def _steps(
    tenant_id: UUID,
    generation_id: UUID,
    takes: Sequence[dict[str, Any]],
    plan: Plan,
    permit: Permit,
    deadline_at: datetime | None,
) -> list[dict[str, Any]]:
    """What is held has no step. Pictures that nobody has looked at yet are looked at first."""
    if permit.holds:
        return []
    if permit.screen:
        return [screen_step(tenant_id, generation_id)]
    return [
        step_for_take(tenant_id, generation_id, take["id"], plan.card.id, plan.card.mode, deadline_at)
        for take in takes
    ]


def _with_enforcement(
    seal: Seal, tenant_id: UUID, api_key_id: UUID | None, rows: _Rows, plan: EnforcementPlan, now: datetime
) -> _Rows:
    """Add the enforcement that begins with the generation; nothing of it starts after its deadline."""
    row, more, entries = enforcement_rows(
        seal,
        plan,
        tenant_id=tenant_id,
        generation_id=rows.record.id,
        take_ids=[take["id"] for take in rows.takes],
        api_key_id=api_key_id,
        now=now,
    )
    deadlines = [each for each in (rows.record.deadline_at, row["deadline_at"]) if each is not None]
    return replace(
        rows,
        steps=[{**step, "deadline_at": min(deadlines, default=None)} for step in rows.steps],
        enforcement_id=row["id"],
        enforcing=more,
        more_entries=[*rows.more_entries, *entries],
    )


async def _record(
    session: TenantSession, tenant_id: UUID, rows: _Rows, remembers: Sequence[dict[str, Any]]
) -> None:
    try:
        written = await insert_together(
            session,
            (Generation, [rows.generation]),
            (GenerationInput, rows.inputs),
            (Take, rows.takes),
            (Step, rows.steps),
            *rows.enforcing,
            (Hold, rows.holds),
            (LedgerEntry, [rows.entry, *rows.more_entries]),
            (Event, [rows.event]),
            (IdempotencyRecord, remembers),
            then=f"select {ENDPOINTS_ASKED}, pg_notify(:channel, '')",
            tenant_id=tenant_id,
            type=rows.event["type"],
            channel=STEPS_CHANNEL,
        )
    except IntegrityError as error:
        if remembers and "idempotency_keys" in str(error.orig):
            raise in_flight() from error
        raise
    await queue_deliveries(session, tenant_id, rows.event["id"], written.scalar_one())
    for row in rows.holds:
        await record_event(
            session, tenant_id, "hold.opened", hold_data(rows.record, row), generation_id=rows.record.id
        )


def _generation_row(
    seal: Seal,
    tenant_id: UUID,
    actor: Actor,
    request: GenerationRequest,
    plan: Plan,
    permit: Permit,
    now: datetime,
) -> dict[str, Any]:
    generation_id = new_id()
    return {
        "id": generation_id,
        "tenant_id": tenant_id,
        "created_at": now,
        "production_id": request.production_id,
        "shot_id": request.shot_id,
        "kind": request.kind.value,
        "model_id": plan.card.id,
        "prompt": _sealed(seal, request.prompt, f"generations.prompt:{generation_id}"),
        "negative_prompt": _sealed(
            seal, request.negative_prompt, f"generations.negative_prompt:{generation_id}"
        ),
        "client_metadata": _sealed(
            seal,
            None if request.metadata is None else json.dumps(dict(request.metadata)),
            f"generations.client_metadata:{generation_id}",
        ),
        "seed": plan.seed,
        "controls": dict(request.controls),
        "controls_report": [asdict(line) for line in plan.controls_report],
        "strict": request.strict,
        "deadline_at": request.deadline_at,
        "external_ref": request.external_ref,
        "context_refs": {
            "production": plan.production.external_ref,
            "shot": plan.shot.external_ref if plan.shot else None,
        },
        "state": (TakeState.HELD if permit.holds else TakeState.QUEUED).value,
        "requested_by": actor.api_key_id,
        "requested_by_person": actor.person_id,
        "use": request.use.stored(),
        "depicts": [dict(each) for each in permit.depicts],
        "event_seq": 1,  # its first event is written with it
        "ledger_entry_id": new_id(),
    }


def _sealed(seal: Seal, value: str | None, place: str) -> bytes | None:
    return None if value is None else seal.close(value, place=place)


def _take_row(
    tenant_id: UUID, generation_id: UUID, number: int, plan: Plan, waits: HoldReason | None, now: datetime
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": now,
        "generation_id": generation_id,
        "number": number,
        "state": (TakeState.HELD if waits else TakeState.QUEUED).value,
        "hold_reason": waits.value if waits else None,
        "reserved_usd": NOTHING if waits else plan.quote.per_take,
        "seed": None if plan.seed is None else take_seed(plan.seed, number),
        "estimate_usd": plan.quote.per_take,
        "circled": False,
        "rejected": False,
        "cancel_requested": False,
    }


def _ledger_body(
    seal: Seal,
    request: GenerationRequest,
    plan: Plan,
    actor: Actor,
    permit: Permit,
    takes: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "production": str(request.production_id),
        "shot": str(request.shot_id) if request.shot_id else None,
        "kind": request.kind.value,
        "model": plan.card.id,
        "requested_by": str(actor.api_key_id) if actor.api_key_id else None,
        "requested_by_person": str(actor.person_id) if actor.person_id else None,
        "depicts": [dict(each) for each in permit.depicts],
        "relied_on": dict(permit.relied_on),
        "holds": [hold.reason.value for hold in permit.holds],
        "prompt_hash": seal.keyed_hash(request.prompt.encode()) if request.prompt else None,
        "negative_prompt_hash": seal.keyed_hash(request.negative_prompt.encode())
        if request.negative_prompt
        else None,
        "controls_hash": seal.keyed_hash(repr(sorted(request.controls.items())).encode()),
        "inputs": {
            slot.value: {"media": str(file.id), "sha256": file.sha256, "rights": file.rights_basis}
            for slot, file in plan.inputs.items()
        },
        "takes": [{"take": str(take["id"]), "seed": take["seed"]} for take in takes],
        "estimate_usd": str(plan.quote.total),
    }
