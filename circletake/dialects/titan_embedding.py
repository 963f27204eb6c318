"""Amazon Titan Multimodal Embeddings G1: one picture in, one vector out, by InvokeModel.

Native body as in the Amazon Bedrock user guide, "Amazon Titan Multimodal Embeddings G1".
"""

import base64
from typing import Any

from circletake.dialects.contract import UnfitRequest
from circletake.dialects.vectors import (
    chosen_dimensions,
    picture_problems,
    read_object,
    refused,
    unit_vector,
)
from circletake.domain.pictures import ModelCard, Picture


class TitanEmbedding:
    """An EmbeddingDialect."""

    def body(self, picture: Picture, card: ModelCard, dimensions: int | None = None) -> dict[str, Any]:
        problems = picture_problems("/picture", picture, card)
        if problems:
            raise UnfitRequest(problems)
        return {
            "inputImage": base64.b64encode(picture.data).decode("ascii"),
            "embeddingConfig": {"outputEmbeddingLength": chosen_dimensions(card, dimensions)},
        }

    def vector(self, answer: bytes, dimensions: int) -> tuple[float, ...]:
        native = read_object(answer)
        # "message" states an error of the generation, in an answer that is HTTP 200
        if native.get("message") or "embedding" not in native:
            raise refused(native.get("message"))
        return unit_vector(native["embedding"], dimensions)
