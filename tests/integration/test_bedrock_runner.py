"""The runner against the offline model server, and against a socket for what no server answers in words."""

import asyncio
import json
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest

from circletake.adapters.aws import AwsClients, LongLivedCredentials, Timeouts
from circletake.adapters.bedrock.runner import BedrockModelRunner, region_for
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.provisioning import AwsTenantProvisioner, ProvisioningPlace
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.dialects.contract import UnusableAnswer, encode_body
from circletake.dialects.converse_judge import Judgement
from circletake.dialects.example import example_request
from circletake.dialects.faults import billed_for
from circletake.dialects.registry import dialect_for, embedder_for, judge_for
from circletake.domain.consistency.words import Aspect
from circletake.domain.kinds import Billed, Kind
from circletake.domain.pictures import (
    Filtered,
    ModelCard,
    ModelFault,
    ModelRequest,
    Picture,
    Pictures,
    Unusable,
)
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from services.embedded.s3 import ACCOUNT_ID, REGION
from tests.integration.offline_bedrock import (
    RAY2,
    ROOT,
    SD35,
    WORKER,
    Server,
    bedrock_server,
    free_port,
    s3_server,
)

CATALOGUE = load_catalogue(offline=True)


def card_of(model_id: str, **changes: Any) -> ModelCard:
    card = CATALOGUE.get(model_id)
    assert card is not None
    return replace(card, **changes)


def asked(kind: Kind, **controls: Any) -> ModelRequest:
    return ModelRequest(kind, "a lighthouse at dusk", None, 7, controls)


def body_of(card: ModelCard, request: ModelRequest) -> bytes:
    return encode_body(dialect_for(card).build(request, card), card)


@dataclass
class Place:
    server: Server
    clients: AwsClients
    sessions: StsTenantSessions
    tenant: TenantStorage
    runner: BedrockModelRunner
    store: S3ObjectStore

    async def concept(self, card: ModelCard | None = None) -> Any:
        model = card or card_of(SD35)
        answer = await self.runner.invoke(self.tenant, model, body_of(model, asked(Kind.CONCEPT_ART)))
        return dialect_for(model).read(answer.body)

    async def refused_concept(self, card: ModelCard | None = None) -> ModelFault:
        with pytest.raises(ModelFault) as fault:
            await self.concept(card)
        return fault.value

    async def start(self, token: str, s3_uri: str, **controls: Any) -> str:
        card = card_of(RAY2)
        body = dialect_for(card).build(asked(Kind.PREVIS_SHOT, **controls), card)
        return await self.runner.start_async(self.tenant, card, body, token=token, s3_uri=s3_uri)

    def prefix(self, token: str) -> str:
        return f"staging/p/g/t/{token}/"

    def uri(self, token: str) -> str:
        return f"s3://{self.tenant.bucket}/{self.prefix(token)}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        options = ("--instant", "--async-seconds", "0", "--picture-processes", "1")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), *options) as server:
            yield server


@pytest.fixture(scope="module")
async def place(servers: Server) -> AsyncIterator[Place]:
    clients = AwsClients(threads=4, timeouts=Timeouts(read_seconds=30))
    where = ProvisioningPlace(
        account_id=ACCOUNT_ID,
        region=REGION,
        worker_principal_arn=f"arn:aws:iam::{ACCOUNT_ID}:user/worker",
        gateway_principal_arn=f"arn:aws:iam::{ACCOUNT_ID}:user/worker",
        credentials=LongLivedCredentials(ROOT.access_key_id, ROOT.secret_access_key),
        s3_endpoint=servers.s3_endpoint,
        kms_endpoint=servers.s3_endpoint,
        iam_endpoint=servers.s3_endpoint,
    )
    provisioner, tenant_id = AwsTenantProvisioner(clients, where), new_id()
    key = await provisioner.ensure_key("runner", tenant_id)
    bucket = await provisioner.ensure_bucket("runner", tenant_id, key)
    work, grants = await provisioner.ensure_roles("runner", tenant_id, bucket, key)
    tenant = TenantStorage(tenant_id, "runner", REGION, bucket, key, work, grants)
    worker = LongLivedCredentials(WORKER.access_key_id, WORKER.secret_access_key)
    sessions = StsTenantSessions(clients, StsPlace(REGION, servers.url, worker), role="work")
    runner = BedrockModelRunner(clients, sessions, account_id=ACCOUNT_ID, endpoint=servers.url)
    store = S3ObjectStore(clients, sessions, S3Place(servers.s3_endpoint))
    yield Place(servers, clients, sessions, tenant, runner, store)
    clients.close()


async def test_a_request_comes_back_as_a_picture_with_the_seed_that_was_sent(place: Place) -> None:
    """The whole way: body, signature under the tenant's own session, answer, picture."""
    read = await place.concept()
    assert isinstance(read, Pictures)
    assert (read.media_type, read.seeds) == ("image/png", (7,))


async def test_a_synchronous_call_is_sent_exactly_once(place: Place) -> None:
    """One paid call in the server's log, under the tenant's role."""
    before = place.server.last_call_id()
    await place.concept()
    (row,) = place.server.calls(before)
    assert row["role_arn"] == place.tenant.work_role_arn
    assert row["sdk_attempt"] == "attempt=1; max=1"


@pytest.mark.parametrize(
    ("fault", "rule", "kind", "billed"),
    [
        ("throttle", {}, "throttled", Billed.FALSE),
        ("overloaded", {}, "throttled", Billed.FALSE),
        ("not_ready", {}, "not_ready", Billed.FALSE),
        ("timeout", {}, "timeout", Billed.UNKNOWN),
        ("error_500", {}, "unavailable", Billed.FALSE),
        ("error_503", {}, "unavailable", Billed.FALSE),
        ("model_error", {}, "model_error", Billed.FALSE),
        ("quota", {}, "quota", Billed.FALSE),
        ("validation", {}, "invalid_request", Billed.FALSE),
        ("access_denied", {}, "access_denied", Billed.FALSE),
        ("filter_validation", {"variant": "prompt"}, "filtered", Billed.FALSE),
        ("filter_validation", {"variant": "image"}, "filtered", Billed.FALSE),
        ("filter_validation", {"variant": "titan"}, "filtered", Billed.FALSE),
    ],
)
async def test_every_error_becomes_its_fault_after_one_try(
    place: Place, fault: str, rule: dict[str, Any], kind: str, billed: Billed
) -> None:
    """No error of a paid call is repeated below the worker; each has its kind and its bill."""
    before = place.server.last_call_id()
    with place.server.fault(fault, operation="InvokeModel", **rule):
        refused = await place.refused_concept()
    assert (refused.kind, refused.billed) == (kind, billed)
    assert refused.request_id
    assert len(place.server.calls(before)) == 1


async def test_the_wait_an_overloaded_server_asks_for_is_passed_on(place: Place) -> None:
    """The worker backs off as told."""
    with place.server.fault("overloaded"):
        assert (await place.refused_concept()).retry_after_seconds == 1.0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("filter_prompt", Filtered),
        ("filter_input_image", Filtered),
        ("filter_output_image", Filtered),
        ("filter_guardrail", Filtered),
        ("inference_error", Unusable),
        ("garbage", Unusable),
    ],
)
async def test_an_answer_without_a_picture_is_read_and_its_bill_is_unknown(
    place: Place, fault: str, expected: type
) -> None:
    """HTTP 200 without a picture: accepted, so nobody knows whether it is paid."""
    with place.server.fault(fault):
        read = await place.concept()
    assert isinstance(read, expected)
    assert billed_for(read) is Billed.UNKNOWN


async def test_a_silent_model_is_a_timeout_sent_once_whose_bill_is_unknown(place: Place) -> None:
    """A read timeout must not send the call again: that would be paid twice."""
    before = place.server.last_call_id()
    with place.server.fault("stall", seconds=30):
        refused = await place.refused_concept(card_of(SD35, timeout_seconds=1))
    assert (refused.kind, refused.billed) == ("timeout", Billed.UNKNOWN)
    assert len(place.server.calls(before)) == 1


async def test_an_ended_and_an_unknown_model_are_not_found(place: Place) -> None:
    """What the catalogue would refuse, the service refuses too."""
    for model_id, kind in (
        ("amazon.nova-canvas-v1:0", "ended"),
        ("stability.sd9-v1:0", "not_found"),
        ("stability.stable-outpaint-v1:0", "not_found"),
    ):
        with pytest.raises(ModelFault) as fault:
            await place.runner.invoke(place.tenant, card_of(SD35, id=model_id), b"{}")
        assert (fault.value.kind, fault.value.billed) == (kind, Billed.FALSE)


async def test_a_session_the_server_forgot_is_assumed_anew_and_the_call_made(place: Place) -> None:
    """A restart of the server that lost its sessions costs the worker nothing but one more AssumeRole."""
    await place.concept()
    stale = await place.sessions.credentials(place.tenant)
    place.server.stop(signal.SIGKILL)
    for kept in (place.server.directory / "state").glob("sessions.json*"):
        kept.unlink()
    place.server.start()
    assert isinstance(await place.concept(), Pictures)
    assert (await place.sessions.credentials(place.tenant)).access_key_id != stale.access_key_id


async def test_a_role_that_may_not_be_assumed_is_a_fault_that_costs_nothing(place: Place) -> None:
    """Nothing left for the model."""
    stranger = replace(
        place.tenant, tenant_id=new_id(), work_role_arn=f"arn:aws:iam::{ACCOUNT_ID}:role/nobody"
    )
    with pytest.raises(ModelFault) as fault:
        await place.runner.invoke(stranger, card_of(SD35), b"{}")
    assert (fault.value.kind, fault.value.billed) == ("access_denied", Billed.FALSE)


async def test_an_asynchronous_clip_arrives_in_the_tenants_bucket(place: Place) -> None:
    """Started, polled to its end, one MP4 under the prefix that was asked for."""
    token = uuid4().hex
    arn = await place.start(token, place.uri(token))
    status = await poll_to_end(place, arn)
    assert (status.state, status.client_request_token) == ("completed", token)
    assert status.s3_uri is not None
    clips = [
        each
        for each in await place.store.list(place.tenant, place.prefix(token))
        if each.key.endswith(".mp4")
    ]
    assert len(clips) == 1
    data = await place.store.get(place.tenant, clips[0].key)
    assert isinstance(dialect_for(card_of(RAY2)).read(data), Pictures)


async def test_the_same_token_and_body_find_the_same_invocation(place: Place) -> None:
    """A worker that died after the call starts nothing twice."""
    token = uuid4().hex
    assert await place.start(token, place.uri(token)) == await place.start(token, place.uri(token))


async def test_the_same_token_for_something_else_is_a_conflict(place: Place) -> None:
    """Somebody else's invocation is never taken for ours, and it may cost."""
    token = uuid4().hex
    await place.start(token, place.uri(token))
    with pytest.raises(ModelFault) as fault:
        await place.start(token, place.uri(token), duration_seconds=9)
    assert (fault.value.kind, fault.value.billed) == ("conflict", Billed.UNKNOWN)


async def test_a_filtered_invocation_is_read_as_filtered(place: Place) -> None:
    """Its failure message is a refusal, and its bill unknown."""
    token = uuid4().hex
    with place.server.fault("filter_async", count=1):
        status = await poll_to_end(place, await place.start(token, place.uri(token)))
    assert status.state == "failed"
    read = dialect_for(card_of(RAY2)).read_async_failure(status.failure_message)
    assert isinstance(read, Filtered)


async def test_a_throttled_start_is_repeated_with_the_same_token(place: Place) -> None:
    """The token makes a repeat safe, so a hiccup doesn't reach the worker."""
    token = uuid4().hex
    with place.server.fault("throttle", operation="StartAsyncInvoke", count=1):
        arn = await place.start(token, place.uri(token))
    assert arn == await place.start(token, place.uri(token))


async def test_a_throttled_poll_says_nothing_of_the_bill(place: Place) -> None:
    """The invocation was accepted; a poll that fails must not make it free."""
    token = uuid4().hex
    arn = await place.start(token, place.uri(token))
    with place.server.fault("throttle", operation="GetAsyncInvoke"), pytest.raises(ModelFault) as fault:
        await place.runner.poll_async(place.tenant, card_of(RAY2), arn)
    assert (fault.value.kind, fault.value.billed) == ("throttled", Billed.UNKNOWN)


def test_a_model_is_called_where_the_tenant_is_if_it_is_there() -> None:
    """Otherwise in the first Region of its card."""
    tenant = TenantStorage(new_id(), "t", "us-east-1", "b", "k", "w", "g")
    assert region_for(tenant, card_of("us.stability.stable-outpaint-v1:0")) == "us-east-1"
    assert region_for(tenant, card_of(SD35)) == "us-west-2"


# --- what no server says in words -------------------------------------------------------------------------------


@dataclass
class Wire:
    """A socket that records each request and answers it with raw bytes, or hangs up."""

    port: int
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def wire(answer: bytes) -> Iterator[Wire]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        heard = Wire(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    request = read_request(connection)
                    if not request:
                        return
                    heard.requests.append(request)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            with socket.create_connection(("127.0.0.1", heard.port)):
                pass  # an empty request ends the thread
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(lengths[0].split(b":")[1]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answered(status: str, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode() + body


def at(place: Place, port: int) -> BedrockModelRunner:
    return BedrockModelRunner(
        place.clients, place.sessions, account_id=ACCOUNT_ID, endpoint=f"http://127.0.0.1:{port}"
    )


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Le", answered("200 OK", b'{"images":["', length=1000)],
    ids=["no answer", "cut in the head", "cut in the body"],
)
async def test_a_connection_cut_after_sending_is_a_bill_nobody_knows(place: Place, answer: bytes) -> None:
    """Wherever the answer broke off: sent once, and perhaps paid."""
    with wire(answer) as heard, pytest.raises(ModelFault) as fault:
        await at(place, heard.port).invoke(place.tenant, card_of(SD35), b'{"prompt":"secret sequel"}')
    assert (fault.value.kind, fault.value.billed) == ("connection", Billed.UNKNOWN)
    assert len(heard.requests) == 1
    assert "secret" not in f"{fault.value!r} {fault.value.provider_message}"


async def test_a_refused_connection_costs_nothing(place: Place) -> None:
    """Not one byte left."""
    with pytest.raises(ModelFault) as fault:
        await at(place, free_port()).invoke(place.tenant, card_of(SD35), b"{}")
    assert (fault.value.kind, fault.value.billed) == ("connection", Billed.FALSE)


@pytest.mark.parametrize(
    ("status", "billed"),
    [
        ("500 Oops", Billed.FALSE),
        ("502 Bad Gateway", Billed.UNKNOWN),
        ("504 Gateway Timeout", Billed.UNKNOWN),
    ],
)
async def test_a_gateways_html_page_is_unavailable(place: Place, status: str, billed: Billed) -> None:
    """No JSON and no error type: the status has to do, and a gateway doesn't know what happened behind it."""
    with wire(answered(status, b"<html>")) as heard, pytest.raises(ModelFault) as fault:
        await at(place, heard.port).invoke(place.tenant, card_of(SD35), b"{}")
    assert (fault.value.kind, fault.value.billed) == ("unavailable", billed)
    assert len(heard.requests) == 1


async def test_a_start_carries_the_tenants_key_the_buckets_owner_and_our_token(place: Place) -> None:
    """The result is written under the tenant's key, into this account's bucket only."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:async-invoke/abcdefghijkl"
    with wire(answered("200 OK", json.dumps({"invocationArn": arn}).encode())) as heard:
        found = await at(place, heard.port).start_async(
            place.tenant, card_of(RAY2), {"prompt": "x"}, token="take-1", s3_uri="s3://bucket/prefix/"
        )
    assert found == arn
    (sent,) = heard.requests
    assert json.loads(sent.partition(b"\r\n\r\n")[2]) == {
        "clientRequestToken": "take-1",
        "modelId": RAY2,
        "modelInput": {"prompt": "x"},
        "outputDataConfig": {
            "s3OutputDataConfig": {
                "s3Uri": "s3://bucket/prefix/",
                "kmsKeyId": place.tenant.kms_key_arn,
                "bucketOwner": ACCOUNT_ID,
            }
        },
    }


async def test_a_start_without_an_answer_is_repeated_with_the_same_bytes(place: Place) -> None:
    """Three tries, one token; after that the bill is unknown, for the first try may have been heard."""
    with wire(b"") as heard, pytest.raises(ModelFault) as fault:
        await at(place, heard.port).start_async(
            place.tenant, card_of(RAY2), {"prompt": "x"}, token="take-2", s3_uri="s3://bucket/prefix/"
        )
    assert (fault.value.kind, fault.value.billed) == ("connection", Billed.UNKNOWN)
    bodies = {request.partition(b"\r\n\r\n")[2] for request in heard.requests}
    assert (len(heard.requests), len(bodies)) == (3, 1)


async def poll_to_end(place: Place, arn: str) -> Any:
    while True:
        status = await place.runner.poll_async(place.tenant, card_of(RAY2), arn)
        if status.state != "in_progress":
            return status
        await asyncio.to_thread(threading.Event().wait, 0.1)  # the clip is being drawn on this very machine


# --- vectors and opinions ------------------------------------------------------------------------------------------

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
TITAN = "amazon.titan-embed-image-v1"
LITE = "us.amazon.nova-2-lite-v1:0"
ASPECTS = (Aspect.PALETTE, Aspect.OVERALL)


def still() -> Picture:
    pixels = np.full((64, 64, 3), 128, np.uint8)
    pixels[:32] = (20, 60, 200)
    return Picture(cv2.imencode(".png", pixels)[1].tobytes(), "image/png", 64, 64)


async def embedded(place: Place, model_id: str) -> tuple[float, ...]:
    card = card_of(model_id)
    dialect = embedder_for(card)
    body = encode_body(dialect.body(still(), card, 256), card)
    return dialect.vector((await place.runner.invoke(place.tenant, card, body)).body, 256)


async def judged(place: Place, **changes: Any) -> Judgement:
    card = card_of(LITE, **changes)
    dialect = judge_for(card)
    body = dialect.body([still()], still(), card, ASPECTS)
    return dialect.read((await place.runner.converse(place.tenant, card, body)).body, ASPECTS)


@pytest.mark.parametrize("model_id", [NOVA, TITAN])
async def test_a_picture_becomes_a_vector_under_the_tenants_session(place: Place, model_id: str) -> None:
    """Also from a model that is in another Region than the tenant's bucket."""
    assert len(await embedded(place, model_id)) == 256


async def test_an_embedding_on_order_of_half_the_length_is_no_vector(place: Place) -> None:
    """It could be compared with nothing that is kept."""
    with place.server.fault("wrong_size"), pytest.raises(UnusableAnswer):
        await embedded(place, TITAN)


async def test_a_judge_gives_its_opinion_in_one_call_with_its_tokens(place: Place) -> None:
    """Sent once, under the tenant's role; the same picture is the same in every aspect."""
    before = place.server.last_call_id()
    judgement = await judged(place)
    assert {each.likeness for each in judgement.aspects.values()} == {4}
    (row,) = place.server.calls(before)
    assert (row["operation"], row["role_arn"]) == ("Converse", place.tenant.work_role_arn)
    assert row["sdk_attempt"] == "attempt=1; max=1"
    assert row["units"] == judgement.tokens_in + judgement.tokens_out


@pytest.mark.parametrize(
    ("fault", "kind", "billed"),
    [
        ("throttle", "throttled", Billed.FALSE),
        ("error_503", "unavailable", Billed.FALSE),
        ("timeout", "timeout", Billed.UNKNOWN),
        ("model_error", "model_error", Billed.FALSE),
        ("access_denied", "access_denied", Billed.FALSE),
    ],
)
async def test_a_judge_that_is_down_is_a_fault_after_one_try(
    place: Place, fault: str, kind: str, billed: Billed
) -> None:
    """The check waits or says so; nothing passes."""
    before = place.server.last_call_id()
    with place.server.fault(fault, operation="Converse"), pytest.raises(ModelFault) as found:
        await judged(place)
    assert (found.value.kind, found.value.billed) == (kind, billed)
    assert len(place.server.calls(before)) == 1


@pytest.mark.parametrize("fault", ["wrong_answer", "filter_output_image", "filter_guardrail"])
async def test_an_answer_that_is_no_opinion_is_not_read_as_one(place: Place, fault: str) -> None:
    """Not the schema, or refused: no pass, and its tokens are known."""
    card = card_of(LITE)
    dialect = judge_for(card)
    with place.server.fault(fault):
        answer = await place.runner.converse(
            place.tenant, card, dialect.body([still()], still(), card, ASPECTS)
        )
    with pytest.raises(UnusableAnswer):
        dialect.read(answer.body, ASPECTS)
    assert sum(dialect.tokens(answer.body)) > 0


@pytest.mark.parametrize("fault", ["garbage", "die"])
async def test_an_answer_of_converse_that_is_none_is_a_fault_whose_bill_is_unknown(
    place: Place, fault: str
) -> None:
    """A proxy's page, and an answer cut off in the middle."""
    with place.server.fault(fault), pytest.raises(ModelFault) as found:
        await judged(place)
    assert found.value.billed is Billed.UNKNOWN


async def test_a_silent_judge_is_a_timeout_sent_once(place: Place) -> None:
    """A read timeout must not ask, and pay, again."""
    before = place.server.last_call_id()
    with place.server.fault("stall", seconds=30), pytest.raises(ModelFault) as found:
        await judged(place, timeout_seconds=1)
    assert (found.value.kind, found.value.billed) == ("timeout", Billed.UNKNOWN)
    assert len(place.server.calls(before)) == 1


async def test_a_model_brought_by_arn_is_called_by_it(place: Place) -> None:
    """Under the tenant's own session policy, which has such ARNs of the account."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:provisioned-model/studio-tuned"
    brought = {"arn": arn, "model": "stability.stable-image-core-v1:1"}
    core = card_of("stability.stable-image-core-v1:1", id=arn)
    with place.server.control("models", brought):
        assert isinstance(await place.concept(core), Pictures)
        assert place.server.calls()[-1]["model_id"] == arn
    assert (await place.refused_concept(core)).kind == "not_found"


def grey(picture: Picture) -> Picture:
    pixels = np.full((picture.height, picture.width, 3), 128, np.uint8)
    pixels[picture.height // 3 : picture.height // 2, picture.width // 3 : picture.width // 2] = (40, 60, 160)
    _, data = cv2.imencode(".png", pixels)
    return replace(picture, data=data.tobytes())


@pytest.mark.parametrize(
    "model_id",
    [card.id for card in CATALOGUE.all() if card.kinds and card.mode == "sync" and card.lifecycle != "eol"],
)
async def test_every_synchronous_model_answers_its_smallest_request(place: Place, model_id: str) -> None:
    """The whole catalogue through dialect, session, signature and wire; the picture is of the type asked for."""
    card = card_of(model_id)
    request = example_request(card, min(card.kinds))
    request = replace(request, inputs={slot: grey(each) for slot, each in request.inputs.items()})
    answered = await place.runner.invoke(place.tenant, card, body_of(card, request))
    answer = dialect_for(card).read(answered.body)
    assert isinstance(answer, Pictures)
    assert answer.media_type == "image/png"
    assert billed_for(answer) is Billed.TRUE
