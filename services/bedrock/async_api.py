"""StartAsyncInvoke, GetAsyncInvoke, ListAsyncInvokes."""

import asyncio
import hashlib
import json
import random
import re
import secrets
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from services.bedrock import clock, faults, models
from services.bedrock.async_runs import AsyncRuns
from services.bedrock.calls import CallLog, Outcome
from services.bedrock.controls import Controls, write_cast
from services.bedrock.dialects import luma
from services.bedrock.errors import BedrockFault, constraint, internal, malformed, validation
from services.bedrock.gate import Caller, Gate
from services.bedrock.http import MAX_BODY, Answer, Request, json_answer
from services.bedrock.invocations import Invocation, Invocations, Page
from services.bedrock.models import Model
from services.bedrock.pictures import UnreadablePicture
from services.bedrock.settings import Settings
from services.bedrock.sync_api import new_call, refusal, strike
from services.bedrock.work import check_keyframes

_ID_ALPHABET = string.ascii_lowercase + string.digits
_MAX_TAGS = 200
_MAX_PAGE = 1000
_DEFAULT_PAGE = 100
_MAX_SEED = 2**31 - 1

# patterns and lengths: the botocore service model, bedrock-runtime 2023-09-30
_TOKEN = re.compile(r"[!-~]{1,256}")
_MODEL_ID = re.compile(r"[a-zA-Z_.\-/0-9:]{1,256}")
_S3_URI = re.compile(r"s3://[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9](/.*)?")
_KMS_KEY = re.compile(
    r"arn:aws(-[^:]+)?:kms:[a-zA-Z0-9-]*:[0-9]{12}:((key/[a-zA-Z0-9-]{36})|(alias/[a-zA-Z0-9-_/]+))"
)
_ACCOUNT = re.compile(r"[0-9]{12}")
_TAG_KEY = re.compile(r"[a-zA-Z0-9\s._:/=+@-]{1,128}")
_TAG_VALUE = re.compile(r"[a-zA-Z0-9\s._:/=+@-]{0,256}")
_ARN = re.compile(r"arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:async-invoke/([a-z0-9]{12})")
_UNKNOWN_INVOCATION = "The provided invocation ARN is invalid."


@dataclass(frozen=True, slots=True)
class StartRequest:
    """The members of StartAsyncInvoke, checked; `model_input` is JSON, `sha256` covers all but the token."""

    token: str
    model_input: str = field(repr=False)
    output: Mapping[str, Any]
    sha256: str


class AsyncApi:
    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        controls: Controls,
        log: CallLog,
        invocations: Invocations,
        runs: AsyncRuns,
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._controls = controls
        self._book = controls.faults
        self._log = log
        self._invocations = invocations
        self._runs = runs

    async def start(self, request: Request, caller: Caller) -> Answer:
        account = self._settings.account
        document = await asyncio.to_thread(_read_document, request)
        identifier = document.get("modelId")
        if not isinstance(identifier, str) or not _MODEL_ID.fullmatch(identifier):
            raise constraint("", "modelId", f"satisfy regular expression pattern: {_MODEL_ID.pattern}")
        model = models.find(identifier, caller.region, account, self._controls.models)
        resources = models.resources(model, caller.region, account)
        self._gate.authorize(caller, "bedrock:InvokeModel", resources)
        token = document.get("clientRequestToken")
        call_id = await self._log.begin(
            new_call(
                request,
                caller,
                "StartAsyncInvoke",
                model,
                token if isinstance(token, str) else None,
            )
        )
        try:
            answer = await self._accept(document, caller, model, call_id)
        except BedrockFault as fault:
            await self._log.end(call_id, refusal(fault))
            raise
        except Exception:
            await self._log.end(call_id, refusal(internal()))
            raise
        return answer

    async def _accept(
        self, document: Mapping[str, Any], caller: Caller, model: Model, call_id: int
    ) -> Answer:
        arn = models.model_arn(model, self._settings.region)
        names = model.names
        await strike(self._book, "StartAsyncInvoke", names, arn)
        if model.mode != "async":
            raise validation(
                f"The model {model.base_id} doesn't support asynchronous invocation: use InvokeModel."
            )
        start = await asyncio.to_thread(read_start, document)
        rule = self._book.fire(faults.ASYNC_RUN, "StartAsyncInvoke", names)
        moment = clock.iso(clock.now())
        new = Invocation(
            id="".join(secrets.choice(_ID_ALPHABET) for _ in range(12)),
            token=start.token,
            request_sha256=start.sha256,
            model_id=model.base_id,
            model_input=start.model_input,
            output=json.dumps(start.output),
            status="InProgress",
            failure_message=None,
            submitted_at=moment,
            modified_at=moment,
            ended_at=None,
            access_key_id=caller.access_key_id,
            seed=random.SystemRandom().randint(1, _MAX_SEED),
            min_seconds=rule.seconds if rule and rule.kind == "slow_async" else self._settings.async_seconds,
            fault=rule.kind if rule else None,
            call_id=call_id,
        )
        order = await asyncio.to_thread(luma.parse_ray2, json.loads(start.model_input), new.seed)
        invocation, is_new = await self._invocations.add(new, self._arn(new.id), order)
        if is_new:
            cast = write_cast(self._controls.cast_for(order, model, caller.tags.get("tenant", "")))
            if cast is not None:
                invocation = await self._invocations.set_cast(invocation, cast)
            self._runs.start(invocation)
        else:
            repeated = Outcome("repeated", "no", 200, invocation_arn=self._arn(invocation.id))
            await self._log.end(call_id, repeated)
        answer = json_answer({"invocationArn": self._arn(invocation.id)})
        cut = self._book.fire(frozenset({faults.DIE}), "StartAsyncInvoke", names) is not None
        return Answer(answer.status, answer.body, answer.headers, cut=cut)

    async def get(self, caller: Caller, arn: str) -> Answer:
        self._gate.authorize(caller, "bedrock:GetAsyncInvoke", [arn])
        match = _ARN.fullmatch(arn)
        if match is None:
            raise constraint(arn, "invocationArn", f"satisfy regular expression pattern: {_ARN.pattern}")
        invocation = await self._invocations.get(match[2]) if self._arn(match[2]) == arn else None
        names = frozenset({invocation.model_id}) if invocation else frozenset()
        await strike(self._book, "GetAsyncInvoke", names, "")
        if invocation is None:
            raise validation(_UNKNOWN_INVOCATION)
        return json_answer(self._describe(invocation))

    async def list_all(self, request: Request, caller: Caller) -> Answer:
        self._gate.authorize(caller, "bedrock:ListAsyncInvokes", ["*"])
        await strike(self._book, "ListAsyncInvokes", frozenset(), "")
        found, token = await self._invocations.page(read_page(request.query))
        document: dict[str, Any] = {"asyncInvokeSummaries": [self._describe(item) for item in found]}
        if token is not None:
            document["nextToken"] = token
        return json_answer(document)

    def _arn(self, invocation_id: str) -> str:
        return (
            f"arn:aws:bedrock:{self._settings.region}:{self._settings.account}:async-invoke/{invocation_id}"
        )

    def _describe(self, invocation: Invocation) -> dict[str, Any]:
        members = {
            "invocationArn": self._arn(invocation.id),
            "modelArn": f"arn:aws:bedrock:{self._settings.region}::foundation-model/{invocation.model_id}",
            "clientRequestToken": invocation.token,
            "status": invocation.status,
            "failureMessage": invocation.failure_message,
            "submitTime": invocation.submitted_at,
            "lastModifiedTime": invocation.modified_at,
            "endTime": invocation.ended_at,
            "outputDataConfig": {"s3OutputDataConfig": dict(invocation.output_config)},
        }
        return {name: value for name, value in members.items() if value is not None}


def _read_document(request: Request) -> dict[str, Any]:
    if request.body is None:
        raise constraint("", "body", f"have length less than or equal to {MAX_BODY}")
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BedrockFault(400, "SerializationException", "The request body is not valid JSON.") from None
    if not isinstance(document, dict):
        raise BedrockFault(400, "SerializationException", "The request body is not a JSON object.")
    return document


def _check_input(model_input: Any) -> None:
    order = luma.parse_ray2(model_input, seed=1)
    try:
        check_keyframes(order)
    except UnreadablePicture:
        raise malformed("#/keyframes: is not a readable image") from None


def read_start(document: Mapping[str, Any]) -> StartRequest:
    """Check the API shape, then the model's own input. Raises ValidationException."""
    for name in ("modelInput", "outputDataConfig"):
        if document.get(name) is None:
            raise validation(
                f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not "
                "be null"
            )
    token = document.get("clientRequestToken")
    if token is None:
        token = str(uuid.uuid4())
    _match(_TOKEN, token, "clientRequestToken")
    output = _read_output(document["outputDataConfig"])
    tags = _read_tags(document.get("tags"))
    _check_input(document["modelInput"])
    model_input = json.dumps(document["modelInput"], sort_keys=True)
    covered = json.dumps([document["modelId"], model_input, output, tags], sort_keys=True)
    return StartRequest(token, model_input, output, hashlib.sha256(covered.encode()).hexdigest())


def _read_output(config: object) -> dict[str, Any]:
    s3 = config.get("s3OutputDataConfig") if isinstance(config, dict) else None
    if not isinstance(s3, dict):
        raise validation("Exactly one member of outputDataConfig must be set: s3OutputDataConfig")
    where = "outputDataConfig.s3OutputDataConfig"
    uri = s3.get("s3Uri")
    _match(_S3_URI, uri, f"{where}.s3Uri")
    if len(str(uri)) > 1024:  # noqa: PLR2004 - the shape's own limit
        raise constraint(uri, f"{where}.s3Uri", "have length less than or equal to 1024")
    if s3.get("kmsKeyId") is not None:
        _match(_KMS_KEY, s3["kmsKeyId"], f"{where}.kmsKeyId")
    if s3.get("bucketOwner") is not None:
        _match(_ACCOUNT, s3["bucketOwner"], f"{where}.bucketOwner")
    return {name: s3[name] for name in ("s3Uri", "kmsKeyId", "bucketOwner") if s3.get(name) is not None}


def _read_tags(tags: object) -> object:
    if tags is None:
        return []
    if not isinstance(tags, list) or len(tags) > _MAX_TAGS:
        raise constraint("", "tags", f"have length less than or equal to {_MAX_TAGS}")
    for number, tag in enumerate(tags, 1):
        member = tag if isinstance(tag, dict) else {}
        _match(_TAG_KEY, member.get("key"), f"tags.{number}.member.key")
        _match(_TAG_VALUE, member.get("value"), f"tags.{number}.member.value")
    return tags


def _match(pattern: re.Pattern[str], value: object, member: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise constraint(value, member, f"satisfy regular expression pattern: {pattern.pattern}")


def read_page(query: str) -> Page:
    """Check the query of ListAsyncInvokes. Raises ValidationException."""
    values = dict(parse_qsl(query))
    size = values.get("maxResults", str(_DEFAULT_PAGE))
    if not size.isdecimal() or not 1 <= int(size) <= _MAX_PAGE:
        raise constraint(size, "maxResults", f"have value between 1 and {_MAX_PAGE}")
    for name, allowed in (
        ("statusEquals", ("InProgress", "Completed", "Failed")),
        ("sortBy", ("SubmissionTime",)),
        ("sortOrder", ("Ascending", "Descending")),
    ):
        if name in values and values[name] not in allowed:
            raise constraint(values[name], name, f"satisfy enum value set: [{', '.join(allowed)}]")
    return Page(
        after=_moment(values, "submitTimeAfter"),
        before=_moment(values, "submitTimeBefore"),
        status=values.get("statusEquals"),
        ascending=values.get("sortOrder") == "Ascending",
        size=int(size),
        token=values.get("nextToken"),
    )


def _moment(values: Mapping[str, str], name: str) -> str | None:
    if name not in values:
        return None
    try:
        moment = datetime.fromisoformat(values[name])
    except ValueError:
        raise constraint(values[name], name, "be an ISO 8601 timestamp") from None
    return clock.iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
