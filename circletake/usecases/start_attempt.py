"""The next attempt of an enforcement: a take that says where it differs, its first step, its place on record."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from circletake.domain.consistency.ladders import Rung
from circletake.domain.controls import SEED_MAX, SEED_MIN
from circletake.domain.kinds import InputSlot
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.consistency import Enforcement, EnforcementAttempt
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import announce_take
from circletake.usecases.effective_take import controls_of, kind_of
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.ledger import record_entry
from circletake.usecases.money.reservations import budget_hold, reserve_takes
from circletake.usecases.permission.gate import depicted
from circletake.usecases.permission.open_holds import open_hold
from circletake.usecases.permission.screening import screening_needed
from circletake.usecases.plan_ladder import RungMade
from circletake.usecases.take_steps import first_step, screen_step


async def start_attempt(
    session: TenantSession,
    seal: Seal,
    *,
    generation: Generation,
    takes: list[Take],
    enforcement: Enforcement,
    number: int,
    rung: RungMade,
    improves: str | None,
    region: Mapping[str, Any] | None,
    because: Sequence[str],
) -> None:
    """Queue the take and add it to `takes`. The generation is locked; whether it may be made is decided already."""
    base = next((take for take in takes if str(take.id) == improves), None)
    changes = _changes(rung, base, region)
    row: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": generation.tenant_id,
        "generation_id": generation.id,
        "number": max(take.number for take in takes) + 1,
        "state": TakeState.QUEUED.value,
        "seed": _fresh_seed(takes) if rung.seeded else None,
        "retry_of": base.id if base else None,
        "changes": changes,
        "estimate_usd": rung.step.cost,
        "circled": False,
        "rejected": False,
        "cancel_requested": False,
    }
    await session.execute(insert(Take).values(row))
    deadlines = [each for each in (enforcement.deadline_at, generation.deadline_at) if each is not None]
    step = first_step(
        generation, row["id"], changes, rung.step.model, rung.mode, min(deadlines, default=None)
    )
    changed = {**changes, "model": rung.step.model, "seed": row["seed"]}
    why = {"improves": improves, "because": list(because)}
    await session.execute(
        insert(EnforcementAttempt).values(
            attempt_row(
                generation.tenant_id,
                enforcement.id,
                row["id"],
                number,
                rung.step.rung.value,
                changed=changed,
                why=why,
            )
        )
    )
    await record_entry(
        session,
        seal,
        tenant_id=generation.tenant_id,
        kind="take.enforced",
        subject_id=row["id"],
        body={
            "generation": str(generation.id),
            "enforcement": str(enforcement.id),
            "attempt": number,
            "rung": rung.step.rung.value,
            "retry_of": improves,
            "because": list(because),
            "model": rung.step.model,
            "inputs": dict(changes.get("inputs", {})),
            "seed": row["seed"],
            "estimate_usd": str(rung.step.cost),
        },
    )
    generation.finished_at = None
    await session.flush()
    take = (await session.scalars(select(Take).where(Take.id == row["id"]))).one()
    takes.append(take)
    await _queue_or_hold(session, seal, generation, takes, take, step)


async def _queue_or_hold(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    take: Take,
    step: dict[str, Any],
) -> None:
    """An attempt is made from other pictures than its request: they are looked at too, and it needs room."""
    screening = await screening_needed(
        session,
        tenant_id=generation.tenant_id,
        kind=kind_of(generation, take),
        inputs=await inputs_of(session, generation, take),
        characters=depicted(generation.depicts),
        controls=controls_of(generation, take),
        generation_id=generation.id,
    )
    if screening.hold is not None:
        await open_hold(session, seal, generation, takes, screening.hold, take_id=take.id)
        return
    room = await reserve_takes(session, generation, [take])
    if not room.room:
        await open_hold(session, seal, generation, takes, budget_hold(room), take_id=take.id)
        return
    if screening.outcome == "needed":
        step = screen_step(generation.tenant_id, generation.id)
    await session.execute(insert(Step).values(step))
    await announce_take(session, generation, take, "take.queued")


def attempt_row(
    tenant_id: UUID,
    enforcement_id: UUID,
    take_id: UUID,
    number: int,
    rung: str,
    *,
    changed: Mapping[str, Any] | None = None,
    why: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "tenant_id": tenant_id,
        "enforcement_id": enforcement_id,
        "take_id": take_id,
        "number": number,
        "rung": rung,
        "changed": dict(changed or {}),
        "why": dict(why or {}),
    }


def _changes(rung: RungMade, base: Take | None, region: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the rung changes, with the picture and the region that only the attempt before could tell."""
    if rung.step.rung is not Rung.INPAINT_REGION:
        return dict(rung.changes)
    if base is None or base.media_id is None or region is None:
        raise ValueError("there is nothing to repaint")
    return {**rung.changes, "inputs": {InputSlot.PLATE.value: str(base.media_id)}, "region": dict(region)}


def _fresh_seed(takes: Sequence[Take]) -> int:
    used = {seed for take in takes for seed in (take.seed, take.seed_used)}
    while True:
        seed = secrets.randbelow(SEED_MAX - SEED_MIN + 1) + SEED_MIN
        if seed not in used:
            return seed
