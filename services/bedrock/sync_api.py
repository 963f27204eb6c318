"""InvokeModel."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from services.bedrock import faults, models
from services.bedrock.calls import Billed, Call, CallLog, Outcome
from services.bedrock.controls import Controls
from services.bedrock.dialects import embeddings, stability
from services.bedrock.errors import (
    BedrockFault,
    constraint,
    internal,
    malformed,
    model_failed,
    throttled,
    validation,
)
from services.bedrock.faults import FaultBook, Rule
from services.bedrock.gate import Caller, Gate
from services.bedrock.http import MAX_BODY, Answer, Request, json_answer
from services.bedrock.instant import instant_panel
from services.bedrock.models import Model
from services.bedrock.orders import PanelOrder, PictureOrder
from services.bedrock.pictures import NoMask, UnreadablePicture
from services.bedrock.pool import DrawingDied, DrawingPool, PoolBusy
from services.bedrock.settings import Settings
from services.bedrock.work import Cast, draw, embed

GARBAGE = b"<html><body>upstream connect error or disconnect/reset before headers</body></html>"


class SyncApi:
    def __init__(
        self, settings: Settings, gate: Gate, controls: Controls, log: CallLog, pool: DrawingPool
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._controls = controls
        self._book = controls.faults
        self._log = log
        self._pool = pool

    async def invoke_model(self, request: Request, caller: Caller, identifier: str) -> Answer:
        model = models.find(identifier, caller.region, self._settings.account, self._controls.models)
        resources = models.resources(model, caller.region, self._settings.account)
        self._gate.authorize(caller, "bedrock:InvokeModel", resources)
        call_id = await self._log.begin(new_call(request, caller, "InvokeModel", model))
        return await recorded(self._log, call_id, self._serve(request, caller, model))

    async def _serve(self, request: Request, caller: Caller, model: Model) -> tuple[Answer, Outcome]:
        arn = models.model_arn(model, caller.region)
        await strike(self._book, "InvokeModel", model.names, arn)
        if model.mode != "sync":
            raise validation(f"The model {model.base_id} doesn't support InvokeModel: use StartAsyncInvoke.")
        if model.task == "understanding":
            raise validation(f"The offline model server speaks to {model.base_id} by Converse only.")
        if request.headers.get("x-amzn-bedrock-guardrailidentifier"):
            raise validation("The guardrail identifier or version provided in the request does not exist.")
        if request.body is None:
            raise constraint("", "body", f"have length less than or equal to {MAX_BODY}")
        if model.task == "embedding":
            answer, outcome = await self._embed(request.body, model, arn)
        else:
            answer, outcome = await self._make(request.body, caller, model, arn)
        return cut_short(self._book, "InvokeModel", model, answer, outcome)

    async def _make(self, body: bytes, caller: Caller, model: Model, arn: str) -> tuple[Answer, Outcome]:
        order = await asyncio.to_thread(stability.PARSERS[model.base_id], body)
        rule = self._book.fire(faults.AFTER_SYNC, "InvokeModel", model.names)
        instead = None if rule is None else _instead_of_a_picture(rule)
        if instead is not None:
            return instead
        cast = self._controls.cast_for(order, model, caller.tags.get("tenant", ""))
        picture = await self._picture(order, cast, arn, wrong_size=rule is not None)
        return picture, done("succeeded", "yes", 1)

    async def _picture(self, order: PictureOrder, cast: Cast, model_arn: str, *, wrong_size: bool) -> Answer:
        try:
            plain = self._settings.instant and cast.empty and not wrong_size
            if plain and isinstance(order, PanelOrder):
                picture = await asyncio.to_thread(instant_panel, order)
            else:
                picture = await self._pool.run(partial(draw, order, wrong_size=wrong_size, cast=cast))
        except UnreadablePicture:
            raise malformed("#/image: is not a readable image") from None
        except NoMask:
            raise malformed("#: required key [mask] not found: nothing in the image is transparent") from None
        except PoolBusy:
            raise throttled() from None
        except DrawingDied:
            raise model_failed(model_arn) from None
        answer = await asyncio.to_thread(lambda: json_answer(stability.answer(order.seed, picture)))
        if len(answer.body) > MAX_BODY:
            raise model_failed(model_arn)
        return answer

    async def _embed(self, body: bytes, model: Model, arn: str) -> tuple[Answer, Outcome]:
        order = await asyncio.to_thread(embeddings.PARSERS[model.base_id], body)
        rule = self._book.fire(faults.AFTER_SYNC, "InvokeModel", model.names)
        if rule is not None:
            instead = _instead_of_a_vector(rule, model, arn)
            if instead is not None:
                return instead
            order = replace(order, dimensions=order.dimensions // 2)
        try:
            vector = await self._pool.run(partial(embed, order))
        except UnreadablePicture:
            raise malformed("#/image: is not a readable image") from None
        except PoolBusy:
            raise throttled() from None
        except DrawingDied:
            raise model_failed(arn) from None
        return json_answer(embeddings.answer(model.base_id, vector)), done("succeeded", "yes", 1)


async def recorded(
    log: CallLog, call_id: int, serving: Coroutine[Any, Any, tuple[Answer, Outcome]]
) -> Answer:
    """Serve a call that was written down and write down how it ended."""
    try:
        answer, outcome = await serving
    except BedrockFault as fault:
        await log.end(call_id, refusal(fault))
        raise
    except Exception:
        await log.end(call_id, refusal(internal()))
        raise
    await log.end(call_id, outcome)
    return answer


def cut_short(
    book: FaultBook, operation: str, model: Model, answer: Answer, outcome: Outcome
) -> tuple[Answer, Outcome]:
    """The answer as it is, or, when a rule says so, one whose connection breaks in the middle."""
    if not book.fire(frozenset({faults.DIE}), operation, model.names):
        return answer, outcome
    broken = Answer(answer.status, answer.body, answer.headers, cut=True)
    return broken, replace(outcome, outcome="cut")


def new_call(
    request: Request, caller: Caller, operation: str, model: Model, token: str | None = None
) -> Call:
    by_picture = model.task in {"picture", "embedding"}
    return Call(
        operation=operation,
        model_id=model.called_as,
        base_model_id=model.base_id,
        units=1 if by_picture else 0,
        unit="image" if by_picture else None,
        access_key_id=caller.access_key_id,
        role_arn=caller.role_arn,
        session_name=caller.session_name,
        request_sha256=request.body_sha256,
        request_id=request.request_id,
        sdk_attempt=request.headers.get("amz-sdk-request"),
        at=request.arrived_at,
        token=token,
    )


def refusal(fault: BedrockFault) -> Outcome:
    """Nothing is billed for a refusal; whether a model that failed or ran out of time is, AWS doesn't say."""
    billed: Billed = "unknown" if fault.status in {408, 424} else "no"
    return Outcome("refused", billed, fault.status, fault.code)


async def strike(book: FaultBook, operation: str, names: frozenset[str], model_arn: str) -> None:
    """The faults that come before a request is looked at: a stall waits, all others are raised."""
    stall = book.fire(frozenset({faults.STALL}), operation, names)
    if stall is not None:
        await asyncio.sleep(stall.seconds)
    rule = book.fire(faults.BEFORE - {faults.STALL}, operation, names)
    if rule is not None:
        raise faults.fault_of(rule, model_arn)


def _instead_of_a_picture(rule: Rule) -> tuple[Answer, Outcome] | None:
    if rule.kind in faults.FINISH_REASONS:
        # whether a filtered picture is billed is not published
        name = "failed" if rule.kind == "inference_error" else "filtered"
        return json_answer(stability.filtered(faults.FINISH_REASONS[rule.kind])), done(name, "unknown", 1)
    if rule.kind == "filter_guardrail":
        document = {"amazon-bedrock-guardrailAction": "INTERVENED", "amazon-bedrock-trace": {"guardrail": {}}}
        return json_answer(document), done("filtered", "unknown", 1)
    if rule.kind == "garbage":
        return Answer(200, GARBAGE, {"content-type": "application/json"}), done("garbage", "yes", 1)
    return None


def _instead_of_a_vector(rule: Rule, model: Model, arn: str) -> tuple[Answer, Outcome] | None:
    """None for the rules that spoil the vector itself."""
    if rule.kind in {"filter_prompt", "filter_input_image", "filter_output_image"}:
        if model.base_id == embeddings.TITAN:  # states its errors in an answer that is HTTP 200
            return json_answer({"message": faults.FILTER_TEXTS["image"]}), done("filtered", "unknown", 1)
        raise validation(faults.FILTER_TEXTS["image"])
    if rule.kind == "inference_error":
        raise model_failed(arn)
    return _instead_of_a_picture(rule)


def done(
    outcome: str,
    billed: Billed,
    units: float,
    unit: str = "image",
    *,
    tokens_in: float | None = None,
    tokens_out: float | None = None,
) -> Outcome:
    return Outcome(outcome, billed, 200, None, units, unit, tokens_in=tokens_in, tokens_out=tokens_out)
