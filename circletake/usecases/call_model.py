"""Stages 5 and 6 for a synchronous model: one paid call, and its raw result in the tenant's bucket.

What is being sent is committed before the call; the picture, or why there is none, after it. Nothing is open in
between. A call that began and has no recorded end may have been paid: the model's `on_unknown` decides.
"""

import asyncio
import hashlib
import json
import random
import secrets
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text, update

from circletake.dialects.answers import encoded_picture
from circletake.dialects.contract import encode_body
from circletake.dialects.faults import billed_for, filtered_from
from circletake.dialects.registry import dialect_for
from circletake.domain.choice.choices import Because, cause_of
from circletake.domain.costs import quote
from circletake.domain.kinds import Billed, InputSlot
from circletake.domain.pictures import Filtered, ModelFault, ModelRequest, Picture, Pictures, Unusable
from circletake.domain.takes import TakeState
from circletake.kit import backoff, clock, logs
from circletake.kit.ids import new_id
from circletake.ports import StorageFault
from circletake.records.generations import Invocation, Take
from circletake.records.session import TenantSession
from circletake.usecases.end_take import Ending
from circletake.usecases.fit_inputs import fit_inputs
from circletake.usecases.money.repeats import no_room_passage, room_for_call
from circletake.usecases.permission.gate import gate_take
from circletake.usecases.steps import ClaimedStep, add_step, end_step, hold_fence, put_off
from circletake.usecases.take_work import (
    TakeWork,
    begin_take,
    finish_with,
    has_stand_in,
    hold_instead,
    lock_take,
    requeue_take,
)
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

MAX_ATTEMPTS = 4
KEEP_ATTEMPTS = 12  # two minutes
# faults that say nothing about the request: another try may succeed
PASSING = frozenset({"unavailable", "not_ready", "connection", "timeout", "model_error"})

_THROTTLED = text("select model_throttled(:model)")


async def generate_take(tools: Tools, step: ClaimedStep, *, paid: "PaidCall") -> None:
    """Run a `generate` step. Raises FenceLost when the step was taken from us; then nothing was published."""
    work = await begin_take(tools, step)
    if work is None:
        return
    if work.open_invocation is not None and not await _settle_open(tools, work, work.open_invocation):
        return
    native = await build_call(tools, work)
    body = encode_body(native, work.card)
    with paid:  # from the moment the record says that a call began
        invocation_id = await record_call(
            tools, work, native, body, operation="invoke", s3_uri=None, token=_label(work)
        )
        if invocation_id is None:
            return
        try:
            answered = await tools.runner.invoke(work.tenant.storage, work.card, body)
        except ModelFault as fault:
            await after_fault(tools, work, invocation_id, fault)
            return
        answer = dialect_for(work.card).read(answered.body)
        if isinstance(answer, Pictures):
            await _keep_picture(tools, work, invocation_id, answer, answered.request_id)
        else:
            await after_refusal(
                tools, work, invocation_id, answer, billed_for(answer), request_id=answered.request_id
            )


class PaidCall:
    """Marks the part of a step that costs money, so that a shutdown waits for it and nothing else."""

    def __init__(self) -> None:
        self.active = False

    def __enter__(self) -> None:
        self.active = True

    def __exit__(self, *_: object) -> None:
        self.active = False


def _label(work: TakeWork) -> str:
    return f"{work.take.id}-{work.step.fence}"


def model_request(work: TakeWork, inputs: Mapping[InputSlot, Picture]) -> ModelRequest:
    return ModelRequest(
        kind=work.kind,
        prompt=work.prompt,
        negative_prompt=work.negative_prompt,
        seed=work.take.seed,
        controls=dict(work.controls),
        inputs=dict(inputs),
        search_prompt=work.search_prompt,
    )


async def build_call(tools: Tools, work: TakeWork) -> Mapping[str, Any]:
    """Return the native body. A repeat builds the same one: the inputs were fitted once and kept."""
    inputs = await fit_inputs(tools, work)
    return dialect_for(work.card).build(model_request(work, inputs), work.card)


async def record_call(
    tools: Tools,
    work: TakeWork,
    native: Mapping[str, Any],
    body: bytes,
    *,
    operation: str,
    s3_uri: str | None,
    token: str,
) -> UUID | None:
    """Commit what is about to be sent, before it is sent, with the permission it relies on, its price and the money for
    it. Returns the invocation's id; None when the gate has shut meanwhile or a repeat found no room: then the take is
    held, or over, and the step has ended."""
    seal = work.tenant.seal
    invocation_id = new_id()
    estimate = price_of_call(work)
    async with tools.database.tenant(work.step.tenant_id) as session:
        room = await room_for_call(session, work, estimate)
        passage = await gate_take(session, work.generation, work.take, at=clock.now())
        if passage.free and room.found:
            if passage.relied_on:
                await session.execute(
                    update(Take).where(Take.id == work.take.id).values(permission=dict(passage.relied_on))
                )
            await session.execute(
                insert(Invocation).values(
                    id=invocation_id,
                    tenant_id=work.step.tenant_id,
                    take_id=work.take.id,
                    step_id=work.step.id,
                    model_id=work.card.id,
                    operation=operation,
                    token=token,
                    request_hash=seal.keyed_hash(body),
                    body=seal.close(_without_pictures(native), place=f"invocations.body:{invocation_id}"),
                    s3_uri=s3_uri,
                    call_started_at=func.now(),
                    estimate_usd=estimate,
                )
            )
        await hold_fence(session, work.step)
    if not passage.free:
        await hold_instead(tools, work, passage)
    elif not room.fits_enforcement:
        await finish_with(tools, work, _unknown_ending() if work.bill.unknown else _OVER_CAP)
    elif not room.found:
        await hold_instead(tools, work, no_room_passage(room), alone=True)
    else:
        return invocation_id
    return None


_OVER_CAP = Ending(
    TakeState.FAILED,
    Billed.FALSE,
    "cost_cap",
    "The call costs more than the enforcement that asked for it may still spend.",
)


def price_of_call(work: TakeWork) -> Decimal:
    """Return what this call costs with its model and controls, as the catalogue says now; as it was quoted where the
    catalogue no longer sells it so."""
    try:
        return quote(work.card, work.kind, 1, work.controls).per_take
    except ValueError:
        return work.take.estimate_usd


async def may_send(tools: Tools, work: TakeWork) -> bool:
    """The gate before a call is sent again that is on record already. When it is shut, the take is held and the step
    has ended."""
    async with tools.database.tenant(work.step.tenant_id) as session:
        passage = await gate_take(session, work.generation, work.take, at=clock.now())
    if not passage.free:
        await hold_instead(tools, work, passage)
    return passage.free


def _without_pictures(native: Mapping[str, Any]) -> bytes:
    """The body as it is sent, with each picture as its size and hash: the pictures themselves are in the bucket."""

    def shorten(value: Any) -> Any:
        picture = encoded_picture(value) if isinstance(value, str) else None
        if picture is not None:
            return f"<{len(picture)} bytes, sha256 {hashlib.sha256(picture).hexdigest()}>"
        if isinstance(value, Mapping):
            return {name: shorten(item) for name, item in value.items()}
        return value

    return json.dumps(shorten(native), ensure_ascii=False, sort_keys=True).encode()


async def _settle_open(tools: Tools, work: TakeWork, invocation: Invocation) -> bool:
    """A call began and its end is not on record. Return whether the model may be called again.

    Its picture may be in the bucket all the same, when the worker or the database was lost in between.
    """
    key = _raw_key(work, invocation.id)
    try:
        kept = await tools.store.head(work.tenant.storage, key)
    except StorageFault as fault:
        if fault.kind != "missing":
            raise
    else:
        await _record_picture(tools, work, invocation.id, key, kept.media_type or "image/png")
        return False
    again = work.card.on_unknown == "retry"
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(session, invocation.id, outcome="unknown", billed=Billed.UNKNOWN)
        await hold_fence(session, work.step)
    if not again:
        await finish_with(tools, work, _unknown_ending())
    return again


def _unknown_ending() -> Ending:
    return Ending(
        TakeState.FAILED,
        Billed.UNKNOWN,
        "outcome_unknown",
        "The model was called and its answer was lost, so it may have been paid. Retry the take to call again.",
    )


async def end_invocation(
    session: TenantSession, invocation_id: UUID, *, outcome: str, billed: Billed, **values: Any
) -> None:
    """Record how a call ended and what is owed for it: its price when it was paid, nothing yet while nobody knows."""
    owed = func.coalesce(Invocation.estimate_usd, _PRICE_OF_OLD) if billed is Billed.TRUE else 0
    await session.execute(
        update(Invocation)
        .where(Invocation.id == invocation_id)
        .values(ended_at=func.now(), outcome=outcome, billed=billed.value, cost_usd=owed, **values)
    )


# a call that was on record before calls had prices of their own costs what its take was quoted
_PRICE_OF_OLD = (
    select(Take.estimate_usd)
    .where(Take.tenant_id == Invocation.tenant_id, Take.id == Invocation.take_id)
    .scalar_subquery()
)


async def _keep_picture(
    tools: Tools, work: TakeWork, invocation_id: UUID, answer: Pictures, request_id: str | None
) -> None:
    key = _raw_key(work, invocation_id)
    if await _put_patiently(tools, work, key, answer):
        seed = answer.seeds[0] if answer.seeds else None
        await _record_picture(
            tools, work, invocation_id, key, answer.media_type, seed=seed, request_id=request_id
        )
        return
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(
            session, invocation_id, outcome="not_kept", billed=Billed.TRUE, request_id=request_id
        )
        await hold_fence(session, work.step)
    await finish_with(tools, work, _NOT_KEPT)


_NOT_KEPT = Ending(
    TakeState.FAILED,
    Billed.TRUE,
    "result_not_kept",
    "The model answered, but its picture could not be put into the bucket. Tell the operator.",
)


def _raw_key(work: TakeWork, invocation_id: UUID) -> str:
    return f"{work.staging}/{work.take.id}/{invocation_id}/raw"


async def _put_patiently(tools: Tools, work: TakeWork, key: str, answer: Pictures) -> bool:
    """Put a paid picture where it is kept. It exists in this process only, so a bucket that is away is waited for."""
    for attempt in range(1, KEEP_ATTEMPTS + 1):
        try:
            await tools.store.put(work.tenant.storage, key, answer.images[0], answer.media_type)
        except StorageFault:
            log.failure("result_put_failed", attempt=attempt)
            await asyncio.sleep(backoff.exponential(attempt, first=0.5, most=15.0, jitter=random.random()))  # noqa: S311 - spreads retries
        else:
            return True
    return False


async def _record_picture(
    tools: Tools,
    work: TakeWork,
    invocation_id: UUID,
    key: str,
    media_type: str,
    *,
    seed: int | None = None,
    request_id: str | None = None,
) -> None:
    async with tools.database.tenant(work.step.tenant_id) as session:
        await _seed_used(session, work.take.id, seed)
        await end_invocation(
            session,
            invocation_id,
            outcome="answered",
            billed=Billed.TRUE,
            request_id=request_id,
            result_key=key,
            result_type=media_type,
        )
        await queue_finish(session, work, invocation_id)
        await end_step(session, work.step)


async def queue_finish(session: TenantSession, work: TakeWork, invocation_id: UUID) -> None:
    await add_step(
        session,
        work.step.tenant_id,
        kind="finish",
        lane="finish",
        generation_id=work.generation.id,
        take_id=work.take.id,
        subject_id=invocation_id,
        priority=1,
    )


async def _seed_used(session: TenantSession, take_id: UUID, seed: int | None) -> None:
    if seed is not None:
        await session.execute(update(Take).where(Take.id == take_id).values(seed_used=seed))


async def after_refusal(
    tools: Tools,
    work: TakeWork,
    invocation_id: UUID,
    answer: Filtered | Unusable,
    billed: Billed,
    *,
    request_id: str | None = None,
) -> None:
    """The model answered without a picture: `filtered` is its safety filter, anything else a failure."""
    if isinstance(answer, Filtered):
        ending = Ending(
            TakeState.FILTERED,
            billed,
            f"filtered_{answer.stage}",
            f"The model's safety filter refused it ({answer.stage.replace('_', ' ')}).",
            answer.provider_reason,
            {"stage": answer.stage, "source": answer.source, "categories": list(answer.categories)},
            because=Because.FILTER,
        )
    else:
        ending = Ending(
            TakeState.FAILED,
            billed,
            "no_usable_answer",
            "The model answered without a picture.",
            answer.reason,
        )
    async with tools.database.tenant(work.step.tenant_id) as session:
        outcome = "filtered" if isinstance(answer, Filtered) else "unusable"
        known = {"request_id": request_id} if request_id else {}
        await end_invocation(session, invocation_id, outcome=outcome, billed=billed, **known)
        await hold_fence(session, work.step)
    await finish_with(tools, work, ending)


async def after_fault(
    tools: Tools, work: TakeWork, invocation_id: UUID, fault: ModelFault, *, same_call_again: bool = False
) -> None:
    """The call failed: back off, try again, or end the take.

    Throttling lowers the model's cap and is no failed attempt. `same_call_again`: an asynchronous start, whose
    token finds the same invocation, so that an unknown outcome may be repeated and the record stays open. A take that
    ends here may be made by another model of the production's list; so may one whose model stays busy.
    """
    if fault.kind == "filtered":
        await after_refusal(
            tools, work, invocation_id, filtered_from(fault), fault.billed, request_id=fault.request_id
        )
        return
    throttled = fault.kind == "throttled"
    unknown = fault.billed is Billed.UNKNOWN and not same_call_again
    may_repeat = throttled or (
        fault.kind in PASSING
        and work.step.attempt < MAX_ATTEMPTS
        and (not unknown or work.card.on_unknown == "retry")
    )
    if throttled:  # by itself: whoever holds the model's row must not wait for a take
        async with tools.database.tenant(work.step.tenant_id) as session:
            await session.execute(_THROTTLED, {"model": work.card.id})
        may_repeat = not await has_stand_in(tools, work)
    if not may_repeat:
        async with tools.database.tenant(work.step.tenant_id) as session:
            await end_invocation(
                session,
                invocation_id,
                outcome=fault.kind,
                billed=fault.billed,
                request_id=fault.request_id,
            )
            await hold_fence(session, work.step)
        # whether a call may be made again whose end nobody knows is the model's card's to say, here too
        because = cause_of(fault) if not unknown or work.card.on_unknown == "retry" else None
        await finish_with(tools, work, replace(_ending_of(fault, unknown=unknown), because=because))
        return
    seconds = fault.retry_after_seconds or backoff.exponential(
        max(1, work.step.attempt),
        first=1.0,
        most=60.0,
        jitter=random.random(),  # noqa: S311 - spreads retries
    )
    async with tools.database.tenant(work.step.tenant_id) as session:
        await lock_take(session, work.step)
        keep_open = same_call_again and fault.billed is Billed.UNKNOWN
        if not keep_open:
            await end_invocation(
                session,
                invocation_id,
                outcome=fault.kind,
                billed=fault.billed,
                request_id=fault.request_id,
            )
        await requeue_take(session, work.step, work.take.id)
        await put_off(session, work.step, seconds=seconds, trouble=fault.kind, counted=not throttled)


def _ending_of(fault: ModelFault, *, unknown: bool) -> Ending:
    if unknown:
        return _unknown_ending()
    details = {
        "invalid_request": "The model refused the request as it was sent.",
        "access_denied": "The platform may not call this model for your tenant: tell the operator.",
        "not_found": "The model service knows no such model: choose another, or tell the operator.",
        "ended": "Its provider has ended this model: choose another. GET /v1/models names its successor.",
        "quota": "The platform's quota for this model is used up: tell the operator.",
        "throttled": "The model was too busy, again and again.",
        "conflict": "The model service knows another request under the same token.",
    }
    return Ending(
        TakeState.FAILED,
        fault.billed,
        f"model_{fault.kind}",
        details.get(fault.kind, "The model service failed again and again."),
        fault.provider_message,
    )


def new_token() -> str:
    """A clientRequestToken: our own, committed before the call."""
    return f"ct-{secrets.token_hex(16)}"
