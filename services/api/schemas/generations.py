"""Generations on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, WithJsonSchema

from circletake.domain.kinds import InputSlot, Kind, Quality
from circletake.domain.takes import GenerationState
from circletake.records.generations import Generation
from circletake.usecases.effective_take import TakeView
from circletake.usecases.generation_rows import GenerationView
from circletake.usecases.plan_generation import MAX_TAKES, GenerationRequest
from services.api.schemas.common import Body, ExternalRef, Moment, Reply, Text
from services.api.schemas.consistency import ConsistencyBody
from services.api.schemas.holds import HoldReply
from services.api.schemas.takes import MAX_PROMPT, ControlReply, Seed, TakeReply
from services.api.schemas.use import UseBody


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
