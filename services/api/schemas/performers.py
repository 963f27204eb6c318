"""Performers, portrayals, what performers were paid, and notices of synthetic performers, on the wire."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from circletake.domain.permission.consents import BargainingStatus, CompensationBasis, PortrayalKind
from circletake.records.performers import Portrayal, SyntheticPerformerNotice
from circletake.usecases.permission.find_performers import PerformerView
from circletake.usecases.permission.record_compensation import CompensationView
from circletake.usecases.permission.synthetic_notices import NoticeView
from services.api.schemas.common import Body, ExternalRef, Moment, Reply, Text
from services.api.schemas.context import EditBody

PersonName = Annotated[Text, Field(min_length=1, max_length=200, description="Kept encrypted")]
Contact = Annotated[
    Text,
    Field(min_length=1, max_length=2_000, description="Agent, address, how to reach them. Kept encrypted"),
]
Guardian = Annotated[
    Text, Field(min_length=1, max_length=500, description="Who signs for a minor. Kept encrypted")
]
LongText = Annotated[Text, Field(min_length=1, max_length=10_000, description="Kept encrypted")]
Money = Annotated[
    Decimal,
    Field(max_digits=14, decimal_places=2, description="A negative amount corrects an earlier record"),
]
STANDING = "Changed by a rights clearance manager only: it decides who has to sign"


class PerformerBody(Body):
    """A human with rights in a likeness."""

    name: PersonName
    contact: Contact | None = None
    guardian: Guardian | None = None
    is_minor: bool = Field(default=False, description="A guardian signs for them")
    deceased: bool = Field(default=False, description="The estate or the union signs for them")
    external_ref: ExternalRef | None = None


class PerformerEdit(EditBody):
    name: PersonName = Field(default_factory=str)
    contact: Contact | None = None
    guardian: Guardian | None = Field(default=None, description=STANDING)
    is_minor: bool = Field(default_factory=bool, description=STANDING)
    deceased: bool = Field(default_factory=bool, description=STANDING)
    external_ref: ExternalRef | None = None


class PerformerSummary(Reply):
    """A performer as lists show it: without contact and guardian."""

    id: UUID
    name: str | None = Field(description="null once they are deleted")
    is_minor: bool
    has_guardian: bool = Field(description="Whether a guardian is on record")
    deceased: bool
    external_ref: str | None
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    created_at: datetime
    deleted_at: datetime | None

    @staticmethod
    def fields_of(view: PerformerView) -> dict[str, Any]:
        performer = view.performer
        return {
            "id": performer.id,
            "name": view.name,
            "is_minor": performer.is_minor,
            "has_guardian": performer.guardian is not None,
            "deceased": performer.deceased,
            "external_ref": performer.external_ref,
            "version": performer.version,
            "created_at": performer.created_at,
            "deleted_at": performer.deleted_at,
        }

    @classmethod
    def of(cls, view: PerformerView) -> "PerformerSummary":
        return cls(**cls.fields_of(view))


class PerformerReply(PerformerSummary):
    contact: str | None
    guardian: str | None

    @classmethod
    def of_view(cls, view: PerformerView) -> "PerformerReply":
        return cls(**cls.fields_of(view), contact=view.contact, guardian=view.guardian)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class PortrayalBody(Body):
    """A performer stands for a character: from now on nothing is made of it without their permission."""

    performer_id: UUID
    kind: PortrayalKind = Field(
        default=PortrayalKind.PERFORMS,
        description="performs; doubles; voice: asked for their consent where a voice is made; likeness: a reference"
        " set or a picture was made from the performer's photographs",
    )
    since: date | None = Field(
        default=None, description="For your records: the gate asks whatever the date is"
    )
    reference_set_id: UUID | None = Field(
        default=None, description="Of a likeness: the character's reference set that shows the performer"
    )
    media_id: UUID | None = Field(
        default=None, description="Of a likeness: the picture that shows the performer"
    )


class PortrayalReply(Reply):
    id: UUID
    production_id: UUID
    character_id: UUID
    performer_id: UUID
    kind: PortrayalKind
    since: date | None
    reference_set_id: UUID | None
    media_id: UUID | None
    created_at: datetime
    ended_at: datetime | None = Field(description="When a person said that it doesn't hold any more")
    ended_by: UUID | None = Field(description="That person")

    @classmethod
    def of(cls, portrayal: Portrayal) -> "PortrayalReply":
        return cls(**{name: getattr(portrayal, name) for name in cls.model_fields})

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class CompensationBody(Body):
    """A payment for the use of a likeness."""

    production_id: UUID
    shot_id: UUID | None = None
    consent_id: UUID | None = Field(
        default=None, description="The consent of this performer it was paid under"
    )
    basis: CompensationBasis
    units: Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)] = Field(
        default=Decimal(1), description="Days, or how many fees"
    )
    amount: Money
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, for example USD")]
    paid_at: Moment
    note: LongText | None = None
    external_ref: ExternalRef | None = None


class CompensationReply(Reply):
    id: UUID
    performer_id: UUID
    consent_id: UUID | None
    production_id: UUID
    shot_id: UUID | None
    basis: CompensationBasis
    units: Decimal
    amount: Decimal
    currency: str
    paid_at: datetime
    note: str | None
    external_ref: str | None
    created_at: datetime

    @classmethod
    def of_view(cls, view: CompensationView) -> "CompensationReply":
        plain = cls.model_fields.keys() - {"note"}
        return cls(**{name: getattr(view.event, name) for name in plain}, note=view.note)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class NoticeBody(Body):
    """The union was told of a synthetic performer."""

    value_statement: LongText = Field(
        description="The significant additional value that the character brings. Kept encrypted"
    )
    notice_on: date = Field(description="The day on which notice was given")
    bargaining_status: BargainingStatus = BargainingStatus.NOTIFIED


class NoticeEdit(Body):
    bargaining_status: BargainingStatus


class NoticeSummary(Reply):
    """A notice as lists show it: without the value statement."""

    id: UUID
    production_id: UUID
    character_id: UUID
    notice_on: date
    bargaining_status: BargainingStatus
    recorded_by: UUID | None = Field(description="The person")
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    created_at: datetime

    @staticmethod
    def fields_of(notice: SyntheticPerformerNotice) -> dict[str, Any]:
        return {name: getattr(notice, name) for name in NoticeSummary.model_fields}

    @classmethod
    def of(cls, notice: SyntheticPerformerNotice) -> "NoticeSummary":
        return cls(**cls.fields_of(notice))


class NoticeReply(NoticeSummary):
    value_statement: str

    @classmethod
    def of_view(cls, view: NoticeView) -> "NoticeReply":
        return cls(**cls.fields_of(view.notice), value_statement=view.value_statement)

    def body(self) -> bytes:
        return self.model_dump_json().encode()
