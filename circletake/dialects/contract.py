"""What every dialect does: refuse early, report honestly, translate a request, read an answer. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.pictures import (
    ControlReport,
    Filtered,
    InputShape,
    ModelCard,
    ModelRequest,
    Picture,
    Pictures,
    Unusable,
    Violation,
)


@dataclass(frozen=True, slots=True)
class RequestShape:
    """A request without the bytes of its inputs: all that the gateway has.

    Input sizes are those of the stored files; `plate_scale` is None, and what fitting the plate into the model
    will make of lengths in plate pixels is computed. For a picture that is fitted already it is that scale.
    """

    kind: Kind
    prompt: str | None = field(repr=False)
    negative_prompt: str | None = field(repr=False)
    seed: int | None
    controls: Mapping[str, Any]
    inputs: Mapping[InputSlot, InputShape] = field(default_factory=dict)
    plate_scale: float | None = None
    search_prompt: str | None = field(repr=False, default=None)


def shape_of(request: ModelRequest) -> RequestShape:
    """Return the shape of a request whose pictures are fitted to the model."""
    plate = request.inputs.get(InputSlot.PLATE)
    return RequestShape(
        request.kind,
        request.prompt,
        request.negative_prompt,
        request.seed,
        request.controls,
        {slot: InputShape(each.media_type, each.width, each.height) for slot, each in request.inputs.items()},
        plate_scale=plate.scale if plate else None,
        search_prompt=request.search_prompt,
    )


class UnfitRequest(ValueError):
    """A request that was built although `check` refuses it, or with pictures that were not fitted."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{each.pointer} {each.code}" for each in violations))
        self.violations = tuple(violations)


class Dialect(Protocol):
    """One model family's native language."""

    def check(self, request: RequestShape, card: ModelCard) -> list[Violation]:
        """Return all that the model would refuse, before anything is spent: kind, texts, seed, controls, inputs."""
        ...

    def controls(self, request: RequestShape, card: ModelCard) -> list[ControlReport]:
        """Return what becomes of each requested control, the seed, the negative prompt, and the defaults sent.

        The request must have passed `check`.
        """
        ...

    def build(self, request: ModelRequest, card: ModelCard) -> dict[str, Any]:
        """Return the native JSON. Raises UnfitRequest rather than send what the model would refuse.

        Pictures are already fitted; `Picture.scale` turns lengths in plate pixels into the copy's.
        """
        ...

    def read(self, answer: bytes) -> Pictures | Filtered | Unusable:
        """Read what the model answered; for an asynchronous model the file it left in the bucket."""
        ...

    def read_async_failure(self, message: str | None) -> Filtered | Unusable:
        """Read the failure message of an asynchronous invocation."""
        ...


class UnusableAnswer(ValueError):
    """An answer that is not what was asked for. `found` says what it is; a reason is the provider's: seal it."""

    def __init__(self, found: Filtered | Unusable) -> None:
        super().__init__("filtered" if isinstance(found, Filtered) else "unusable")
        self.found = found


class EmbeddingDialect(Protocol):
    """One embedding model's native language. A vector of a face is biometric: it is in no repr and no message."""

    def body(self, picture: Picture, card: ModelCard, dimensions: int | None = None) -> dict[str, Any]:
        """Return the native JSON; without `dimensions` the card's first are asked for. Raises UnfitRequest."""
        ...

    def vector(self, answer: bytes, dimensions: int) -> tuple[float, ...]:
        """Read the answer: finite, not all zero, of unit length, of so many dimensions. Raises UnusableAnswer."""
        ...


class RequestTooLarge(ValueError):
    """The encoded request passes what the service takes. Sizes in bytes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the request has {size} bytes, the service takes {limit}")
        self.size = size
        self.limit = limit


def encode_body(native: Mapping[str, Any], card: ModelCard) -> bytes:
    """Return the request's bytes, the same ones every time. Raises RequestTooLarge."""
    body = json.dumps(native, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    limit = card.limits.get("request_max_bytes")
    if limit is not None and len(body) > limit:
        raise RequestTooLarge(len(body), limit)
    return body
