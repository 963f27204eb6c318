"""Stage 5 for a synchronous model: one paid call, and what its answer means for the take.

What is being sent is committed before the call; the picture, or why there is none, after it. Nothing is open in
between. A call that began and has no recorded end may have been paid: the model's `on_unknown` decides.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from circletake.dialects.contract import encode_body
from circletake.dialects.faults import billed_for, filtered_from
from circletake.dialects.registry import dialect_for
from circletake.domain.choice.choices import Because, cause_of
from circletake.domain.kinds import RULES, Billed, InputSlot
from circletake.domain.pictures import Filtered, ModelFault, ModelRequest, Picture, Pictures, Unusable
from circletake.domain.takes import TakeState
from circletake.kit import backoff
from circletake.ports import StorageFault
from circletake.records.generations import Invocation
from circletake.usecases.end_take import Ending
from circletake.usecases.fit_inputs import fit_inputs
from circletake.usecases.keep_picture import keep_picture, raw_key, record_picture
from circletake.usecases.record_call import end_invocation, record_call, unknown_ending
from circletake.usecases.steps import ClaimedStep, hold_fence, put_off
from circletake.usecases.take_work import (
    TakeWork,
    begin_take,
    finish_with,
    has_stand_in,
    lock_take,
    requeue_take,
)
from circletake.usecases.tools import Tools

MAX_ATTEMPTS = 4
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
            await keep_picture(tools, work, invocation_id, answer, answered.request_id)
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
        # a take of an enforcement may be of another kind than its generation
        search_prompt=work.search_prompt if RULES[work.kind].search == "required" else None,
    )


async def build_call(tools: Tools, work: TakeWork) -> Mapping[str, Any]:
    """Return the native body. A repeat builds the same one: the inputs were fitted once and kept."""
    inputs = await fit_inputs(tools, work)
    return dialect_for(work.card).build(model_request(work, inputs), work.card)


async def _settle_open(tools: Tools, work: TakeWork, invocation: Invocation) -> bool:
    """A call began and its end is not on record. Return whether the model may be called again.

    Its picture may be in the bucket all the same, when the worker or the database was lost in between.
    """
    key = raw_key(work, invocation.id)
    try:
        kept = await tools.store.head(work.tenant.storage, key)
    except StorageFault as fault:
        if fault.kind != "missing":
            raise
    else:
        await record_picture(tools, work, invocation.id, key, kept.media_type or "image/png")
        return False
    again = work.card.on_unknown == "retry"
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(session, invocation.id, outcome="unknown", billed=Billed.UNKNOWN)
        await hold_fence(session, work.step)
    if not again:
        await finish_with(tools, work, unknown_ending())
    return again


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
        return unknown_ending()
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
