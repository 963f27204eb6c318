"""Enforcement: every finished take is judged, and another is made while a rung can help and the caps allow it.

Decisions are made under the generation's row lock and only when nothing is in flight any more, so that two judgements
at once can't both start the last attempt. What is decided is written in the transaction that decides it: a crash
leaves either the judgement undone, or the judgement and the next attempt together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.consistency.enforcing import (
    Attempt,
    Limits,
    OnExhausted,
    OnNeedsHuman,
    Outcome,
    Stop,
    StopReason,
    Wait,
    best_of,
    next_move,
)
from circletake.domain.consistency.ladders import Rung
from circletake.domain.takes import TakeState
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.consistency import (
    CheckMaterial,
    CheckSubject,
    ConsistencyCheck,
    Enforcement,
    EnforcementAttempt,
)
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.announce_take import settle_generation
from circletake.usecases.attempt_values import (
    NOT_JUDGED,
    SubjectJudged,
    as_attempt,
    charged,
    region_to_repaint,
    said_of,
)
from circletake.usecases.enforcement_costs import judging_cost
from circletake.usecases.events import record_event, wake_waiters
from circletake.usecases.generation_events import event_data
from circletake.usecases.ledger import record_entry
from circletake.usecases.plan_ladder import RungMade
from circletake.usecases.request_check import conclude_step, judge_step, material_row
from circletake.usecases.start_attempt import start_attempt


@dataclass(frozen=True, slots=True)
class _Books:
    """Everything that a decision reads."""

    enforcement: Enforcement
    records: Sequence[EnforcementAttempt]
    attempts: Sequence[Attempt]
    rungs: Sequence[RungMade]
    judging: Decimal  # what models that judge may have cost

    def record_of(self, take_id: str | None) -> EnforcementAttempt | None:
        return next((each for each in self.records if str(each.take_id) == take_id), None)


async def running_enforcement(session: TenantSession, generation: Generation) -> Enforcement | None:
    """Return the enforcement that is at work on this generation. The caller holds the generation's lock."""
    return await session.scalar(
        select(Enforcement).where(
            Enforcement.tenant_id == generation.tenant_id,
            Enforcement.generation_id == generation.id,
            Enforcement.state == "running",
        )
    )


async def take_ended(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], take: Take
) -> bool:
    """A take has just ended: have it judged, or decide what follows a take that failed. Returns whether an
    enforcement is still at work, so that the generation isn't at its end. New takes are added to `takes`."""
    enforcement = await running_enforcement(session, generation)
    if enforcement is None:
        return False
    if take.state == TakeState.SUCCEEDED:
        await queue_judging(session, enforcement, generation, take)
        return True
    await advance(session, seal, generation, takes, enforcement)
    return enforcement.state == "running"


async def queue_judging(
    session: TenantSession, enforcement: Enforcement, generation: Generation, take: Take
) -> None:
    """Add the take to the enforcement's check, and the step that judges it."""
    if take.media_id is None:
        raise ValueError("a take without a file can't be judged")
    count = await session.scalar(
        select(func.count()).where(CheckMaterial.check_id == enforcement.check_id).select_from(CheckMaterial)
    )
    expected = await session.scalars(
        select(CheckSubject.character_id).where(CheckSubject.check_id == enforcement.check_id)
    )
    material_id = new_id()
    row = material_row(
        take.tenant_id,
        enforcement.check_id,
        material_id,
        count or 0,
        media_id=take.media_id,
        take_id=take.id,
        shot_id=generation.shot_id,
        expected=frozenset(expected),
    )
    await session.execute(insert(CheckMaterial).values(row))
    step = judge_step(take.tenant_id, material_id, generation_id=generation.id, take_id=take.id)
    await session.execute(insert(Step).values(step))


async def attempt_judged(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: list[Take],
    material: CheckMaterial,
    judged: Sequence[SubjectJudged],
) -> None:
    """Record what was judged of a take and decide what follows. The generation and its takes are locked; a take that
    was judged already stays as it was."""
    await _record_verdict(session, generation, material, judged)
    await _go_on(session, seal, generation, takes)


async def judging_lost(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], material: CheckMaterial
) -> None:
    """The step that judges a take was given up: nobody knows what it shows, so a person has to look."""
    await _record_verdict(session, generation, material, [])
    await _go_on(session, seal, generation, takes)


async def _record_verdict(
    session: TenantSession,
    generation: Generation,
    material: CheckMaterial,
    judged: Sequence[SubjectJudged],
) -> None:
    record = await session.scalar(
        select(EnforcementAttempt)
        .join(Enforcement, Enforcement.id == EnforcementAttempt.enforcement_id)
        .where(
            Enforcement.tenant_id == generation.tenant_id,
            Enforcement.check_id == material.check_id,
            EnforcementAttempt.take_id == material.take_id,
        )
    )
    if record is None or record.judged_at is not None:
        return
    record.judged_at = clock.now()
    if not judged:  # nobody knows what it shows
        record.reasons = [NOT_JUDGED, *([material.problem_code] if material.problem_code else [])]
    else:
        said = said_of(judged)
        record.verdict, record.scores = said.verdict.value, dict(said.scores)
        record.reasons = list(said.reasons)
    await session.flush()


async def _go_on(session: TenantSession, seal: Seal, generation: Generation, takes: list[Take]) -> None:
    enforcement = await running_enforcement(session, generation)
    if enforcement is None:
        return
    await advance(session, seal, generation, takes, enforcement)
    await settle_generation(session, generation, takes, enforced=enforcement.state == "running")


async def advance(
    session: TenantSession, seal: Seal, generation: Generation, takes: list[Take], enforcement: Enforcement
) -> None:
    """Start the next attempt, or end the enforcement; nothing while a take is being made or judged."""
    books = await _books(session, takes, enforcement)
    if any(attempt.outcome is Outcome.IN_FLIGHT for attempt in books.attempts):
        return
    if any(NOT_JUDGED in record.reasons and record.verdict is None for record in books.records):
        await stop(session, seal, generation, books.records, takes, enforcement, _unjudged(books))
        return
    base = _base(books)
    region = await _region(session, books.record_of(base.take) if base else None)
    rungs = [rung for rung in books.rungs if region is not None or rung.step.rung is not Rung.INPAINT_REGION]
    move = next_move(
        books.attempts,
        [rung.step for rung in rungs],
        _limits(enforcement, generation, books.judging),
        clock.now(),
        in_order=bool(enforcement.options.get("in_order")),
    )
    match move:
        case Wait():
            return
        case Stop():
            await stop(session, seal, generation, books.records, takes, enforcement, move)
        case _:
            rung = next(each for each in rungs if each.step.key == move.step.key)
            await start_attempt(
                session,
                seal,
                generation=generation,
                takes=takes,
                enforcement=enforcement,
                number=len(books.records) + 1,
                rung=rung,
                improves=base.take if base else None,
                region=region,
                because=[reason.value for reason in move.because],
            )


def _base(books: _Books) -> Attempt | None:
    """The attempt that the next one improves: the best so far, or the last that came to nothing."""
    return best_of(books.attempts) or (books.attempts[-1] if books.attempts else None)


def _unjudged(books: _Books) -> Stop:
    best = best_of(books.attempts)
    passed = best is not None and best.verdict == "pass"
    return Stop(
        StopReason.PASSED if passed else StopReason.NEEDS_HUMAN, best.take if best else None, NOT_JUDGED
    )


async def _books(session: TenantSession, takes: Sequence[Take], enforcement: Enforcement) -> _Books:
    records = await _records(session, enforcement)
    by_id = {take.id: take for take in takes}
    rungs = [RungMade.from_json(each) for each in enforcement.ladder]
    steps = {(rung.step.rung.value, rung.step.model): rung.step for rung in rungs}
    attempts = [as_attempt(record, by_id[record.take_id], steps) for record in records]
    judging = await judging_cost(session, enforcement)
    return _Books(enforcement, records, attempts, rungs, judging)


async def _records(session: TenantSession, enforcement: Enforcement) -> list[EnforcementAttempt]:
    return list(
        await session.scalars(
            select(EnforcementAttempt)
            .where(
                EnforcementAttempt.tenant_id == enforcement.tenant_id,
                EnforcementAttempt.enforcement_id == enforcement.id,
            )
            .order_by(EnforcementAttempt.number)
        )
    )


def _limits(enforcement: Enforcement, generation: Generation, judging: Decimal) -> Limits:
    deadlines = [each for each in (enforcement.deadline_at, generation.deadline_at) if each is not None]
    return Limits(
        max_attempts=enforcement.max_attempts,
        max_cost=max(Decimal(0), enforcement.max_cost_usd - judging),
        deadline=min(deadlines, default=None),
        on_needs_human=OnNeedsHuman(enforcement.on_needs_human),
    )


async def _region(session: TenantSession, record: EnforcementAttempt | None) -> dict[str, Any] | None:
    if record is None:
        return None
    file = await session.scalar(
        select(MediaFile).join(Take, Take.media_id == MediaFile.id).where(Take.id == record.take_id)
    )
    return region_to_repaint(record, file)


async def stop(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    records: Sequence[EnforcementAttempt],
    takes: Sequence[Take],
    enforcement: Enforcement,
    ending: Stop,
) -> None:
    """End the enforcement: its state, the take to show, ledger entry, event, and the end of its check."""
    enforcement.state = _state(ending, OnExhausted(enforcement.on_exhausted))
    enforcement.stop_reason = (
        NOT_JUDGED if ending.detail == NOT_JUDGED and not ending.passed else ending.why.value
    )
    enforcement.best_take_id = UUID(ending.best) if ending.best else None
    if ending.detail and ending.detail != NOT_JUDGED:
        enforcement.options = {**enforcement.options, "detail": ending.detail}
    await tell_ended(session, seal, generation, records, takes, enforcement)
    await session.execute(insert(Step).values(conclude_step(enforcement.tenant_id, enforcement.check_id)))


async def end_by_hand(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    takes: Sequence[Take],
    enforcement: Enforcement,
) -> None:
    """A person canceled it: from here on nothing more is judged or made for it. Its open takes are the caller's."""
    records = await _records(session, enforcement)
    by_id = {take.id: take for take in takes}
    best = best_of([as_attempt(record, by_id[record.take_id], {}) for record in records])
    enforcement.state, enforcement.stop_reason = "canceled", "canceled"
    enforcement.best_take_id = UUID(best.take) if best else None
    check = await session.scalar(
        select(ConsistencyCheck).where(ConsistencyCheck.id == enforcement.check_id).with_for_update()
    )
    if check is not None and check.finished_at is None:
        check.state, check.waiting_for, check.finished_at = "canceled", None, clock.now()
        await session.flush()
        await wake_waiters(session, check.id)
    await tell_ended(session, seal, generation, records, takes, enforcement)


def _state(ending: Stop, on_exhausted: OnExhausted) -> str:
    if ending.passed:
        return "passed"
    if ending.why is StopReason.NEEDS_HUMAN:
        return "needs_review"
    keeps = on_exhausted is OnExhausted.KEEP_BEST_FOR_REVIEW and ending.best is not None
    return "needs_review" if keeps else "failed"


async def tell_ended(
    session: TenantSession,
    seal: Seal,
    generation: Generation,
    records: Sequence[EnforcementAttempt],
    takes: Sequence[Take],
    enforcement: Enforcement,
) -> None:
    """Put the end on record and tell it. State, stop reason and best take are set already."""
    enforcement.finished_at = clock.now()
    own = {record.take_id for record in records}
    spent = charged(take for take in takes if take.id in own)
    await record_entry(
        session,
        seal,
        tenant_id=enforcement.tenant_id,
        kind="consistency_enforcement.finished",
        subject_id=enforcement.id,
        body={
            "generation": str(generation.id),
            "check": str(enforcement.check_id),
            "state": enforcement.state,
            "stop_reason": enforcement.stop_reason,
            "best_take": str(enforcement.best_take_id) if enforcement.best_take_id else None,
            "attempts": [
                {"take": str(record.take_id), "rung": record.rung, "verdict": record.verdict}
                for record in records
            ],
            "charged_usd": str(spent),
        },
    )
    await session.flush()
    await record_event(
        session,
        enforcement.tenant_id,
        "consistency_enforcement.finished",
        event_data(
            generation,
            enforcement_id=str(enforcement.id),
            check_id=str(enforcement.check_id),
            state=enforcement.state,
            stop_reason=enforcement.stop_reason,
            best_take_id=str(enforcement.best_take_id) if enforcement.best_take_id else None,
        ),
        generation_id=generation.id,
    )
    await wake_waiters(session, enforcement.id)
