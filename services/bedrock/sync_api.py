"""InvokeModel."""

import asyncio
from functools import partial

from services.bedrock import faults, models
from services.bedrock.calls import Billed, Call, CallLog, Outcome
from services.bedrock.dialects import stability
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
from services.bedrock.work import draw

_GARBAGE = b"<html><body>upstream connect error or disconnect/reset before headers</body></html>"


class SyncApi:
    def __init__(
        self, settings: Settings, gate: Gate, book: FaultBook, log: CallLog, pool: DrawingPool
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._book = book
        self._log = log
        self._pool = pool

    async def invoke_model(self, request: Request, caller: Caller, identifier: str) -> Answer:
        region, account = self._settings.region, self._settings.account
        model = models.find(identifier, region, account)
        self._gate.authorize(caller, "bedrock:InvokeModel", models.resources(model, region, account))
        call_id = await self._log.begin(new_call(request, caller, "InvokeModel", model.called_as))
        try:
            answer, outcome = await self._serve(request, model)
        except BedrockFault as fault:
            await self._log.end(call_id, refusal(fault))
            raise
        except Exception:
            await self._log.end(call_id, refusal(internal()))
            raise
        await self._log.end(call_id, outcome)
        return answer

    async def _serve(self, request: Request, model: Model) -> tuple[Answer, Outcome]:
        arn = models.model_arn(model, self._settings.region)
        names = frozenset({model.called_as, model.base_id})
        await strike(self._book, "InvokeModel", names, arn)
        if model.mode != "sync":
            raise validation(f"The model {model.base_id} doesn't support InvokeModel: use StartAsyncInvoke.")
        if request.headers.get("x-amzn-bedrock-guardrailidentifier"):
            raise validation("The guardrail identifier or version provided in the request does not exist.")
        if request.body is None:
            raise constraint("", "body", f"have length less than or equal to {MAX_BODY}")
        order = await asyncio.to_thread(stability.PARSERS[model.base_id], request.body)
        rule = self._book.fire(faults.AFTER_SYNC, "InvokeModel", names)
        instead = None if rule is None else _instead_of_a_picture(rule)
        if instead is None:
            picture = await self._picture(order, arn, wrong_size=rule is not None)
            answer, outcome = picture, _done("succeeded", "yes", 1)
        else:
            answer, outcome = instead
        if self._book.fire(frozenset({faults.DIE}), "InvokeModel", names):
            return Answer(answer.status, answer.body, answer.headers, cut=True), _done(
                "cut", outcome.billed, outcome.units
            )
        return answer, outcome

    async def _picture(self, order: PictureOrder, model_arn: str, *, wrong_size: bool) -> Answer:
        try:
            if self._settings.instant and isinstance(order, PanelOrder) and not wrong_size:
                picture = await asyncio.to_thread(instant_panel, order)
            else:
                picture = await self._pool.run(partial(draw, order, wrong_size=wrong_size))
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


def new_call(
    request: Request, caller: Caller, operation: str, model_id: str, token: str | None = None
) -> Call:
    return Call(
        operation=operation,
        model_id=model_id,
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
        return json_answer(stability.filtered(faults.FINISH_REASONS[rule.kind])), _done(name, "unknown", 0)
    if rule.kind == "filter_guardrail":
        document = {"amazon-bedrock-guardrailAction": "INTERVENED", "amazon-bedrock-trace": {"guardrail": {}}}
        return json_answer(document), _done("filtered", "unknown", 0)
    if rule.kind == "garbage":
        return Answer(200, _GARBAGE, {"content-type": "application/json"}), _done("garbage", "yes", 1)
    return None


def _done(outcome: str, billed: Billed, units: float) -> Outcome:
    return Outcome(outcome, billed, 200, None, units, "image")
