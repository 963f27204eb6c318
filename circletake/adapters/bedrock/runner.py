"""Bedrock's runtime behind the port ModelRunner.

InvokeModel and Converse have no idempotency token and a read timeout would make botocore send them again (measured:
three times by default), so they are sent once and never repeated here, except when the server refuses the session
itself: then nothing was run. StartAsyncInvoke has a token, GetAsyncInvoke changes nothing; both use botocore's own retries.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ReadTimeoutError as BodyReadTimeout

from circletake.adapters.aws import AwsClients, session_refused, under_session
from circletake.dialects.faults import Operation, fault_from, never_answered, never_sent
from circletake.domain.kinds import Billed
from circletake.domain.pictures import ModelCard, ModelFault
from circletake.domain.tenants import TenantStorage
from circletake.ports import AsyncStatus, InvokeAnswer, SessionCredentials, StorageFault, TenantSessions

if TYPE_CHECKING:
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

T = TypeVar("T")

_CONNECT_SECONDS = 5.0
_POLL_READ_SECONDS = 30.0
_REPEATS = 3
_SENT_ONCE: frozenset[Operation] = frozenset({"invoke", "converse"})
_TOLD = ("output", "stopReason", "usage", "metrics")

_STATES: dict[str, Literal["in_progress", "completed", "failed"]] = {
    "InProgress": "in_progress",
    "Completed": "completed",
    "Failed": "failed",
}


class BedrockModelRunner:
    """ModelRunner of one process.

    `clients` should be the runner's own, with as many threads as the process runs paid calls at once: a model call
    holds its thread for minutes, and nothing else should have to wait for it. `account_id` (12 digits) guards the
    bucket of an asynchronous result against one of the same name in another account.
    """

    def __init__(
        self, clients: AwsClients, sessions: TenantSessions, *, account_id: str, endpoint: str | None = None
    ) -> None:
        self._clients = clients
        self._sessions = sessions
        self._account_id = account_id
        self._endpoint = endpoint

    async def invoke(self, tenant: TenantStorage, card: ModelCard, body: bytes) -> InvokeAnswer:
        def call(client: "BedrockRuntimeClient") -> InvokeAnswer:
            answer = client.invoke_model(
                modelId=card.id, body=body, contentType="application/json", accept="application/json"
            )
            meta = answer["ResponseMetadata"]
            with answer["body"] as stream:
                content = stream.read()
            if not content:  # a head that was cut off leaves a 200 without a length, and no error
                raise never_answered("EmptyAnswer", timed_out=False, code="EmptyAnswer")
            return InvokeAnswer(content, meta.get("RequestId"), meta.get("RetryAttempts", 0) + 1)

        return await self._call(tenant, card, "invoke", call)

    async def converse(self, tenant: TenantStorage, card: ModelCard, body: Mapping[str, Any]) -> InvokeAnswer:
        def call(client: "BedrockRuntimeClient") -> InvokeAnswer:
            answer = client.converse(modelId=card.id, **body)
            _required(answer, "stopReason")
            meta = answer["ResponseMetadata"]
            told = {name: answer[name] for name in _TOLD if name in answer}  # type: ignore[literal-required]
            content = json.dumps(told, default=_unwritten).encode()
            return InvokeAnswer(content, meta.get("RequestId"), meta.get("RetryAttempts", 0) + 1)

        return await self._call(tenant, card, "converse", call)

    async def start_async(
        self, tenant: TenantStorage, card: ModelCard, body: Mapping[str, Any], *, token: str, s3_uri: str
    ) -> str:
        def call(client: "BedrockRuntimeClient") -> str:
            started = client.start_async_invoke(
                clientRequestToken=token,
                modelId=card.id,
                modelInput=dict(body),
                outputDataConfig={
                    "s3OutputDataConfig": {
                        "s3Uri": s3_uri,
                        "kmsKeyId": tenant.kms_key_arn,
                        "bucketOwner": self._account_id,
                    }
                },
            )
            return _required(started, "invocationArn")

        return await self._call(tenant, card, "start_async", call)

    async def poll_async(self, tenant: TenantStorage, card: ModelCard, invocation_arn: str) -> AsyncStatus:
        def call(client: "BedrockRuntimeClient") -> AsyncStatus:
            found = client.get_async_invoke(invocationArn=invocation_arn)
            output = found.get("outputDataConfig", {}).get("s3OutputDataConfig", {})
            return AsyncStatus(
                # a word this version doesn't know is not an end
                _STATES.get(_required(found, "status"), "in_progress"),
                found.get("failureMessage"),
                found.get("clientRequestToken"),
                output.get("s3Uri"),
            )

        return await self._call(tenant, card, "poll_async", call)

    async def _call(
        self,
        tenant: TenantStorage,
        card: ModelCard,
        operation: Operation,
        call: Callable[["BedrockRuntimeClient"], T],
    ) -> T:
        async def with_session(credentials: SessionCredentials) -> T:
            return await self._clients.run(lambda: call(self._client(tenant, card, operation, credentials)))

        try:
            return await under_session(self._sessions, tenant, with_session)
        except StorageFault as fault:
            kind = cast("Any", "access_denied" if fault.kind == "denied" else "unavailable")
            raise never_sent(str(fault), kind=kind, code="AssumeRole") from fault
        except ClientError as error:
            raise _answered(error, operation) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise _broken(error, operation) from error

    def _client(
        self,
        tenant: TenantStorage,
        card: ModelCard,
        operation: Operation,
        credentials: SessionCredentials,
    ) -> "BedrockRuntimeClient":
        read_seconds = _POLL_READ_SECONDS if operation == "poll_async" else float(card.timeout_seconds)
        attempts = 1 if operation in _SENT_ONCE else _REPEATS
        return cast(
            "BedrockRuntimeClient",
            self._clients.client(
                "bedrock-runtime",
                region=region_for(tenant, card),
                endpoint=self._endpoint,
                credentials=credentials,
                config=Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=read_seconds,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                ),
                use=f"attempts={attempts} read={read_seconds:g}",
            ),
        )


def _unwritten(value: object) -> str:
    """Stand in for bytes in an answer (a picture, reasoning that is kept from us): nobody here reads them."""
    return f"<{type(value).__name__}>"


def _required(answer: Mapping[str, Any], member: str) -> str:
    """Return a member that every whole answer has: botocore reads a JSON answer that was cut off as an empty one."""
    value = answer.get(member)
    if not value:
        raise never_answered("CutAnswer", timed_out=False, code="CutAnswer")
    return str(value)


def region_for(tenant: TenantStorage, card: ModelCard) -> str:
    """Return where the model is called: the tenant's own region if the model is there, else the card's first."""
    return tenant.region if tenant.region in card.regions else card.regions[0]


def _answered(error: ClientError, operation: Operation) -> ModelFault:
    stated = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    fault = fault_from(
        str(stated.get("Code", "")),
        meta.get("HTTPStatusCode"),
        str(stated.get("Message", "")),
        operation=operation,
        request_id=meta.get("RequestId"),
        headers={name.lower(): value for name, value in meta.get("HTTPHeaders", {}).items()},
    )
    if session_refused(error):
        fault.billed = Billed.FALSE
    return fault


# Raised before one byte of the request has left.
_NOT_MADE = (NoCredentialsError, ParamValidationError)
_NOT_CONNECTED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_TIMED_OUT = (ReadTimeoutError, BodyReadTimeout)


def _broken(error: BotoCoreError | HTTPError | OSError, operation: Operation) -> ModelFault:
    """Translate a call without a whole answer. The message is the error's type: its text may quote the request.

    A call that botocore repeats may have been taken at its first try and refused a connection at its last, so
    only a call that is sent once is known not to have left.
    """
    name = type(error).__name__
    if isinstance(error, _NOT_MADE) and operation != "poll_async":
        return never_sent(name, kind="invalid_request", code=name)
    if operation in _SENT_ONCE and (isinstance(error, _NOT_CONNECTED) or _handshake_failed(error)):
        return never_sent(name, code=name)
    return never_answered(name, timed_out=isinstance(error, _TIMED_OUT), code=name)


def _handshake_failed(error: Exception) -> bool:
    """Tell a certificate that was refused from TLS that broke in mid-answer; botocore has one error for both."""
    return isinstance(error, SSLError) and any(
        sign in str(error) for sign in ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")
    )
