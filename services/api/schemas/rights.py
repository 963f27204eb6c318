"""Rights records of inputs, and faces that people cleared, on the wire."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.kinds import RightsBasis
from circletake.domain.permission.likeness import ClearedAs
from circletake.usecases.permission.clear_faces import ClearedView, FaceDecision
from circletake.usecases.permission.rights import RightsSaid, RightsView
from services.api.schemas.common import Body, Reply, ShortText, Text
from services.api.schemas.media import Sha256

Words = Annotated[Text, Field(min_length=1, max_length=4000, description="Kept encrypted")]
Basis = Literal["owned", "licensed", "work_for_hire", "public_domain"]


class RightsBody(Body):
    """On what ground a file may be used. Everything is said anew: what is left out holds no longer."""

    basis: Basis
    licence_id: ShortText | None = Field(default=None, description="Of a licence: its number")
    licensor: Annotated[ShortText, Field(description="Kept encrypted")] | None = None
    term_from: date | None = Field(default=None, description="Of a licence: its first day")
    term_until: date | None = Field(
        default=None, description="Its last day, in the production's time zone; null: it has no end"
    )
    evidence_sha256: Sha256 | None = Field(default=None, description="Of the document that proves it")
    evidence_note: Words | None = None
    ai_inference_override: bool = Field(
        default=False,
        description="Use it although its maker's mark refuses AI inference. Said by a rights clearance manager only",
    )
    override_reason: Words | None = Field(default=None, description="Why; needed with an override")

    def to_said(self) -> RightsSaid:
        return RightsSaid(**self.model_dump() | {"basis": RightsBasis(self.basis)})


class RightsReply(Reply):
    """One statement of a file's rights: who said it, and when. The newest is `current`."""

    id: UUID
    media_id: UUID
    number: int = Field(description="From 1, in the order they were said")
    current: bool
    basis: Basis
    licence_id: str | None
    licensor: str | None
    term_from: date | None
    term_until: date | None
    evidence_sha256: str | None
    evidence_note: str | None
    ai_inference_override: bool
    override_reason: str | None
    by_key: UUID | None
    by_person: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, view: RightsView) -> "RightsReply":
        record = view.record
        opened = {"licensor", "evidence_note", "override_reason", "current"}
        plain = {name: getattr(record, name) for name in cls.model_fields.keys() - opened}
        return cls(**plain, **{name: getattr(view, name) for name in opened})

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class RightsHistory(Reply):
    data: list[RightsReply] = Field(description="The newest first; at most 1000")


class FaceDecisionBody(Body):
    """What a person says of one face of a hold that they release."""

    face: Annotated[int, Field(ge=0, le=10_000, description="Its place in the hold's faces, from 0")]
    decision: ClearedAs = Field(
        description="depicted_character: a character that wasn't recognised, named by character_id; no_likeness: an"
        " extra whom nobody could recognise; not_a_person"
    )
    character_id: UUID | None = None

    def to_decision(self) -> FaceDecision:
        return FaceDecision(self.face, self.decision, self.character_id)


class HeldFaceReply(Reply):
    """A face that no declared character accounts for. Without a box: a picture that couldn't be looked at."""

    media_id: UUID
    matte_id: UUID | None
    slot: str
    box: list[int] | None = Field(description="left, top, width, height in pixels of the picture")
    face_px: float | None = Field(description="Pixels between the eyes")
    share: float | None = Field(description="How much of the face lies in the matte's white area")
    url: str | None = Field(description="GET the face's crop; for at most 15 minutes")
    expires_at: datetime | None


class ClearedFaceReply(Reply):
    """A face that a person cleared, for this picture, matte and production."""

    id: UUID
    production_id: UUID
    media_id: UUID
    matte_id: UUID | None
    box: list[int] | None
    decision: ClearedAs
    character_id: UUID | None
    note: str | None
    hold_id: UUID | None
    cleared_by: UUID = Field(description="The person")
    created_at: datetime
    revoked_at: datetime | None
    revoked_by: UUID | None

    @classmethod
    def of(cls, view: ClearedView) -> "ClearedFaceReply":
        plain = {name: getattr(view.cleared, name) for name in cls.model_fields.keys() - {"note"}}
        return cls(**plain, note=view.note)
