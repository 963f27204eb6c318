"""The beta programme on the wire: invitations, features, feedback, the cohort report."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool

from circletake.domain.beta.programme import Feature, FeedbackReason, InvitationState
from circletake.usecases.beta.cohort import Cell
from circletake.usecases.beta.feedback import FeedbackView, NewFeedback
from circletake.usecases.beta.invitations import InvitationView, NewInvitation
from services.api.schemas.common import Body, Moment, Reply, Text

NdaVersion = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["2026-10"])
]


class InvitationBody(Body):
    """Invite a studio. Its people are served again once one of them has accepted this version of the NDA."""

    tenant_id: UUID
    nda_version: NdaVersion
    expires_at: Moment
    nda_url: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    nda_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    def to_invitation(self) -> NewInvitation:
        return NewInvitation(self.tenant_id, self.nda_version, self.expires_at, self.nda_url, self.nda_sha256)


class NdaReply(Reply):
    """The agreement under which a studio was invited, and how far it is."""

    nda_version: str
    nda_url: str | None
    nda_sha256: str | None
    state: InvitationState
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None = Field(description="The person")

    @classmethod
    def of(cls, view: InvitationView) -> "NdaReply":
        row, acceptance = view.invitation, view.acceptance
        return cls(
            nda_version=row.nda_version,
            nda_url=row.nda_url,
            nda_sha256=row.nda_sha256,
            state=view.state,
            expires_at=row.expires_at,
            accepted_at=acceptance.created_at if acceptance else None,
            accepted_by=acceptance.person_id if acceptance else None,
        )


class InvitationReply(NdaReply):
    id: UUID
    tenant_id: UUID
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, view: InvitationView) -> "InvitationReply":
        row = view.invitation
        return cls(
            **NdaReply.of(view).model_dump(),
            id=row.id,
            tenant_id=row.tenant_id,
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )


class NdaAcceptanceBody(Body):
    nda_version: NdaVersion = Field(description="The version that you have read")


class FeaturesBody(Body):
    """Features by name: true opens, false closes. Those left out stay as they are."""

    features: dict[Feature, StrictBool] = Field(min_length=1)


class FeaturesReply(Reply):
    features: dict[Feature, bool]

    @classmethod
    def of(cls, found: Mapping[Feature, bool]) -> "FeaturesReply":
        return cls(features=dict(found))


class FeedbackBody(Body):
    """What you think of a take. Again replaces what you said of it before."""

    rating: Annotated[int, Field(strict=True, ge=1, le=5, description="1 useless, 5 as wished")]
    reasons: list[FeedbackReason] = Field(default=[], max_length=len(FeedbackReason))
    would_use_in_cut: StrictBool
    minutes_saved: Annotated[int, Field(strict=True, ge=-100_000, le=100_000)] | None = Field(
        default=None, description="Against doing it without; negative where it cost time"
    )
    comment: Annotated[Text, Field(min_length=1, max_length=4000)] | None = Field(
        default=None, description="Kept encrypted; the operator never sees it"
    )

    def to_feedback(self) -> NewFeedback:
        return NewFeedback(self.rating, self.reasons, self.would_use_in_cut, self.minutes_saved, self.comment)


class FeedbackReply(Reply):
    id: UUID
    take_id: UUID
    person_id: UUID
    rating: int
    reasons: list[FeedbackReason]
    would_use_in_cut: bool
    minutes_saved: int | None
    comment: str | None
    said_at: datetime

    @classmethod
    def of(cls, view: FeedbackView) -> "FeedbackReply":
        row = view.feedback
        return cls(
            id=row.id,
            take_id=row.take_id,
            person_id=row.person_id,
            rating=row.rating,
            reasons=[FeedbackReason(each) for each in row.reasons],
            would_use_in_cut=row.would_use_in_cut,
            minutes_saved=row.minutes_saved,
            comment=view.comment,
            said_at=row.said_at,
        )


class CohortCell(Reply):
    """What people thought of one model's takes of one kind. Of fewer than five feedbacks nothing else is told."""

    model: str
    kind: str
    suppressed: bool
    studios: int | None
    feedbacks: int | None
    takes: int | None
    rating: Decimal | None = Field(description="Mean, 1 to 5")
    would_use_in_cut: Decimal | None = Field(description="Share, 0 to 1")
    minutes_saved: Decimal | None = Field(description="Median of those who said it")
    cost_usd: Decimal | None = Field(description="Mean of the rated takes")
    reasons: dict[str, int] | None = Field(description="How often each was given; rare ones are left out")


class CohortReply(Reply):
    since: date
    until: date
    cells: list[CohortCell]

    @classmethod
    def of(cls, since: date, until: date, cells: list[Cell]) -> "CohortReply":
        return cls(since=since, until=until, cells=[CohortCell.model_validate(cell) for cell in cells])
