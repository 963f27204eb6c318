"""AssumeRole, passed on: this server checks the long-lived key, the S3 server's STS issues, and both know the session.

Protocol: AWS Query (form body, XML answer), API version 2011-06-15.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from botocore.exceptions import BotoCoreError, ClientError

from services.bedrock import clock, sigv4
from services.bedrock.aws import Clients
from services.bedrock.credentials import Session, SessionStore
from services.bedrock.errors import BedrockFault
from services.bedrock.gate import Gate
from services.bedrock.http import Answer, Request

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_PASSED_ON = ("RoleArn", "RoleSessionName", "Policy", "ExternalId", "SourceIdentity")
_TAG = re.compile(r"Tags\.member\.(\d+)\.(Key|Value)")
_TRANSITIVE = re.compile(r"TransitiveTagKeys\.member\.(\d+)")
_CODES = {
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "UnrecognizedClientException": "InvalidClientTokenId",
    "ThrottlingException": "Throttling",
    "AccessDeniedException": "AccessDenied",
}


def is_sts(request: Request) -> bool:
    return request.path == "/" and request.method == "POST"


def error_answer(fault: BedrockFault, request_id: str) -> Answer:
    """The fault in the XML shape of STS."""
    kind = "Sender" if fault.status < 500 else "Receiver"  # noqa: PLR2004 - HTTP server errors
    xml = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>{kind}</Type>'
        f"<Code>{escape(_CODES.get(fault.code, fault.code))}</Code><Message>{escape(fault.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Answer(fault.status, xml.encode(), {"content-type": "text/xml"})


class Sts:
    def __init__(self, gate: Gate, sessions: SessionStore, clients: Clients) -> None:
        self._gate = gate
        self._sessions = sessions
        self._clients = clients

    async def assume_role(self, request: Request) -> Answer:
        """Check, pass on, keep, answer. Raises BedrockFault; the caller words it as STS does."""
        authorization = sigv4.read_authorization(request.headers)
        key = self._gate.long_lived(authorization.access_key_id)
        if key is None:
            if self._sessions.get(authorization.access_key_id) is not None:
                raise BedrockFault(
                    403, "AccessDenied", "A session may not assume a role here: use a long-lived key"
                )
            raise BedrockFault(
                403, "InvalidClientTokenId", "The security token included in the request is invalid."
            )
        # STS takes any Region's signature: the SDKs sign for us-east-1 when they call the global endpoint
        sigv4.verify(request.signed, authorization, key.secret, service="sts", region=None, at=clock.now())
        form = _read_form(request)
        if form.get("Action") != "AssumeRole":
            raise BedrockFault(400, "InvalidAction", "Only AssumeRole is served here")
        answer = await asyncio.to_thread(self._issue, key.access_key_id, key.secret, form)
        return Answer(200, _render(answer, request.request_id).encode(), {"content-type": "text/xml"})

    def _issue(self, access_key_id: str, secret: str, form: Mapping[str, str]) -> dict[str, Any]:
        arguments = _arguments(form)
        try:
            answer: dict[str, Any] = self._clients.sts(access_key_id, secret).assume_role(**arguments)
        except ClientError as error:
            detail = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            raise BedrockFault(
                status, detail.get("Code", "InternalFailure"), detail.get("Message", "")
            ) from None
        except BotoCoreError as error:
            raise BedrockFault(
                503, "ServiceUnavailable", f"The S3 server's STS did not answer: {type(error).__name__}"
            ) from None
        issued = answer["Credentials"]
        self._sessions.keep(
            Session(
                access_key_id=issued["AccessKeyId"],
                secret=issued["SecretAccessKey"],
                token=issued["SessionToken"],
                expires_at=issued["Expiration"],
                role_arn=arguments["RoleArn"],
                session_name=arguments["RoleSessionName"],
                assumed_role_arn=answer.get("AssumedRoleUser", {}).get("Arn", arguments["RoleArn"]),
                policy=arguments.get("Policy"),
                tags={tag["Key"]: tag["Value"] for tag in arguments.get("Tags", ())},
            )
        )
        return answer


def _read_form(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True, strict_parsing=True))
    except ValueError:
        raise BedrockFault(400, "MalformedQueryString", "The body is not a query-protocol form") from None


def _arguments(form: Mapping[str, str]) -> dict[str, Any]:
    if any(name.startswith("PolicyArns.") for name in form):
        # a managed policy's text isn't known here, so what it forbids could not be kept
        raise _invalid("Managed session policies are not served here: use Policy")
    for name in ("RoleArn", "RoleSessionName"):
        if not form.get(name):
            member = f"{name[0].lower()}{name[1:]}"
            raise _invalid(
                f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must "
                "not be null"
            )
    arguments: dict[str, Any] = {name: form[name] for name in _PASSED_ON if name in form}
    if "DurationSeconds" in form:
        if not form["DurationSeconds"].isdecimal():
            raise _invalid("DurationSeconds must be an integer")
        arguments["DurationSeconds"] = int(form["DurationSeconds"])
    return arguments | _tag_arguments(form)


def _tag_arguments(form: Mapping[str, str]) -> dict[str, Any]:
    tags: dict[int, dict[str, str]] = {}
    transitive: dict[int, str] = {}
    for name, value in form.items():
        if tag := _TAG.fullmatch(name):
            tags.setdefault(int(tag[1]), {"Key": "", "Value": ""})[tag[2]] = value
        elif key := _TRANSITIVE.fullmatch(name):
            transitive[int(key[1])] = value
    arguments: dict[str, Any] = {}
    if tags:
        arguments["Tags"] = [tags[number] for number in sorted(tags)]
    if transitive:
        arguments["TransitiveTagKeys"] = [transitive[number] for number in sorted(transitive)]
    return arguments


def _invalid(message: str) -> BedrockFault:
    return BedrockFault(400, "ValidationError", message)


def _render(answer: Mapping[str, Any], request_id: str) -> str:
    issued, user = answer["Credentials"], answer.get("AssumedRoleUser", {})
    packed = answer.get("PackedPolicySize")
    return (
        f'<AssumeRoleResponse xmlns="{_NAMESPACE}"><AssumeRoleResult><AssumedRoleUser>'
        f"<AssumedRoleId>{escape(user.get('AssumedRoleId', ''))}</AssumedRoleId><Arn>{escape(user.get('Arn', ''))}</Arn>"
        f"</AssumedRoleUser><Credentials><AccessKeyId>{escape(issued['AccessKeyId'])}</AccessKeyId>"
        f"<SecretAccessKey>{escape(issued['SecretAccessKey'])}</SecretAccessKey>"
        f"<SessionToken>{escape(issued['SessionToken'])}</SessionToken>"
        f"<Expiration>{clock.iso(issued['Expiration'])}</Expiration></Credentials>"
        f"{'' if packed is None else f'<PackedPolicySize>{int(packed)}</PackedPolicySize>'}</AssumeRoleResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></AssumeRoleResponse>"
    )
