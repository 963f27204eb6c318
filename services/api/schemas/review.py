"""Review on the wire: versions, notes, consultations, authorship entries, rules, previews, the inbox."""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool, model_validator

from circletake.domain.people import Role
from circletake.domain.policy.facts import ConsultedRole
from circletake.domain.review.states import VersionState, possible, version_name
from circletake.domain.review.words import AuthorAct
from circletake.records.review import Preview, Version
from circletake.usecases.review.authorship import EntryView, NewEntry
from circletake.usecases.review.consultations import ConsultationView, NewConsultation
from circletake.usecases.review.find_versions import interested_in
from circletake.usecases.review.inbox import Waiting
from circletake.usecases.review.notes import NewNote, NoteView
from circletake.usecases.review.people_named import Named
from circletake.usecases.review.rules import RulesView
from services.api.schemas.common import Body, Reply, ShortText, Text

MAX_NOTE = 4000
MAX_FRAME = 10_000_000

Note = Annotated[Text, Field(min_length=1, max_length=MAX_NOTE, description="Kept encrypted")]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]


def _day(value: object) -> object:
    """A day as RFC 3339 writes it: pydantic would also read a moment, or seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise ValueError("give a day as 2026-11-22")


def _this_century_or_the_last(value: date) -> date:
    if value.year < 1900:  # noqa: PLR2004 - older than film production
        raise ValueError("give a day in this century or the last")
    return value


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
Day = Annotated[date, BeforeValidator(_day), AfterValidator(_this_century_or_the_last)]


class SubmitBody(Body):
    status: Literal["wfa", "wip"] = Field(
        default="wfa", description="wfa: waiting for approval; wip: numbered, and not to be looked at yet"
    )
    note: Note | None = None


class StatusBody(Body):
    status: VersionState
    note: Note | None = None


class VersionReply(Reply):
    """A circled take that was submitted to review."""

    id: UUID
    name: str = Field(description="`v001`: counts per shot, and per production for concept work")
    number: int
    production_id: UUID
    shot_id: UUID | None
    generation_id: UUID
    take_id: UUID
    status: VersionState
    submitted_by: UUID = Field(description="The person")
    requested_by_person: UUID | None = Field(description="Who asked for the takes; null when a key did")
    changed_by: UUID
    changed_at: datetime
    approved_by: UUID | None = Field(description="Of the approval that stands")
    approved_at: datetime | None
    created_at: datetime
    you_can: list[VersionState] = Field(description="The statuses that you may set now; none for a key")

    @classmethod
    def of(cls, version: Version, *, roles: Collection[Role], person: UUID | None) -> "VersionReply":
        state = VersionState(version.state)
        own = possible(state, roles=roles, person=person, interested=interested_in(version)) if person else ()
        return cls(
            id=version.id,
            name=version_name(version.number),
            number=version.number,
            production_id=version.production_id,
            shot_id=version.shot_id,
            generation_id=version.generation_id,
            take_id=version.take_id,
            status=state,
            submitted_by=version.submitted_by,
            requested_by_person=version.requested_by_person,
            changed_by=version.changed_by,
            changed_at=version.changed_at,
            approved_by=version.approved_by,
            approved_at=version.approved_at,
            created_at=version.created_at,
            you_can=list(own),
        )


class Region(Body):
    """A part of the frame, in fractions of its width and height."""

    left: Fraction
    top: Fraction
    width: Annotated[float, Field(strict=True, gt=0, le=1)]
    height: Annotated[float, Field(strict=True, gt=0, le=1)]


class NoteBody(Body):
    note: Note
    frame: (
        Annotated[int, Field(strict=True, ge=0, le=MAX_FRAME, description="As the shot counts its frames")]
        | None
    ) = None
    region: Region | None = None

    def to_note(self) -> NewNote:
        return NewNote(self.note, self.frame, self.region.model_dump() if self.region else None)


class NoteReply(Reply):
    """What a person said of a version, or a change of its status, or both."""

    id: UUID
    version_id: UUID
    person_id: UUID
    note: str | None
    frame: int | None
    region: Region | None
    from_status: VersionState | None
    to_status: VersionState | None
    created_at: datetime

    @classmethod
    def of(cls, view: NoteView) -> "NoteReply":
        row = view.note
        return cls(
            id=row.id,
            version_id=row.version_id,
            person_id=row.person_id,
            note=view.text,
            frame=row.frame,
            region=Region(**row.region) if row.region else None,
            from_status=VersionState(row.from_state) if row.from_state else None,
            to_status=VersionState(row.to_state) if row.to_state else None,
            created_at=row.created_at,
        )


class NamedBody(Body):
    """Who: somebody who signs in here, or a name. Exactly one of the two."""

    person_id: UUID | None = Field(default=None, description="Somebody who has signed in here")
    name: ShortText | None = Field(default=None, description="Somebody else; kept encrypted")

    @model_validator(mode="after")
    def _one_of_them(self) -> "NamedBody":
        if (self.person_id is None) == (self.name is None):
            raise ValueError("give either person_id or name")
        return self

    @property
    def named(self) -> Named:
        return Named(self.person_id, self.name)


class ConsultationBody(NamedBody):
    """Somebody was consulted about a version, a shot, or with neither about the whole production."""

    production_id: UUID
    shot_id: UUID | None = None
    version_id: UUID | None = None
    role: ConsultedRole
    held_on: Day
    note: Note | None = None

    def to_consultation(self) -> NewConsultation:
        return NewConsultation(
            self.production_id,
            self.role,
            self.named,
            self.held_on,
            self.shot_id,
            self.version_id,
            self.note,
        )


class ConsultationReply(Reply):
    id: UUID
    production_id: UUID
    shot_id: UUID | None
    version_id: UUID | None
    role: ConsultedRole
    person_id: UUID | None
    name: str | None
    held_on: date
    note: str | None
    recorded_by: UUID
    created_at: datetime

    @classmethod
    def of(cls, view: ConsultationView) -> "ConsultationReply":
        row = view.consultation
        return cls(
            id=row.id,
            production_id=row.production_id,
            shot_id=row.shot_id,
            version_id=row.version_id,
            role=ConsultedRole(row.role),
            person_id=row.person_id,
            name=view.name,
            held_on=row.held_on,
            note=view.note,
            recorded_by=row.recorded_by,
            created_at=row.created_at,
        )


class AuthorshipBody(Body):
    """What somebody did to a take, or to the take of a version. Left out, who is you."""

    take_id: UUID | None = None
    version_id: UUID | None = None
    what: AuthorAct
    person_id: UUID | None = Field(default=None, description="Somebody who has signed in here")
    name: ShortText | None = Field(default=None, description="Somebody else; kept encrypted")
    done_on: Day
    note: Note | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> "AuthorshipBody":
        if (self.take_id is None) == (self.version_id is None):
            raise ValueError("give either take_id or version_id")
        if self.person_id is not None and self.name is not None:
            raise ValueError("give either person_id or name, or neither for yourself")
        return self

    def to_entry(self, person_id: UUID) -> NewEntry:
        who = Named(self.person_id, self.name) if self.person_id or self.name else Named(person_id=person_id)
        return NewEntry(self.take_id, self.version_id, self.what, who, self.done_on, self.note)


class AuthorshipReply(Reply):
    id: UUID
    production_id: UUID
    take_id: UUID
    version_id: UUID | None
    what: AuthorAct
    person_id: UUID | None
    name: str | None
    done_on: date
    note: str | None
    recorded_by: UUID = Field(description="Who entered it")
    act_id: UUID | None = Field(description="The act that wrote it by itself: circling")
    created_at: datetime

    @classmethod
    def of(cls, view: EntryView) -> "AuthorshipReply":
        row = view.entry
        return cls(
            id=row.id,
            production_id=row.production_id,
            take_id=row.take_id,
            version_id=row.version_id,
            what=AuthorAct(row.what),
            person_id=row.person_id,
            name=view.name,
            done_on=row.done_on,
            note=view.note,
            recorded_by=row.recorded_by,
            act_id=row.act_id,
            created_at=row.created_at,
        )


class RulesBody(Body):
    approved_before_download: StrictBool = Field(
        description="Whether a take's full-resolution file is given out only once its version is approved"
    )


class RulesReply(Reply):
    approved_before_download: bool
    changed_by: UUID | None
    changed_at: datetime | None

    @classmethod
    def of(cls, view: RulesView) -> "RulesReply":
        return cls(
            approved_before_download=view.approved_before_download,
            changed_by=view.changed_by,
            changed_at=view.changed_at,
        )


class PreviewReply(Reply):
    """A smaller picture of a take, with a visible mark that names who asked for it. Yours alone: another caller's has
    another mark."""

    id: UUID
    take_id: UUID
    state: Literal["queued", "ready", "failed"]
    media_id: UUID | None = Field(description="Once it is ready: `POST /v1/media/{id}/download`")
    asked_at: datetime
    code: str | None = Field(description="Why it failed")

    @classmethod
    def of(cls, preview: Preview) -> "PreviewReply":
        return cls(
            id=preview.id,
            take_id=preview.take_id,
            state=preview.state,
            media_id=preview.media_id,
            asked_at=preview.asked_at,
            code=preview.failure_code,
        )


class InboxItem(Reply):
    """Something that waits for you."""

    kind: Literal["hold", "version", "consent"]
    id: UUID
    since: datetime
    production_id: UUID | None
    shot_id: UUID | None
    generation_id: UUID | None
    take_id: UUID | None
    reason: str = Field(description="A hold's reason, a version's or a consent's status")
    lines: list[dict[str, Any]] = Field(description="Of a hold: each rule or finding, and what it says")
    you_can: list[str] = Field(description="What you may do: the words of the route")
    href: str = Field(description="Where to read it")

    @classmethod
    def of(cls, waiting: Waiting) -> "InboxItem":
        collection, acts = _ACTS[waiting.kind]
        return cls(
            kind=waiting.kind,
            id=waiting.id,
            since=waiting.since,
            production_id=waiting.production_id,
            shot_id=waiting.shot_id,
            generation_id=waiting.generation_id,
            take_id=waiting.take_id,
            reason=waiting.reason,
            lines=waiting.lines,
            you_can=list(acts),
            href=f"/v1/{collection}/{waiting.id}",
        )


_ACTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "hold": ("holds", ("release", "decline")),
    "version": ("versions", ("approved", "retake", "on_hold", "omitted")),
    "consent": ("consents", ("grant", "decline")),
}


class InboxPage(BaseModel):
    """What waits for you, the oldest first."""

    data: list[InboxItem]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one")
