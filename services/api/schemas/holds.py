"""Holds on the wire: why a request waits, and who can let it go."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from circletake.domain.people import Role
from circletake.domain.permission.holds import HoldReason, HoldState
from circletake.records.holds import Hold
from services.api.schemas.common import Body, Reply, Text
from services.api.schemas.rights import FaceDecisionBody, HeldFaceReply


class HoldLineReply(Reply):
    rule: str = Field(description="The rule, limit or finding")
    says: str = Field(description="Why it holds")


class ReleaserReply(Reply):
    person_id: UUID
    name: str


class HoldReply(Reply):
    """A request that is accepted and waits for a person. Nobody releases their own request."""

    id: UUID
    production_id: UUID
    generation_id: UUID
    take_id: UUID | None = Field(description="null: every take of the generation")
    reason: HoldReason
    lines: list[HoldLineReply]
    state: HoldState
    released_by: list[Role] = Field(description="Roles of which one is enough")
    details: dict[str, Any]
    requested_by_person: UUID | None
    decided_by: UUID | None = Field(description="The person")
    decided_at: datetime | None
    created_at: datetime

    @staticmethod
    def fields_of(hold: Hold) -> dict[str, Any]:
        return {
            "id": hold.id,
            "production_id": hold.production_id,
            "generation_id": hold.generation_id,
            "take_id": hold.take_id,
            "reason": hold.reason,
            "lines": hold.lines,
            "state": hold.state,
            "released_by": hold.released_by,
            "details": hold.details,
            "requested_by_person": hold.requested_by_person,
            "decided_by": hold.decided_by,
            "decided_at": hold.decided_at,
            "created_at": hold.created_at,
        }

    @classmethod
    def of(cls, hold: Hold) -> "HoldReply":
        return cls(**cls.fields_of(hold))


class HoldDetail(HoldReply):
    """One hold, with the people who can release it now."""

    note: str | None
    can_release: list[ReleaserReply] = Field(
        description="People of the studio with one of the roles who have signed in once, but for the requester"
    )
    faces: list[HeldFaceReply] = Field(
        description="Of an undeclared likeness: the faces nobody accounts for. A person gets a URL of each crop"
    )

    @classmethod
    def of_one(
        cls,
        hold: Hold,
        note: str | None,
        people: Sequence[Mapping[str, Any]],
        faces: Sequence[Mapping[str, Any]] = (),
    ) -> "HoldDetail":
        return cls(
            **cls.fields_of(hold),
            note=note,
            can_release=[ReleaserReply(**each) for each in people],
            faces=[HeldFaceReply.model_validate(each) for each in faces],
        )


class DecisionBody(Body):
    note: Annotated[Text, Field(max_length=2000)] | None = Field(
        default=None, description="For the record; kept encrypted"
    )


class ReleaseBody(DecisionBody):
    faces: Annotated[list[FaceDecisionBody], Field(max_length=500)] = Field(
        default=[],
        description="Of an undeclared likeness: who each face is. Of what isn't named: that it has no likeness",
    )


class LabourActionBody(Body):
    on: bool = Field(description="true: nothing of the production reaches a model until it is false again")


class LabourActionReply(Reply):
    production_id: UUID
    on: bool
    since: datetime | None
