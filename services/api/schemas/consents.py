"""Consents and exemptions on the wire."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from circletake.domain.permission.consents import (
    CHECK,
    CONSENT_KINDS,
    ConsentState,
    ExemptionReason,
    ReplicaType,
    SignerRole,
)
from circletake.kit import clock
from circletake.records.performers import Consent, ConsentExemption
from circletake.usecases.permission.find_consents import ConsentView, shown_state
from circletake.usecases.permission.keep_exemptions import ExemptionView, NewExemption
from services.api.schemas.common import Body, ExternalRef, Reply, Text
from services.api.schemas.context import EditBody
from services.api.schemas.use import Media, Territory

MOST_SHOTS = 2_000


def _known(kind: str) -> str:
    if kind not in CONSENT_KINDS:
        raise ValueError(f"there are: {', '.join(CONSENT_KINDS)}")
    return kind


ConsentKind = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(CONSENT_KINDS)})]
Description = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=10_000,
        description="Reasonably specific: what will be made of the performer, and for what. Kept encrypted",
    ),
]
Productions = Annotated[list[UUID], Field(max_length=50, description="One by one: none covers nothing")]
Kinds = Annotated[
    list[ConsentKind],
    Field(
        max_length=50,
        description=f"Kinds of generation, and `{CHECK}` for showing pictures to models that judge: none covers nothing",
    ),
]
MediaList = Annotated[
    list[Media],
    Field(max_length=50, description="For example `theatrical`; `*`: without limit; none covers nothing"),
]
TerritoryList = Annotated[
    list[Territory],
    Field(max_length=250, description="ISO 3166-1 in two letters; `*`: worldwide; none covers nothing"),
]
Shots = Annotated[
    list[UUID],
    Field(
        max_length=MOST_SHOTS,
        description="Narrows it to these shots and sequences; none of either: all of its productions",
    ),
]
Sequences = Annotated[list[UUID], Field(max_length=500, description="See shot_ids")]
SignerName = Annotated[Text, Field(min_length=1, max_length=200, description="Kept encrypted")]
Sha256 = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Of the signed paper, where you keep it elsewhere; one that is uploaded gives its own",
    ),
]
Note = Annotated[Text, Field(min_length=1, max_length=2_000, description="Kept encrypted")]
FROM = "The term's first day; by default the day it was signed"
UNTIL = "The term's last day, in the production's time zone"
NO_END = "There is no last day, and that is meant"
_LISTS = ("production_ids", "kinds", "media", "territories", "shot_ids", "sequence_ids")


def _columns(given: dict[str, Any]) -> dict[str, Any]:
    """As the table takes them: lists without repeats, in order; words as plain strings."""
    for name in given.keys() & set(_LISTS):
        given[name] = sorted(set(given[name]))
    for name in ("replica_type", "signer_role"):
        if given.get(name) is not None:
            given[name] = str(given[name])
    return given


class ConsentBody(Body):
    """A draft of a performer's consent. It may say less than it will have to once it is requested."""

    replica_type: ReplicaType = Field(
        description="What is consented to: one of three kinds of digital replica, or the alteration of a recording"
    )
    description: Description | None = None
    production_ids: Productions = Field(default=[])
    kinds: Kinds = Field(default=[])
    media: MediaList = Field(default=[])
    territories: TerritoryList = Field(default=[])
    shot_ids: Shots = Field(default=[])
    sequence_ids: Sequences = Field(default=[])
    valid_from: date | None = Field(default=None, description=FROM)
    valid_until: date | None = Field(default=None, description=UNTIL)
    no_end: bool = Field(default=False, description=NO_END)
    signer_role: SignerRole | None = None
    signer_name: SignerName | None = None
    signed_on: date | None = None
    document_sha256: Sha256 | None = None
    external_ref: ExternalRef | None = None

    def values(self) -> dict[str, Any]:
        return _columns(self.model_dump())


class ConsentEdit(EditBody):
    replica_type: ReplicaType = Field(default_factory=lambda: ReplicaType.DIGITAL_ALTERATION)
    description: Description | None = None
    production_ids: Productions = Field(default_factory=list)
    kinds: Kinds = Field(default_factory=list)
    media: MediaList = Field(default_factory=list)
    territories: TerritoryList = Field(default_factory=list)
    shot_ids: Shots = Field(default_factory=list)
    sequence_ids: Sequences = Field(default_factory=list)
    valid_from: date | None = Field(default=None, description=FROM)
    valid_until: date | None = Field(default=None, description=UNTIL)
    no_end: bool = Field(default_factory=bool, description=NO_END)
    signer_role: SignerRole | None = None
    signer_name: SignerName | None = None
    signed_on: date | None = None
    external_ref: ExternalRef | None = None

    def values(self) -> dict[str, Any]:
        return _columns(self.model_dump(exclude_unset=True))


class GrantBody(Body):
    """What the signature says, as far as the draft doesn't say it already."""

    signer_role: SignerRole = Field(default_factory=lambda: SignerRole.PERFORMER)
    signer_name: SignerName = Field(default_factory=str)
    signed_on: date = Field(default_factory=lambda: date.min)
    document_sha256: Sha256 = Field(default_factory=str)
    note: Note | None = None

    def signature(self) -> dict[str, Any]:
        return _columns(self.model_dump(exclude_unset=True, exclude={"note"}))


class ConsentDecision(Body):
    """Why, in your words, if you like."""

    note: Note | None = None


class ConsentSummary(Reply):
    """A consent as lists show it: without what people wrote."""

    id: UUID
    performer_id: UUID
    state: ConsentState = Field(
        description="A granted one is expired from the midnight after its last day on"
    )
    replica_type: ReplicaType
    production_ids: list[UUID]
    kinds: list[str]
    media: list[str]
    territories: list[str]
    shot_ids: list[UUID]
    sequence_ids: list[UUID]
    valid_from: date | None
    valid_until: date | None
    no_end: bool
    ends_at: datetime | None = Field(
        description="When it is granted: the instant when its term is over in every production it names"
    )
    signer_role: SignerRole | None
    signed_on: date | None
    document_sha256: str | None
    external_ref: str | None
    requested_at: datetime | None
    granted_at: datetime | None
    granted_by: UUID | None = Field(description="The person")
    declined_at: datetime | None
    declined_by: UUID | None
    revoked_at: datetime | None
    revoked_by: UUID | None
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    created_at: datetime

    @staticmethod
    def fields_of(consent: Consent) -> dict[str, Any]:
        shown = {name: getattr(consent, name) for name in ConsentSummary.model_fields}
        return shown | {"state": shown_state(consent, clock.now())}

    @classmethod
    def of(cls, consent: Consent) -> "ConsentSummary":
        return cls(**cls.fields_of(consent))


class ConsentReply(ConsentSummary):
    description: str | None
    signer_name: str | None
    note: str | None = Field(description="Of the person who decided last")

    @classmethod
    def of_view(cls, view: ConsentView) -> "ConsentReply":
        written = {"description": view.description, "signer_name": view.signer_name, "note": view.note}
        return cls(**cls.fields_of(view.consent), **written)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class ExemptionBody(Body):
    """An alteration of a recording that needs no consent, and why."""

    performer_id: UUID = Field(description="Of those who stand for the character")
    kinds: list[ConsentKind] = Field(min_length=1, max_length=50)
    shot_ids: list[UUID] = Field(
        default=[], max_length=MOST_SHOTS, description="Only these; none: every shot of the production"
    )
    reason: ExemptionReason
    explanation: Text = Field(
        min_length=1, max_length=10_000, description="The reason in your words. Kept encrypted"
    )
    until: date = Field(description="Its last day, in the production's time zone")

    def stated(self) -> NewExemption:
        return NewExemption(
            performer_id=self.performer_id,
            kinds=set(self.kinds),
            shot_ids=list(dict.fromkeys(self.shot_ids)),
            reason=self.reason,
            explanation=self.explanation,
            until=self.until,
        )


class ExemptionSummary(Reply):
    """An exemption as lists show it: without its explanation."""

    id: UUID
    production_id: UUID
    character_id: UUID
    performer_id: UUID
    kinds: list[str]
    shot_ids: list[UUID]
    reason: ExemptionReason
    until: date
    recorded_at: datetime
    recorded_by: UUID | None = Field(description="The person")
    ended_at: datetime | None
    ended_by: UUID | None
    created_at: datetime

    @staticmethod
    def fields_of(exemption: ConsentExemption) -> dict[str, Any]:
        return {name: getattr(exemption, name) for name in ExemptionSummary.model_fields}

    @classmethod
    def of(cls, exemption: ConsentExemption) -> "ExemptionSummary":
        return cls(**cls.fields_of(exemption))


class ExemptionReply(ExemptionSummary):
    explanation: str

    @classmethod
    def of_view(cls, view: ExemptionView) -> "ExemptionReply":
        return cls(**cls.fields_of(view.exemption), explanation=view.explanation)

    def body(self) -> bytes:
        return self.model_dump_json().encode()
