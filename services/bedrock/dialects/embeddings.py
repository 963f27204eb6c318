"""Embedding models on Bedrock: native request in, order out; vector in, native answer out.

Limits: "Complete embeddings request and response schema" (Amazon Nova User Guide), "Amazon Titan Multimodal Embeddings
G1" (Amazon Bedrock User Guide). Pictures only: this server has no vectors for words, sound or clips, and refuses them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from services.bedrock.dialects.schema import Checker, read_json
from services.bedrock.orders import EmbedOrder
from services.bedrock.pictures import Header

NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
TITAN = "amazon.titan-embed-image-v1"

NOVA_DIMENSIONS = (256, 384, 1024, 3072)
TITAN_DIMENSIONS = (256, 384, 1024)
TITAN_MAX_SIDE = 2_048
MAX_SIDE = 8_000

_PURPOSES = frozenset(
    {
        "GENERIC_INDEX", "GENERIC_RETRIEVAL", "TEXT_RETRIEVAL", "IMAGE_RETRIEVAL", "VIDEO_RETRIEVAL",
        "DOCUMENT_RETRIEVAL", "AUDIO_RETRIEVAL", "CLASSIFICATION", "CLUSTERING",
    }
)  # fmt: skip
_NOVA_FORMATS = ("png", "jpeg", "webp")
_TITAN_FORMATS = ("png", "jpeg")
_NOT_SERVED = "is not served by the offline model server: it embeds pictures only"


def parse_nova(body: bytes) -> EmbedOrder:
    """amazon.nova-2-multimodal-embeddings-v1:0, synchronous, one picture."""
    fields = Checker(read_json(body))
    fields.choice("schemaVersion", ("nova-multimodal-embed-v1",), "nova-multimodal-embed-v1")
    fields.choice("taskType", ("SINGLE_EMBEDDING",), "", required=True)
    single = fields.child("singleEmbeddingParams", required=True)
    image, dimensions = b"", NOVA_DIMENSIONS[-1]
    if single is not None:
        single.choice("embeddingPurpose", _PURPOSES, "", required=True)
        dimensions = _dimensions(single, "embeddingDimension", NOVA_DIMENSIONS, NOVA_DIMENSIONS[-1])
        for name in ("text", "audio", "video"):
            if name in single:
                single.refuse(name, _NOT_SERVED)
        image = _nova_image(single)
        single.close()
    fields.finish()
    return EmbedOrder(image, dimensions)


def _nova_image(single: Checker) -> bytes:
    picture = single.child("image", required=True)
    if picture is None:
        return b""
    picture.choice("detailLevel", ("STANDARD_IMAGE", "DOCUMENT_IMAGE"), "STANDARD_IMAGE")
    stated = picture.choice("format", ("png", "jpeg", "gif", "webp"), "", required=True)
    source = picture.child("source", required=True)
    picture.close()
    if source is None:
        return b""
    if "s3Location" in source:
        source.refuse("s3Location", "is not served by the offline model server: send bytes")
    found = source.picture("bytes", _NOVA_FORMATS, _within(MAX_SIDE), required=True)
    source.close()
    if found is None:
        return b""
    data, header = found
    if stated and stated != header.format:
        picture.refuse("format", f"{stated} does not match the image data")
    return data


def parse_titan(body: bytes) -> EmbedOrder:
    """amazon.titan-embed-image-v1, one picture."""
    fields = Checker(read_json(body))
    if "inputText" in fields:
        fields.text("inputText")
        fields.refuse("inputText", _NOT_SERVED)
    config = fields.child("embeddingConfig")
    dimensions = TITAN_DIMENSIONS[-1]
    if config is not None:
        dimensions = _dimensions(config, "outputEmbeddingLength", TITAN_DIMENSIONS, dimensions)
        config.close()
    found = fields.picture("inputImage", _TITAN_FORMATS, _within(TITAN_MAX_SIDE), required=True)
    fields.finish()
    return EmbedOrder(found[0] if found else b"", dimensions)


PARSERS: dict[str, Callable[[bytes], EmbedOrder]] = {NOVA: parse_nova, TITAN: parse_titan}


def answer(model: str, vector: Sequence[float]) -> dict[str, Any]:
    if model == NOVA:
        return {"embeddings": [{"embeddingType": "IMAGE", "embedding": list(vector)}]}
    return {"embedding": list(vector), "inputTextTokenCount": 0, "message": None}


def _dimensions(fields: Checker, name: str, offered: Sequence[int], default: int) -> int:
    chosen = fields.integer(name, min(offered), max(offered), default)
    if chosen not in offered:
        fields.refuse(name, f"{chosen} is not a valid enum value")
    return chosen


def _within(side: int) -> Callable[[Header], str | None]:
    def limits(header: Header) -> str | None:
        if max(header.width, header.height) > side:
            return f"image must not exceed {side}x{side} pixels, actual: {header.width}x{header.height}"
        return None

    return limits
