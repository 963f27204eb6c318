"""Generations and takes on the wire."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, WithJsonSchema

from circletake.domain.controls import SEED_MAX, SEED_MIN
from circletake.domain.kinds import InputSlot, Kind, Quality
from circletake.domain.takes import GenerationState, TakeState
from circletake.records.generations import Generation
from circletake.usecases.effective_take import TakeView, report_of
from circletake.usecases.find_generations import ModelCall
from circletake.usecases.finish_circled import FinishRequest
from circletake.usecases.generation_rows import GenerationView
from circletake.usecases.plan_generation import MAX_TAKES, GenerationRequest
from services.api.schemas.common import Body, ExternalRef, Moment, Reply, Text
from services.api.schemas.consistency import ConsistencyBody
from services.api.schemas.holds import HoldReply
from services.api.schemas.use import UseBody

MAX_PROMPT = 10_000


# told in the document; checked with everything else that is wrong, so that one answer lists it all
Seed = Annotated[int, WithJsonSchema({"type": "integer", "minimum": SEED_MIN, "maximum": SEED_MAX})]


class Inputs(Body):
    """Media files by what they are for. Which ones a kind takes: see `GET /v1/models`."""

    plate: UUID | None = None
    matte: UUID | None = Field(default=None, description="White is what the model may change")
    source: UUID | None = Field(default=None, description="The picture that is worked on whole")
    reference: UUID | None = None
    sketch: UUID | None = Field(default=None, description="Whose lines are followed")
    structure: UUID | None = Field(default=None, description="Whose edges are kept")
    style: UUID | None = Field(default=None, description="Whose style is taken")
    first_frame: UUID | None = None
    last_frame: UUID | None = None


class GenerationBody(Body):
    """A request for takes of one kind, for one shot or for a production's concept work."""

    production_id: UUID
    shot_id: UUID | None = Field(
        default=None, description="Whether a kind needs it: `shot_required` in `GET /v1/models`"
    )
    kind: Kind
    model: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="A model's id; the kind's default when left out"
    )
    prompt: Annotated[Text, Field(max_length=MAX_PROMPT)] | None = None
    negative_prompt: Annotated[Text, Field(max_length=MAX_PROMPT)] | None = None
    search_prompt: Annotated[Text, Field(max_length=MAX_PROMPT)] | None = Field(
        default=None, description="What to find in the plate, in words: for recolor and replace"
    )
    quality: Quality = Field(
        default=Quality.FULL,
        description="`draft`: the cheapest model of the kind at the smallest useful size, to choose from; a circled"
        " draft is finished with `POST /v1/takes/{id}/finish`",
    )
    inputs: Inputs = Inputs()
    controls: dict[str, Any] = Field(
        default_factory=dict, max_length=32, description="By name; what each model honours: `GET /v1/models`"
    )
    seed: Seed | None = Field(
        default=None, description="Of the first take; the others follow. Random, and told, when left out"
    )
    takes: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_TAKES})] = 1
    deadline: Moment | None = Field(
        default=None, description="A take that hasn't started by then expires and costs nothing"
    )
    strict: bool = Field(
        default=False, description="Refuse when a control can't be honoured exactly, instead of reporting it"
    )
    metadata: dict[str, Any] | None = Field(default=None, description="Yours, kept encrypted and given back")
    external_ref: ExternalRef | None = None
    consistency: ConsistencyBody | None = Field(
        default=None, description="Have every take judged, and more made until one passes, inside these caps"
    )
    depicts: Annotated[list[UUID], Field(max_length=50)] = Field(
        default_factory=list,
        description="Characters that are depicted. One that a performer portrays needs a consent that covers this"
        " very use; faces that nobody declared are looked for, and hold the request",
    )
    use: UseBody = Field(default_factory=UseBody, description="What it is for, for policy packs and consents")

    def to_request(self) -> GenerationRequest:
        inputs = {
            InputSlot(slot): media_id
            for slot, media_id in self.inputs.model_dump().items()
            if media_id is not None
        }
        return GenerationRequest(
            production_id=self.production_id,
            shot_id=self.shot_id,
            kind=self.kind,
            model=self.model,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            search_prompt=self.search_prompt,
            quality=self.quality,
            inputs=inputs,
            controls=self.controls,
            seed=self.seed,
            takes=self.takes,
            deadline_at=self.deadline,
            strict=self.strict,
            metadata=self.metadata,
            external_ref=self.external_ref,
            consistency=self.consistency.to_request() if self.consistency else None,
            depicts=self.depicts,
            use=self.use.to_declaration(),
        )


class Refusal(Reply):
    """A filter's refusal, in one form for every provider."""

    stage: str = Field(description="prompt, input_image, output_image, guardrail or unknown")
    source: str = Field(description="model or guardrail")
    categories: list[str] = Field(description="What it was refused for, where the provider says so")


class Failure(Reply):
    code: str = Field(description="Stable")
    detail: str | None = None
    refusal: Refusal | None = Field(default=None, description="Of a filtered take")


class TakeChanges(Reply):
    """What a take of an enforcement, a fallback or a re-route was made with instead of its generation's own; null: the
    generation's."""

    kind: Kind | None = None
    model: str | None = None
    inputs: dict[InputSlot, UUID] | None = None
    controls: dict[str, Any] | None = None
    controls_report: "list[ControlReply] | None" = None
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
    changes: "TakeChanges | None" = Field(
        description="What it was made with instead of its generation's own; null where nothing is changed"
    )
    controls_report: "list[ControlReply]" = Field(
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
        refusal = Refusal(**take.refusal) if take.refusal else None
        failure = (
            Failure(code=take.failure_code, detail=take.failure_detail, refusal=refusal)
            if take.failure_code
            else None
        )
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
            failure=failure,
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


class ControlReply(Reply):
    control: str
    state: str = Field(description="applied, approximated or unsupported")
    sent: Any = Field(default=None, description="The value really sent")
    note: str = ""


class GenerationSummary(Reply):
    """A generation as lists show it: without its text."""

    id: UUID
    production_id: UUID
    shot_id: UUID | None
    kind: Kind
    model: str
    state: GenerationState = Field(description="Derived from its takes")
    external_ref: str | None
    created_at: datetime
    finished_at: datetime | None = Field(
        description="When its last take had ended and its contact sheet was drawn"
    )
    deadline: datetime | None
    sheet_media_id: UUID | None = Field(description="The contact sheet, once it is drawn")
    quality: Quality
    finish_of: UUID | None = Field(description="The circled take that it finishes")
    batch_id: UUID | None
    batch_line: int | None = Field(description="Of the batch's file, from 1")

    @staticmethod
    def fields_of(generation: Generation) -> dict[str, Any]:
        return {
            "id": generation.id,
            "production_id": generation.production_id,
            "shot_id": generation.shot_id,
            "kind": generation.kind,
            "model": generation.model_id,
            "state": generation.state,
            "external_ref": generation.external_ref,
            "created_at": generation.created_at,
            "finished_at": generation.finished_at,
            "deadline": generation.deadline_at,
            "sheet_media_id": generation.sheet_media_id,
            "quality": generation.quality,
            "finish_of": generation.finish_of,
            "batch_id": generation.batch_id,
            "batch_line": generation.batch_line,
        }

    @classmethod
    def of(cls, generation: Generation) -> "GenerationSummary":
        return cls(**cls.fields_of(generation))


class DepictionReply(Reply):
    character_id: UUID
    look_id: UUID | None
    how: str = Field(description="declared, consistency, reference_set, photograph, take or named_in_prompt")


class GenerationReply(GenerationSummary):
    prompt: str | None
    negative_prompt: str | None
    search_prompt: str | None
    inputs: dict[InputSlot, UUID]
    controls: dict[str, Any]
    controls_report: list[ControlReply]
    seed: int | None
    strict: bool
    metadata: dict[str, Any] | None
    ledger_entry_id: UUID
    enforcement_id: UUID | None = Field(description="Of the enforcement that its takes have to pass")
    requested_by_person: UUID | None = Field(description="null where a key asked")
    depicts: list[DepictionReply] = Field(description="Whom it depicts, as far as that is known")
    use: dict[str, Any] = Field(description="What was declared of its use")
    holds: list[HoldReply] = Field(description="Why it waits or waited, and who can let it go")
    model_choice_id: UUID | None = Field(description="The production's choice that it was accepted under")
    clearances: list[UUID] = Field(
        description="What its shot was cleared to show when it was asked for: see `GET /v1/shots/{shot_id}/clearances`."
        " No model is told of it"
    )
    takes: list[TakeReply]

    @classmethod
    def of_view(cls, view: GenerationView) -> "GenerationReply":
        generation = view.generation
        return cls(
            **cls.fields_of(generation),
            prompt=view.prompt,
            negative_prompt=view.negative_prompt,
            search_prompt=view.search_prompt,
            inputs=view.inputs,
            controls=generation.controls,
            controls_report=[ControlReply(**line) for line in generation.controls_report],
            seed=generation.seed,
            strict=generation.strict,
            metadata=view.metadata,
            ledger_entry_id=generation.ledger_entry_id,
            enforcement_id=view.enforcement_id,
            requested_by_person=generation.requested_by_person,
            depicts=[
                DepictionReply(character_id=each["character"], look_id=each["look"], how=each["how"])
                for each in generation.depicts
            ],
            use=generation.use,
            holds=[HoldReply.of(hold) for hold in view.holds],
            model_choice_id=generation.model_lock_id,
            clearances=list(view.clearances),
            takes=[TakeReply.of(TakeView(generation, take)) for take in view.takes],
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


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
