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
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.base import Record
from circletake.records.context import Production
from circletake.records.events import Event, IdempotencyRecord, LedgerEntry
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.session import Database, TenantSession
from circletake.records.steps import Step
from circletake.records.together import insert_together
from circletake.usecases.events import ENDPOINTS_ASKED, STEPS_CHANNEL, queue_deliveries
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
from circletake.usecases.plan_enforcement import EnforcementPlan, enforcement_rows
from circletake.usecases.plan_generation import GenerationRequest, Plan, plan_consistency, plan_generation


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
    api_key_id: UUID | None,
    request: GenerationRequest,
    claim: IdempotencyClaim | None,
    now: datetime,
    answer: Callable[[GenerationView], Answer],
) -> Answer:
    """Accept a request: T1. Raises Refused when it is not accepted; then nothing has been written."""
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
        rows = _rows(seal, tenant_id, api_key_id, request, plan, now)
        if enforcing is not None:
            rows = _with_enforcement(seal, tenant_id, api_key_id, rows, enforcing, now)
        reply = answer(rows.view(request))
        remembers = [] if claim is None else [answer_row(seal, tenant_id, claim, reply)]
        await _record(session, tenant_id, rows, remembers)
    return reply


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

    def view(self, request: GenerationRequest) -> GenerationView:
        return GenerationView(
            self.record,
            [Take(**take) for take in self.takes],
            dict(request.inputs),
            request.prompt,
            request.negative_prompt,
            dict(request.metadata) if request.metadata is not None else None,
            self.enforcement_id,
        )


def _rows(
    seal: Seal,
    tenant_id: UUID,
    api_key_id: UUID | None,
    request: GenerationRequest,
    plan: Plan,
    now: datetime,
) -> _Rows:
    generation = _generation_row(seal, tenant_id, api_key_id, request, plan, now)
    generation_id, record = generation["id"], Generation(**generation)
    takes = [_take_row(tenant_id, generation_id, number, plan, now) for number in range(1, request.takes + 1)]
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
        [
            step_for_take(
                tenant_id, generation_id, take["id"], plan.card.id, plan.card.mode, request.deadline_at
            )
            for take in takes
        ],
        entry_row(
            seal,
            tenant_id=tenant_id,
            kind="generation.requested",
            subject_id=generation_id,
            entry_id=generation["ledger_entry_id"],
            body=_ledger_body(seal, request, plan, api_key_id, takes),
        ),
        {
            "id": new_id(),
            "tenant_id": tenant_id,
            "generation_id": generation_id,
            "seq": generation["event_seq"],
            "type": "generation.queued",
            "data": event_data(record, state="queued"),
        },
    )


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
        more_entries=entries,
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


def _generation_row(
    seal: Seal,
    tenant_id: UUID,
    api_key_id: UUID | None,
    request: GenerationRequest,
    plan: Plan,
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
        "state": TakeState.QUEUED.value,
        "requested_by": api_key_id,
        "event_seq": 1,  # its first event is written with it
        "ledger_entry_id": new_id(),
    }


def _sealed(seal: Seal, value: str | None, place: str) -> bytes | None:
    return None if value is None else seal.close(value, place=place)


def _take_row(tenant_id: UUID, generation_id: UUID, number: int, plan: Plan, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "created_at": now,
        "generation_id": generation_id,
        "number": number,
        "state": TakeState.QUEUED.value,
        "seed": None if plan.seed is None else take_seed(plan.seed, number),
        "estimate_usd": plan.quote.per_take,
        "circled": False,
        "rejected": False,
        "cancel_requested": False,
    }


def step_for_take(
    tenant_id: UUID,
    generation_id: UUID,
    take_id: UUID,
    model_id: str,
    mode: str,
    deadline_at: datetime | None,
) -> dict[str, Any]:
    """The first step of a take: one call, or the submission of an asynchronous one."""
    synchronous = mode == "sync"
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "kind": "generate" if synchronous else "submit",
        "lane": "generate" if synchronous else "async",
        "capped_by": model_id,
        "deadline_at": deadline_at,
        "generation_id": generation_id,
        "take_id": take_id,
    }


def event_data(generation: Generation, **more: Any) -> dict[str, Any]:
    """What every event of a generation carries: ids, and the references by which a tracker knows them."""
    return {
        "production_id": str(generation.production_id),
        "shot_id": str(generation.shot_id) if generation.shot_id else None,
        "external_ref": generation.external_ref,
        "production_external_ref": generation.context_refs.get("production"),
        "shot_external_ref": generation.context_refs.get("shot"),
        **more,
    }


def _ledger_body(
    seal: Seal,
    request: GenerationRequest,
    plan: Plan,
    api_key_id: UUID | None,
    takes: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "production": str(request.production_id),
        "shot": str(request.shot_id) if request.shot_id else None,
        "kind": request.kind.value,
        "model": plan.card.id,
        "requested_by": str(api_key_id) if api_key_id else None,
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
