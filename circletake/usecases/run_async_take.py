"""Stages 5 and 6 for an asynchronous model: submit with a token that is committed first, then look now and again.

The token and the place in the bucket are written before the call and a repeat sends the same bytes, so a crash
between the two finds the same invocation instead of paying for a second. Waiting is a row, not a coroutine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update

from circletake.dialects.contract import encode_body
from circletake.dialects.registry import dialect_for
from circletake.domain.kinds import Billed
from circletake.domain.pictures import ModelFault
from circletake.domain.takes import TakeState
from circletake.records.generations import Invocation
from circletake.usecases.call_model import MAX_ATTEMPTS, after_fault, after_refusal, build_call
from circletake.usecases.end_take import Ending
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.keep_picture import queue_finish
from circletake.usecases.record_call import end_invocation, may_send, new_token, record_call
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.take_work import TakeWork, begin_take, finish_with
from circletake.usecases.tools import Tools

RESULT_SUFFIX = ".mp4"
# answers to a look that will not change: the service knows of no such invocation, or not for us
GONE = frozenset({"not_found", "ended", "invalid_request", "access_denied"})


@dataclass(frozen=True, slots=True)
class _Prepared:
    invocation_id: UUID
    token: str
    s3_uri: str


async def submit_take(tools: Tools, step: ClaimedStep) -> None:
    """Run a `submit` step: start the invocation, or find the one an earlier try started."""
    work = await begin_take(tools, step)
    if work is None:
        return
    native = await build_call(tools, work)
    prepared = await _prepare(tools, work, native)
    if prepared is None:
        return
    try:
        arn = await tools.runner.start_async(
            work.tenant.storage, work.card, native, token=prepared.token, s3_uri=prepared.s3_uri
        )
    except ModelFault as fault:
        await after_fault(tools, work, prepared.invocation_id, fault, same_call_again=True)
        return
    async with tools.database.tenant(step.tenant_id) as session:
        await session.execute(
            update(Invocation).where(Invocation.id == prepared.invocation_id).values(invocation_arn=arn)
        )
        await put_off(session, step, seconds=tools.poll_seconds, external=True, kind="poll", counted=False)


async def _prepare(tools: Tools, work: TakeWork, native: Mapping[str, Any]) -> _Prepared | None:
    """The call that is open already, with its token; else a new one, committed. None: the gate is shut."""
    found = work.open_invocation
    if found is not None and found.s3_uri is not None:
        if not await may_send(tools, work):
            return None
        return _Prepared(found.id, found.token, found.s3_uri)
    token = new_token()
    uri = f"s3://{work.tenant.storage.bucket}/{work.staging}/{work.take.id}/{token}/"
    body = encode_body(native, work.card)
    invocation_id = await record_call(
        tools, work, native, body, operation="start_async", s3_uri=uri, token=token
    )
    return None if invocation_id is None else _Prepared(invocation_id, token, uri)


async def poll_take(tools: Tools, step: ClaimedStep) -> None:
    """Run a `poll` step: look at the invocation once."""
    work = await begin_take(tools, step)
    if work is None:
        return
    invocation = work.open_invocation
    if invocation is None or invocation.invocation_arn is None:
        await finish_with(tools, work, _LOST)
        return
    try:
        status = await tools.runner.poll_async(work.tenant.storage, work.card, invocation.invocation_arn)
    except ModelFault as fault:
        await _not_seen(tools, work, invocation, fault)
        return
    if status.state == "in_progress":
        await _look_again(tools, work)
    elif status.state == "failed":
        answer = dialect_for(work.card).read_async_failure(status.failure_message)
        await after_refusal(tools, work, invocation.id, answer, Billed.UNKNOWN)
    else:
        await _take_result(tools, work, invocation)


async def _not_seen(tools: Tools, work: TakeWork, invocation: Invocation, fault: ModelFault) -> None:
    """The look itself failed. That the service is busy or away says nothing of the invocation; that it knows of none,
    said again and again, ends the take: nobody would ever hear of it otherwise."""
    gone = fault.kind in GONE
    if not gone or work.step.attempt < MAX_ATTEMPTS:
        await _look_again(tools, work, trouble=fault.kind, counted=gone)
        return
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(session, invocation.id, outcome="lost", billed=Billed.UNKNOWN)
        await hold_fence(session, work.step)
    await finish_with(tools, work, _LOST)


_LOST = Ending(
    TakeState.FAILED,
    Billed.UNKNOWN,
    "invocation_lost",
    "The model service no longer knows the invocation, so its result can't be found.",
)


async def _look_again(
    tools: Tools, work: TakeWork, *, trouble: str | None = None, counted: bool = False
) -> None:
    async with tools.database.tenant(work.step.tenant_id) as session:
        await put_off(
            session,
            work.step,
            seconds=tools.poll_seconds,
            external=True,
            trouble=trouble,
            counted=counted,
        )


async def _take_result(tools: Tools, work: TakeWork, invocation: Invocation) -> None:
    """Find the file: its name under the prefix is documented for no model, so the suffix decides."""
    prefix = (invocation.s3_uri or "").removeprefix(f"s3://{work.tenant.storage.bucket}/")
    stored = [
        each
        for each in await tools.store.list(work.tenant.storage, prefix)
        if each.key.endswith(RESULT_SUFFIX)
    ]
    if not stored:
        ending = Ending(
            TakeState.FAILED,
            Billed.TRUE,
            "result_missing",
            "The invocation completed but left no clip in the bucket.",
        )
        async with tools.database.tenant(work.step.tenant_id) as session:
            await end_invocation(session, invocation.id, outcome="result_missing", billed=Billed.TRUE)
            await hold_fence(session, work.step)
        await finish_with(tools, work, ending)
        return
    async with tools.database.tenant(work.step.tenant_id) as session:
        await end_invocation(
            session,
            invocation.id,
            outcome="answered",
            billed=Billed.TRUE,
            result_key=stored[0].key,
            result_type="video/mp4",
        )
        await queue_finish(session, work, invocation.id)
        await end_step(session, work.step)
        await wake_dispatcher(session)
