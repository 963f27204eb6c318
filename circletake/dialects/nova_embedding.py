"""Amazon Nova Multimodal Embeddings: one picture in, one vector out, by InvokeModel.

Native body as in the Amazon Nova user guide, "Complete embeddings request and response schema" (synchronous).
"""

import base64
from typing import Any

from circletake.dialects.contract import UnfitRequest, UnusableAnswer
from circletake.dialects.vectors import (
    chosen_dimensions,
    picture_problems,
    read_object,
    refused,
    unit_vector,
)
from circletake.domain.pictures import ModelCard, Picture, Unusable

_FORMATS = {"image/png": "png", "image/jpeg": "jpeg"}


class NovaEmbedding:
    """An EmbeddingDialect."""

    def body(self, picture: Picture, card: ModelCard, dimensions: int | None = None) -> dict[str, Any]:
        problems = picture_problems("/picture", picture, card)
        if problems:
            raise UnfitRequest(problems)
        return {
            "schemaVersion": "nova-multimodal-embed-v1",
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                # both sides of a comparison are pictures of the same sort, so neither is a query
                "embeddingPurpose": "CLUSTERING",
                "embeddingDimension": chosen_dimensions(card, dimensions),
                "image": {
                    "detailLevel": "STANDARD_IMAGE",
                    "format": _FORMATS[picture.media_type],
                    "source": {"bytes": base64.b64encode(picture.data).decode("ascii")},
                },
            },
        }

    def vector(self, answer: bytes, dimensions: int) -> tuple[float, ...]:
        native = read_object(answer)
        embeddings = native.get("embeddings")
        if not isinstance(embeddings, list):
            raise refused(native.get("message"))
        if len(embeddings) != 1 or not isinstance(embeddings[0], dict):
            raise UnusableAnswer(Unusable(f"one embedding was asked for, not {len(embeddings)}"))
        return unit_vector(embeddings[0].get("embedding"), dimensions)
