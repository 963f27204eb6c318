"""Refusals in one form: what providers' filters and guardrails say, in all the shapes that they say it.

Shapes: `finish_reasons` of Stability; texts in HTTP 200, in an error 400 and in the failure message of an asynchronous
invocation (Amazon Nova user guide, "Handling errors"); `amazon-bedrock-guardrailAction` of InvokeModel and
`stopReason` of Converse, each with the guardrail's assessments where tracing is on (Amazon Bedrock user guide, "Use
guardrails").

What a refusal was for is said only where the provider says it: a word in its text, or a filter that acted.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from circletake.domain.pictures import Filtered, RefusalStage

LONGEST_REASON = 300

GUARDRAIL_ACTED = "guardrail_intervened"
MODEL_REFUSED = "content_filtered"

# What providers and guardrails write when they refuse content. Lower case.
_FILTER_WORDS = (
    "content filter",
    "content policy",
    "filters automatically flagged",
    "responsible ai policy",
    "rai_violation",
    "moderation",
    "safety filter",
    "safety system",
    "guardrail",
)
# A schema error names its JSON pointer; it can quote any word of a schema and is never a filter.
_SCHEMA_PREFIXES = ("malformed input request", "1 validation error", "invalid json")

_CATEGORY_WORDS = {
    "violence": r"violen|\bgore\b|\bgory\b|\bblood",
    "weapons": r"weapon|firearm|\bguns?\b",
    "sexual": r"sexual|nudity|\bnude|\bnsfw\b|porn",
    "hate": r"\bhate|hateful|racis|discriminat",
    "insults": r"insult|harass|bullying",
    "self_harm": r"self[-_ ]?harm|suicid",
    "minors": r"\bminors\b|\bchild|underage|\bcsam\b",
    "public_figure": r"public[-_ ]figure|celebrit|real (person|people)|\blikeness",
    "copyright": r"copyright|trademark|intellectual property",
    "drugs": r"\bdrugs?\b|narcotic",
    "misconduct": r"misconduct|illegal|criminal",
    "personal_data": r"personal (data|information)|\bpii\b",
    "prompt_attack": r"prompt[-_ ](attack|injection)|jailbreak",
}
CATEGORIES = (*_CATEGORY_WORDS, "denied_topic", "denied_word", "other")

# between quotation marks a provider repeats what it was sent: that is not what it says itself
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|‘[^’]*’|(?<!\w)'[^']*'(?!\w)")

# the policies of a guardrail's assessment: under which member what it found stands, and what that is
_POLICIES: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "contentPolicy": (("filters", None),),
    "topicPolicy": (("topics", "denied_topic"),),
    "wordPolicy": (("customWords", "denied_word"), ("managedWordLists", "denied_word")),
    "sensitiveInformationPolicy": (("piiEntities", "personal_data"), ("regexes", "personal_data")),
}
_FILTER_TYPES = {
    "VIOLENCE": "violence",
    "SEXUAL": "sexual",
    "HATE": "hate",
    "INSULTS": "insults",
    "MISCONDUCT": "misconduct",
    "PROMPT_ATTACK": "prompt_attack",
}
_ACTED = frozenset({"BLOCKED", "ANONYMIZED"})


def filtered_by(message: str) -> Filtered | None:
    """Return the refusal that a message of a provider states, or None if it states something else."""
    text = message.casefold()
    if text.startswith(_SCHEMA_PREFIXES) or not any(words in text for words in _FILTER_WORDS):
        return None
    stage = stage_of(text)
    return Filtered(
        stage,
        shortened(message),
        source="guardrail" if stage == "guardrail" else "model",
        categories=categories_in(message),
    )


def stage_of(text: str) -> RefusalStage:
    """Return what a refusal's text says was refused. Lower case."""
    if "guardrail" in text:
        return "guardrail"
    if "input_image" in text or "input image" in text:
        return "input_image"
    if "generated text" in text or "output_text" in text:
        return "output_text"
    if "generated" in text or "output" in text:
        return "output_image"
    if "prompt" in text or "input_text" in text:
        return "prompt"
    return "unknown"


def categories_in(message: str) -> tuple[str, ...]:
    """Return what a text says it refuses for, in our words; nothing where it doesn't say."""
    own = _QUOTED.sub(" ", message).casefold()
    return tuple(name for name, words in _CATEGORY_WORDS.items() if re.search(words, own))


def guardrail_refusal(native: Mapping[str, Any]) -> Filtered | None:
    """Return the intervention that an answer of InvokeModel states, whatever else stands in it."""
    if native.get("amazon-bedrock-guardrailAction") != "INTERVENED":
        return None
    categories = assessed(native.get("amazon-bedrock-trace"))
    return Filtered("guardrail", "amazon-bedrock-guardrailAction: INTERVENED", "guardrail", categories)


def converse_refusal(native: Mapping[str, Any], *, stage: RefusalStage = "output_text") -> Filtered | None:
    """Return the refusal that an answer of Converse states by its stop reason. `stage`: what the model's own filter
    then refused."""
    stopped = native.get("stopReason")
    if stopped == GUARDRAIL_ACTED:
        return Filtered("guardrail", f"stopReason: {stopped}", "guardrail", assessed(native.get("trace")))
    if stopped == MODEL_REFUSED:
        return Filtered(stage, f"stopReason: {stopped}")
    return None


def assessed(trace: Any) -> tuple[str, ...]:
    """Return what a guardrail's trace says it acted on, in our words; what it only detected is left out."""
    found = {category for assessment in _assessments(trace) for category in _acted_on(assessment)}
    return tuple(name for name in CATEGORIES if name in found)


def _assessments(trace: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Every assessment in a trace: InvokeModel and Converse nest them differently, under ids of guardrails."""
    if depth > 8:  # noqa: PLR2004 - deeper than any trace
        return
    if isinstance(trace, Mapping):
        if _POLICIES.keys() & trace.keys():
            yield trace
        for each in trace.values():
            yield from _assessments(each, depth + 1)
    elif isinstance(trace, list):
        for each in trace:
            yield from _assessments(each, depth + 1)


def _acted_on(assessment: Mapping[str, Any]) -> Iterator[str]:
    for policy, members in _POLICIES.items():
        given = assessment.get(policy)
        for member, category in members:
            listed = given.get(member) if isinstance(given, Mapping) else None
            for each in listed if isinstance(listed, list) else ():
                if isinstance(each, Mapping) and each.get("action") in _ACTED:
                    yield category or _FILTER_TYPES.get(str(each.get("type")), "other")


def shortened(text: str) -> str:
    """A provider's text is stored, so it is bounded."""
    return text if len(text) <= LONGEST_REASON else text[:LONGEST_REASON] + "…"
