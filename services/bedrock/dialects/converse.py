"""Converse for two purposes: pictures under labels, compared aspect by aspect, and texts that are taken apart or put
together by rule; both answered through a tool.

The shape and its limits are those of the botocore service model of bedrock-runtime (2023-09-30) and its texts: at most
20 images of a message (some models take fewer), each at most 3.75 MB and 8000 pixels a side. Words are not understood
here: beside a picture only its label counts ("reference" or not), and a text is read by its layout, so nothing that is
written anywhere can sway the answer.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.bedrock.errors import BedrockFault, constraint, validation
from services.bedrock.models import Model
from services.bedrock.orders import CompareOrder, WriteOrder
from services.bedrock.pictures import UnreadablePicture, read_header
from services.bedrock.writing import is_writing

MAX_PICTURE_BYTES = 3_750_000
MAX_SIDE = 8_000
_FORMATS = ("png", "jpeg", "gif", "webp")
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_PIXEL = 1 / 750
_UNSERVED = frozenset({"guardrailConfig", "promptVariables", "outputConfig"})


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked; `tool` is None when no tool is to be used, and then only words can be answered."""

    order: CompareOrder | WriteOrder | None = field(repr=False)
    tool: str | None
    tokens_in: int
    max_tokens: int | None


def parse(body: bytes, model: Model) -> Question:
    """Check the API's shape and the model's limits. Raises ValidationException."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BedrockFault(400, "SerializationException", "The request body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BedrockFault(400, "SerializationException", "The request body is not a JSON object.")
    for name in sorted(_UNSERVED & document.keys()):
        raise validation(f"{name} is not served by the offline model server.")
    max_tokens = _inference(document.get("inferenceConfig"), model)
    references: list[bytes] = []
    shots: list[bytes] = []
    texts = len(json.dumps([document.get("system"), document.get("toolConfig")]))
    pixels = 0
    for label, data, size in _pictures(document, model):
        (references if "reference" in label.casefold() else shots).append(data)
        pixels += size
    texts += _text_length(document)
    tool, schema = _tool(document.get("toolConfig"), model)
    tokens = texts // _CHARACTERS_PER_TOKEN + round(pixels * _TOKENS_PER_PIXEL)
    if tool is None:
        return Question(None, None, tokens, max_tokens)
    if is_writing(schema):
        return Question(WriteOrder(_said(document), schema), tool, tokens, max_tokens)
    return Question(CompareOrder(tuple(references), tuple(shots), schema), tool, tokens, max_tokens)


def _inference(config: object, model: Model) -> int | None:
    if config is None:
        return None
    if not isinstance(config, dict):
        raise validation("inferenceConfig must be an object.")
    for name in ("temperature", "topP"):
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise validation(f"inferenceConfig.{name} must be a number.")
        if value is not None and not 0 <= value <= 1:
            raise constraint(value, f"inferenceConfig.{name}", "have value between 0 and 1")
        if value is not None and not model.samples:
            raise validation(
                f"The model returned the following errors: `{name}` is not supported for this model."
            )
    most = config.get("maxTokens")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise constraint(most, "inferenceConfig.maxTokens", "have value greater than or equal to 1")
    return most


def _messages(document: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages:
        raise validation("The messages field must have at least one message.")
    contents = []
    for number, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list) or not content:
            raise validation(f"The content field in the Message object at messages.{number} is empty.")
        if number == 0 and message.get("role") != "user":
            raise validation("A conversation must start with a user message.")
        if any(not isinstance(block, dict) or len(block) != 1 for block in content):
            raise validation(f"Exactly one member of a ContentBlock must be set at messages.{number}.")
        contents.append(content)
    return contents


def _pictures(document: Mapping[str, Any], model: Model) -> list[tuple[str, bytes, int]]:
    """(label, encoded picture, its pixels): the label is the text before it."""
    found = []
    for content in _messages(document):
        label = ""
        count = 0
        for block in content:
            if "text" in block:
                label = str(block["text"])
            elif "image" in block:
                count += 1
                data, pixels = _picture(block["image"])
                found.append((label, data, pixels))
            else:
                raise validation(f"{next(iter(block))} blocks are not served by the offline model server.")
        if count > model.max_pictures:
            raise validation(f"A message may contain at most {model.max_pictures} images, actual: {count}.")
    return found


def _picture(image: object) -> tuple[bytes, int]:
    stated = image.get("format") if isinstance(image, dict) else None
    source = image.get("source") if isinstance(image, dict) else None
    if stated not in _FORMATS:
        raise constraint(stated, "image.format", f"satisfy enum value set: [{', '.join(_FORMATS)}]")
    text = source.get("bytes") if isinstance(source, dict) else None
    if not isinstance(text, str):
        raise validation(
            "An image's source must hold bytes: others are not served by the offline model server."
        )
    try:
        data = base64.b64decode(text, validate=True)
        header = read_header(data)
    except (binascii.Error, ValueError, UnreadablePicture):
        raise validation("Could not process image.") from None
    if len(data) > MAX_PICTURE_BYTES:
        raise validation(f"An image may have at most {MAX_PICTURE_BYTES} bytes, actual: {len(data)}.")
    if max(header.width, header.height) > MAX_SIDE:
        raise validation(f"A side of an image may have at most {MAX_SIDE} pixels.")
    if header.format != stated:
        raise validation(f"The image was specified using the {stated} format, but is {header.format}.")
    return data, header.width * header.height


def _tool(config: object, model: Model) -> tuple[str | None, dict[str, Any]]:
    """The tool that is used, and its schema: the one that must be, or the only one that asks for what is found in a
    text. (None, {}) when the answer is words."""
    if config is None:
        return None, {}
    tools = config.get("tools") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(tools, list) or not tools:
        raise constraint(None, "toolConfig.tools", "have length greater than or equal to 1")
    specs: dict[str, dict[str, Any]] = {}
    for each in tools:
        spec = each.get("toolSpec") if isinstance(each, dict) else None
        schema = spec.get("inputSchema", {}).get("json") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(schema, dict) or schema.get("type") != "object":
            raise validation("The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be object.")
        specs[str(spec.get("name"))] = schema
    choice = config.get("toolChoice") or {"auto": {}}
    if not model.forces_tools and not {"tool", "any"}.isdisjoint(choice):
        raise validation(
            'The model returned the following errors: tool_choice: type "tool" and "any" are not supported for '
            "this model."
        )
    if "tool" in choice:
        name = choice["tool"].get("name") if isinstance(choice["tool"], dict) else None
        if name not in specs:
            raise validation("The toolChoice names a tool that toolConfig.tools doesn't have.")
        return name, specs[name]
    if "any" in choice:
        return next(iter(specs.items()))
    writing = [(name, schema) for name, schema in specs.items() if is_writing(schema)]
    return writing[0] if len(writing) == 1 else (None, {})


def _said(document: Mapping[str, Any]) -> str:
    """All that the user wrote."""
    return "\n".join(
        str(block["text"]) for content in _messages(document) for block in content if "text" in block
    )


def _text_length(document: Mapping[str, Any]) -> int:
    return sum(
        len(str(block["text"])) for content in _messages(document) for block in content if "text" in block
    )


def answer(question: Question, given: Mapping[str, Any], use_id: str, latency_ms: int) -> dict[str, Any]:
    """A whole answer through the tool; one cut off at `maxTokens` when it wouldn't fit."""
    out = len(json.dumps(given)) // _CHARACTERS_PER_TOKEN + 30
    if question.max_tokens is not None and out > question.max_tokens:
        return _message([{"text": ""}], "max_tokens", question.tokens_in, question.max_tokens, latency_ms)
    block = {"toolUse": {"toolUseId": use_id, "name": question.tool, "input": dict(given)}}
    return _message([block], "tool_use", question.tokens_in, out, latency_ms)


def words(question: Question, text: str, reason: str, latency_ms: int) -> dict[str, Any]:
    return _message([{"text": text}], reason, question.tokens_in, len(text) // 4 + 1, latency_ms)


def _message(
    content: list[dict[str, Any]], reason: str, tokens_in: int, tokens_out: int, latency_ms: int
) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": {
            "inputTokens": tokens_in,
            "outputTokens": tokens_out,
            "totalTokens": tokens_in + tokens_out,
        },
        "metrics": {"latencyMs": latency_ms},
    }
