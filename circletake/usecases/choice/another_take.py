"""A take that is made again, as it was or by another model: the row, its permission, its first step."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select

from circletake.dialects.contract import RequestShape
from circletake.dialects.registry import dialect_for
from circletake.domain import costs
from circletake.domain.availability import refusal
from circletake.domain.controls import SEED_MAX, SEED_MIN, strict_violations
from circletake.domain.pictures import ControlReport, InputShape, ModelCard, Violation
from circletake.domain.takes import TakeState, generation_state
from circletake.kit.ids import new_id
from circletake.ports import ModelCatalogue, Seal
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import announce_take
from circletake.usecases.effective_take import controls_of, kind_of
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.money.reservations import budget_hold, reserve_takes
from circletake.usecases.permission.gate import depicted, gate_take
from circletake.usecases.permission.open_holds import hold_takes, open_hold, queue_takes
from circletake.usecases.permission.refusals import consent_required
from circletake.usecases.permission.screening import Screening, screening_needed
from circletake.usecases.sealed_text import open_text
from circletake.usecases.take_steps import screen_step

MAX_TAKES_WITH_RETRIES = 200


@dataclass(frozen=True, slots=True)
class OnModel:
    """A take's request as another model would take it. `lock_id`: the production's choice that the card is of."""

    card: ModelCard
    lock_id: UUID | None
    report: Sequence[ControlReport]
    price: Decimal

    def changes(self, old: Take) -> dict[str, Any]:
        """What a take changes that is made by this model instead, over what the old one changed."""
        return {
            **(old.changes or {}),
            "model_id": self.card.id,
            "lock_id": str(self.lock_id) if self.lock_id else None,
            "controls_report": [asdict(line) for line in self.report],
        }

    def seed(self, old: Take) -> int | None:
        if self.card.seed == "unsupported":
            return None
        return old.seed if old.seed is not None else fresh_seed()


async def shape_of_take(
    session: TenantSession, seal: Seal, generation: Generation, take: Take
) -> RequestShape:
    """Return what was asked of the model for a take, without the bytes of its inputs."""
    place = f":{generation.id}"
    files = await inputs_of(session, generation, take)
    return RequestShape(
        kind_of(generation, take),
        open_text(seal, generation.prompt, f"generations.prompt{place}"),
        open_text(seal, generation.negative_prompt, f"generations.negative_prompt{place}"),
        take.seed,
        controls_of(generation, take),
        {
            slot: InputShape(file.media_type, file.width or 0, file.height or 0)
            for slot, file in files.items()
        },
        search_prompt=open_text(seal, generation.search_prompt, f"generations.search_prompt{place}"),
    )


def on_model(
    card: ModelCard, lock_id: UUID | None, shape: RequestShape, *, strict: bool, now: datetime
) -> OnModel | list[Violation]:
    """Return the request as this model takes it, or everything for which it can't."""
    refused = refusal(card, shape.kind, now.date())
    if refused is not None:
        return [refused]
    dialect = dialect_for(card)
    problems = list(dialect.check(shape, card))
    if problems:
        return problems
    report = dialect.controls(shape, card)
    broken = strict_violations(report) if strict else []
    if broken:
        return list(broken)
    try:
        price = costs.quote(card, shape.kind, 1, shape.controls).per_take
    except ValueError:
        return [Violation("/controls", "not_sold", f"{card.name} doesn't sell what the controls ask for.")]
    return OnModel(card, lock_id, report, price)


def fresh_seed() -> int:
    return secrets.randbelow(SEED_MAX - SEED_MIN + 1) + SEED_MIN


async def add_take(
    session: TenantSession,
    generation: Generation,
    takes: list[Take],
    old: Take,
    *,
    seed: int | None,
    changes: Mapping[str, Any] | None,
    estimate: Decimal,
    now: datetime,
) -> Take:
    """Add the take that is made again, to `takes` too; nothing of it runs yet."""
    row: dict[str, Any] = {
        "id": new_id(),
        "tenant_id": generation.tenant_id,
        "created_at": now,
        "generation_id": generation.id,
        "number": max(take.number for take in takes) + 1,
        "state": TakeState.QUEUED.value,
        "seed": seed,
        "retry_of": old.id,
        **({"changes": dict(changes)} if changes else {}),
        "estimate_usd": estimate,
        "circled": False,
        "rejected": False,
        "cancel_requested": False,
    }
    await session.execute(insert(Take).values(row))
    take = (await session.scalars(select(Take).where(Take.id == row["id"]))).one()
    takes.append(take)
    generation.state = generation_state(TakeState(each.state) for each in takes).value
    generation.finished_at = None
    await session.flush()
    return take


async def queue_or_hold(
    session: TenantSession,
    catalogue: ModelCatalogue,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    take: Take,
    *,
    now: datetime,
    asked: bool,
) -> None:
    """Let the take pass the gate like a request, have its pictures looked at and its money reserved; it may have to wait.

    `asked`: somebody asks for it now: what lacks a consent is refused (Conflict), and a deadline that has passed isn't
    meant. What nobody asked for is held instead, and keeps its deadline.
    """
    passage = await gate_take(session, generation, take, at=now)
    if passage.missing is not None and asked:
        raise consent_required(passage.missing)
    screening = await _screening(session, generation, take)
    if screening.outcome == "needed":
        await session.execute(insert(Step).values(screen_step(generation.tenant_id, generation.id)))
    if passage.new is not None:
        await open_hold(session, seal, generation, takes, passage.new)
    elif screening.hold is not None:
        await open_hold(session, seal, generation, takes, screening.hold)
    elif passage.held:
        await hold_takes(session, generation, takes, [take])
    else:
        room = await reserve_takes(session, generation, [take])
        if not room.room:
            await open_hold(session, seal, generation, takes, budget_hold(room), take_id=take.id)
            return
        await queue_takes(session, catalogue, generation, [take], now=now if asked else None)
        await session.flush()
        await announce_take(session, generation, take, "take.queued")


async def _screening(session: TenantSession, generation: Generation, take: Take) -> Screening:
    """A take that was canceled before anybody had looked at its pictures isn't made without that."""
    return await screening_needed(
        session,
        tenant_id=generation.tenant_id,
        kind=kind_of(generation, take),
        inputs=await inputs_of(session, generation, take),
        characters=depicted(generation.depicts),
        controls=controls_of(generation, take),
        generation_id=generation.id,
    )
