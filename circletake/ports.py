"""What is outside the process, as Protocols. Adapters implement them; use cases take them as arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

from circletake.domain.pictures import ModelCard
from circletake.domain.tenants import TenantStorage

# --- the tenant's own session ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionCredentials:
    """Temporary AWS credentials that reach one tenant only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime


class TenantSessions(Protocol):
    """STS sessions, one per tenant, kept until shortly before they expire."""

    async def credentials(self, tenant: TenantStorage) -> SessionCredentials: ...

    def forget(self, tenant: TenantStorage, credentials: SessionCredentials) -> None:
        """Drop credentials that were refused (the S3 or STS server restarted): the next call assumes again."""
        ...


# --- models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InvokeAnswer:
    body: bytes = field(repr=False)
    request_id: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class AsyncStatus:
    state: Literal["in_progress", "completed", "failed"]
    failure_message: str | None  # content: seal it, never log it
    client_request_token: str | None
    s3_uri: str | None


class ModelRunner(Protocol):
    """Calls a model under the tenant's own session. Every failure is a `circletake.domain.pictures.ModelFault`."""

    async def invoke(self, tenant: TenantStorage, card: ModelCard, body: bytes) -> InvokeAnswer: ...

    async def start_async(
        self, tenant: TenantStorage, card: ModelCard, body: Mapping[str, Any], *, token: str, s3_uri: str
    ) -> str:
        """Return the invocation ARN. The same token and body find the same invocation again."""
        ...

    async def poll_async(
        self, tenant: TenantStorage, card: ModelCard, invocation_arn: str
    ) -> AsyncStatus: ...


class ModelCatalogue(Protocol):
    def all(self) -> Sequence[ModelCard]: ...
    def get(self, model_id: str) -> ModelCard | None: ...
    def default_for(self, kind: str) -> ModelCard: ...


# --- the tenant's bucket --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size: int
    etag: str
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    etag: str
    size: int


class StorageFault(Exception):
    """`kind` tells what to do: missing | changed (precondition) | denied | no_upload | unavailable."""

    def __init__(
        self, kind: Literal["missing", "changed", "denied", "no_upload", "unavailable"], message: str
    ) -> None:
        super().__init__(message)
        self.kind = kind


class ObjectStore(Protocol):
    """The tenant's bucket, under that tenant's STS session. Every failure is a StorageFault."""

    async def put(self, tenant: TenantStorage, key: str, data: bytes, media_type: str) -> StoredObject: ...
    async def put_file(
        self, tenant: TenantStorage, key: str, path: Path, media_type: str
    ) -> StoredObject: ...
    async def get(self, tenant: TenantStorage, key: str, *, max_bytes: int | None = None) -> bytes: ...
    async def get_file(self, tenant: TenantStorage, key: str, path: Path) -> int: ...
    async def head(self, tenant: TenantStorage, key: str) -> StoredObject: ...
    async def copy(
        self, tenant: TenantStorage, source: str, target: str, *, source_etag: str
    ) -> StoredObject:
        """Copy inside the bucket only if the source still has this ETag (else StorageFault 'changed')."""
        ...

    async def delete(self, tenant: TenantStorage, keys: Sequence[str]) -> None:
        """Delete every version; a key that is not there is not an error."""
        ...

    async def list(self, tenant: TenantStorage, prefix: str) -> Sequence[StoredObject]: ...
    async def presign_get(
        self, tenant: TenantStorage, key: str, *, seconds: int, filename: str | None = None
    ) -> str: ...
    async def presign_put(
        self, tenant: TenantStorage, key: str, *, seconds: int, media_type: str, size: int
    ) -> str: ...
    async def start_multipart(self, tenant: TenantStorage, key: str, media_type: str) -> str: ...
    async def presign_part(
        self, tenant: TenantStorage, key: str, upload_id: str, number: int, *, seconds: int
    ) -> str: ...
    async def list_parts(self, tenant: TenantStorage, key: str, upload_id: str) -> Sequence[Part]: ...
    async def finish_multipart(
        self, tenant: TenantStorage, key: str, upload_id: str, parts: Sequence[Part]
    ) -> StoredObject: ...
    async def abort_multipart(self, tenant: TenantStorage, key: str, upload_id: str) -> None: ...


class TenantProvisioner(Protocol):
    """Makes what a tenant needs in AWS. Every call is idempotent and may be repeated after a failure."""

    async def ensure_key(self, slug: str, tenant_id: UUID) -> str:
        """Return the ARN of the tenant's KMS key."""
        ...

    async def ensure_bucket(self, slug: str, tenant_id: UUID, kms_key_arn: str) -> str:
        """Return the bucket's name: private, encrypted with the tenant's key, versioned, CORS closed."""
        ...

    async def ensure_roles(
        self, slug: str, tenant_id: UUID, bucket: str, kms_key_arn: str
    ) -> tuple[str, str]:
        """Return the ARNs of the work role (models, bucket, key) and the grant role (bucket and key)."""
        ...


# --- secrets and content at rest --------------------------------------------------------------------------------


class Seal(Protocol):
    """One tenant's data key in use: AES-256-GCM, so a row that is moved or edited doesn't open."""

    def close(self, text: str | bytes, *, place: str) -> bytes:
        """Encrypt. `place` (for example 'generations.prompt:<id>') is authenticated, not stored."""
        ...

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """Decrypt; raises SealBroken when the bytes, the key or the place are not the ones they were."""
        ...

    def keyed_hash(self, data: bytes) -> str:
        """HMAC-SHA-256 under a key derived from the data key, in hex: equal contents compare, none is guessed."""
        ...


class SealBroken(Exception):
    """Sealed content that cannot be opened: wrong tenant, wrong place, changed bytes or a destroyed key."""


class Vault(Protocol):
    async def create_data_key(self, tenant: TenantStorage) -> bytes:
        """Return a new wrapped data key, to be stored with the tenant."""
        ...

    async def seal(self, tenant: TenantStorage, wrapped_key: bytes) -> Seal:
        """Unwrap (KMS, cached at most five minutes) and return the tenant's seal."""
        ...


# --- provenance -------------------------------------------------------------------------------------------------


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
    """What a manifest says of one output. Nothing here may be a prompt or a person's name in clear."""

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


class SigningFault(Exception):
    """Why an output could not be signed; then it isn't published. `retryable`: timestamp authority or KMS down."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class ManifestSigner(Protocol):
    async def sign(self, request: SignRequest) -> SignedFile: ...
    async def verify(self, path: Path, media_type: str) -> VerifyVerdict: ...


# --- the bell ---------------------------------------------------------------------------------------------------


class Doorbell(Protocol):
    """Wakes somebody up; carries ids only, and nothing depends on it arriving."""

    async def ring(self, lane: str, bells: Sequence[tuple[UUID, UUID, int]]) -> None:
        """Ring for (tenant_id, step_id, ring_no)."""
        ...


# --- webhooks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WebhookReply:
    status: int
    excerpt: bytes  # the first KiB
    retry_after_seconds: float | None
    seconds: float


class WebhookBlocked(Exception):
    """The target may not be reached: private address, plain http, a port that isn't allowed, a redirect."""


class WebhookUnreachable(Exception):
    """No answer: DNS, connect, TLS, timeout. The message is safe to show to the endpoint's owner."""


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """`whsec_` + base64 signs v1 (HMAC-SHA-256); `whsk_` + base64 signs v1a (ed25519). Two live ones rotate."""

    value: str = field(repr=False)


class WebhookSender(Protocol):
    """Signs as Standard Webhooks says, from the exact bytes sent, and posts. Follows no redirect."""

    async def post(
        self,
        url: str,
        *,
        message_id: str,
        body: bytes,
        secrets: Sequence[SigningSecret],
        timeout_seconds: float = 20.0,
    ) -> WebhookReply: ...


# --- pictures ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probe:
    """What decoding a file showed. Sizes in pixels, duration in seconds."""

    media_type: str
    width: int
    height: int
    channels: int
    bit_depth: int
    frames: int = 1
    frames_per_second: float | None = None
    duration_seconds: float | None = None
    has_alpha: bool = False
    icc_profile: bool = False
    codec: str | None = None


class PictureRefused(Exception):
    """A file that isn't taken. `code` is stable: type_mismatch truncated too_large bomb svg polyglot
    unsupported empty; the message says what to change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type["PictureRefused"], tuple[str, str]]:
        """Cross from a child process to its parent whole."""
        return type(self), (self.code, str(self))


class LayBackFault(Exception):
    """A result that can't be laid onto its plate; then it isn't published. The message says what doesn't fit."""


@dataclass(frozen=True, slots=True)
class CompositeReport:
    """What laying the result back did. `changed_fraction` is of the whole frame, 0–1, on decoded pixels."""

    width: int
    height: int
    bit_depth: int
    changed_fraction: float
    outside_matte_changed: int  # pixels; always 0
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class SheetTake:
    number: int
    state: str
    seed: int | None
    cost_usd: str
    label: str  # one more line: model or reason
    path: Path | None  # None when there is no picture


class PictureDesk(Protocol):
    """Decodes, composites and draws in child processes, never in the worker's own."""

    async def probe(self, path: Path, declared_type: str) -> Probe:
        """Decode the file within bounds; raises PictureRefused."""
        ...

    async def for_model(
        self,
        path: Path,
        *,
        limits: Mapping[str, Any],
        grayscale: bool = False,
        size: tuple[int, int] | None = None,
    ) -> "ModelInput":
        """Re-encode a picture as 8-bit PNG or JPEG inside a model's limits (sides, pixels, ratio, bytes).

        `grayscale` reads a matte and makes it black and white: white is what changes. `size` (width, height) sets
        the size instead of the limits, so that a matte meets its plate. Raises PictureRefused when nothing fits.
        """
        ...

    async def lay_back(
        self,
        *,
        plate: Path,
        matte: Path | None,
        result: Path,
        target: Path,
        target_type: str,
        extend: Mapping[str, int] | None = None,
        grow_pixels: int = 0,
    ) -> CompositeReport:
        """Lay a model's result back at the plate's size and depth.

        With a matte: outside it the decoded pixels equal the plate's. With `extend` (left right up down, in plate
        pixels) the canvas grows and the plate's own area equals the plate. Raises LayBackFault.
        """
        ...

    async def poster(self, path: Path, media_type: str, target: Path) -> None:
        """Write a small JPEG of a picture, or of a video's middle frame."""
        ...

    async def contact_sheet(
        self, *, title: str, subtitle: str, takes: Sequence[SheetTake], plate: Path | None, target: Path
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class ModelInput:
    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    scale: float  # model pixels per source pixel, 1.0 when unchanged
