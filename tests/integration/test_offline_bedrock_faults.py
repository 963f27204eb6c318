"""Faults on order, in every shape Bedrock documents, and the call log that says what was paid."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from services.embedded.s3 import ACCOUNT_ID, REGION
from tests.integration.offline_bedrock import (
    ERASE,
    FAST,
    RAY2,
    SD35,
    Server,
    Session,
    bedrock_server,
    decode,
    ended,
    eventually,
    half_white,
    invoke,
    make_role,
    picture,
    s3_server,
)

PROMPT = {"prompt": "a lighthouse at dusk", "seed": 7}


@dataclass
class Place:
    server: Server
    session: Session
    client: Any

    def invoke(self, document: Any = None) -> dict[str, Any]:
        return invoke(self.client, SD35, document or PROMPT)

    def refused(self) -> Any:
        with pytest.raises(ClientError) as refusal:
            self.invoke()
        return refusal.value.response

    def last_call(self) -> dict[str, Any]:
        return self.server.calls()[-1]

    def start(self, **members: Any) -> str:
        output = {"s3OutputDataConfig": {"s3Uri": "s3://nobodys-bucket/x"}}
        arguments = {"modelId": RAY2, "modelInput": {"prompt": "x"}, "outputDataConfig": output, **members}
        return str(self.client.start_async_invoke(**arguments)["invocationArn"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        options = ("--instant", "--async-seconds", "0")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), *options) as server:
            session = server.assume(role)
            yield Place(server, session, server.client(session))


@pytest.mark.parametrize(
    ("kind", "status", "code", "billed"),
    [
        ("throttle", 429, "ThrottlingException", "no"),
        ("overloaded", 529, "overloaded_error", "no"),
        ("not_ready", 429, "ModelNotReadyException", "no"),
        ("timeout", 408, "ModelTimeoutException", "unknown"),
        ("error_500", 500, "InternalServerException", "no"),
        ("error_503", 503, "ServiceUnavailableException", "no"),
        ("model_error", 424, "ModelErrorException", "unknown"),
        ("quota", 400, "ServiceQuotaExceededException", "no"),
        ("validation", 400, "ValidationException", "no"),
        ("access_denied", 403, "AccessDeniedException", "no"),
        ("filter_validation", 400, "ValidationException", "no"),
    ],
)
def test_an_error_on_order_has_bedrocks_shape(
    place: Place, kind: str, status: int, code: str, billed: str
) -> None:
    """boto3 sees the documented status and code; the log says whether it cost anything."""
    with place.server.fault(kind):
        answer = place.refused()
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)
    assert answer["ResponseMetadata"]["RequestId"]
    row = place.last_call()
    assert (row["outcome"], row["http_status"], row["error_code"], row["billed"]) == (
        "refused",
        status,
        code,
        billed,
    )


def test_a_model_error_names_the_model_and_its_status(place: Place) -> None:
    with (
        place.server.fault("model_error"),
        pytest.raises(place.client.exceptions.ModelErrorException) as error,
    ):
        place.invoke()
    assert error.value.response["originalStatusCode"] == 500
    assert error.value.response["resourceName"].endswith(SD35)


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        ("prompt", "blocked by our content filters. Please adjust your text prompt"),
        ("image", "blocked by our content filters. Please adjust your input image"),
        ("titan", "conflict our AUP or AWS Responsible AI Policy"),
    ],
)
def test_a_content_block_may_come_as_a_validation_error(place: Place, variant: str, text: str) -> None:
    """Same exception as a schema error: a caller has to read the text."""
    with place.server.fault("filter_validation", variant=variant):
        assert text in place.refused()["Error"]["Message"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("filter_prompt", "Filter reason: prompt"),
        ("filter_input_image", "Filter reason: input image"),
        ("filter_output_image", "Filter reason: output image"),
        ("inference_error", "Inference error"),
    ],
)
def test_a_filtered_stability_call_is_a_200_without_pictures(place: Place, kind: str, reason: str) -> None:
    with place.server.fault(kind):
        assert place.invoke() == {"finish_reasons": [reason]}
    assert place.last_call()["billed"] == "unknown"


def test_a_guardrail_intervenes_in_a_200(place: Place) -> None:
    with place.server.fault("filter_guardrail"):
        assert place.invoke()["amazon-bedrock-guardrailAction"] == "INTERVENED"


@pytest.mark.parametrize(
    ("kind", "text", "billed"),
    [
        ("filter_async", "The generated video has been blocked by our content filters.", "unknown"),
        ("fail_async", "Service capacity limit has been reached. Please try again later.", "no"),
    ],
)
def test_an_asynchronous_run_fails_on_order(place: Place, kind: str, text: str, billed: str) -> None:
    with place.server.fault(kind):
        answer = ended(place.client, place.start())
    assert (answer["status"], answer["failureMessage"]) == ("Failed", text)
    assert place.last_call()["billed"] == billed


def test_a_slow_run_is_in_progress_while_others_end(place: Place) -> None:
    with place.server.fault("slow_async", seconds=3600, count=1):
        slow = place.start()
    with place.server.fault("fail_async"):
        ended(place.client, place.start())
    assert place.client.get_async_invoke(invocationArn=slow)["status"] == "InProgress"


def test_a_connection_cut_in_the_answer_is_still_a_paid_call(place: Place) -> None:
    """Half a body and then nothing: the caller can't know, the log does."""
    with place.server.fault("die"), pytest.raises(HTTPClientError):
        place.invoke()
    assert (place.last_call()["outcome"], place.last_call()["billed"]) == ("cut", "yes")


def test_a_start_whose_answer_was_cut_is_found_again_by_its_token(place: Place) -> None:
    before = place.server.last_call_id()
    with place.server.fault("die", count=1), pytest.raises(KeyError):
        place.start(clientRequestToken="cut-once")  # botocore reads half a JSON document as an empty answer
    assert place.start(clientRequestToken="cut-once") == place.server.calls(before)[0]["invocation_arn"]


def test_an_answer_may_be_garbage(place: Place) -> None:
    with place.server.fault("garbage"):
        body = place.client.invoke_model(modelId=SD35, body=json.dumps(PROMPT))["body"].read()
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_an_answer_may_have_another_size_than_was_asked_for(place: Place) -> None:
    with place.server.fault("wrong_size"):
        assert decode(place.invoke()).shape[:2] == (512, 512)
    assert decode(place.invoke()).shape[:2] == (1024, 1024)


def test_a_stall_outlasts_the_callers_patience_and_is_paid_all_the_same(place: Place) -> None:
    """The call that timed out on the caller's side was made and billed."""
    impatient = place.server.client(place.session, read_timeout=0.2)
    with place.server.fault("stall", seconds=1, count=1):
        with pytest.raises(HTTPClientError):
            invoke(impatient, SD35, PROMPT)
        place.invoke()  # the server serves others meanwhile

    def both_ended() -> list[dict[str, Any]] | None:
        rows = place.server.calls()[-2:]
        return None if any(row["outcome"] == "started" for row in rows) else rows

    rows = eventually(both_ended, "a stalled call did not end")
    assert [row["billed"] for row in rows] == ["yes", "yes"]


def test_a_count_is_used_up(place: Place) -> None:
    with place.server.fault("throttle", count=2):
        assert [place.refused()["Error"]["Code"] for _ in range(2)] == ["ThrottlingException"] * 2
        assert place.invoke()["images"]


@pytest.mark.parametrize(("probability", "hits"), [(0, 0), (1, 5)])
def test_a_probability_is_kept(place: Place, probability: float, hits: int) -> None:
    refused = 0
    with place.server.fault("throttle", probability=probability):
        for _ in range(5):
            try:
                place.invoke()
            except ClientError:
                refused += 1
    assert refused == hits


@pytest.mark.parametrize("rule", [{"model": ERASE}, {"operation": "StartAsyncInvoke"}])
def test_a_fault_strikes_only_what_it_names(place: Place, rule: dict[str, Any]) -> None:
    with place.server.fault("throttle", **rule):
        assert place.invoke()["images"]


def test_a_fault_may_strike_sts(place: Place) -> None:
    """Throttled STS answers in its own shape."""
    with place.server.fault("throttle", operation="AssumeRole"), pytest.raises(ClientError) as refusal:
        place.server.assume("arn:aws:iam::000000000000:role/work")
    assert refusal.value.response["Error"]["Code"] == "Throttling"


def test_faults_are_listed_and_lifted(place: Place) -> None:
    place.server.offline("POST", "faults", {"kind": "throttle"})
    kinds = [rule["kind"] for rule in place.server.offline("GET", "faults")[1]["faults"]]
    assert kinds == ["throttle"]
    assert place.server.offline("DELETE", "faults")[0] == 204
    assert place.invoke()["images"]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "explode"},
        {"kind": "throttle", "count": 0},
        {"kind": "throttle", "probability": 1.1},
        {"kind": "throttle", "operation": "ConverseStream"},
        {"kind": "stall"},
        {"kind": "throttle", "often": True},
        ["throttle"],
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(place: Place, rule: Any) -> None:
    status, answer = place.server.offline("POST", "faults", rule)
    assert status == 400
    assert answer["message"]
    assert place.server.offline("GET", "faults")[1]["faults"] == []


@pytest.mark.parametrize(("method", "path"), [("GET", "calls"), ("GET", "faults"), ("DELETE", "faults")])
def test_the_servers_own_calls_need_the_operators_token(place: Place, method: str, path: str) -> None:
    assert place.server.offline(method, path, token="guessed")[0] == 403


def test_a_call_is_logged_with_who_made_it_and_without_its_prompt(place: Place) -> None:
    """Enough to reconcile a bill: session, model, hash, attempt; never the content."""
    place.invoke({**PROMPT, "prompt": "a lighthouse nobody may read about"})
    row = place.last_call()
    assert row["model_id"] == SD35
    assert row["operation"] == "InvokeModel"
    assert row["access_key_id"] == place.session.access_key_id
    assert row["session_name"] == "tests"
    assert row["role_arn"].endswith(":role/work")
    assert len(row["request_sha256"]) == 64
    assert (row["outcome"], row["billed"], row["units"], row["unit"]) == ("succeeded", "yes", 1, "image")
    assert "attempt=1" in row["sdk_attempt"]
    assert "nobody may read" not in json.dumps(row)


def test_a_refused_request_is_logged_as_unpaid(place: Place) -> None:
    with pytest.raises(ClientError):
        place.invoke({"prompt": ""})
    row = place.last_call()
    assert (row["outcome"], row["billed"], row["units"]) == ("refused", "no", 0)


@pytest.mark.parametrize("kind", ["filter_prompt", "model_error"])
def test_what_may_have_been_billed_is_logged_with_what_it_would_be(place: Place, kind: str) -> None:
    """So that the log times the price list says what is open, not only what is sure."""
    with place.server.fault(kind):
        try:
            place.invoke()
        except ClientError:
            assert kind == "model_error"
    row = place.last_call()
    assert (row["billed"], row["units"], row["unit"]) == ("unknown", 1, "image")


def test_a_clip_is_logged_by_its_seconds_and_its_resolution(place: Place) -> None:
    """From its start, because that is when it is promised; seconds are priced by resolution."""
    with place.server.fault("slow_async", seconds=3600):
        place.start(modelInput={"prompt": "x", "duration": "9s", "resolution": "540p"})
    row = place.last_call()
    assert (row["outcome"], row["billed"]) == ("in_progress", "unknown")
    assert (row["units"], row["unit"], row["resolution"]) == (9, "second", "540p")


def test_a_brought_model_is_logged_with_the_model_it_stands_for(place: Place) -> None:
    """What it was called as names it; what its price is goes by the model."""
    arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:application-inference-profile/upscaler"
    with place.server.control("models", {"arn": arn, "model": FAST}):
        answer = invoke(place.client, arn, {"image": picture(48, 40)})
    assert decode(answer).shape == (160, 192, 3)
    row = place.last_call()
    assert (row["model_id"], row["base_model_id"]) == (arn, FAST.removeprefix("us."))
    assert (row["units"], row["unit"], row["billed"]) == (1, "image", "yes")


def test_another_version_behind_an_id_is_seen_in_its_pictures(place: Place) -> None:
    """The same request, byte for byte, until the id runs another version, and again when it doesn't any more."""
    request = {"image": picture(48, 40, fill=half_white)}

    def made() -> Any:
        return invoke(place.client, FAST, request)["images"][0]

    before = made()
    with place.server.control("versions", {"model": FAST, "version": "2"}):
        swapped = made()
        assert made() == swapped
    assert made() == before
    difference = decode({"images": [swapped]}).astype(int) - decode({"images": [before]})
    assert abs(difference).mean() > 2


@pytest.mark.parametrize(
    "kind", ["filter_input_image", "filter_output_image", "filter_guardrail", "inference_error"]
)
def test_an_image_service_is_filtered_as_the_text_models_are(place: Place, kind: str) -> None:
    """HTTP 200, a reason and no picture."""
    with place.server.fault(kind, model=FAST):
        answer = invoke(place.client, FAST, {"image": picture(48, 40)})
    assert "images" not in answer
    assert answer.get("finish_reasons", answer.get("amazon-bedrock-guardrailAction"))


def test_the_log_is_read_in_pages(place: Place) -> None:
    place.invoke()
    first = place.server.offline("GET", "calls?limit=1")[1]
    second = place.server.offline("GET", f"calls?limit=1&after={first['next_after']}")[1]
    assert second["calls"][0]["id"] > first["calls"][0]["id"]
