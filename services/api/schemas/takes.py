"""Takes on the wire: what came of them, what their models were sent, and what people do with them."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, WithJsonSchema

from circletake.domain.controls import SEED_MAX, SEED_MIN
from circletake.domain.kinds import InputSlot, Kind
from circletake.domain.takes import TakeState
from circletake.records.generations import Take
from circletake.usecases.effective_take import TakeView, report_of
from circletake.usecases.find_generations import ModelCall
from circletake.usecases.finish_circled import FinishRequest
from services.api.schemas.common import Body, ExternalRef, Reply, Text

MAX_PROMPT = 10_000


# told in the document; checked with everything else that is wrong, so that one answer lists it all
Seed = Annotated[int, WithJsonSchema({"type": "integer", "minimum": SEED_MIN, "maximum": SEED_MAX})]


class Refusal(Reply):
    """A filter's refusal, in one form for every provider."""

    stage: str = Field(description="prompt, input_image, output_image, guardrail or unknown")
    source: str = Field(description="model or guardrail")
    categories: list[str] = Field(description="What it was refused for, where the provider says so")


class Failure(Reply):
    code: str = Field(description="Stable")
    detail: str | None = None
    refusal: Refusal | None = Field(default=None, description="Of a filtered take")

    @classmethod
    def of(cls, take: Take) -> "Failure | None":
        """Why a take ended without a result; None for one that didn't."""
        if take.failure_code is None:
            return None
        refusal = Refusal(**take.refusal) if take.refusal else None
        return cls(code=take.failure_code, detail=take.failure_detail, refusal=refusal)


class ControlReply(Reply):
    control: str
    state: str = Field(description="applied, approximated or unsupported")
    sent: Any = Field(default=None, description="The value really sent")
    note: str = ""


class TakeChanges(Reply):
    """What a take of an enforcement, a fallback or a re-route was made with instead of its generation's own; null: the
    generation's."""

    kind: Kind | None = None
    model: str | None = None
    inputs: dict[InputSlot, UUID] | None = None
    controls: dict[str, Any] | None = None
    controls_report: list[ControlReply] | None = None
    region: dict[str, Any] | None = Field(
        default=None, description="What alone was made anew, in pixels of the plate: the take it improves"
    )
    instead_of: str | None = Field(
        default=None, description="Of a fallback or a re-route: the model that couldn't make it"
    )
    because: Literal["throttle", "outage", "filter", "asked"] | None = Field(
        default=None, description="Why another model made it; `asked`: somebody re-routed it"
    )

    @classmethod
    def of(cls, changes: dict[str, Any]) -> "TakeChanges":
        return cls(
            kind=changes.get("kind"),
            model=changes.get("model_id"),
            inputs=changes.get("inputs"),
            controls=changes.get("controls"),
            controls_report=changes.get("controls_report"),
            region=changes.get("region"),
            instead_of=changes.get("instead_of"),
            because=changes.get("because"),
        )


class TakeReply(Reply):
    """One generated result. A terminal take never changes its state again; a retry is a new take."""

    id: UUID
    generation_id: UUID
    number: int
    state: TakeState
    hold_reason: str | None
    seed: int | None = Field(description="null where the model takes none")
    retry_of: UUID | None
    rung: str | None = Field(
        description="How it differs from what was asked for: by an enforcement's rung, a `fallback` or a `reroute`;"
        " null where it doesn't"
    )
    changes: TakeChanges | None = Field(
        description="What it was made with instead of its generation's own; null where nothing is changed"
    )
    controls_report: list[ControlReply] = Field(
        description="What became of each control that was asked for, with the value really sent"
    )
    billed: str | None = Field(
        description="Once the take has ended: true when one of its calls was, unknown when nobody knows of one, else"
        " false"
    )
    cost_usd: Decimal | None = Field(
        description="Owed for certain, once it has ended: the sum of its calls, repeated ones included"
    )
    unknown_usd: Decimal = Field(description="Perhaps owed beside: calls whose bill nobody knows yet")
    estimate_usd: Decimal = Field(description="Of one call")
    failure: Failure | None
    media_id: UUID | None
    changed_fraction: float | None = Field(
        description="Of the frame, measured on decoded pixels against the plate"
    )
    permission: dict[str, Any] | None = Field(
        description="What its call to a model relied on: ids of consents with their documents' SHA-256, exemptions,"
        " holds that were released"
    )
    circled: bool
    circled_by: UUID | None = Field(description="The person: see `GET /v1/people`")
    rejected: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, view: TakeView) -> "TakeReply":
        take = view.take
        return cls(
            id=take.id,
            generation_id=take.generation_id,
            number=take.number,
            state=TakeState(take.state),
            hold_reason=take.hold_reason,
            seed=take.seed_used or take.seed,
            retry_of=take.retry_of,
            rung=(take.changes or {}).get("rung"),
            changes=TakeChanges.of(take.changes) if take.changes else None,
            controls_report=[ControlReply(**line) for line in report_of(view)],
            billed=take.billed,
            cost_usd=take.cost_usd,
            unknown_usd=take.unknown_usd or Decimal(0),  # a row that is just being made has none yet
            estimate_usd=take.estimate_usd,
            failure=Failure.of(take),
            media_id=take.media_id,
            changed_fraction=take.changed_fraction,
            permission=take.permission,
            circled=take.circled,
            circled_by=take.circled_by,
            rejected=take.rejected,
            created_at=take.created_at,
            started_at=take.started_at,
            finished_at=take.finished_at,
        )


class ModelCallReply(Reply):
    """One call to a model. A call whose outcome nobody knows has no end, or `billed: unknown`."""

    id: UUID
    model: str
    operation: str = Field(description="invoke or start_async")
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    billed: str | None = Field(description="true, false or unknown")
    estimate_usd: Decimal | None
    cost_usd: Decimal | None
    request_id: str | None = Field(description="The model service's own id of the call")
    invocation_arn: str | None
    wire_body: dict[str, Any] = Field(
        description="The native body as it was sent; each picture as its size and SHA-256"
    )

    @classmethod
    def of(cls, call: ModelCall) -> "ModelCallReply":
        row = call.record
        return cls(
            id=row.id,
            model=row.model_id,
            operation=row.operation,
            started_at=row.call_started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            billed=row.billed,
            estimate_usd=row.estimate_usd,
            cost_usd=row.cost_usd,
            request_id=row.request_id,
            invocation_arn=row.invocation_arn,
            wire_body=call.wire_body,
        )


class ModelCallList(Reply):
    data: list[ModelCallReply] = Field(description="The first call first")

    @classmethod
    def of(cls, calls: Sequence[ModelCall]) -> "ModelCallList":
        return cls(data=[ModelCallReply.of(call) for call in calls])


class FinishBody(Body):
    """How a circled take is finished; everything may be left out."""

    model: Annotated[str, Field(max_length=256)] | None = Field(
        default=None,
        description="A model of kind upscale; the production's or the catalogue's own when left out",
    )
    prompt: Annotated[Text, Field(max_length=MAX_PROMPT)] | None = Field(
        default=None, description="Where the model wants words for what it enlarges"
    )
    negative_prompt: Annotated[Text, Field(max_length=MAX_PROMPT)] | None = None
    controls: dict[str, Any] = Field(default_factory=dict, max_length=32)
    seed: Seed | None = None
    strict: bool = False
    external_ref: ExternalRef | None = None

    def to_request(self) -> FinishRequest:
        return FinishRequest(**self.model_dump())


class ActReason(Body):
    reason: Annotated[Text, Field(max_length=2000)] | None = None


class RequiredReason(Body):
    reason: Annotated[Text, Field(min_length=1, max_length=2000, description="Why, for the record")]
