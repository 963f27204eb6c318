"""Manifests: what is said of an output, and what a file proves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that went into an output. `path` is local; `sha256` binds it even when it carries no manifest."""

    path: Path
    media_type: str
    title: str
    sha256: str
    relationship: Literal["parentOf", "componentOf", "inputTo"]
    digital_source_type: str | None = None


@dataclass(frozen=True, slots=True)
class SignRequest:
    """What a manifest says of one output. Nothing here may be a prompt or a person's name in clear.

    Where `media_type` is one that no manifest can be embedded in, `target` becomes the manifest alone, which is kept
    beside the file.
    """

    source: Path
    target: Path
    media_type: str
    title: str
    digital_source_type: str  # IPTC code, e.g. compositeWithTrainedAlgorithmicMedia
    ai_system: str  # the model's name
    ai_system_version: str  # the model id
    model_type: str  # c2pa-ai-disclosure modelType
    rights: str  # shown in XMP dc:rights
    ingredients: Sequence[Ingredient]
    generation: Mapping[str, Any]  # our own assertion: ids, keyed hashes, ledger entry id, controls
    actions: Sequence[Mapping[str, Any]] = ()  # after the inception action, e.g. c2pa.placed
    human_oversight: str = "prompt_guided"


@dataclass(frozen=True, slots=True)
class SignedFile:
    path: Path
    sha256: str
    size: int
    manifest_urn: str
    manifest_sha256: str
    timestamped: bool


VerifyStatus = Literal["trusted", "valid_but_untrusted", "tampered", "no_manifest", "unreadable"]


@dataclass(frozen=True, slots=True)
class VerifyVerdict:
    status: VerifyStatus
    reasons: Sequence[str]
    ingredient_problems: Sequence[Mapping[str, Any]]
    manifest_urn: str | None
    signer: str | None
    signed_at: datetime | None
    digital_source_type: str | None
    claim: Mapping[str, Any]  # a readable summary: actions, software agent, ingredients, our assertion
    # what the file says of training, mining and inference (`circletake.domain.permission.marks`)
    marks: Mapping[str, Any] = field(default_factory=dict)


class SigningFault(Exception):
    """Why an output could not be signed; then it isn't published. `retryable`: timestamp authority or KMS down."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ManifestSigner(Protocol):
    async def sign(self, request: SignRequest) -> SignedFile: ...
    async def verify(self, path: Path, media_type: str) -> VerifyVerdict: ...
