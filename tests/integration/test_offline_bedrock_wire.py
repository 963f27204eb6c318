"""The offline model server takes the signatures, paths and sessions that boto3 sends, and no others."""

import http.client
import json
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from circletake.kit import clock
from services.embedded.home import KeyPair
from services.embedded.s3 import ACCOUNT_ID, REGION
from tests.integration.offline_bedrock import (
    ERASE,
    RAY2,
    SD35,
    WORKER,
    Server,
    Session,
    bedrock_server,
    invoke,
    make_role,
    policy,
    s3_server,
)

PROMPT = {"prompt": "a lighthouse at dusk"}


@dataclass
class Place:
    server: Server
    s3_endpoint: str
    role: str
    session: Session

    @property
    def client(self) -> Any:
        return self.server.client(self.session)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), "--instant") as server:
            yield Place(server, s3, role, server.assume(role))


def _refused(place: Place, session: Session, model: str = SD35) -> Any:
    with pytest.raises(ClientError) as refusal:
        invoke(place.server.client(session), model, PROMPT)
    return refusal.value.response


@pytest.mark.parametrize(
    "model",
    [
        SD35,
        f"arn:aws:bedrock:{REGION}::foundation-model/{SD35}",
    ],
)
def test_boto3_calls_a_model_by_id_and_by_arn(place: Place, model: str) -> None:
    """An unchanged boto3 client gets its picture, whichever way it names the model."""
    assert invoke(place.client, model, PROMPT)["finish_reasons"] == [None]


@pytest.mark.parametrize("path", [f"/model/{SD35}/invoke", f"/model/{SD35.replace(':', '%3A')}/invoke"])
def test_an_identifier_may_come_encoded_or_not(place: Place, path: str) -> None:
    """SDKs differ in how they write `:` in a path; both are the same model."""
    answer = _send(place, _signed(place, path))
    assert answer.status == 200


def test_a_profile_arn_names_the_service_behind_it(place: Place) -> None:
    """An inference-profile ARN, with its encoded slash, reaches the image service."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:inference-profile/{ERASE}"
    with pytest.raises(ClientError) as refusal:
        invoke(place.client, arn, {})
    assert "#: required key [image] not found" in refusal.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    ("model", "status", "code", "text"),
    [
        (
            "stability.no-such-model-v1:0",
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
        ),
        (
            f"arn:aws:bedrock:eu-west-1::foundation-model/{SD35}",
            400,
            "ValidationException",
            "identifier is invalid",
        ),
        (ERASE.removeprefix("us."), 400, "ValidationException", "with on-demand throughput isn’t supported"),
        (RAY2, 400, "ValidationException", "doesn't support InvokeModel"),
        ("amazon.nova-canvas-v1:0", 404, "ResourceNotFoundException", "reached the end of its life"),
        ("amazon.nova-reel-v1:1", 404, "ResourceNotFoundException", "reached the end of its life"),
        (
            "amazon.titan-image-generator-v2:0",
            404,
            "ResourceNotFoundException",
            "reached the end of its life",
        ),
    ],
)
def test_a_model_that_cannot_be_called_says_why(
    place: Place, model: str, status: int, code: str, text: str
) -> None:
    """Ended, unknown, profile-only and asynchronous models answer as Bedrock does."""
    answer = _refused(place, place.session, model)
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)
    assert text in answer["Error"]["Message"]


def test_a_wrong_secret_is_refused(place: Place) -> None:
    answer = _refused(place, replace(place.session, secret="not-the-secret"))
    assert answer["Error"]["Code"] == "InvalidSignatureException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


@pytest.mark.parametrize("change", ["access_key_id", "token"])
def test_an_unknown_session_is_told_apart_so_that_the_caller_assumes_again(place: Place, change: str) -> None:
    """An unknown key id or a foreign token is UnrecognizedClientException, not a wrong signature."""
    answer = _refused(place, replace(place.session, **{change: "ASIASOMETHINGELSE000"}))
    assert answer["Error"]["Code"] == "UnrecognizedClientException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def _signed(
    place: Place,
    path: str = f"/model/{SD35.replace(':', '%3A')}/invoke",
    *,
    body: bytes = json.dumps(PROMPT).encode(),
    at: datetime | None = None,
    service: str = "bedrock",
    region: str = REGION,
) -> AWSRequest:
    """A request signed by hand, to be spoiled afterwards. boto3's own signer quotes the given path once more."""
    session = place.session
    request = AWSRequest("POST", f"{place.server.url}{path}", data=body)
    signer = SigV4Auth(Credentials(session.access_key_id, session.secret, session.token), service, region)
    if at is None:
        signer.add_auth(request)
        return request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda **_: at.replace(tzinfo=None))
        signer.add_auth(request)
    return request


@dataclass
class Reply:
    status: int
    code: str | None
    message: str
    request_id: str | None


def _send(place: Place, request: AWSRequest) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=30)
    try:
        path = request.url.removeprefix(place.server.url)
        connection.request(request.method, path, body=request.body, headers=dict(request.headers.items()))
        answer = connection.getresponse()
        document = json.loads(answer.read())
        headers = answer.headers
        return Reply(
            answer.status,
            headers["x-amzn-ErrorType"],
            document.get("message", ""),
            headers["x-amzn-RequestId"],
        )
    finally:
        connection.close()


def test_a_request_without_a_signature_is_refused(place: Place) -> None:
    request = AWSRequest("POST", f"{place.server.url}/model/{SD35}/invoke", data=b"{}")
    reply = _send(place, request)
    assert (reply.status, reply.code) == (403, "MissingAuthenticationTokenException")
    assert reply.request_id


def test_a_body_changed_after_signing_is_refused(place: Place) -> None:
    """The hash is of the body that came, not of the one that was promised."""
    request = _signed(place)
    request.data = json.dumps({"prompt": "a lighthouse at noon"}).encode()
    request.headers["Content-Length"] = str(len(request.data))
    assert _send(place, request).code == "InvalidSignatureException"


def test_an_amz_header_added_after_signing_is_refused(place: Place) -> None:
    request = _signed(place)
    request.headers["x-amz-meta"] = "unsigned"
    assert _send(place, request).code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("offset", "status"), [(timedelta(minutes=-4), 200), (timedelta(minutes=4), 200),
                           (timedelta(minutes=-6), 403), (timedelta(minutes=6), 403)],
)  # fmt: skip
def test_a_signature_is_good_for_five_minutes(place: Place, offset: timedelta, status: int) -> None:
    """A replayed or post-dated signature is refused, a clock a little off is not."""
    assert _send(place, _signed(place, at=clock.now() + offset)).status == status


@pytest.mark.parametrize(
    ("service", "region"), [("s3", REGION), ("bedrock-runtime", REGION), ("bedrock", "eu-west-1")]
)
def test_a_signature_for_elsewhere_is_refused(place: Place, service: str, region: str) -> None:
    assert _send(place, _signed(place, service=service, region=region)).code == "InvalidSignatureException"


def test_an_operation_that_is_not_served_is_unknown(place: Place) -> None:
    reply = _send(place, _signed(place, f"/model/{SD35}/converse-stream"))
    assert (reply.status, reply.code) == (404, "UnknownOperationException")


def test_a_long_lived_key_may_not_call_models(place: Place) -> None:
    """The platform's own key can do one thing here: assume a role."""
    answer = _refused(place, Session(WORKER.access_key_id, WORKER.secret_access_key, None))
    assert answer["Error"]["Code"] == "AccessDeniedException"


ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ALLOW_MODELS = {
    "Effect": "Allow",
    "Action": "bedrock:InvokeModel",
    "Resource": "arn:aws:bedrock:*::foundation-model/*",
}
ALLOW_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
OUR_TAG = {"StringEquals": {"aws:PrincipalTag/tenant": "ours"}}


@pytest.mark.parametrize(
    "statements",
    [
        [ALLOW_ALL],
        [ALLOW_MODELS],
        [{**ALLOW_MODELS, "Action": ["bedrock:Get*", "BEDROCK:Invoke*"]}],
        [{**ALLOW_MODELS, "Resource": f"arn:aws:bedrock:{REGION}::foundation-model/{SD35}"}],
        [{**ALLOW_MODELS, "Condition": OUR_TAG}],
    ],
)
def test_a_session_policy_that_allows_the_model_lets_the_call_through(
    place: Place, statements: list[dict[str, Any]]
) -> None:
    tags = [{"Key": "tenant", "Value": "ours"}]
    session = place.server.assume(place.role, Policy=policy(*statements), Tags=tags)
    assert invoke(place.server.client(session), SD35, PROMPT)["images"]


@pytest.mark.parametrize(
    "statements",
    [
        [ALLOW_S3],
        [{**ALLOW_MODELS, "Resource": f"arn:aws:bedrock:{REGION}::foundation-model/luma.*"}],
        [ALLOW_ALL, {"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"}],
        [{**ALLOW_MODELS, "Condition": {"StringEquals": {"aws:PrincipalTag/tenant": "theirs"}}}],
        [{**ALLOW_MODELS, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}],
        [{"Effect": "Allow", "NotAction": "bedrock:*", "Resource": "*"}],
    ],
)
def test_a_session_policy_that_does_not_allow_the_model_denies_it(
    place: Place, statements: list[dict[str, Any]]
) -> None:
    """The gateway's sessions reach a bucket and no model, whatever the role itself may do."""
    tags = [{"Key": "tenant", "Value": "ours"}]
    session = place.server.assume(place.role, Policy=policy(*statements), Tags=tags)
    answer = _refused(place, session)
    assert answer["Error"]["Code"] == "AccessDeniedException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_profile_needs_the_profile_and_the_model_behind_it(place: Place) -> None:
    """Allowing foundation models alone doesn't allow a call through an inference profile."""
    session = place.server.assume(place.role, Policy=policy(ALLOW_MODELS))
    assert _refused(place, session, ERASE)["Error"]["Code"] == "AccessDeniedException"


def test_the_session_also_opens_the_s3_server(place: Place) -> None:
    """What AssumeRole hands out is a session of the S3 server's own STS."""
    session = place.session
    s3 = boto3.Session().client(
        "s3",
        region_name=REGION,
        endpoint_url=place.s3_endpoint,
        aws_access_key_id=session.access_key_id,
        aws_secret_access_key=session.secret,
        aws_session_token=session.token,
    )
    s3.create_bucket(Bucket="made-by-the-session", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert s3.list_objects_v2(Bucket="made-by-the-session")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("pair", "code"),
    [
        (KeyPair(WORKER.access_key_id, "wrong"), "SignatureDoesNotMatch"),
        (KeyPair("AKIANOBODY0000000000", "any"), "InvalidClientTokenId"),
    ],
)
def test_only_a_known_long_lived_key_assumes_a_role(place: Place, pair: KeyPair, code: str) -> None:
    with pytest.raises(ClientError) as refusal:
        place.server.sts(pair).assume_role(RoleArn=place.role, RoleSessionName="tests")
    assert refusal.value.response["Error"]["Code"] == code


def test_a_role_that_sts_refuses_is_refused_here(place: Place) -> None:
    """The S3 server's STS decides; its answer is passed on."""
    with pytest.raises(ClientError) as refusal:
        place.server.assume(f"arn:aws:iam::{ACCOUNT_ID}:role/nobody-made-it")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_managed_session_policy_is_refused_rather_than_ignored(place: Place) -> None:
    with pytest.raises(ClientError) as refusal:
        place.server.assume(place.role, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}])
    assert refusal.value.response["Error"]["Code"] == "ValidationError"


def test_what_sts_issued_survives_a_restart_in_a_private_file(place: Place, tmp_path: Path) -> None:
    """After a kill the session still signs, and nobody else can read its secret."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--instant") as server:
        session = server.assume(place.role)
        server.stop(signal.SIGKILL)
        server.start()
        assert invoke(server.client(session), SD35, PROMPT)["images"]
    for file in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_session_issued_to_another_server_is_unknown(place: Place, tmp_path: Path) -> None:
    """A server that lost its state says so in a way that makes the caller assume again."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--instant") as fresh:
        with pytest.raises(ClientError) as refusal:
            invoke(fresh.client(place.session), SD35, PROMPT)
        assert refusal.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_a_withdrawn_key_assumes_no_role(place: Place, tmp_path: Path) -> None:
    """The keys file is read again when it changes: no restart is needed to lock a key out."""
    with bedrock_server(place.s3_endpoint, tmp_path, "--instant") as server:
        server.assume(place.role)
        (tmp_path / "keys.json").write_text("{}")
        with pytest.raises(ClientError) as refusal:
            server.assume(place.role)
    assert refusal.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_keys_that_others_can_read_are_not_used(place: Place, tmp_path: Path) -> None:
    """The server doesn't start with a keys file that is open to other users, and says what to do."""
    server = Server(place.s3_endpoint, tmp_path)
    (tmp_path / "keys.json").touch()
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(AssertionError, match="ended at its start"):
        server.start()
    assert "chmod 600" in (tmp_path / "bedrock.log").read_text()
