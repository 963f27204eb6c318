"""Converse."""

import asyncio
import secrets
import time
from functools import partial
from typing import Any

from services.bedrock import faults, models
from services.bedrock.calls import CallLog, Outcome
from services.bedrock.controls import Controls
from services.bedrock.dialects import converse
from services.bedrock.dialects.converse import Question
from services.bedrock.errors import constraint, model_failed, throttled, validation
from services.bedrock.faults import Rule
from services.bedrock.gate import Caller, Gate
from services.bedrock.http import MAX_BODY, Answer, Request, json_answer
from services.bedrock.models import Model
from services.bedrock.orders import WriteOrder
from services.bedrock.pictures import UnreadablePicture
from services.bedrock.pool import DrawingDied, DrawingPool, PoolBusy
from services.bedrock.settings import Settings
from services.bedrock.sync_api import GARBAGE, cut_short, done, new_call, recorded, strike
from services.bedrock.work import compare
from services.bedrock.writing import write

_WORDS = "OFFLINE STAND-IN: this server compares pictures and takes texts apart through a tool; it has no words of its own."
_BLOCKED = "The generated text has been blocked by our content filters."


class ConverseApi:
    def __init__(
        self, settings: Settings, gate: Gate, controls: Controls, log: CallLog, pool: DrawingPool
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._controls = controls
        self._book = controls.faults
        self._log = log
        self._pool = pool

    async def converse(self, request: Request, caller: Caller, identifier: str) -> Answer:
        model = models.find(identifier, caller.region, self._settings.account, self._controls.models)
        resources = models.resources(model, caller.region, self._settings.account)
        self._gate.authorize(caller, "bedrock:InvokeModel", resources)
        call_id = await self._log.begin(new_call(request, caller, "Converse", model))
        return await recorded(self._log, call_id, self._serve(request, caller, model))

    async def _serve(self, request: Request, caller: Caller, model: Model) -> tuple[Answer, Outcome]:
        arn = models.model_arn(model, caller.region)
        await strike(self._book, "Converse", model.names, arn)
        if model.task != "understanding":
            raise validation(f"The model {model.base_id} doesn't support the Converse operation.")
        if request.body is None:
            raise constraint("", "body", f"have length less than or equal to {MAX_BODY}")
        began = time.monotonic()
        question = await asyncio.to_thread(converse.parse, request.body, model)
        rule = self._book.fire(faults.AFTER_SYNC, "Converse", model.names)
        if rule is not None and rule.kind == "garbage":
            answer = Answer(200, GARBAGE, {"content-type": "application/json"})
            return cut_short(
                self._book,
                "Converse",
                model,
                answer,
                done(
                    "garbage", "yes", question.tokens_in, "token", tokens_in=question.tokens_in, tokens_out=0
                ),
            )
        document = await self._document(question, rule, arn, began)
        used = document["usage"]
        name = "filtered" if document["stopReason"] in _STOPPED.values() else "succeeded"
        outcome = done(
            name,
            "yes",
            used["totalTokens"],
            "token",
            tokens_in=used["inputTokens"],
            tokens_out=used["outputTokens"],
        )
        return cut_short(self._book, "Converse", model, json_answer(document), outcome)

    async def _document(
        self, question: Question, rule: Rule | None, arn: str, began: float
    ) -> dict[str, Any]:
        if rule is not None and rule.kind in _STOPPED:
            blocked = _BLOCKED if isinstance(question.order, WriteOrder) else faults.FILTER_TEXTS["image"]
            return converse.words(question, blocked, _STOPPED[rule.kind], 0)
        if rule is not None and rule.kind == "inference_error":
            raise model_failed(arn)
        if question.order is None:
            return converse.words(question, _WORDS, "end_turn", _since(began))
        try:
            if isinstance(question.order, WriteOrder):
                given = await asyncio.to_thread(write, question.order)
            else:
                given = await self._pool.run(partial(compare, question.order))
        except UnreadablePicture:
            raise validation("Could not process image.") from None
        except PoolBusy:
            raise throttled() from None
        except DrawingDied:
            raise model_failed(arn) from None
        if rule is not None:
            given = _spoiled(given)
        use_id = f"tooluse_{secrets.token_urlsafe(16)}"
        return converse.answer(question, given, use_id, _since(began))


# a filter of the model itself, and a guardrail's, as Converse states them
_STOPPED = {
    "filter_prompt": "content_filtered",
    "filter_input_image": "content_filtered",
    "filter_output_image": "content_filtered",
    "filter_guardrail": "guardrail_intervened",
}


def _spoiled(given: dict[str, Any]) -> dict[str, Any]:
    """What a model writes that doesn't keep to a schema: one member gone, a rating out of range, one too many."""
    kept = dict(list(given.items())[1:])
    for name, part in kept.items():
        if isinstance(part, dict):
            kept[name] = {**part, "likeness": 9}
    return {**kept, "verdict": "pass"}


def _since(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
