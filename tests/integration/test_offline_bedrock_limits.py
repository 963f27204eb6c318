"""The offline model server refuses over HTTP what the models' documentation refuses, in Bedrock's shape.

Every limit at, below and above its edge is tried on the parsers themselves (tests/unit/test_offline_model_limits.py);
here are one request of each model, and the limits of the operations. A request within the limits is answered by a
filter on order, which comes after all checks and before any drawing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.offline_bedrock import (
    RAY2,
    SD35,
    Server,
    Session,
    bedrock_server,
    half_white,
    invoke,
    make_role,
    picture,
    s3_server,
)

IMAGE = picture(96, 64)
MASK = picture(96, 64, fill=half_white)
TEXT_TO_IMAGE = {"prompt": "a lighthouse"}
ON_IMAGE = {"prompt": "a lighthouse", "image": IMAGE}
VIDEO = {"prompt": "a lighthouse"}

# what each model is called as, and the least it needs
MODELS: dict[str, dict[str, Any]] = {
    "stability.sd3-5-large-v1:0": TEXT_TO_IMAGE,
    "stability.stable-image-core-v1:1": TEXT_TO_IMAGE,
    "stability.stable-image-ultra-v1:1": TEXT_TO_IMAGE,
    "us.stability.stable-image-inpaint-v1:0": {**ON_IMAGE, "mask": MASK},
    "us.stability.stable-outpaint-v1:0": {"image": IMAGE, "left": 64},
    "us.stability.stable-image-erase-object-v1:0": {"image": IMAGE, "mask": MASK},
    "us.stability.stable-image-search-recolor-v1:0": {**ON_IMAGE, "select_prompt": "the boat"},
    "us.stability.stable-image-search-replace-v1:0": {**ON_IMAGE, "search_prompt": "the boat"},
    "us.stability.stable-image-remove-background-v1:0": {"image": IMAGE},
    "us.stability.stable-image-control-sketch-v1:0": ON_IMAGE,
    "us.stability.stable-image-control-structure-v1:0": ON_IMAGE,
    "us.stability.stable-image-style-guide-v1:0": ON_IMAGE,
    "us.stability.stable-style-transfer-v1:0": {"init_image": IMAGE, "style_image": IMAGE},
    "us.stability.stable-fast-upscale-v1:0": {"image": IMAGE},
    "us.stability.stable-conservative-upscale-v1:0": ON_IMAGE,
    "us.stability.stable-creative-upscale-v1:0": ON_IMAGE,
}


@dataclass
class Place:
    server: Server
    session: Session
    client: Any

    def start(self, model_input: Any, model: str = RAY2, **members: Any) -> str:
        arguments = {
            "modelId": model,
            "modelInput": model_input,
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://nobodys-bucket/x"}},
            **members,
        }
        return str(self.client.start_async_invoke(**arguments)["invocationArn"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        role = make_role(s3, "work")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), "--async-seconds", "0") as server:
            session = server.assume(role)
            for kind in ("filter_prompt", "filter_async"):
                assert server.offline("POST", "faults", {"kind": kind})[0] == 201
            yield Place(server, session, server.client(session))


def _accepted(place: Place, model: str, document: Any) -> None:
    assert invoke(place.client, model, document) == {"finish_reasons": ["Filter reason: prompt"]}


def _refused(place: Place, model: str, document: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        invoke(place.client, model, document)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(refusal.value.response["Error"]["Message"])


@pytest.mark.parametrize("model", MODELS)
def test_every_model_answers_under_the_id_it_is_called_by(place: Place, model: str) -> None:
    """The text models by their own ids, the image services through their profiles."""
    _accepted(place, model, MODELS[model])


@pytest.mark.parametrize("model", [model for model in MODELS if model.startswith("us.")])
def test_an_image_service_is_not_called_by_its_base_id(place: Place, model: str) -> None:
    """Bedrock asks for the inference profile instead."""
    assert "Retry your request with the ID or ARN of an inference profile" in _refused(
        place, model.removeprefix("us."), MODELS[model]
    )


@pytest.mark.parametrize("model", MODELS)
def test_a_refusal_names_the_member_in_bedrocks_words(place: Place, model: str) -> None:
    """HTTP 400, ValidationException, the pointer and what was expected there."""
    message = _refused(place, model, {**MODELS[model], "width": 512})
    text = "#: extraneous key [width] is not permitted"
    assert message == f"Malformed input request: {text}, please reformat your input and try again."


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"prompt": NaN}', b"[" * 100_000],
    ids=["empty", "cut", "not UTF-8", "NaN", "deep"],
)
def test_a_body_that_is_not_json_is_malformed(place: Place, body: bytes) -> None:
    assert _refused(place, SD35, body) == "Malformed input request, please reformat your input and try again."


def test_a_body_that_is_not_an_object_is_malformed(place: Place) -> None:
    assert "#: expected type: JSONObject, found: JSONArray" in _refused(place, SD35, b"[]")


def _padded(size: int) -> bytes:
    body = json.dumps(TEXT_TO_IMAGE).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_25_megabytes_is_taken(place: Place) -> None:
    _accepted(place, SD35, _padded(25_000_000))


def test_a_larger_body_is_refused(place: Place) -> None:
    assert "'body' failed to satisfy constraint" in _refused(place, SD35, _padded(25_000_001))


def test_a_clip_is_checked_before_it_is_promised(place: Place) -> None:
    """A start within the model's limits has an invocation, one beyond has none."""
    assert ":async-invoke/" in place.start({**VIDEO, "loop": True, "duration": "9s"})
    with pytest.raises(ClientError) as refusal:
        place.start({**VIDEO, "duration": "6s"})
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert "#/duration: 6s is not a valid enum value" in refusal.value.response["Error"]["Message"]


KEY = "arn:aws:kms:us-west-2:000000000000:key/0123abcd-0123-0123-0123-0123456789ab"


def _output(**members: Any) -> dict[str, Any]:
    return {"outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://nobodys-bucket", **members}}}


@pytest.mark.parametrize(
    "members",
    [
        {"clientRequestToken": "a" * 256},
        _output(s3Uri="s3://abc/" + "x" * 1015),
        _output(kmsKeyId=KEY),
        _output(kmsKeyId="arn:aws:kms:us-west-2:000000000000:alias/studio"),
        _output(bucketOwner="123456789012"),
        {"tags": [{"key": "k" * 128, "value": "v" * 256}] * 200},
    ],
)
def test_an_asynchronous_start_takes_up_to_its_limits(place: Place, members: dict[str, Any]) -> None:
    assert ":async-invoke/" in place.start(VIDEO, **members)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"clientRequestToken": "a" * 257}, "clientRequestToken"),
        ({"clientRequestToken": "with space"}, "clientRequestToken"),
        (_output(s3Uri="https://bucket/x"), "s3Uri"),
        (_output(s3Uri="s3://Bucket/x"), "s3Uri"),
        (_output(s3Uri="s3://abc/" + "x" * 1016), "s3Uri"),
        (_output(kmsKeyId="0123abcd-0123-0123-0123-0123456789ab"), "kmsKeyId"),
        (_output(bucketOwner="12345678901"), "bucketOwner"),
        ({"tags": [{"key": "k", "value": "v"}] * 201}, "tags"),
        ({"tags": [{"key": "k" * 129, "value": "v"}]}, "tags.1.member.key"),
        ({"tags": [{"key": "k", "value": "v" * 257}]}, "tags.1.member.value"),
        ({"model": "m" * 257}, "modelId"),
        ({"model": SD35}, "doesn't support asynchronous invocation"),
        ({"model": "amazon.no-such-v1:0"}, "The provided model identifier is invalid."),
    ],
)
def test_an_asynchronous_start_refuses_beyond_its_limits(
    place: Place, members: dict[str, Any], text: str
) -> None:
    """boto3 checks none of this; the server does."""
    with pytest.raises(ClientError) as refusal:
        place.start(VIDEO, **members)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    assert text in refusal.value.response["Error"]["Message"]


def test_a_list_page_has_at_most_a_thousand_rows(place: Place) -> None:
    with pytest.raises(ClientError) as refusal:
        place.client.list_async_invokes(maxResults=1001)
    assert "maxResults" in refusal.value.response["Error"]["Message"]
    assert "asyncInvokeSummaries" in place.client.list_async_invokes(maxResults=1000)
