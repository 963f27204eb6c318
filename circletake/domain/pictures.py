"""Values that describe a picture, a model and a request to it; shared by dialects, ports and use cases."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from circletake.domain.kinds import Billed, InputSlot, Kind


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture: bytes with the facts read from them. Sizes in pixels."""

    data: bytes = field(repr=False)
    media_type: str  # image/png image/jpeg image/webp image/tiff
    width: int
    height: int
    scale: float = 1.0  # pixels of this copy per pixel of the picture it was made from


PriceUnit = Literal["image", "second", "1000_tokens"]


class ModelUse(StrEnum):
    """What a model does beside or instead of making takes."""

    EMBEDDING = "embedding"  # a vector per picture
    JUDGE = "judge"  # a second opinion on pictures side by side
    LANGUAGE = "language"  # script breakdowns and proposed prompts


_DECISIVE = ("id", "version", "dialect", "mode", "native", "limits", "controls", "seed")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model of the catalogue (`circletake/data/models.yaml`)."""

    id: str  # what is sent to Bedrock as modelId
    name: str
    provider: str
    dialect: str
    kinds: frozenset[Kind]
    mode: Literal["sync", "async"]
    regions: tuple[str, ...]
    lifecycle: Literal["active", "legacy", "eol"]
    eol_on: date | None
    successor: str | None
    price: "Price"
    controls: tuple[str, ...]  # controls it honours, of those the API knows
    limits: dict[str, Any]
    seed: Literal["honoured", "unsupported"]
    on_unknown: Literal["retry", "hold"]  # what to do with a paid call whose outcome is unknown
    digital_source_type: str
    terms: dict[str, Any]
    unconfirmed: tuple[str, ...]  # what the documentation leaves open and no recording has confirmed yet
    max_running: int  # ceiling of the concurrency cap
    timeout_seconds: int
    uses: frozenset[ModelUse] = (
        frozenset()
    )  # what it is asked for besides takes; such a card may have no kinds
    native: dict[str, Any] = field(default_factory=dict)  # the members of its own language that hold what
    version: str | None = None  # as its id ends, v1:0; None where neither id nor entry says

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides what the model is sent and what it makes of it; not its price or terms.

        Another fingerprint under the same id is another model, as far as a studio can tell.
        """
        decisive = {name: getattr(self, name) for name in _DECISIVE}
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per unit; `as_of` and `source` are shown wherever a price is shown."""

    unit: PriceUnit
    usd: Decimal  # "second": at the default resolution; "1000_tokens": per 1000 tokens that go in
    by_resolution: dict[str, Decimal]
    as_of: date
    source: str
    confirmed: bool
    usd_output: Decimal | None = None  # "1000_tokens": per 1000 tokens that come out


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is asked of a model for one take, before translation. Strings are the user's, unchanged."""

    kind: Kind
    prompt: str | None
    negative_prompt: str | None
    seed: int | None  # 1..; None lets the dialect leave it out
    controls: dict[str, Any]
    inputs: dict[InputSlot, Picture] = field(repr=False, default_factory=dict)
    search_prompt: str | None = field(repr=False, default=None)  # what to find in the plate


@dataclass(frozen=True, slots=True)
class InputShape:
    """What the gateway knows of an input without its bytes."""

    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request. `pointer` is an RFC 6901 pointer into the request body."""

    pointer: str
    code: str
    message: str  # says what to change; never repeats a prompt


class ControlState(StrEnum):
    APPLIED = "applied"
    APPROXIMATED = "approximated"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class ControlReport:
    """What became of one requested control."""

    control: str
    state: ControlState
    sent: Any = None  # the value really sent, None when unsupported
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """A model's usable answer."""

    images: tuple[bytes, ...] = field(repr=False)
    seeds: tuple[int | None, ...]
    media_type: str


RefusalStage = Literal["prompt", "input_image", "output_image", "output_text", "guardrail", "unknown"]


@dataclass(frozen=True, slots=True)
class Filtered:
    """A safety filter of the model or a guardrail refused. `stage` normalises the provider's many shapes."""

    stage: RefusalStage
    provider_reason: str  # content: seal it, never log it
    source: Literal["model", "guardrail"] = "model"
    categories: tuple[
        str, ...
    ] = ()  # what it was refused for, where the provider says so: violence, weapons …


@dataclass(frozen=True, slots=True)
class Unusable:
    """The call was answered, but not with a picture and not with a filter's refusal."""

    reason: str


Answer = Pictures | Filtered | Unusable

FaultKind = Literal[
    "throttled",  # 429, 529: back off, not a failed attempt
    "unavailable",  # 500, 502, 503, 504 answered before a result
    "not_ready",  # ModelNotReady
    "timeout",  # no answer in time: nobody knows whether it was paid
    "connection",  # broke before or in mid-answer
    "invalid_request",  # 400 that is no content filter
    "filtered",  # 400 that is a content filter
    "access_denied",
    "not_found",  # no such model
    "ended",  # the provider ended the model, or ended it for an account that had stopped using it
    "quota",  # ServiceQuotaExceeded
    "conflict",  # same token, other parameters
    "model_error",  # 424
]


class ModelFault(Exception):
    """A call to a model that gave no answer. `provider_message` is content: seal it, never log it."""

    def __init__(
        self,
        kind: FaultKind,
        provider_message: str,
        *,
        code: str = "",
        status: int | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        billed: Billed = Billed.FALSE,
    ) -> None:
        super().__init__(f"{kind} {code}".strip())
        self.kind: FaultKind = kind
        self.provider_message = provider_message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.billed = billed


def composite_type(plate_media_type: str) -> str:
    """Return the media type a composite is written as: the plate's own, or PNG where the plate's is lossy.

    Decoded pixels don't survive being encoded as JPEG or WebP again.
    """
    return "image/tiff" if plate_media_type == "image/tiff" else "image/png"
