"""Disclosures on the wire."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from circletake.domain.policy.disclosures import Extent
from circletake.domain.policy.facts import ToldRole
from circletake.usecases.policy.disclosures import DisclosureView, NewDisclosure
from services.api.schemas.common import Body, Moment, Reply, ShortText, Text

TextRef = Annotated[
    Text, Field(min_length=1, max_length=200, description="Your own id of a text, for example an outline's")
]


class DisclosureBody(Body):
    """That somebody was told: what they were given was made by AI. Give one of take_id, media_id, text_ref."""

    production_id: UUID
    take_id: UUID | None = None
    media_id: UUID | None = None
    text_ref: TextRef | None = None
    extent: Extent = Field(
        default=Extent.GENERATED, description="All of it was made by AI, or it incorporates what was"
    )
    role: ToldRole = Field(description="Who they are")
    name: ShortText = Field(description="Who was told; kept encrypted")
    disclosed_at: Moment = Field(description="When they were told")
    note: Annotated[Text, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="Kept encrypted"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [each for each in (self.take_id, self.media_id, self.text_ref) if each is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of take_id, media_id and text_ref")
        return self

    def to_new(self) -> NewDisclosure:
        return NewDisclosure(
            production_id=self.production_id,
            role=self.role,
            name=self.name,
            extent=self.extent,
            disclosed_at=self.disclosed_at,
            take_id=self.take_id,
            media_id=self.media_id,
            text_ref=self.text_ref,
            note=self.note,
        )


class DisclosureReply(Reply):
    id: UUID
    production_id: UUID
    take_id: UUID | None
    media_id: UUID | None
    text_ref: str | None
    ai_generated: Literal[True] = Field(description="What was handed on is marked as made by AI")
    extent: Extent
    role: ToldRole
    name: str
    disclosed_at: datetime
    note: str | None
    recorded_by: UUID | None = Field(description="The API key, or null")
    recorded_by_person: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, view: DisclosureView) -> "DisclosureReply":
        row = view.disclosure
        return cls(
            id=row.id,
            production_id=row.production_id,
            take_id=row.take_id,
            media_id=row.media_id,
            text_ref=row.text_ref,
            ai_generated=True,
            extent=Extent(row.extent),
            role=ToldRole(row.role),
            name=view.name,
            disclosed_at=row.disclosed_at,
            note=view.note,
            recorded_by=row.recorded_by,
            recorded_by_person=row.recorded_by_person,
            created_at=row.created_at,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()
