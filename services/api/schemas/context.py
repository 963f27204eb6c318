"""Productions, episodes, sequences and shots on the wire."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from circletake.domain.exposure.rates import parse_rate, rate_text
from circletake.domain.permission.consents import zone_named
from circletake.domain.shot_import import Outcome
from circletake.domain.shots import FRAME_MAX, FRAME_MIN, MAX_NOTES
from circletake.records.context import Shot
from circletake.usecases.find_context import ShotView
from circletake.usecases.import_shots import ImportReport
from services.api.schemas.common import Body, Code, ExternalRef, Reply, ShortText, Text

Frame = Annotated[int, Field(ge=FRAME_MIN, le=FRAME_MAX)]
Notes = Annotated[
    Text, Field(min_length=1, max_length=MAX_NOTES, description="Kept encrypted; lists don't show them")
]
Bid = Annotated[
    Decimal,
    Field(
        ge=0,
        max_digits=14,
        decimal_places=2,
        description="What the shot would cost without AI: `GET /v1/usage?group_by=shot` shows the saving",
    ),
]


def _exact(text: str) -> str:
    return rate_text(parse_rate(text))


FrameRate = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,7}(/[0-9]{1,7}|\.[0-9]{1,6})?$",
        max_length=20,
        description="Frames per second, 1 to 1000: `24`, `25` or `24000/1001`; `23.976` is read as the latter",
    ),
    AfterValidator(_exact),
]


def _known_zone(name: str) -> str:
    if zone_named(name) is None:
        raise ValueError("there is no such time zone: give an IANA name, for example America/Los_Angeles")
    return name


TimeZone = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_+/-]+$",
        max_length=64,
        description="An IANA name, for example `America/Los_Angeles`: terms of consents end at midnight there",
    ),
    AfterValidator(_known_zone),
]
OWNED_SOURCE = "No generation without a plate or a reference that is owned, licensed or made for hire"
FIRST_FRAME = "The first frame, for example 1001"
LAST_FRAME = "The last frame, itself included"


class EditBody(Body):
    """A JSON merge patch (RFC 7396): what is left out stays, null clears what may be empty.

    A field that may not be empty has a default that is never used, so that its schema refuses null.
    """

    def values(self) -> dict[str, Any]:
        """What was given, and nothing else."""
        return self.model_dump(exclude_unset=True)


class ProductionBody(Body):
    code: Code
    title: ShortText
    frame_rate: FrameRate = "24"
    time_zone: TimeZone = "UTC"
    owned_source_only: bool = Field(default=False, description=OWNED_SOURCE)
    external_ref: ExternalRef | None = None


class ProductionEdit(EditBody):
    code: Code = Field(default_factory=str)
    title: ShortText = Field(default_factory=str)
    frame_rate: FrameRate = Field(default_factory=str)
    owned_source_only: bool = Field(
        default_factory=bool,
        description=OWNED_SOURCE + ". To end it takes a person: a rights clearance or production manager",
    )
    external_ref: ExternalRef | None = None


class TimeZoneBody(Body):
    time_zone: TimeZone


class EpisodeBody(Body):
    code: Code
    title: ShortText | None = None
    external_ref: ExternalRef | None = None


class EpisodeEdit(EditBody):
    code: Code = Field(default_factory=str)
    title: ShortText | None = None
    external_ref: ExternalRef | None = None


class SequenceBody(EpisodeBody):
    episode_id: UUID | None = Field(default=None, description="An episode of the same production")


class SequenceEdit(EpisodeEdit):
    episode_id: UUID | None = Field(default=None, description="An episode of the same production")


class ShotBody(Body):
    code: Code
    sequence_id: UUID | None = Field(default=None, description="A sequence of the same production")
    frame_in: Frame | None = Field(default=None, description=FIRST_FRAME)
    frame_out: Frame | None = Field(default=None, description=LAST_FRAME)
    notes: Notes | None = None
    conventional_bid_usd: Bid | None = None
    external_ref: ExternalRef | None = None


class ShotEdit(EditBody):
    code: Code = Field(default_factory=str)
    sequence_id: UUID | None = Field(default=None, description="A sequence of the same production")
    frame_in: Frame | None = Field(default=None, description=FIRST_FRAME)
    frame_out: Frame | None = Field(default=None, description=LAST_FRAME)
    notes: Notes | None = None
    conventional_bid_usd: Bid | None = None
    external_ref: ExternalRef | None = None


class Versioned(Reply):
    id: UUID
    code: str
    external_ref: str | None
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    created_at: datetime

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class ProductionReply(Versioned):
    title: str
    frame_rate: str = Field(description="Frames per second, exact; the meter of small doses counts with it")
    time_zone: str = Field(description="Terms of consents end at midnight there")
    owned_source_only: bool = Field(description=OWNED_SOURCE)


class EpisodeReply(Versioned):
    production_id: UUID
    title: str | None


class SequenceReply(Versioned):
    production_id: UUID
    episode_id: UUID | None
    title: str | None


class ShotSummary(Versioned):
    """A shot as lists show it: without its notes."""

    production_id: UUID
    sequence_id: UUID | None
    frame_in: int | None
    frame_out: int | None
    conventional_bid_usd: Decimal | None

    @staticmethod
    def fields_of(shot: Shot) -> dict[str, Any]:
        return {name: getattr(shot, name) for name in ShotSummary.model_fields}


class ShotReply(ShotSummary):
    notes: str | None
    notes_ai_generated: bool = Field(
        description="A language model wrote the notes, word for word: say so wherever they go"
    )

    @classmethod
    def of_view(cls, view: ShotView) -> "ShotReply":
        return cls(**cls.fields_of(view.shot), notes=view.notes, notes_ai_generated=view.notes_ai_generated)


class RowViolation(Reply):
    pointer: str = Field(description="The column, as /column; empty for the whole row")
    code: str
    message: str


class RowReport(Reply):
    line: int = Field(description="Where the row begins in the file, from 1")
    code: str
    outcome: Outcome
    shot_id: UUID | None = Field(description="null for a row that made and changed no shot")
    violations: list[RowViolation]


class ImportReply(Reply):
    """What became of each row; where nothing was written, what would have become of it."""

    written: bool = Field(description="false in a dry run, and when a refused row refused all")
    created: int
    updated: int
    unchanged: int
    refused: int
    episodes_created: list[str] = Field(
        description="Codes that the file named and the production didn't have"
    )
    sequences_created: list[str] = Field(
        description="Codes that the file named and the production didn't have"
    )
    rows: list[RowReport]

    @classmethod
    def of(cls, report: ImportReport) -> "ImportReply":
        plan = report.plan
        return cls(
            written=report.written,
            created=plan.count("created"),
            updated=plan.count("updated"),
            unchanged=plan.count("unchanged"),
            refused=plan.count("refused"),
            episodes_created=list(plan.new_episodes),
            sequences_created=sorted(plan.new_sequences),
            rows=[
                RowReport(
                    line=row.line,
                    code=row.code,
                    outcome=row.outcome,
                    shot_id=None if row.outcome == "refused" else report.shot_ids.get(row.code),
                    violations=[RowViolation.model_validate(each) for each in row.violations],
                )
                for row in plan.rows
            ],
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()
