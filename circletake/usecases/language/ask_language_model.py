"""Run a `language` step: one paid call to a language model, on record before it leaves, its answer sealed.

Nothing is sent while the production holds everything during a labour action, without room in its budgets, or after
the request was canceled. No transaction is open during the call. A call that began and has no recorded end may have
been paid: its bill stays unknown, and the model's `on_unknown` decides whether it is made again.
"""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import insert, text, update

from circletake.dialects.contract import RequestTooLarge, UnfitRequest, UnusableAnswer, encode_body
from circletake.dialects.converse import CUT_OFF, TOO_LONG
from circletake.dialects.faults import filtered_from
from circletake.dialects.registry import NoDialect, language_for
from circletake.domain.costs import cost_of_tokens
from circletake.domain.kinds import Billed, Kind
from circletake.domain.language.breakdown import Breakdown
from circletake.domain.language.briefs import PromptBrief, ProposedPrompt, ScriptPage
from circletake.domain.language.words import OPEN_STATES, LanguageTask, RequestState
from circletake.domain.pictures import Filtered, ModelCard, ModelFault, Unusable
from circletake.kit import backoff
from circletake.kit.ids import new_id
from circletake.ports import InvokeAnswer
from circletake.records.context import Production, Shot
from circletake.records.language import LanguageCall, LanguageRequest
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.call_model import MAX_ATTEMPTS, PASSING, PaidCall
from circletake.usecases.choice.cards import card_kept
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.language.end_language import (
    Bill,
    Ending,
    close_request,
    failed,
    own_row,
    settle_bill,
    settle_open,
)
from circletake.usecases.language.request_language import character_briefs, prompt_brief
from circletake.usecases.language.values import open_json
from circletake.usecases.money.budgets import reserve_call
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools

_WAITS = "waits"
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5.0, 600.0
_THROTTLED = text("select model_throttled(:model)")


@dataclass(frozen=True, slots=True)
class _Work:
    """One request, as it was when the step began; nothing is locked any more."""

    step: ClaimedStep
    tenant: TenantAtWork
    row: LanguageRequest
    card: ModelCard
    brief: ScriptPage | PromptBrief
    paid: PaidCall

    @property
    def budgets(self) -> dict[str, Any]:
        """Whose budgets a call is paid from."""
        return {
            "tenant_id": self.step.tenant_id,
            "production_id": self.row.production_id,
            "shot_id": self.row.shot_id,
        }


class _Gone(Exception):
    """The request was ended meanwhile: what this transaction reserved is given back."""


async def ask_language_model(tools: Tools, step: ClaimedStep, paid: PaidCall) -> None:
    """Ask once and end the request, or put it off. Raises FenceLost; then nothing was written."""
    tenant = await tools.tenant(step.tenant_id)
    work = await _begin(tools, tenant, step, paid)
    if work is None:
        return
    dialect = language_for(work.card)
    try:
        native = dialect.body(work.brief, work.card)
        encoded = encode_body(native, work.card)
    except (UnfitRequest, RequestTooLarge):
        await _end(tools, work, failed("text_too_long"))
        return
    estimate = cost_of_tokens(work.card, *dialect.at_most(work.brief, work.card))
    with work.paid:  # from the moment the record says that a call began
        call_id = await _record_call(tools, work, encoded, estimate)
        if call_id is None:
            return
        try:
            answer = await tools.runner.converse(tenant.storage, work.card, native)
        except ModelFault as fault:
            await _after_fault(tools, work, call_id, estimate, fault)
            return
        await _after_answer(tools, work, call_id, estimate, answer)


async def _begin(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, paid: PaidCall) -> _Work | None:
    """Read the request. None: it has ended, or ends here; then the step has ended too."""
    async with tools.database.tenant(step.tenant_id) as session:
        row = await own_row(session, step)
        if row.state not in OPEN_STATES:
            await end_step(session, step)
            return None
        card = await card_kept(session, tools.catalogue, row.tenant_id, row.model_lock_id, row.model_id)
        brief = await _brief(session, tenant, row)
        lost = await settle_open(session, row.tenant_id, row.id)
        await hold_fence(session, step)
    if card is None or not _speaks(card):
        await close_request(tools, tenant, step, failed("model_gone"))
        return None
    if lost and card.on_unknown != "retry":
        await close_request(tools, tenant, step, failed("outcome_unknown"))
        return None
    return _Work(step, tenant, row, card, brief, paid)


def _speaks(card: ModelCard) -> bool:
    try:
        language_for(card)
    except NoDialect:
        return False
    return True


async def _brief(
    session: TenantSession, tenant: TenantAtWork, row: LanguageRequest
) -> ScriptPage | PromptBrief:
    given = open_json(tenant.seal, "input", row.id, row.input) or {}
    if LanguageTask(row.task) is LanguageTask.SCRIPT_BREAKDOWN:
        return ScriptPage(given["text"])
    shot = await session.get_one(Shot, row.shot_id)
    wanted = [UUID(each) for each in given["characters"]]
    # as they are described now: who was deleted since is left out
    briefs = await character_briefs(session, tenant.seal, shot, wanted)
    return prompt_brief(Kind(row.kind or ""), given, [each for _, each in briefs])


async def _record_call(tools: Tools, work: _Work, encoded: bytes, estimate: Decimal) -> UUID | None:
    """Commit what is about to be sent, with room for it. None: it isn't sent, and the step is ended or put off."""
    call_id = new_id()
    try:
        async with tools.database.tenant(work.step.tenant_id) as session:
            outcome = await _make_room(session, work, call_id, encoded, estimate)
    except _Gone:
        async with tools.database.tenant(work.step.tenant_id) as session:
            await end_step(session, work.step)
        return None
    if outcome == "no_room":
        await _end(tools, work, failed("budget_exhausted"))
    return call_id if outcome == "recorded" else None


async def _make_room(
    session: TenantSession, work: _Work, call_id: UUID, encoded: bytes, estimate: Decimal
) -> Literal["recorded", "put_off", "no_room"]:
    """The budgets' locks first, then the request's, then the step's. Raises _Gone."""
    production = await session.get_one(Production, work.row.production_id)
    held = production.labour_action_since is not None
    room = None if held else await reserve_call(session, **work.budgets, estimate=estimate)
    row = await own_row(session, work.step, lock=True)
    if row.state not in OPEN_STATES:
        raise _Gone
    if room is None:
        await _wait(session, work.step, row, "labour_action")
        return "put_off"
    if room.room:
        row.state, row.waiting_for = RequestState.RUNNING.value, None
        await session.execute(
            insert(LanguageCall).values(
                id=call_id,
                **work.budgets,
                subject_id=row.id,
                model_id=work.card.id,
                request_hash=work.tenant.seal.keyed_hash(encoded),
                estimate_usd=estimate,
                billed=Billed.UNKNOWN.value,
                cost_usd=estimate,  # until somebody knows better
            )
        )
    await session.flush()
    await hold_fence(session, work.step)
    if room.soft_crossed or not room.room:  # which is told
        await wake_dispatcher(session)
    return "recorded" if room.room else "no_room"


async def _wait(session: TenantSession, step: ClaimedStep, row: LanguageRequest, why: str) -> None:
    """The request says that it waits, and for what; the step looks again, later every time."""
    row.state, row.waiting_for = RequestState.WAITING.value, why
    waits = int(step.details.get(_WAITS, 0)) + 1
    await session.flush()
    await session.execute(
        update(Step)
        .where(Step.tenant_id == step.tenant_id, Step.id == step.id)
        .values(details={**step.details, _WAITS: waits})
        .execution_options(synchronize_session=False)
    )
    seconds = backoff.exponential(
        waits,
        first=_FIRST_WAIT_SECONDS,
        most=_LONGEST_WAIT_SECONDS,
        jitter=random.random(),  # noqa: S311 - spreads retries
    )
    await put_off(session, step, seconds=seconds, trouble=why, counted=False)


# --- what came of it ----------------------------------------------------------------------------------------------


async def _after_answer(
    tools: Tools, work: _Work, call_id: UUID, estimate: Decimal, answer: InvokeAnswer
) -> None:
    """An answer is paid for by the tokens that it states, whatever it says."""
    dialect = language_for(work.card)
    counted: tuple[int, int] | None = None
    billed, cost = Billed.UNKNOWN, estimate
    try:
        counted = dialect.tokens(answer.body)
        billed, cost = Billed.TRUE, cost_of_tokens(work.card, *counted)
        ending = _written(work, answer.body)
        outcome = "answered"
    except UnusableAnswer as unusable:
        ending = _unwritten(unusable.found)
        outcome = str(unusable)
    bill = Bill(call_id, estimate, outcome, billed, cost, counted, answer.request_id)
    await _end(tools, work, ending, bill)


def _written(work: _Work, answer: bytes) -> Ending:
    """The answer as it is kept. Raises UnusableAnswer."""
    dialect = language_for(work.card)
    written: Breakdown | ProposedPrompt
    texts: tuple[str | None, ...]
    if isinstance(work.brief, ScriptPage):
        written = dialect.read_breakdown(answer)
        texts = tuple(shot.description for shot in written.shots)
    else:
        written = dialect.read_prompt(answer, work.brief)
        texts = (written.prompt,)
    return Ending(RequestState.SUCCEEDED, result=written.as_json(), texts=texts)


_UNUSABLE = {CUT_OFF: "answer_cut_off", TOO_LONG: "text_too_long"}


def _unwritten(found: Filtered | Unusable) -> Ending:
    if isinstance(found, Filtered):
        return _filtered(found)
    return failed(_UNUSABLE.get(found.reason, "no_usable_answer"), found.reason)


def _filtered(found: Filtered) -> Ending:
    return Ending(
        RequestState.FILTERED, f"filtered_{found.stage}", refused=found, reason=found.provider_reason
    )


async def _after_fault(
    tools: Tools, work: _Work, call_id: UUID, estimate: Decimal, fault: ModelFault
) -> None:
    """The call failed: back off, try again, or end the request. Throttling is no failed attempt."""
    cost = Decimal(0) if fault.billed is Billed.FALSE else estimate
    bill = Bill(call_id, estimate, fault.kind, fault.billed, cost, request_id=fault.request_id)
    if fault.kind == "filtered":
        await _end(tools, work, _filtered(filtered_from(fault)), bill)
        return
    throttled = fault.kind == "throttled"
    unknown = fault.billed is Billed.UNKNOWN
    again = throttled or (
        fault.kind in PASSING
        and work.step.attempt < MAX_ATTEMPTS
        and (not unknown or work.card.on_unknown == "retry")
    )
    if not again:
        code = "outcome_unknown" if unknown else f"model_{fault.kind}"
        await _end(tools, work, failed(code, fault.provider_message), bill)
        return
    if throttled:  # by itself: whoever holds the model's row must not wait for a request
        async with tools.database.tenant(work.step.tenant_id) as session:
            await session.execute(_THROTTLED, {"model": work.card.id})
    seconds = fault.retry_after_seconds or backoff.exponential(
        max(1, work.step.attempt),
        first=1.0,
        most=60.0,
        jitter=random.random(),  # noqa: S311 - spreads retries
    )
    async with tools.database.tenant(work.step.tenant_id) as session:
        await settle_bill(session, work.budgets, bill)
        row = await own_row(session, work.step, lock=True)
        if row.state in OPEN_STATES:
            row.state = RequestState.QUEUED.value
            await session.flush()
        await put_off(session, work.step, seconds=seconds, trouble=fault.kind, counted=not throttled)


async def _end(tools: Tools, work: _Work, ending: Ending, bill: Bill | None = None) -> None:
    await close_request(tools, work.tenant, work.step, ending, bill=bill, budgets=work.budgets)
