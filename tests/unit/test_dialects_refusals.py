"""Every way in which a filter or a guardrail refuses, in one form: what was refused, by whom, for what, who pays."""

import json
from typing import Any

import pytest

from circletake.dialects.answers import read_failure, read_stability
from circletake.dialects.contract import UnusableAnswer
from circletake.dialects.converse import tool_input
from circletake.dialects.faults import billed_for, fault_from, filtered_from
from circletake.dialects.refusals import CATEGORIES, categories_in, filtered_by
from circletake.dialects.vectors import read_object
from circletake.domain.kinds import Billed
from circletake.domain.pictures import Filtered, Unusable

NOVA_INPUT = "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
ASSESSMENT = {
    "contentPolicy": {
        "filters": [
            {"type": "VIOLENCE", "confidence": "HIGH", "filterStrength": "HIGH", "action": "BLOCKED"},
            {"type": "SEXUAL", "confidence": "LOW", "filterStrength": "HIGH", "action": "NONE"},
        ]
    },
    "topicPolicy": {"topics": [{"name": "Politics", "type": "DENY", "action": "BLOCKED"}]},
}
REST: dict[str, Any] = {"images": [], "seeds": [1]}


def invoked(**members: Any) -> Filtered:
    read = read_stability(json.dumps({**REST, **members}).encode())
    assert isinstance(read, Filtered)
    return read


def conversed(**members: Any) -> Filtered:
    with pytest.raises(UnusableAnswer) as refused:
        tool_input(json.dumps(members).encode(), "tool")
    assert isinstance(refused.value.found, Filtered)
    return refused.value.found


def test_every_shape_becomes_the_same_form():
    """Five shapes of the documentation, and one of an embedding: stage, source and a reason each."""
    async_refusal = read_failure("The generated video has been blocked by our content filters.")
    error = filtered_from(fault_from("ValidationException", 400, NOVA_INPUT))
    with pytest.raises(UnusableAnswer) as embedding:
        read_object(b'{"amazon-bedrock-guardrailAction": "INTERVENED"}')
    found = [
        error,
        invoked(error="All of the generated images have been blocked by our content filters."),
        async_refusal,
        invoked(finish_reasons=["Filter reason: input image"]),
        invoked(**{"amazon-bedrock-guardrailAction": "INTERVENED"}),
        conversed(stopReason="guardrail_intervened"),
        conversed(stopReason="content_filtered"),
        embedding.value.found,
    ]
    assert [(each.stage, each.source) for each in found if isinstance(each, Filtered)] == [
        ("prompt", "model"),
        ("output_image", "model"),
        ("output_image", "model"),
        ("input_image", "model"),
        ("guardrail", "guardrail"),
        ("guardrail", "guardrail"),
        ("output_text", "model"),
        ("guardrail", "guardrail"),
    ]
    assert all(isinstance(each, Filtered) and each.provider_reason for each in found)


def test_who_pays_for_a_refusal():
    """An error instead of a result is free; a refusal inside a result was accepted, and no page says what that costs."""
    assert fault_from("ValidationException", 400, NOVA_INPUT).billed is Billed.FALSE
    assert billed_for(invoked(finish_reasons=["Filter reason: prompt"])) is Billed.UNKNOWN
    assert billed_for(invoked(**{"amazon-bedrock-guardrailAction": "INTERVENED"})) is Billed.UNKNOWN


@pytest.mark.parametrize(
    ("message", "categories"),
    [
        ("Blocked by our content filters: violence.", ("violence",)),
        ("Content moderation: nudity, graphic violence and blood", ("violence", "sexual")),
        ("The safety system found a weapon.", ("weapons",)),
        ("Content policy: depicts a public figure or celebrity.", ("public_figure",)),
        ("Content moderation flagged self-harm.", ("self_harm",)),
        ("Content moderation: copyrighted characters", ("copyright",)),
        ("Blocked by content filters (child safety).", ("minors",)),
        ("RAI_VIOLATION_INPUT_TEXT_DEFLECTION", ()),
        (NOVA_INPUT, ()),
    ],
)
def test_what_a_text_refuses_for_is_told_in_our_words(message, categories):
    """And nothing where the provider doesn't say."""
    found = filtered_by(message)
    assert found is not None
    assert found.categories == categories
    assert set(categories) <= set(CATEGORIES)


@pytest.mark.parametrize("quote", ['"{}"', "“{}”", "'{}'"])
def test_a_prompt_that_a_provider_repeats_is_not_what_it_refuses_for(quote):
    """A word of the studio's own prompt would name a reason that nobody gave."""
    assert categories_in("Blocked by content filters: " + quote.format("a gun and blood")) == ()


@pytest.mark.parametrize(
    ("reason", "stage", "categories"),
    [
        ("Filter reason: prompt", "prompt", ()),
        ("Filter reason: output image", "output_image", ()),
        ("Filter reason: output image (sexual content)", "output_image", ("sexual",)),
        ("Filter reason: another day, another reason", "unknown", ()),
    ],
)
def test_a_finish_reason_says_what_was_refused(reason, stage, categories):
    """Also one that says more than those that are documented."""
    assert invoked(finish_reasons=[reason]) == Filtered(stage, reason, "model", categories)


@pytest.mark.parametrize(
    "trace",
    [
        {"guardrail": {"input": {"gr1": ASSESSMENT}}},
        {"guardrail": {"outputs": [{"gr1": ASSESSMENT}]}},
        {"guardrail": {"inputAssessment": {"gr1": ASSESSMENT}}},
        {"guardrail": {"outputAssessments": {"gr1": [ASSESSMENT]}}},
    ],
)
def test_a_guardrails_trace_says_which_of_its_filters_acted(trace):
    """Those that only noticed something are left out, wherever in the trace they stand."""
    expected = ("violence", "denied_topic")
    intervened = {"amazon-bedrock-guardrailAction": "INTERVENED", "amazon-bedrock-trace": trace}
    assert invoked(**intervened).categories == expected
    assert conversed(stopReason="guardrail_intervened", trace=trace).categories == expected


@pytest.mark.parametrize(
    ("policy", "category"),
    [
        ({"contentPolicy": {"filters": [{"type": "HATE", "action": "BLOCKED"}]}}, "hate"),
        ({"contentPolicy": {"filters": [{"type": "INSULTS", "action": "BLOCKED"}]}}, "insults"),
        ({"contentPolicy": {"filters": [{"type": "MISCONDUCT", "action": "BLOCKED"}]}}, "misconduct"),
        ({"contentPolicy": {"filters": [{"type": "PROMPT_ATTACK", "action": "BLOCKED"}]}}, "prompt_attack"),
        ({"contentPolicy": {"filters": [{"type": "NEW", "action": "BLOCKED"}]}}, "other"),
        ({"wordPolicy": {"customWords": [{"match": "x", "action": "BLOCKED"}]}}, "denied_word"),
        ({"wordPolicy": {"managedWordLists": [{"type": "PROFANITY", "action": "BLOCKED"}]}}, "denied_word"),
        (
            {"sensitiveInformationPolicy": {"piiEntities": [{"type": "NAME", "action": "ANONYMIZED"}]}},
            "personal_data",
        ),
    ],
)
def test_each_policy_of_a_guardrail_has_its_word(policy, category):
    """The words a clearance may name."""
    trace = {"guardrail": {"input": {"gr1": policy}}}
    assert conversed(stopReason="guardrail_intervened", trace=trace).categories == (category,)


@pytest.mark.parametrize("trace", [None, [], "x", {"guardrail": {"input": {"gr1": {"contentPolicy": []}}}}])
def test_a_trace_that_says_nothing_invents_nothing(trace):
    """A guardrail without tracing is a refusal without a category."""
    assert conversed(stopReason="guardrail_intervened", trace=trace).categories == ()


def test_another_failure_is_no_refusal():
    """A server's trouble is never put down to content."""
    assert read_failure("Something went wrong on the server side.") == Unusable(
        "Something went wrong on the server side."
    )
    assert filtered_by("Malformed input request: #/guardrailConfig: violence is not permitted") is None
