"""Converse with an answer that is forced through a tool: what every task over it has in common.

Amazon Bedrock user guide, "Use a tool to complete an Amazon Bedrock model response". Of JSON schema only what Amazon
Nova reads: type, properties, required, description, enum, and items of an array.
"""

import json
from collections.abc import Mapping
from typing import Any

from circletake.dialects.contract import UnusableAnswer
from circletake.dialects.refusals import converse_refusal, filtered_by
from circletake.domain.pictures import ModelCard, Unusable

FRAMING_TOKENS = 600  # what providers add for a tool
CHARACTERS_PER_TOKEN = 2  # a safe count of our own texts: real tokenisers make fewer

# stop reasons that mean the question was too long, or the answer
CUT_OFF = "max_tokens"
TOO_LONG = "model_context_window_exceeded"


def tool_config(card: ModelCard, name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one tool and that it must be used.

    A model that refuses to be forced (Claude 5.5: `limits.forced_tool: false`) is left the choice; what isn't
    answered through the tool is no answer all the same.
    """
    spec = {"name": name, "description": description, "inputSchema": {"json": dict(schema)}}
    forced = card.limits.get("forced_tool", True)
    choice: dict[str, Any] = {"tool": {"name": name}} if forced else {"auto": {}}
    return {"tools": [{"toolSpec": spec}], "toolChoice": choice}


def inference(card: ModelCard, most_tokens: int) -> dict[str, Any]:
    """Return the inference parameters: as little chance as the model allows (`limits.temperature: false`: none is
    taken)."""
    found: dict[str, Any] = {"maxTokens": most_tokens}
    if card.limits.get("temperature", True):
        found["temperature"] = 0.0
    return found


def tool_input(answer: bytes, name: str) -> Any:
    """Return what an answer gives the tool: `output`, `stopReason` and `usage` as JSON.

    Raises UnusableAnswer for everything else: a filter's refusal, free text, another tool, two of them, an answer
    that was cut off. Such an answer is paid for too: see `tokens`.
    """
    try:
        native = json.loads(answer)
    except (ValueError, RecursionError):
        raise UnusableAnswer(Unusable("the answer is not JSON")) from None
    if not isinstance(native, dict):
        raise UnusableAnswer(Unusable("the answer is not a JSON object"))
    refused = converse_refusal(native)
    if refused is not None:
        raise UnusableAnswer(refused)
    stopped = native.get("stopReason")
    if stopped in {CUT_OFF, TOO_LONG}:
        raise UnusableAnswer(Unusable(str(stopped)))
    uses, texts = _blocks(native)
    if stopped != "tool_use" or len(uses) != 1:
        refusal = next((found for text in texts if (found := filtered_by(text))), None)
        raise UnusableAnswer(refusal or Unusable(f"the tool wasn't used: {str(stopped)[:40]}"))
    if uses[0].get("name") != name:
        raise UnusableAnswer(Unusable("another tool than ours was called"))
    return uses[0].get("input")


def tokens(answer: bytes) -> tuple[int, int]:
    """Return (in, out) as an answer states them, read or not. Raises UnusableAnswer when it doesn't state them."""
    try:
        usage = json.loads(answer)["usage"]
        counts = (usage["inputTokens"], usage["outputTokens"])
    except (ValueError, RecursionError, KeyError, TypeError):
        raise UnusableAnswer(Unusable("the answer doesn't state its tokens")) from None
    # what a cache served or stored is counted apart; we ask for no cache, so this is nothing
    cached = sum(_count(usage.get(name)) for name in ("cacheReadInputTokens", "cacheWriteInputTokens"))
    if not all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in counts):
        raise UnusableAnswer(Unusable("the answer doesn't state its tokens"))
    return counts[0] + cached, counts[1]


def _blocks(native: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the tool uses and the texts of an answer, nothing when it hasn't the form of one."""
    try:
        content = native["output"]["message"]["content"]
    except (KeyError, TypeError):
        return [], []
    blocks = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
    uses = [each["toolUse"] for each in blocks if isinstance(each.get("toolUse"), dict)]
    return uses, [each["text"] for each in blocks if isinstance(each.get("text"), str)]


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
