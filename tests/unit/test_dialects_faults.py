"""Every error Bedrock documents becomes the right fault with the right bill."""

import pytest

from circletake.dialects.faults import (
    fault_from,
    filtered_from,
    never_answered,
    never_sent,
    retry_after_seconds,
)
from circletake.domain.kinds import Billed

UNSUPPORTED_ID = (
    "Invocation of model ID stability.stable-outpaint-v1:0 with on-demand throughput isn’t supported. Retry your "
    "request with the ID or ARN of an inference profile that contains this model."
)
LEGACY = (
    "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model in "
    "the last 30 days. Please upgrade to an active model on Amazon Bedrock"
)
ENDED = "This model version has reached the end of its life. Please refer to the AWS documentation for more details."
TITAN = (
    "This request has been blocked by our content filters. Our filters automatically flagged this prompt because it "
    "may conflict our AUP or AWS Responsible AI Policy. Please adjust your text prompt to submit a new request."
)
SCHEMA = (
    "Malformed input request: #/textToImageParams/text: expected maxLength: 512, actual: 536, please reformat your "
    "input and try again."
)


@pytest.mark.parametrize(
    ("code", "status", "message", "kind", "billed"),
    [
        ("ThrottlingException", 429, "Too many requests", "throttled", Billed.FALSE),
        ("429", 429, "", "throttled", Billed.FALSE),
        ("overloaded_error", 529, "Overloaded", "throttled", Billed.FALSE),
        ("529", 529, "", "throttled", Billed.FALSE),
        ("ModelNotReadyException", 429, "not ready", "not_ready", Billed.FALSE),
        ("ServiceQuotaExceededException", 400, "quota", "quota", Billed.FALSE),
        ("InternalServerException", 500, "", "unavailable", Billed.FALSE),
        ("500", 500, "", "unavailable", Billed.FALSE),
        ("ServiceUnavailableException", 503, "", "unavailable", Billed.FALSE),
        ("502", 502, "", "unavailable", Billed.UNKNOWN),
        ("504", 504, "", "unavailable", Billed.UNKNOWN),
        ("ModelTimeoutException", 408, "too long", "timeout", Billed.UNKNOWN),
        ("ModelErrorException", 424, "failed", "model_error", Billed.FALSE),
        ("modelStreamErrorException", 424, "failed", "model_error", Billed.FALSE),
        ("AccessDeniedException", 403, "no", "access_denied", Billed.FALSE),
        ("UnrecognizedClientException", 403, "token", "access_denied", Billed.FALSE),
        ("InvalidClientTokenId", 403, "token", "access_denied", Billed.FALSE),
        ("ExpiredTokenException", 403, "token", "access_denied", Billed.FALSE),
        ("InvalidSignatureException", 403, "signature", "access_denied", Billed.FALSE),
        ("IncompleteSignature", 400, "signature", "access_denied", Billed.FALSE),
        ("RequestExpired", 400, "clock", "access_denied", Billed.FALSE),
        ("FTUFormNotFilled", 404, "form", "access_denied", Billed.FALSE),
        ("MPAgreementBeingCreated", 403, "wait", "not_ready", Billed.FALSE),
        ("ResourceNotFoundException", 404, LEGACY, "ended", Billed.FALSE),
        ("ResourceNotFoundException", 404, ENDED, "ended", Billed.FALSE),
        ("ValidationException", 400, ENDED, "ended", Billed.FALSE),
        ("ResourceNotFoundException", 404, "Could not resolve the model", "not_found", Billed.FALSE),
        ("404", 404, "", "not_found", Billed.FALSE),
        ("ValidationException", 400, "The provided model identifier is invalid.", "not_found", Billed.FALSE),
        ("ValidationException", 400, UNSUPPORTED_ID, "not_found", Billed.FALSE),
        ("ValidationException", 400, SCHEMA, "invalid_request", Billed.FALSE),
        ("ValidationException", 400, "Invalid Request", "invalid_request", Billed.FALSE),
        ("ValidationException:http://internal/", 400, "Invalid", "invalid_request", Billed.FALSE),
        ("com.amazon#ValidationException", 400, "Invalid", "invalid_request", Billed.FALSE),
        ("400", 400, "", "invalid_request", Billed.FALSE),
        ("413", 413, "", "invalid_request", Billed.FALSE),
        ("418", 418, "", "invalid_request", Billed.FALSE),
        ("SomethingNew", 507, "", "unavailable", Billed.FALSE),
        ("SomethingNew", None, "", "unavailable", Billed.UNKNOWN),
    ],
)
def test_an_answered_error_becomes_its_fault_and_bill(code, status, message, kind, billed):
    """Not paid when an error came instead of a result, except where the model may have worked all the same."""
    fault = fault_from(code, status, message)
    assert (fault.kind, fault.billed) == (kind, billed)
    assert fault.status == status


def test_a_token_used_for_something_else_is_a_conflict_that_may_cost():
    """There is an invocation under that token, so somebody may be paying."""
    fault = fault_from("ConflictException", 400, "token", operation="start_async")
    assert (fault.kind, fault.billed) == ("conflict", Billed.UNKNOWN)


@pytest.mark.parametrize(
    ("message", "stage"),
    [
        (
            "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request.",
            "prompt",
        ),
        (
            "This request has been blocked by our content filters. Please adjust your input image to submit a new request.",
            "input_image",
        ),
        (TITAN, "prompt"),
        ("The request was blocked by the guardrail.", "guardrail"),
    ],
)
@pytest.mark.parametrize(("code", "status"), [("ValidationException", 400), ("ModelErrorException", 424)])
def test_a_content_filters_error_is_filtered_not_invalid(code, status, message, stage):
    """The same exception class as a schema error, or one that would be tried again: only the text tells them apart."""
    fault = fault_from(code, status, message)
    assert (fault.kind, fault.billed) == ("filtered", Billed.FALSE)
    assert filtered_from(fault).stage == stage


def test_a_schema_error_that_quotes_filter_words_is_no_refusal():
    """A field of a schema may be called anything."""
    message = "Malformed input request: #/guardrailConfig: extraneous key [moderation] is not permitted"
    assert fault_from("ValidationException", 400, message).kind == "invalid_request"


def test_a_poll_that_fails_says_nothing_of_the_bill():
    """The invocation was accepted earlier; a refused poll must not make it free."""
    fault = fault_from("ThrottlingException", 429, "", operation="poll_async")
    assert (fault.kind, fault.billed) == ("throttled", Billed.UNKNOWN)


def test_a_fault_shows_no_text_of_the_provider():
    """A provider may quote the prompt: the message is kept apart from what a log prints."""
    fault = fault_from("ValidationException", 400, "your prompt about the secret sequel is invalid")
    assert "secret" not in str(fault)
    assert "secret" not in repr(fault)
    assert "secret" in fault.provider_message


def test_a_call_that_never_left_is_not_paid_and_one_without_answer_may_be():
    """The two ends of a broken connection."""
    assert never_sent("EndpointConnectionError").billed is Billed.FALSE
    assert never_answered("ConnectionClosedError", timed_out=False).billed is Billed.UNKNOWN
    timed_out = never_answered("ReadTimeoutError", timed_out=True)
    assert (timed_out.kind, timed_out.billed) == ("timeout", Billed.UNKNOWN)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"x-amz-retry-after": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-3"}, None),
    ],
)
def test_the_wait_a_server_asks_for_is_read(headers, seconds):
    """Milliseconds from AWS's own header, else seconds; a date is left to our own backoff."""
    assert retry_after_seconds(headers) == seconds
    assert fault_from("ThrottlingException", 429, "", headers=headers).retry_after_seconds == seconds


def test_a_pending_agreement_is_tried_again_after_a_quarter_of_an_hour():
    """As the user guide says."""
    assert fault_from("MPAgreementBeingCreated", 403, "").retry_after_seconds == 900
