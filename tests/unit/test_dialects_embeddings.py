"""Embedding models: what is sent for one picture, and how strictly a vector is read."""

import base64
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.dialects.contract import UnfitRequest, UnusableAnswer, encode_body
from circletake.dialects.registry import NoDialect, embedder_for
from circletake.domain.pictures import Filtered, Unusable
from services.bedrock.dialects.embeddings import PARSERS
from tests.unit.model_requests import SD35, card_of, picture
from tests.unit.test_dialects_agree import png

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
TITAN = "amazon.titan-embed-image-v1"
BOTH = pytest.mark.parametrize("model_id", [NOVA, TITAN])


def answered(model_id: str, values: Any) -> bytes:
    if model_id == NOVA:
        return json.dumps({"embeddings": [{"embeddingType": "IMAGE", "embedding": values}]}).encode()
    return json.dumps({"embedding": values, "inputTextTokenCount": 0, "message": None}).encode()


def found(model_id: str, answer: bytes, dimensions: int = 3) -> Filtered | Unusable:
    with pytest.raises(UnusableAnswer) as fault:
        embedder_for(card_of(model_id)).vector(answer, dimensions)
    return fault.value.found


def test_nova_is_asked_for_a_picture_as_its_guide_says():
    """Every member of the synchronous schema, nothing else."""
    body = embedder_for(card_of(NOVA)).body(
        picture(b"jpg", (640, 480), media_type="image/jpeg"), card_of(NOVA)
    )
    assert body == {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "CLUSTERING",
            "embeddingDimension": 1024,
            "image": {
                "detailLevel": "STANDARD_IMAGE",
                "format": "jpeg",
                "source": {"bytes": base64.b64encode(b"jpg").decode()},
            },
        },
    }


def test_titan_is_asked_for_a_picture_as_its_guide_says():
    """The picture in base64 and the length of the vector."""
    body = embedder_for(card_of(TITAN)).body(picture(b"png", (640, 480)), card_of(TITAN), 256)
    assert body == {
        "inputImage": base64.b64encode(b"png").decode(),
        "embeddingConfig": {"outputEmbeddingLength": 256},
    }


@BOTH
def test_every_offered_length_and_size_is_taken_by_the_wire(model_id):
    """What we send at our limits, the server's own reading of the same pages accepts."""
    card = card_of(model_id)
    longest = card.limits["picture"]["max_side"]
    for dimensions in card.limits["dimensions"]:
        data = png(longest, 16)
        native = embedder_for(card).body(picture(data, (longest, 16)), card, dimensions)
        order = PARSERS[model_id](encode_body(native, card))
        assert (order.image, order.dimensions) == (data, dimensions)


@BOTH
@pytest.mark.parametrize(
    ("size", "media_type", "dimensions", "code"),
    [
        ((2049, 100), "image/png", None, "not_fitted"),
        ((8, 100), "image/png", None, "not_fitted"),
        ((640, 480), "image/webp", None, "media_type"),
        ((640, 480), "image/png", 512, "not_offered"),
    ],
)
def test_what_the_model_would_refuse_is_not_sent(model_id, size, media_type, dimensions, code):
    """Refused before anything is paid."""
    with pytest.raises(UnfitRequest) as fault:
        embedder_for(card_of(model_id)).body(
            picture(size=size, media_type=media_type), card_of(model_id), dimensions
        )
    assert [each.code for each in fault.value.violations] == [code]


@BOTH
def test_a_file_of_too_many_bytes_is_not_sent(model_id):
    """The limit is of the encoded file."""
    card = card_of(model_id)
    large = bytes(card.limits["picture"]["max_bytes"] + 1)
    with pytest.raises(UnfitRequest, match="too_large"):
        embedder_for(card).body(picture(large, (640, 480)), card)


@BOTH
def test_a_vector_comes_back_at_unit_length(model_id):
    """So that a dot product is the cosine, whatever the provider's scale."""
    vector = embedder_for(card_of(model_id)).vector(answered(model_id, [3, 0, 4.0]), 3)
    assert vector == pytest.approx((0.6, 0.0, 0.8))


@BOTH
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_any_finite_direction_is_read(model_id, values):
    """And none that has no direction."""
    if math.hypot(*values) == 0:
        assert isinstance(found(model_id, answered(model_id, values)), Unusable)
    else:
        assert math.hypot(*embedder_for(card_of(model_id)).vector(answered(model_id, values), 3)) == (
            pytest.approx(1)
        )


@BOTH
@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1, 2, 3, 4],
        [0, 0, 0],
        ["1", 2, 3],
        [True, 2, 3],
        [1.7e308] * 3,
        [float("inf"), 1, 2],
        [float("nan"), 1, 2],
        None,
        "vector",
        {},
    ],
)
def test_anything_but_so_many_numbers_is_unusable(model_id, values):
    """A vector of another length or sort would compare with nothing."""
    assert isinstance(found(model_id, answered(model_id, values)), Unusable)


@BOTH
@pytest.mark.parametrize(
    "answer", [b"", b"<html>", b"[]", b"{}", b'{"embeddings": []}', b'{"embedding": NaN}']
)
def test_what_is_no_answer_is_unusable(model_id, answer):
    """Also the page of a proxy."""
    assert isinstance(found(model_id, answer), Unusable)


def test_a_refusal_in_a_200_is_a_filters():
    """Titan states its errors in `message`; a guardrail replaces the answer."""
    text = "This request has been blocked by our content filters. Please adjust your input image."
    refused = found(TITAN, json.dumps({"message": text, "embedding": [1, 2, 3]}).encode())
    assert isinstance(refused, Filtered)
    assert refused.stage == "input_image"
    stopped = found(NOVA, b'{"amazon-bedrock-guardrailAction": "INTERVENED"}')
    assert isinstance(stopped, Filtered)


def test_a_vector_is_in_no_message():
    """A face's vector is biometric: it must not reach a log by way of an exception."""
    with pytest.raises(UnusableAnswer) as fault:
        embedder_for(card_of(TITAN)).vector(answered(TITAN, [0.123456, "x", 1]), 3)
    assert "0.123" not in f"{fault.value!r} {fault.value.found!r}"


def test_a_generator_embeds_nothing():
    """A card that has another use is refused by name."""
    with pytest.raises(NoDialect):
        embedder_for(card_of(SD35))
