"""Script breakdowns and proposed prompts on the wire."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.kinds import Kind
from circletake.domain.language.breakdown import (
    MAX_LINE,
    MAX_NAME,
    MAX_NAMED,
    MAX_NUMBER,
    MAX_SCENES,
    MAX_SHOTS,
    MAX_TEXT,
    Breakdown,
    Framing,
    Named,
    ProposedShot,
    Scene,
    Setting,
    origins,
)
from circletake.domain.language.words import MAX_CHARACTERS, MAX_NOTES, MAX_SCRIPT, RequestState
from circletake.records.language import LanguageRequest
from circletake.usecases.language.request_language import BreakdownAsked, PromptAsked
from circletake.usecases.language.values import LanguageCost, LanguageView
from services.api.schemas.common import Body, Code, ExternalRef, Reply, Text
from services.api.schemas.context import EditBody
from services.api.schemas.use import UseBody

Line = Annotated[Text, Field(min_length=1, max_length=MAX_LINE)]
Words = Annotated[Text, Field(min_length=1, max_length=MAX_TEXT)]
Name = Annotated[Text, Field(min_length=1, max_length=MAX_NAME)]
Number = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=MAX_NUMBER,
        description="As printed, for example 12A",
    ),
]
Names = Annotated[list[Name], Field(max_length=MAX_NAMED)]
Origin = Literal["model", "model_edited", "person"]
_MODEL = "Left out: the model that the production chose for it, else the catalogue's default"


# --- what is asked ------------------------------------------------------------------------------------------------


class ScriptBreakdownBody(Body):
    """A script page, or a scene, to be broken down."""

    production_id: UUID
    text: Annotated[Text, Field(min_length=1, max_length=MAX_SCRIPT)] = Field(
        description="One script page or scene, as it is written; kept encrypted. A model may take less than this"
        " allows: it is refused then, never cut"
    )
    model: str | None = Field(default=None, max_length=2048, description=_MODEL)
    use: UseBody = Field(default_factory=UseBody)
    external_ref: ExternalRef | None = None

    def to_asked(self) -> BreakdownAsked:
        return BreakdownAsked(
            production_id=self.production_id,
            text=self.text,
            model=self.model,
            use=self.use.to_declaration(),
            external_ref=self.external_ref,
        )


class ShotPromptBody(Body):
    """Notes on a shot, to propose a prompt from."""

    shot_id: UUID
    kind: Kind = Field(description="What the prompt is for")
    notes: Annotated[Text, Field(min_length=1, max_length=MAX_NOTES)] | None = Field(
        default=None, description="Left out: the shot's own; kept encrypted"
    )
    characters: list[UUID] = Field(
        default=[],
        max_length=MAX_CHARACTERS,
        description="Who is in it: their names, descriptions and looks in this shot go to the model, no pictures",
    )
    model: str | None = Field(default=None, max_length=2048, description=_MODEL)
    use: UseBody = Field(default_factory=UseBody)
    external_ref: ExternalRef | None = None

    def to_asked(self) -> PromptAsked:
        return PromptAsked(
            shot_id=self.shot_id,
            kind=self.kind,
            notes=self.notes,
            characters=tuple(dict.fromkeys(self.characters)),
            model=self.model,
            use=self.use.to_declaration(),
            external_ref=self.external_ref,
        )


# --- a breakdown --------------------------------------------------------------------------------------------------


class BreakdownScene(Body):
    number: Number
    heading: Line
    setting: Setting | None = None
    location: Name | None = Field(default=None, description="A name of `locations`")
    time_of_day: Line | None = None
    summary: Words | None = None
    characters: Names = Field(default=[], description="Names of `characters`")
    props: Names = Field(default=[], description="Names of `props`")


class BreakdownEntry(Body):
    """A character, a prop or a location."""

    name: Name
    description: Words | None = None


class BreakdownShot(Body):
    code: Code
    scene: Number = Field(description="The number of one of `scenes`")
    description: Words
    size: Framing | None = None
    camera: Line | None = None
    characters: Names = Field(default=[], description="Names of `characters`")
    props: Names = Field(default=[], description="Names of `props`")
    notes: Words | None = None


Scenes = Annotated[list[BreakdownScene], Field(max_length=MAX_SCENES)]
Entries = Annotated[list[BreakdownEntry], Field(max_length=MAX_NAMED)]
Shots = Annotated[list[BreakdownShot], Field(max_length=MAX_SHOTS)]


class BreakdownLists(Reply):
    scenes: Scenes
    characters: Entries
    props: Entries
    locations: Entries
    shots: Shots

    @classmethod
    def of(cls, breakdown: Breakdown) -> "BreakdownLists":
        return cls.model_validate(breakdown.as_json())


class ScriptBreakdownEdit(EditBody):
    """What a person makes of it. A list that is given takes the place of the whole list that stands; one that is left
    out stays."""

    scenes: Scenes = Field(default_factory=list)
    characters: Entries = Field(default_factory=list)
    props: Entries = Field(default_factory=list)
    locations: Entries = Field(default_factory=list)
    shots: Shots = Field(default_factory=list)

    def parts(self) -> dict[str, Any]:
        """The lists that were given, as fields of a Breakdown."""
        made: dict[str, Any] = {
            "scenes": tuple(Scene(**{**each.model_dump(), **_tuples(each)}) for each in self.scenes),
            "characters": tuple(Named(**each.model_dump()) for each in self.characters),
            "props": tuple(Named(**each.model_dump()) for each in self.props),
            "locations": tuple(Named(**each.model_dump()) for each in self.locations),
            "shots": tuple(ProposedShot(**{**each.model_dump(), **_tuples(each)}) for each in self.shots),
        }
        return {name: part for name, part in made.items() if name in self.model_fields_set}


def _tuples(entry: BreakdownScene | BreakdownShot) -> dict[str, tuple[str, ...]]:
    return {"characters": tuple(entry.characters), "props": tuple(entry.props)}


class BreakdownShotsBody(Body):
    """Which shots to make of a breakdown, and where they belong."""

    shots: Annotated[list[Code], Field(min_length=1, max_length=MAX_SHOTS)] | None = Field(
        default=None, description="Codes of the shots that are kept; left out: all of them"
    )
    sequence: Code | None = Field(
        default=None,
        description="The code of the sequence for all of them; left out: one for each scene, SC012A",
    )
    episode: Code | None = Field(
        default=None, description="The code of the episode of sequences that are made"
    )


# --- what came of it ----------------------------------------------------------------------------------------------


class LanguageRefusal(Reply):
    """A filter's refusal, in one form for every provider."""

    stage: str = Field(description="prompt, output_text, guardrail or unknown")
    source: str = Field(description="model or guardrail")
    categories: list[str] = Field(description="What it was refused for, where the provider says so")


class LanguageFailure(Reply):
    code: str = Field(description="Stable")
    detail: str
    refusal: LanguageRefusal | None = Field(default=None, description="Of a filtered request")


class LanguageCostReply(Reply):
    billed: Literal["true", "false", "unknown"] | None = Field(
        description="null before a model was called; unknown: an answer was lost, and it may have been paid"
    )
    cost_usd: Decimal = Field(description="What is owed for certain")
    at_most_usd: Decimal = Field(description="What the bill may show, where that isn't known")
    tokens_in: int
    tokens_out: int

    @classmethod
    def of(cls, cost: LanguageCost) -> "LanguageCostReply":
        return cls(
            billed=cost.billed.value if cost.billed else None,
            cost_usd=cost.charged,
            at_most_usd=cost.at_most,
            tokens_in=cost.tokens_in,
            tokens_out=cost.tokens_out,
        )


_DETAILS: Mapping[str, str] = {
    "answer_cut_off": "The model's answer became too long for it: send fewer scenes at once.",
    "budget_exhausted": "A budget had no room for it when its turn came. It cost nothing.",
    "dead_letter": "Its worker was lost again and again. It is kept for the operator to look at.",
    "model_gone": "Nothing knows this model any more: choose another.",
    "no_usable_answer": "The model answered something else than was asked for: ask again, or ask another model.",
    "outcome_unknown": "The model was called and its answer was lost, so it may have been paid. Ask again.",
    "text_too_long": "The text is longer than the model takes: send less at once.",
    "model_access_denied": "The platform may not call this model for your tenant: tell the operator.",
    "model_invalid_request": "The model refused the request as it was sent.",
    "model_not_found": "The model isn't there any more: choose another.",
    "model_ended": "The provider ended the model: choose another.",
    "model_quota": "The platform's quota for this model is used up: tell the operator.",
}


def _failure(row: LanguageRequest) -> LanguageFailure | None:
    code = row.failure_code
    if code is None:
        return None
    refusal = LanguageRefusal(**row.refusal) if row.refusal else None
    filtered = "The model's safety filter, or a guardrail, refused it."
    detail = filtered if refusal else _DETAILS.get(code, "The model service failed again and again.")
    return LanguageFailure(code=code, detail=detail, refusal=refusal)


class LanguageSummary(Reply):
    """A request to a language model as lists show it: without its texts."""

    id: UUID
    production_id: UUID
    shot_id: UUID | None
    external_ref: str | None
    state: RequestState
    waiting_for: str | None = Field(description="What keeps it from being sent, for example labour_action")
    model: str
    model_lock_id: UUID | None = Field(description="The production's choice that the model is of")
    ai_generated: Literal[True] = Field(
        description="What it holds was written by AI: say so wherever it goes"
    )
    failure: LanguageFailure | None
    requested_by: UUID | None = Field(description="The API key, or null")
    requested_by_person: UUID | None
    created_at: datetime
    finished_at: datetime | None

    def body(self) -> bytes:
        return self.model_dump_json().encode()


def _summary(row: LanguageRequest) -> dict[str, Any]:
    return {
        "id": row.id,
        "production_id": row.production_id,
        "shot_id": row.shot_id,
        "external_ref": row.external_ref,
        "state": RequestState(row.state),
        "waiting_for": row.waiting_for,
        "model": row.model_id,
        "model_lock_id": row.model_lock_id,
        "ai_generated": True,
        "failure": _failure(row),
        "requested_by": row.requested_by,
        "requested_by_person": row.requested_by_person,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


class ScriptBreakdownSummary(LanguageSummary):
    version: int = Field(description="In quotes it is the ETag, for If-Match")
    edited: bool = Field(description="A person changed it")
    applied: bool = Field(description="A person made shots of it")

    @classmethod
    def of_row(cls, row: LanguageRequest) -> "ScriptBreakdownSummary":
        return cls(**_summary(row), version=row.version, edited=bool(row.edits), applied=bool(row.applied))


class PartChanges(Reply):
    added: int
    changed: int
    removed: int


class BreakdownChange(Reply):
    at: datetime
    by_person: UUID | None
    version: int = Field(description="The version that it made")
    changes: dict[str, PartChanges] = Field(description="By list")


class BreakdownUse(Reply):
    at: datetime
    by_person: UUID | None
    version: int = Field(description="The version that it was made from")
    shots: int = Field(description="How many shots were made")


class ScriptBreakdownReply(ScriptBreakdownSummary):
    text: str = Field(description="The page, as it was sent in")
    use: dict[str, Any]
    breakdown: BreakdownLists | None = Field(description="As it stands")
    original: BreakdownLists | None = Field(description="As the model wrote it")
    origins: dict[str, list[Origin]] | None = Field(
        description="Whose words each entry of `breakdown` is, list by list in the same order: the model's, the"
        " model's changed by a person, a person's"
    )
    edits: list[BreakdownChange]
    edited_by: UUID | None = Field(description="The person who changed it last")
    uses: list[BreakdownUse] = Field(description="Who made shots of it")
    cost: LanguageCostReply
    ledger_entry_id: UUID

    @classmethod
    def of(cls, view: LanguageView) -> "ScriptBreakdownReply":
        row, now, before = view.row, view.breakdown, view.original
        return cls(
            **ScriptBreakdownSummary.of_row(row).model_dump(),
            text=view.given["text"],
            use=row.use,
            breakdown=BreakdownLists.of(now) if now else None,
            original=BreakdownLists.of(before) if before else None,
            origins=origins(before, now) if before and now else None,
            edits=[BreakdownChange.model_validate(each) for each in row.edits],
            edited_by=row.edits[-1]["by_person"] if row.edits else None,
            uses=[BreakdownUse.model_validate(each) for each in row.applied],
            cost=LanguageCostReply.of(view.cost),
            ledger_entry_id=row.ledger_entry_id,
        )


class ShotPromptSummary(LanguageSummary):
    kind: Kind = Field(description="What the prompt is for")

    @classmethod
    def of_row(cls, row: LanguageRequest) -> "ShotPromptSummary":
        return cls(**_summary(row), kind=Kind(row.kind or ""))


class PromptProposal(Reply):
    """What the model proposes. Nothing is generated from it: a person reads it and asks for a generation."""

    prompt: str
    negative_prompt: str | None
    search_prompt: str | None = Field(description="What to look for in the plate, for the kinds that need it")
    why: str | None = Field(description="What the model says it took from the notes, and what it assumed")
    too_long: bool = Field(description="Longer than the production's model for this kind takes: shorten it")


class ShotPromptReply(ShotPromptSummary):
    notes: str = Field(description="What it was proposed from, as it was then")
    characters: list[UUID]
    use: dict[str, Any]
    proposal: PromptProposal | None
    cost: LanguageCostReply
    ledger_entry_id: UUID

    @classmethod
    def of(cls, view: LanguageView) -> "ShotPromptReply":
        row, proposed = view.row, view.proposal
        proposal = None
        if proposed is not None:
            too_long = len(proposed.prompt) > int(view.given["prompt_max"])
            proposal = PromptProposal(**proposed.as_json(), too_long=too_long)
        return cls(
            **ShotPromptSummary.of_row(row).model_dump(),
            notes=view.given["notes"],
            characters=[UUID(each) for each in view.given["characters"]],
            use=row.use,
            proposal=proposal,
            cost=LanguageCostReply.of(view.cost),
            ledger_entry_id=row.ledger_entry_id,
        )
