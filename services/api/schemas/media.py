"""Media files, uploads, downloads and verifications on the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from circletake.domain.kinds import MediaRole, RightsBasis
from circletake.domain.media import MAX_FRAME, MAX_PARTS_ASKED, UPLOAD_TYPES, UploadRequest
from circletake.records.media import MediaFile, Verification
from circletake.usecases.grant_upload import UploadOffer
from services.api.schemas.common import Body, ExternalRef, Reply, ShortText, Text

MediaState = Literal["uploading", "inspecting", "ready", "refused", "withdrawn"]
Sha256 = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the file's bytes, 64 lower-case hex digits")
]
# told in the document only: what is wrong for which role is told by the rules, with what to do about it
MEDIA_TYPES: list[Any] = sorted(frozenset[str]().union(*UPLOAD_TYPES.values()))
Frame = Annotated[int, Field(ge=-MAX_FRAME, le=MAX_FRAME)]


class MediaBody(Body):
    """A file that is about to be uploaded, as you declare it; the declaration is checked against the bytes."""

    production_id: UUID
    shot_id: UUID | None = None
    role: MediaRole = Field(description="plate, matte, clean_plate or reference")
    name: Annotated[Text, Field(min_length=1, max_length=200, description="The file's own name")]
    media_type: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="A matte is image/png, image/tiff or image/webp", json_schema_extra={"enum": MEDIA_TYPES}
    )
    size: Annotated[int, Field(ge=1, le=2**53, description="In bytes")]
    sha256: Sha256
    rights_basis: RightsBasis = Field(
        default=RightsBasis.UNKNOWN, description="On what ground you may use this file"
    )
    colour_space: ShortText | None = Field(default=None, description="As you name it, for example ACEScg")
    first_frame: Frame | None = Field(
        default=None, description="With last_frame; a video must hold the range"
    )
    last_frame: Frame | None = None
    external_ref: ExternalRef | None = None

    def to_request(self) -> UploadRequest:
        return UploadRequest(
            **self.model_dump() | {"role": self.role, "rights_basis": self.rights_basis.value}
        )


class PartReply(Reply):
    number: int
    url: str = Field(description="PUT the part's bytes here")
    expires_at: datetime


class UploadReply(Reply):
    """How to send the bytes. Up to 64 MiB: one PUT to `url` with exactly these headers. Above: PUT every part to
    its own URL, in any order, then complete; `upload-urls` gives the URLs of further parts."""

    method: Literal["PUT"] = "PUT"
    url: str | None = None
    headers: dict[str, str] = Field(default={}, description="Send these as they are: they are signed")
    expires_at: datetime | None = None
    part_size: int | None = Field(default=None, description="Bytes of every part but the last")
    part_count: int | None = None
    parts: list[PartReply] = Field(default=[])
    uploaded_parts: list[int] = Field(default=[], description="What has arrived already")
    restarted: bool = Field(
        default=False, description="What had been sent is gone: send every part again, from 1"
    )

    @classmethod
    def of(cls, offer: UploadOffer) -> "UploadReply":
        return cls(
            url=offer.url,
            headers=dict(offer.headers),
            expires_at=offer.expires_at,
            part_size=offer.part_size,
            part_count=offer.part_count,
            parts=[
                PartReply(number=part.number, url=part.url, expires_at=part.expires_at)
                for part in offer.parts
            ],
            uploaded_parts=list(offer.uploaded_parts),
            restarted=offer.restarted,
        )


class MediaProblem(Reply):
    """Why a file was refused; its object is gone."""

    code: str = Field(
        description="Stable: size_mismatch hash_mismatch type_mismatch truncated too_large bomb svg polyglot"
        " unsupported empty tampered_manifest frame_range changed upload_missing dead_letter"
    )
    detail: str | None


class MediaReply(Reply):
    """A stored file. A refused or withdrawn one keeps its record; its object is gone."""

    id: UUID
    production_id: UUID
    shot_id: UUID | None
    role: MediaRole
    name: str
    media_type: str
    size: int
    sha256: str
    rights_basis: RightsBasis
    colour_space: str | None
    first_frame: int | None
    last_frame: int | None
    external_ref: str | None
    state: MediaState
    problem: MediaProblem | None
    width: int | None
    height: int | None
    probe: dict[str, Any] | None = Field(description="What decoding showed: depth, frames, codec …")
    mining: dict[str, Any] | None = Field(
        description="What the file itself says of training, mining and inference, in C2PA manifests and XMP; null"
        " until it was inspected. `ai_inference` other than allowed refuses it as an input unless a rights record"
        " overrides it; `state` unreadable: it carries a manifest that can't be read"
    )
    generation_id: UUID | None = Field(description="Of outputs: the generation that made it")
    take_id: UUID | None
    digital_source_type: str | None = Field(
        description="IPTC code; of an upload only where a trusted manifest says it"
    )
    manifest_urn: str | None = Field(description="Of outputs: the C2PA manifest's")
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def fields_of(file: MediaFile) -> dict[str, Any]:
        problem = None
        if file.problem_code is not None:
            problem = MediaProblem(code=file.problem_code, detail=file.problem_detail)
        plain = MediaReply.model_fields.keys() - {"problem"}
        return {name: getattr(file, name) for name in plain} | {"problem": problem}

    @classmethod
    def of(cls, file: MediaFile) -> "MediaReply":
        return cls(**cls.fields_of(file))


class MediaUploadReply(MediaReply):
    upload: UploadReply | None = Field(description="null when there is nothing to send: the bytes are known")

    @classmethod
    def of_upload(cls, file: MediaFile, offer: UploadOffer | None) -> "MediaUploadReply":
        return cls(**cls.fields_of(file), upload=UploadReply.of(offer) if offer else None)


class UploadUrlsBody(Body):
    parts: (
        Annotated[
            list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=MAX_PARTS_ASKED)
        ]
        | None
    ) = Field(default=None, description="Part numbers; the next ones that haven't arrived when left out")


class DownloadReply(Reply):
    url: str = Field(description="GET it; the file comes under its own name")
    expires_at: datetime


class VerifyBody(Body):
    """One of your media files, or a take. Exactly one."""

    media_id: UUID | None = None
    take_id: UUID | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "VerifyBody":
        if (self.media_id is None) == (self.take_id is None):
            raise PydanticCustomError("one_of_two", "Give media_id or take_id: exactly one of them.")
        return self


class KnownOutput(Reply):
    """The output of yours that this file is, or that its manifest belongs to."""

    take_id: UUID | None = Field(description="null for a contact sheet")
    generation_id: UUID | None = Field(description="null for the continuity sheet of a check of its own")
    media_id: UUID
    known_manifest: bool
    same_bytes: bool = Field(description="false: the manifest is known, the bytes were changed since")


class VerificationReply(Reply):
    """What is known of a file. Nothing that the file names was fetched."""

    id: UUID
    state: Literal["queued", "done", "failed"]
    media_id: UUID | None
    take_id: UUID | None
    media_type: str
    status: Literal["trusted", "valid_but_untrusted", "tampered", "no_manifest", "unreadable"] | None = Field(
        description="null until it is done"
    )
    reasons: list[str]
    ingredient_problems: list[dict[str, Any]]
    signer: str | None
    signed_at: datetime | None
    digital_source_type: str | None
    manifest_urn: str | None
    claim: dict[str, Any] | None = Field(description="A readable summary of the manifest")
    known_output: KnownOutput | None
    sha256: str | None
    bytes_as_recorded: bool | None = Field(
        description="Of a file of yours: whether the bucket holds what was recorded"
    )
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Verification) -> "VerificationReply":
        found = row.result or {}
        return cls(
            id=row.id,
            state=row.state,
            media_id=row.media_id,
            take_id=row.take_id,
            media_type=row.media_type,
            status=found.get("status"),
            reasons=found.get("reasons") or [],
            ingredient_problems=found.get("ingredient_problems") or [],
            signer=found.get("signer"),
            signed_at=found.get("signed_at"),
            digital_source_type=found.get("digital_source_type"),
            manifest_urn=found.get("manifest_urn"),
            claim=found.get("claim") or None,
            known_output=found.get("known_output"),
            sha256=found.get("sha256"),
            bytes_as_recorded=found.get("bytes_as_recorded"),
            created_at=row.created_at,
            finished_at=row.finished_at,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()
