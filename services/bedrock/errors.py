"""What Bedrock answers when it doesn't do what was asked: status, code and text.

Codes and statuses are those of the `bedrock-runtime` service model (2023-09-30); the texts are AWS's own where
its documentation or public reports quote them.
"""

from collections.abc import Mapping
from typing import Any


class BedrockFault(Exception):
    """An error answer. `extra` are further members of the JSON body, `headers` further response headers."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


def validation(message: str) -> BedrockFault:
    return BedrockFault(400, "ValidationException", message)


def constraint(value: object, member: str, rule: str) -> BedrockFault:
    """A violated constraint of the API shape (not of a model's own schema)."""
    return validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    )


def malformed(*violations: str) -> BedrockFault:
    """A violated constraint of a model's native schema, each as `#/pointer: what`."""
    detail = f": {', '.join(violations)}" if violations else ""
    return validation(f"Malformed input request{detail}, please reformat your input and try again.")


def access_denied(message: str) -> BedrockFault:
    return BedrockFault(403, "AccessDeniedException", message)


def missing_signature() -> BedrockFault:
    return BedrockFault(403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def unknown_key() -> BedrockFault:
    return BedrockFault(
        403, "UnrecognizedClientException", "The security token included in the request is invalid."
    )


def expired_token() -> BedrockFault:
    return BedrockFault(403, "ExpiredTokenException", "The security token included in the request is expired")


def invalid_signature(message: str | None = None) -> BedrockFault:
    return BedrockFault(
        403,
        "InvalidSignatureException",
        message
        or "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
        "Access Key and signing method. Consult the service documentation for details.",
    )


def unknown_operation(detail: str = "") -> BedrockFault:
    return BedrockFault(404, "UnknownOperationException", detail or "Unknown operation")


def internal() -> BedrockFault:
    return BedrockFault(
        500,
        "InternalServerException",
        "The system encountered an unexpected error during processing. Try your request again.",
    )


def model_failed(model_arn: str, status: int = 500) -> BedrockFault:
    return BedrockFault(
        424,
        "ModelErrorException",
        "The request failed due to an error while processing the model.",
        extra={"originalStatusCode": status, "resourceName": model_arn},
    )


def throttled() -> BedrockFault:
    return BedrockFault(429, "ThrottlingException", "Too many requests, please wait before trying again.")
