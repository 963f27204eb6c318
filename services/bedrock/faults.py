"""Faults on order: what the server was told to do wrong, to whom and how often.

A rule matches by model and operation; it fires with its probability and is gone when its count is used up. The
first rule that matches and fires decides. `before` faults come before the request is looked at, `after` faults
need a request that would have been served.
"""

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from services.bedrock.errors import BedrockFault, access_denied, internal, model_failed, throttled, validation

STALL = "stall"
BEFORE = frozenset(
    {
        "throttle", "overloaded", "not_ready", STALL, "timeout", "error_500", "error_503", "model_error", "quota",
        "validation", "access_denied", "filter_validation",
    }
)  # fmt: skip
AFTER_SYNC = frozenset(
    {
        "filter_prompt", "filter_input_image", "filter_output_image", "filter_guardrail", "inference_error",
        "garbage", "wrong_size", "wrong_answer",
    }
)  # fmt: skip
ASYNC_RUN = frozenset({"filter_async", "fail_async", "slow_async", "wrong_size"})
DIE = "die"
KINDS = BEFORE | AFTER_SYNC | ASYNC_RUN | {DIE}
TIMED = frozenset({STALL, "slow_async"})
OPERATIONS = frozenset(
    {"InvokeModel", "Converse", "StartAsyncInvoke", "GetAsyncInvoke", "ListAsyncInvokes", "AssumeRole"}
)

FILTER_TEXTS = {
    "prompt": "This request has been blocked by our content filters. Please adjust your text prompt to submit a new "
    "request.",
    "image": "This request has been blocked by our content filters. Please adjust your input image to submit a new "
    "request.",
    "titan": "This request has been blocked by our content filters. Our filters automatically flagged this prompt "
    "because it may conflict our AUP or AWS Responsible AI Policy. Please adjust your text prompt to submit a new "
    "request.",
}
ASYNC_FAILURES = {
    "filter_async": "The generated video has been blocked by our content filters.",
    "fail_async": "Service capacity limit has been reached. Please try again later.",
}
FINISH_REASONS = {
    "filter_prompt": "Filter reason: prompt",
    "filter_input_image": "Filter reason: input image",
    "filter_output_image": "Filter reason: output image",
    "inference_error": "Inference error",
}


class BadRule(Exception):
    """A rule that can't be meant: its message says why."""


@dataclass(slots=True)
class Rule:
    """`count` is how often it may still fire, None without end. `seconds` is for the kinds that take time."""

    id: str
    kind: str
    model: str | None
    operation: str | None
    count: int | None
    probability: float
    seconds: float
    variant: str


class FaultBook:
    """The rules now in force, in the order they were given. In memory: a restart forgets them."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._random = random.SystemRandom()

    def add(self, document: object) -> dict[str, Any]:
        rule = _read_rule(document)
        self._rules.append(rule)
        return asdict(rule)

    def rules(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]

    def clear(self, rule_id: str | None = None) -> None:
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]

    def fire(
        self, kinds: frozenset[str], operation: str, models: frozenset[str] = frozenset()
    ) -> Rule | None:
        """The rule that strikes now, already counted, or None. `models` are all names of the model called."""
        for rule in self._rules:
            # a rule without an operation means model calls, not the sessions they are made with
            meant = operation != "AssumeRole" if rule.operation is None else rule.operation == operation
            matches = rule.kind in kinds and meant and (rule.model is None or rule.model in models)
            if not matches or self._random.random() >= rule.probability:
                continue
            if rule.count is not None:
                rule.count -= 1
                if rule.count == 0:
                    self._rules.remove(rule)
            return rule
        return None


def fault_of(rule: Rule, model_arn: str) -> BedrockFault:
    """The error answer of a `before` rule (all but stall)."""
    if rule.kind == "model_error":
        return model_failed(model_arn)
    if rule.kind == "filter_validation":
        return validation(FILTER_TEXTS[rule.variant])
    make = _FAULTS.get(rule.kind)
    return internal() if make is None else make()


# texts: "Troubleshooting Amazon Bedrock API error codes" and the service model's own
_FAULTS: dict[str, Callable[[], BedrockFault]] = {
    "throttle": throttled,
    "overloaded": lambda: BedrockFault(529, "overloaded_error", "Overloaded", headers={"retry-after": "1"}),
    "not_ready": lambda: BedrockFault(
        429,
        "ModelNotReadyException",
        "The model specified in the request is not ready to serve inference requests.",
    ),
    "timeout": lambda: BedrockFault(
        408,
        "ModelTimeoutException",
        "The request took too long to process. Processing time exceeded the model timeout length.",
    ),
    "error_503": lambda: BedrockFault(
        503, "ServiceUnavailableException", "The service isn't currently available. Try again later."
    ),
    "quota": lambda: BedrockFault(
        400, "ServiceQuotaExceededException", "Your request exceeds the service quota for your account."
    ),
    "validation": lambda: validation("The provided request is not valid"),
    "access_denied": lambda: access_denied("You don't have access to the model with the specified model ID."),
}


def _read_rule(document: object) -> Rule:
    if not isinstance(document, dict):
        raise BadRule("a rule is a JSON object")
    unknown = set(document) - {"kind", "model", "operation", "count", "probability", "seconds", "variant"}
    if unknown:
        raise BadRule(f"unknown member: {', '.join(sorted(map(str, unknown)))}")
    kind = document.get("kind")
    if kind not in KINDS:
        raise BadRule(f"kind must be one of: {', '.join(sorted(KINDS))}")
    operation, model, count = document.get("operation"), document.get("model"), document.get("count")
    if operation is not None and operation not in OPERATIONS:
        raise BadRule(f"operation must be one of: {', '.join(sorted(OPERATIONS))}")
    if model is not None and not isinstance(model, str):
        raise BadRule("model must be a model id")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise BadRule("count must be an integer of at least 1")
    variant = document.get("variant", "prompt")
    if variant not in FILTER_TEXTS:
        raise BadRule(f"variant must be one of: {', '.join(sorted(FILTER_TEXTS))}")
    probability = _number(document, "probability", 1.0)
    if probability > 1:
        raise BadRule("probability must be between 0 and 1")
    seconds = _number(document, "seconds", 0.0)
    if kind in TIMED and "seconds" not in document:
        raise BadRule(f"{kind} needs seconds")
    return Rule(secrets.token_hex(6), kind, model, operation, count, probability, seconds, variant)


def _number(document: Mapping[str, Any], name: str, default: float) -> float:
    value = document.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 86_400:  # noqa: PLR2004
        raise BadRule(f"{name} must be a number that is not negative")
    return float(value)
