"""A paid call on record: what is sent, what it relies on, its price, and what came of it."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update

from circletake.dialects.answers import encoded_picture
from circletake.domain.costs import quote
from circletake.domain.kinds import Billed
from circletake.domain.takes import TakeState
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.records.generations import Invocation, Take
from circletake.records.session import TenantSession
from circletake.usecases.end_take import Ending
from circletake.usecases.money.repeats import no_room_passage, room_for_call
from circletake.usecases.permission.gate import gate_take
from circletake.usecases.steps import hold_fence
from circletake.usecases.take_work import TakeWork, finish_with, hold_instead
from circletake.usecases.tools import Tools


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
        await finish_with(tools, work, unknown_ending() if work.bill.unknown else _OVER_CAP)
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


def unknown_ending() -> Ending:
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


def new_token() -> str:
    """A clientRequestToken: our own, committed before the call."""
    return f"ct-{secrets.token_hex(16)}"
