"""Batches on the wire: what their files say, the report of every line, how far they are."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError

from circletake.domain.batches.rows import BatchFile, BatchRow, with_defaults
from circletake.domain.kinds import InputSlot, Kind, Quality
from circletake.domain.pictures import Violation
from circletake.domain.register import harmless
from circletake.domain.takes import GenerationState
from circletake.records.batches import GenerationBatch
from circletake.usecases.batches.complete import state_of
from circletake.usecases.batches.find_batches import BatchMember, BatchView, Tally
from circletake.usecases.batches.lines import BatchLine, Named
from circletake.usecases.batches.report import LineReport, Outcome
from circletake.usecases.batches.request_batch import BatchAccepted
from services.api.problems import violation_at
from services.api.schemas.common import Reply
from services.api.schemas.context import RowViolation
from services.api.schemas.generations import GenerationBody, GenerationSummary

MAX_NAME = 200
BatchState = Literal["running", "paused", "canceling", "canceled", "completed"]


def batch_lines(production_id: UUID, file: BatchFile, defaults: Mapping[str, Any]) -> list[BatchLine]:
    """Read each row as a request for a generation; a row that isn't one says what is wrong with it."""
    return [
        _line(production_id, row, with_defaults(row.values, file.defaults, defaults)) for row in file.rows
    ]


def _line(production_id: UUID, row: BatchRow, given: dict[str, Any]) -> BatchLine:
    if row.violations:
        return BatchLine(row.line, row.shot, None, violations=row.violations)
    values = {name: value for name, value in given.items() if value is not None}
    found: list[Violation] = []
    if "production_id" in values:
        del values["production_id"]
        message = "The batch's production is in the query: leave it out of the rows."
        found.append(Violation("/production_id", "extra_forbidden", message))
    named = _names(values, row.names, found)
    try:
        body = GenerationBody.model_validate({**values, "production_id": production_id})
    except ValidationError as error:
        found += [violation_at(each["loc"], each) for each in error.errors()]
        return BatchLine(row.line, row.shot, None, violations=found)
    return BatchLine(row.line, row.shot, body.to_request(), named, found)


def _names(values: dict[str, Any], clip: tuple[str, ...], found: list[Violation]) -> Named:
    """Take the studio's own names out of a row: what is left are ids."""
    shot = values.pop("shot", None)
    if shot is not None and not _is_text(shot):
        found.append(Violation("/shot", "not_text", "A shot's code is printable text: write it in quotes."))
        shot = None
    if shot is not None and "shot_id" in values:
        found.append(Violation("/shot_id", "shot_twice", "Give the shot's code or its id, not both."))
        shot = None
    inputs: dict[InputSlot, str] = {}
    if isinstance(values.get("inputs"), dict):
        known = {slot.value for slot in InputSlot}
        inputs = {
            InputSlot(slot): name
            for slot, name in values["inputs"].items()
            if slot in known and _is_name(name)
        }
        values["inputs"] = {slot: each for slot, each in values["inputs"].items() if slot not in inputs}
    depicts: dict[int, str] = {}
    if isinstance(values.get("depicts"), list):
        depicts = {place: name for place, name in enumerate(values["depicts"]) if _is_name(name)}
        values["depicts"] = [each for place, each in enumerate(values["depicts"]) if place not in depicts]
    return Named(shot, clip, inputs, depicts)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()


def _is_name(value: Any) -> bool:
    """Whether it is the studio's own name of something, and not an id of ours."""
    if not _is_text(value):
        return False
    try:
        UUID(value)
    except ValueError:
        return True
    return False


class HeldFor(Reply):
    """Why a line waits for a person."""

    reason: str
    rules: list[str]
    says: list[str]


class BatchRowReport(Reply):
    """What becomes of one line."""

    line: int = Field(
        description="Where the row begins in the file, from 1; of a timeline, the clip's number"
    )
    shot: str = Field(description="The shot's code")
    outcome: Outcome
    generation_id: UUID | None = Field(description="null where nothing was written")
    kind: Kind | None
    model: str | None = Field(description="null for a refused row")
    quality: Quality | None
    takes: int
    quote_usd: Decimal | None
    holds: list[HeldFor] = Field(description="What a held row waits for")
    violations: list[RowViolation] = Field(description="Why a refused row is refused")
    details: dict[str, Any] = Field(description="What the refusal of a single request would carry beside")
    warnings: list[RowViolation]

    @classmethod
    def of_line(cls, report: LineReport) -> "BatchRowReport":
        request, refusal = report.line.request, report.refusal
        return cls(
            line=report.line.line,
            shot=report.line.shot,
            outcome=report.outcome,
            generation_id=report.generation_id,
            kind=request.kind if request else None,
            model=report.plan.card.id if report.plan else None,
            quality=request.quality if request else None,
            takes=report.takes,
            quote_usd=report.quote,
            holds=[
                HeldFor(
                    reason=hold.reason.value,
                    rules=[line.rule for line in hold.lines],
                    says=[line.says for line in hold.lines],
                )
                for hold in report.holds
            ],
            violations=_violations(refusal.violations if refusal else ()),
            details=dict(refusal.details) if refusal else {},
            warnings=_violations(report.warnings),
        )


def _violations(found: Sequence[Violation]) -> list[RowViolation]:
    return [RowViolation.model_validate(each) for each in found]


class ModelQuote(Reply):
    model: str
    takes: int
    total_usd: Decimal


class BatchQuote(Reply):
    """What the rows that aren't refused cost at most, without what enforcements may add."""

    total_usd: Decimal
    models: list[ModelQuote]


class BatchSummary(Reply):
    """A batch as lists show it."""

    id: UUID
    production_id: UUID
    state: BatchState = Field(description="canceled and completed: every generation has finished")
    external_ref: str | None
    format: str = Field(description="csv, jsonl or otio")
    file_sha256: str
    generations: int
    refused_rows: int = Field(description="Left out, because `skip_refused` was asked for")
    takes: int = Field(description="Asked for; retries come beside")
    quote_usd: Decimal
    requested_by_person: UUID | None = Field(description="null where a key asked")
    ledger_entry_id: UUID
    created_at: datetime
    paused_at: datetime | None
    canceled_at: datetime | None
    completed_at: datetime | None

    @staticmethod
    def batch_fields(batch: GenerationBatch) -> dict[str, Any]:
        return {
            "id": batch.id,
            "production_id": batch.production_id,
            "state": state_of(batch),
            "external_ref": batch.external_ref,
            "format": batch.format,
            "file_sha256": batch.file_sha256,
            "generations": batch.rows,
            "refused_rows": batch.refused_rows,
            "takes": batch.takes,
            "quote_usd": batch.quote_usd,
            "requested_by_person": batch.requested_by_person,
            "ledger_entry_id": batch.ledger_entry_id,
            "created_at": batch.created_at,
            "paused_at": batch.paused_at,
            "canceled_at": batch.canceled_at,
            "completed_at": batch.completed_at,
        }

    @classmethod
    def of_batch(cls, batch: GenerationBatch) -> "BatchSummary":
        return cls(**cls.batch_fields(batch))


class TakeTally(Reply):
    """Takes by their state, and what they come to."""

    takes: dict[str, int] = Field(description="How many are in which state; states without any aren't named")
    circled: int
    cost_usd: Decimal = Field(description="Owed for certain")
    unknown_usd: Decimal = Field(description="May be owed beside: bills that nobody knows yet")
    reserved_usd: Decimal = Field(description="Kept in the budgets for what hasn't ended")

    @classmethod
    def of_tally(cls, tally: Tally) -> "TakeTally":
        return cls(
            takes=dict(sorted(tally.takes.items())),
            circled=tally.circled,
            cost_usd=tally.cost,
            unknown_usd=tally.unknown,
            reserved_usd=tally.reserved,
        )


class BatchProgress(TakeTally):
    generations_finished: int
    held: dict[str, int] = Field(description="Takes that wait for a person, by the reason")


class BatchReply(BatchSummary):
    """A batch and how far it is."""

    progress: BatchProgress

    @classmethod
    def of_view(cls, view: BatchView) -> "BatchReply":
        progress = BatchProgress(
            **TakeTally.of_tally(view.tally).model_dump(),
            generations_finished=view.finished,
            held=dict(sorted(view.held.items())),
        )
        return cls(**cls.batch_fields(view.batch), progress=progress)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class BatchChecked(Reply):
    """The report of every row, and the quote of all of them; `batch` once it is accepted."""

    batch: BatchSummary | None = Field(
        description="null in a dry run, and when a refused row refused all: nothing was written"
    )
    accepted: int
    held: int = Field(description="Accepted too; they wait for a person")
    refused: int
    takes: int
    quote: BatchQuote
    rows: list[BatchRowReport]

    @classmethod
    def of_accepted(cls, said: BatchAccepted) -> "BatchChecked":
        report = said.report
        models = [
            ModelQuote(model=model, takes=takes, total_usd=usd)
            for model, (takes, usd) in sorted(report.by_model().items())
        ]
        return cls(
            batch=None if said.batch is None else BatchSummary.of_batch(said.batch),
            accepted=report.count("accepted"),
            held=report.count("held"),
            refused=report.count("refused"),
            takes=report.takes,
            quote=BatchQuote(total_usd=report.quote, models=models),
            rows=[BatchRowReport.of_line(each) for each in report.lines],
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class BatchGeneration(GenerationSummary):
    """One generation of a batch."""

    shot: str | None = Field(description="The shot's code")
    tally: TakeTally

    @classmethod
    def of_member(cls, member: BatchMember) -> "BatchGeneration":
        fields = cls.fields_of(member.generation)
        return cls(**fields, shot=member.shot_code, tally=TakeTally.of_tally(member.tally))


_STATES = ("held", "queued", "running", "succeeded", "failed", "filtered", "canceled", "expired")
_HEADER = (
    "line",
    "shot",
    "generation_id",
    "kind",
    "model",
    "state",
    *_STATES,
    "circled",
    "cost_usd",
    "unknown_usd",
    "external_ref",
)


def report_csv(members: Sequence[BatchMember]) -> str:
    """What became of each line, as a table; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(_HEADER)
    for member in members:
        made, tally = member.generation, member.tally
        table.writerow(
            harmless("" if value is None else str(value))
            for value in (
                made.batch_line,
                member.shot_code,
                made.id,
                made.kind,
                made.model_id,
                GenerationState(made.state).value,
                *(tally.takes.get(state, 0) for state in _STATES),
                " ".join(map(str, tally.circled_takes)),
                tally.cost,
                tally.unknown,
                made.external_ref,
            )
        )
    return out.getvalue()
