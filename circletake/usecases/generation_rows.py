"""The rows that a generation begins with: everything that T1 writes, built from what was planned and permitted."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from circletake.domain.controls import take_seed
from circletake.domain.kinds import InputSlot
from circletake.domain.people import PLATFORM, Actor
from circletake.domain.permission.holds import HoldReason, first_reason
from circletake.domain.policy.packs import Outcome
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.base import Record
from circletake.records.generations import Generation, Take
from circletake.records.holds import Hold
from circletake.usecases.generation_events import event_data
from circletake.usecases.ledger import entry_row
from circletake.usecases.money.reservations import NOTHING
from circletake.usecases.permission.gate_request import Permit
from circletake.usecases.permission.open_holds import hold_data, hold_row, ledger_body
from circletake.usecases.plan_enforcement import EnforcementPlan, enforcement_rows
from circletake.usecases.plan_generation import GenerationRequest, Plan
from circletake.usecases.policy.evaluate import evaluation_row, notice_data
from circletake.usecases.take_steps import expiry_step, screen_step, step_for_take


@dataclass(frozen=True, slots=True)
class GenerationView:
    """A generation with its takes and its opened content."""

    generation: Generation
    takes: Sequence[Take]
    inputs: dict[InputSlot, UUID]
    prompt: str | None
    negative_prompt: str | None
    search_prompt: str | None
    metadata: dict[str, Any] | None
    enforcement_id: UUID | None = None
    holds: Sequence[Hold] = ()
    clearances: Sequence[UUID] = ()  # of its shot, as they stood when it was asked for


@dataclass(frozen=True, slots=True)
class GenerationRows:
    """Everything that T1 writes, but for the answer it remembers."""

    record: Generation
    generation: dict[str, Any]
    inputs: Sequence[dict[str, Any]]
    takes: Sequence[dict[str, Any]]
    steps: Sequence[dict[str, Any]]
    entry: dict[str, Any]
    events: Sequence[dict[str, Any]]  # in their order, numbered from 1
    enforcement_id: UUID | None = None
    enforcing: Sequence[tuple[type[Record], Sequence[dict[str, Any]]]] = ()
    more_entries: Sequence[dict[str, Any]] = ()
    holds: Sequence[dict[str, Any]] = ()
    evaluations: Sequence[dict[str, Any]] = ()
    expiry: Sequence[dict[str, Any]] = ()  # the step that ends what is held when its deadline has come
    clearances: Sequence[UUID] = ()

    def view(self, request: GenerationRequest) -> GenerationView:
        return GenerationView(
            self.record,
            [Take(**take) for take in self.takes],
            dict(request.inputs),
            request.prompt,
            request.negative_prompt,
            request.search_prompt,
            dict(request.metadata) if request.metadata is not None else None,
            self.enforcement_id,
            [Hold(**hold) for hold in self.holds],
            self.clearances,
        )


def generation_rows(
    seal: Seal,
    tenant_id: UUID,
    actor: Actor,
    request: GenerationRequest,
    plan: Plan,
    permit: Permit,
    now: datetime,
) -> GenerationRows:
    generation = _generation_row(seal, tenant_id, actor, request, plan, permit, now)
    generation_id, record = generation["id"], Generation(**generation)
    holds = [hold_row(record, each, at=now) for each in permit.holds]
    waits = first_reason(hold.reason for hold in permit.holds)
    takes = [
        _take_row(tenant_id, generation_id, number, plan, waits, now)
        for number in range(1, request.takes + 1)
    ]
    events = _events(tenant_id, record, holds, permit)
    generation["event_seq"] = record.event_seq = len(events)
    return GenerationRows(
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
        events,
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
        evaluations=[]
        if permit.policy is None
        else [
            evaluation_row(
                tenant_id=tenant_id,
                production_id=request.production_id,
                generation_id=generation_id,
                evaluation=permit.policy.evaluation,
                facts=permit.policy.facts,
            )
        ],
        expiry=[expiry_step(tenant_id, generation_id, request.deadline_at)]
        if permit.holds and request.deadline_at is not None
        else [],
        clearances=plan.clearances,
    )


def _events(
    tenant_id: UUID, generation: Generation, holds: Sequence[dict[str, Any]], permit: Permit
) -> list[dict[str, Any]]:
    """What is told of a generation that was accepted: that it is queued or held, by what, and what rules only want
    told."""
    state = "generation.held" if holds else "generation.queued"
    told = [(state, event_data(generation, state=generation.state))]
    told += [("hold.opened", hold_data(generation, row)) for row in holds]
    if permit.policy is not None and permit.policy.evaluation.of(Outcome.NOTIFY):
        told.append(("policy.notified", event_data(generation, **notice_data(permit.policy.evaluation))))
    return [
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "generation_id": generation.id,
            "seq": number,
            "type": event_type,
            "data": data,
        }
        for number, (event_type, data) in enumerate(told, start=1)
    ]


def _steps(
    tenant_id: UUID,
    generation_id: UUID,
    takes: Sequence[dict[str, Any]],
    plan: Plan,
    permit: Permit,
    deadline_at: datetime | None,
) -> list[dict[str, Any]]:
    """What is held has no step. Pictures that nobody has looked at yet are looked at first."""
    if permit.screen:
        return [screen_step(tenant_id, generation_id)]
    if permit.holds:
        return []
    return [
        step_for_take(tenant_id, generation_id, take["id"], plan.card.id, plan.card.mode, deadline_at)
        for take in takes
    ]


def with_enforcement(
    seal: Seal,
    tenant_id: UUID,
    actor: Actor,
    rows: GenerationRows,
    plan: EnforcementPlan,
    now: datetime,
) -> GenerationRows:
    """Add the enforcement that begins with the generation; nothing of it starts after its deadline."""
    row, more, entries = enforcement_rows(
        seal,
        plan,
        tenant_id=tenant_id,
        generation_id=rows.record.id,
        take_ids=[take["id"] for take in rows.takes],
        actor=actor,
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
        "search_prompt": _sealed(seal, request.search_prompt, f"generations.search_prompt:{generation_id}"),
        "client_metadata": _sealed(
            seal,
            None if request.metadata is None else json.dumps(dict(request.metadata)),
            f"generations.client_metadata:{generation_id}",
        ),
        "seed": plan.seed,
        "controls": dict(plan.controls),
        "controls_report": [asdict(line) for line in plan.controls_report],
        "strict": request.strict,
        "quality": request.quality.value,
        "finish_of": request.finish_of,
        "model_lock_id": plan.model_lock_id,
        "batch_id": request.batch_id,
        "batch_line": request.batch_line,
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
        "depicts": permit.depicted,
        "event_seq": 0,  # its first events are written with it
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
        "unknown_usd": NOTHING,
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
        "depicts": permit.depicted,
        "relied_on": dict(permit.relied_on),
        "holds": [hold.reason.value for hold in permit.holds],
        "prompt_hash": seal.keyed_hash(request.prompt.encode()) if request.prompt else None,
        "negative_prompt_hash": seal.keyed_hash(request.negative_prompt.encode())
        if request.negative_prompt
        else None,
        "search_prompt_hash": seal.keyed_hash(request.search_prompt.encode())
        if request.search_prompt
        else None,
        "quality": request.quality.value,
        "finish_of": str(request.finish_of) if request.finish_of else None,
        **({"batch": str(request.batch_id), "line": request.batch_line} if request.batch_id else {}),
        "controls_hash": seal.keyed_hash(repr(sorted(request.controls.items())).encode()),
        "inputs": {
            slot.value: {"media": str(file.id), "sha256": file.sha256, "rights": file.rights_basis}
            for slot, file in plan.inputs.items()
        },
        "takes": [{"take": str(take["id"]), "seed": take["seed"]} for take in takes],
        "estimate_usd": str(plan.quote.total),
        **({"clearances": [str(each) for each in plan.clearances]} if plan.clearances else {}),
        **({"choice": str(plan.model_lock_id)} if plan.model_lock_id else {}),
    }
