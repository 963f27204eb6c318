"""Asynchronous invocations: one paid run per token, results in the caller's bucket, nothing lost by a kill."""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from circletake.kit import clock
from services.embedded.s3 import REGION
from tests.integration.offline_bedrock import (
    RAY2,
    Server,
    Session,
    bedrock_server,
    ended,
    make_role,
    policy,
    root_client,
    s3_server,
)

BUCKET = "studio-ours"
VIDEO = {"prompt": "a lighthouse at dusk", "duration": "5s", "resolution": "540p", "aspect_ratio": "1:1"}
BEDROCK = {"Effect": "Allow", "Action": "bedrock:*", "Resource": "*"}
MAY_WRITE = {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": f"arn:aws:s3:::{BUCKET}/staging/*"}


@dataclass
class Place:
    server: Server
    s3: Any
    s3_endpoint: str
    role: str
    session: Session

    @property
    def client(self) -> Any:
        return self.server.client(self.session)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as endpoint:
        role = make_role(endpoint, "work")
        s3 = root_client("s3", endpoint)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        with bedrock_server(endpoint, tmp_path_factory.mktemp("bedrock"), "--async-seconds", "0") as server:
            yield Place(server, s3, endpoint, role, server.assume(role, Policy=policy(BEDROCK, MAY_WRITE)))


def _output(prefix: str = "staging/take-7", **members: Any) -> dict[str, Any]:
    return {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/{prefix}", **members}}


def _start(client: Any, **members: Any) -> str:
    arguments = {"modelId": RAY2, "modelInput": VIDEO, "outputDataConfig": _output(), **members}
    return str(client.start_async_invoke(**arguments)["invocationArn"])


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def test_a_video_arrives_in_the_callers_bucket(place: Place) -> None:
    """It completes, and the clip is an MP4 at `{s3Uri}/{invocationId}/output.mp4`."""
    arn = _start(place.client, outputDataConfig=_output("staging/take-7/"))
    answer = ended(place.client, arn)
    assert answer["status"] == "Completed"
    assert "failureMessage" not in answer
    assert answer["modelArn"] == f"arn:aws:bedrock:{REGION}::foundation-model/{RAY2}"
    assert answer["endTime"] >= answer["submitTime"]
    stored = place.s3.get_object(Bucket=BUCKET, Key=f"staging/take-7/{_id(arn)}/output.mp4")
    assert stored["ContentType"] == "video/mp4"
    assert stored["Body"].read()[4:8] == b"ftyp"


def test_an_invocation_id_is_twelve_lower_case_alphanumerics(place: Place) -> None:
    arn = _start(place.client)
    assert len(_id(arn)) == 12
    assert _id(arn).isalnum()
    assert _id(arn) == _id(arn).lower()


def test_the_same_token_and_request_is_one_paid_run(place: Place) -> None:
    """A retry after a lost answer finds the same invocation; only one run is billed."""
    before, token = place.server.last_call_id(), uuid4().hex
    first = _start(place.client, clientRequestToken=token)
    ended(place.client, first)
    assert _start(place.client, clientRequestToken=token) == first
    billed = [row["billed"] for row in place.server.calls(before) if row["token"] == token]
    assert billed == ["yes", "no"]


@pytest.mark.parametrize(
    "changes",
    [
        {"modelInput": {**VIDEO, "prompt": "a lighthouse at noon"}},
        {"outputDataConfig": _output("staging/take-8")},
        {"tags": [{"key": "take", "value": "8"}]},
    ],
)
def test_the_same_token_with_another_request_is_a_conflict(place: Place, changes: dict[str, Any]) -> None:
    token = uuid4().hex
    _start(place.client, clientRequestToken=token)
    with pytest.raises(ClientError) as refusal:
        _start(place.client, clientRequestToken=token, **changes)
    assert refusal.value.response["Error"]["Code"] == "ConflictException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_token_is_remembered_over_a_kill(place: Place, tmp_path: Path) -> None:
    """A caller that lost its answer to a crash of the server still doesn't pay twice."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--async-seconds", "60") as server:
        session = server.assume(place.role)
        first = _start(server.client(session), clientRequestToken="once")
        server.stop(signal.SIGKILL)
        server.start()
        assert _start(server.client(session), clientRequestToken="once") == first
        assert server.client(session).get_async_invoke(invocationArn=first)["status"] == "InProgress"


def test_an_unfinished_run_is_taken_up_after_a_kill(place: Place, tmp_path: Path) -> None:
    """The run ends well, its clip is there, and it was billed once."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--async-seconds", "3") as server:
        session = server.assume(place.role)
        arn = _start(server.client(session))
        server.stop(signal.SIGKILL)
        server.start()
        assert ended(server.client(session), arn)["status"] == "Completed"
        assert (
            place.s3.head_object(Bucket=BUCKET, Key=f"staging/take-7/{_id(arn)}/output.mp4")["ContentLength"]
            > 0
        )
        assert [(row["outcome"], row["billed"]) for row in server.calls()] == [("succeeded", "yes")]


def test_an_unfinished_run_whose_session_is_gone_fails(place: Place, tmp_path: Path) -> None:
    """Without the caller's credentials nothing may be written in its name."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--async-seconds", "60") as server:
        arn = _start(server.client(server.assume(place.role)))
        server.stop(signal.SIGKILL)
        (tmp_path / "state" / "sessions.json").unlink()
        server.start()
        answer = ended(server.client(server.assume(place.role)), arn)
        assert answer["status"] == "Failed"
        assert "credentials" in answer["failureMessage"]


@pytest.mark.parametrize("prefix", ["media/take-7", "other"])
def test_a_bucket_prefix_the_session_may_not_write_fails_the_run(place: Place, prefix: str) -> None:
    """The result is written as the caller, so the caller's session decides where."""
    answer = ended(place.client, _start(place.client, outputDataConfig=_output(prefix)))
    assert answer["status"] == "Failed"
    assert "AccessDenied" in answer["failureMessage"]
    assert not place.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["KeyCount"]


def test_a_bucket_that_does_not_exist_fails_the_run(place: Place) -> None:
    session = place.server.assume(place.role)
    client = place.server.client(session)
    output = {"s3OutputDataConfig": {"s3Uri": "s3://no-such-bucket/x"}}
    answer = ended(client, _start(client, outputDataConfig=output))
    assert answer["status"] == "Failed"
    assert "NoSuchBucket" in answer["failureMessage"]


def test_a_bucket_of_another_owner_fails_the_run(place: Place) -> None:
    """`bucketOwner` guards against a bucket name that belongs to somebody else."""
    output = _output(bucketOwner="999999999999")
    answer = ended(place.client, _start(place.client, outputDataConfig=output))
    assert answer["status"] == "Failed"
    assert "AccessDenied" in answer["failureMessage"]


def test_the_clip_is_encrypted_with_the_key_that_was_asked_for(place: Place) -> None:
    key = root_client("kms", place.s3_endpoint).create_key()["KeyMetadata"]["Arn"]
    # the tenant's key is the tenant's to use: the bucket role of this test may do anything
    client = place.server.client(place.server.assume(place.role))
    arn = _start(client, outputDataConfig=_output(kmsKeyId=key))
    assert ended(client, arn)["status"] == "Completed"
    stored = place.s3.head_object(Bucket=BUCKET, Key=f"staging/take-7/{_id(arn)}/output.mp4")
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key)


def test_an_unknown_invocation_is_a_validation_error(place: Place) -> None:
    """GetAsyncInvoke has no ResourceNotFoundException."""
    arn = _start(place.client)
    with pytest.raises(ClientError) as refusal:
        place.client.get_async_invoke(invocationArn=arn[:-12] + "000000000000")
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


def test_a_session_that_may_not_poll_is_denied(place: Place) -> None:
    only_invoke = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": "*"}
    session = place.server.assume(place.role, Policy=policy(only_invoke))
    client = place.server.client(session)
    arn = _start(client)
    for call in (lambda: client.get_async_invoke(invocationArn=arn), client.list_async_invokes):
        with pytest.raises(ClientError) as refusal:
            call()
        assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_session_that_may_not_invoke_starts_nothing(place: Place) -> None:
    before = place.server.last_call_id()
    session = place.server.assume(place.role, Policy=policy(MAY_WRITE))
    with pytest.raises(ClientError) as refusal:
        _start(place.server.client(session))
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    assert place.server.calls(before) == []


@pytest.fixture(scope="module")
def listed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, list[str]]]:
    """A server of its own with five invocations, the third under way."""
    directory = tmp_path_factory.mktemp("listed")
    with bedrock_server(place.s3_endpoint, directory, "--async-seconds", "0") as server:
        client = server.client(server.assume(place.role))
        arns = []
        for number in range(5):
            with server.fault("slow_async" if number == 2 else "fail_async", seconds=3600):
                arns.append(_start(client))
            if number != 2:
                ended(client, arns[-1])
        yield client, arns


def _listed(client: Any, **query: Any) -> list[str]:
    pages = client.get_paginator("list_async_invokes").paginate(**query)
    return [row["invocationArn"] for page in pages for row in page["asyncInvokeSummaries"]]


def test_invocations_are_listed_in_pages_in_both_orders(listed: tuple[Any, list[str]]) -> None:
    client, arns = listed
    assert _listed(client, PaginationConfig={"PageSize": 2}, sortOrder="Ascending") == arns
    assert _listed(client, PaginationConfig={"PageSize": 2}) == arns[::-1]


def test_invocations_are_listed_by_status(listed: tuple[Any, list[str]]) -> None:
    client, arns = listed
    assert _listed(client, statusEquals="InProgress") == [arns[2]]
    assert _listed(client, statusEquals="Failed", sortOrder="Ascending") == arns[:2] + arns[3:]
    assert _listed(client, statusEquals="Completed") == []


def test_invocations_are_listed_by_time(listed: tuple[Any, list[str]]) -> None:
    """A crashed caller finds its invocation again by the time window and the token."""
    client, arns = listed
    middle = client.get_async_invoke(invocationArn=arns[2])["submitTime"]
    assert _listed(client, submitTimeAfter=middle, sortOrder="Ascending") == arns[3:]
    assert _listed(client, submitTimeBefore=middle, sortOrder="Ascending") == arns[:2]
    assert _listed(client, submitTimeAfter=clock.now() + timedelta(hours=1)) == []
    row = client.list_async_invokes(maxResults=1)["asyncInvokeSummaries"][0]
    assert row["clientRequestToken"]


def test_a_made_up_page_token_is_refused(listed: tuple[Any, list[str]]) -> None:
    with pytest.raises(ClientError) as refusal:
        listed[0].list_async_invokes(nextToken="made-up")
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


def test_an_ended_invocation_keeps_no_prompt(place: Place) -> None:
    """The model input is content: once it isn't needed, it isn't kept. The call log never had it."""
    prompt = f"a lighthouse called {uuid4().hex}"
    ended(place.client, _start(place.client, modelInput={**VIDEO, "prompt": prompt}))
    assert prompt not in json.dumps(place.server.calls())
    assert prompt.encode() not in (place.server.directory / "bedrock.log").read_bytes()
