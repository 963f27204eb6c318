"""Stability AI on Bedrock: which parser reads a model's request, and the answer they all share."""

import base64
from collections.abc import Callable
from typing import Any

from services.bedrock.dialects import stability_services, stability_text
from services.bedrock.orders import PictureOrder

PARSERS: dict[str, Callable[[bytes], PictureOrder]] = {
    **stability_text.PARSERS,
    **stability_services.PARSERS,
}


def answer(seed: int, picture: bytes) -> dict[str, Any]:
    return {"seeds": [seed], "finish_reasons": [None], "images": [base64.b64encode(picture).decode()]}


def filtered(reason: str) -> dict[str, Any]:
    """An answer without a picture: HTTP 200 and a finish reason, nothing else."""
    return {"finish_reasons": [reason]}
