"""Events on the wire: as they are listed, and as an endpoint is sent them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from circletake.domain.choice.choices import Because
from circletake.domain.money.budgets import BudgetScope
from circletake.records.events import Event
from circletake.usecases.deliver_webhook import told
from services.api.schemas.common import Reply


class EventEntry(Reply):
    """An event as it stands in the log; a webhook carries the same `data`."""

    id: UUID = Field(description="The webhook-id of its deliveries")
    type: str
    generation_id: UUID | None
    sequence: int | None = Field(description="Counts per generation, without gaps")
    data: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> "EventEntry":
        return cls(
            id=event.id,
            type=event.type,
            generation_id=event.generation_id,
            sequence=event.seq,
            data=told(event),
            created_at=event.created_at,
        )


class EventPage(BaseModel):
    data: list[EventEntry]
    after: str | None = Field(
        description="Give it as `after` to read on, now or later; null before any event"
    )
    more: bool = Field(description="Whether there is more to read at once")


# --- what an endpoint is sent ---------------------------------------------------------------------------------


class Links(Reply):
    """API paths: ask there, with your key, for what the event doesn't carry."""

    event: str | None = None
    generation: str | None = None
    take: str | None = None
    batch: str | None = None
    version: str | None = None
    media: str | None = None
    sheet: str | None = None
    reference: str | None = None
    reference_set: str | None = None
    check: str | None = None
    script_breakdown: str | None = None
    shot_prompt: str | None = None
    consent: str | None = None
    performer: str | None = None
    enforcement: str | None = None
    cut: str | None = None
    storyboard: str | None = None
    golden_run: str | None = None
    endpoint: str | None = None


class EventData(Reply):
    event_id: UUID
    links: Links


class OfProduction(EventData):
    production_id: UUID
    shot_id: UUID | None
    external_ref: str | None = Field(description="Your tracker's own id, as you gave it")


class GenerationData(OfProduction):
    generation_id: UUID
    sequence: int = Field(description="Counts per generation, without gaps: a smaller one came earlier")
    state: str
    takes: dict[str, int] | None = Field(default=None, description="How many takes are in which state")
    sheet_media_id: UUID | None = None


class BatchData(EventData):
    batch_id: UUID
    production_id: UUID
    external_ref: str | None = Field(default=None, description="Of the batch, as you gave it")
    state: str = Field(description="running, paused, canceling, canceled or completed")
    generations: int
    takes: dict[str, int] | None = Field(default=None, description="How many takes are in which state")
    unknown_bills: int | None = Field(default=None, description="Takes of which nobody knows what they cost")


class HoldData(OfProduction):
    generation_id: UUID
    sequence: int = Field(description="Counts per generation, without gaps: a smaller one came earlier")
    hold_id: UUID
    take_id: UUID | None = Field(description="null: every take of the generation")
    reason: str
    rules: list[str] = Field(description="The rules, limits or findings behind it")
    released_by: list[str] = Field(description="Roles of which one is enough to release it")
    state: str


class PolicyNoticeData(OfProduction):
    generation_id: UUID
    sequence: int = Field(description="Counts per generation, without gaps: a smaller one came earlier")
    rules: list[str] = Field(description="`pack@version/rule`, of the rules that want this told")


class LabourActionData(EventData):
    production_id: UUID
    external_ref: str | None = Field(description="The production's, in your tracker")


class TakeData(OfProduction):
    generation_id: UUID
    sequence: int = Field(description="Counts per generation, without gaps: a smaller one came earlier")
    take_id: UUID
    take_number: int
    state: str
    code: str | None = Field(default=None, description="Why, when it failed or was filtered")
    media_id: UUID | None = None


class LanguageData(OfProduction):
    model: str
    state: str
    code: str | None = Field(description="Why, when it failed or was filtered")
    ai_generated: Literal[True] = Field(description="What it holds was written by AI")


class ScriptBreakdownData(LanguageData):
    script_breakdown_id: UUID


class ShotPromptData(LanguageData):
    shot_prompt_id: UUID


class FellBackData(TakeData):
    """`take_id` is the new take; the one it stands in for has ended."""

    retry_of: UUID
    model: str
    instead_of: str = Field(description="The model that couldn't make it")
    because: Because


class ModelEndingData(EventData):
    production_id: UUID
    external_ref: str | None = Field(description="The production's, in your tracker")
    model: str
    eol_on: date
    days_left: int
    successor: str | None
    how: list[Literal["locked", "chosen", "allowed", "fallback", "used"]] = Field(
        description="How the production hangs on it; `used`: in the past 90 days"
    )


class ChoiceBefore(Reply):
    model: str
    locked: bool
    fingerprint: str


class ModelChoiceData(EventData):
    production_id: UUID
    external_ref: str | None = Field(description="The production's, in your tracker")
    kind: str = Field(description="A generation's kind, or a language task")
    model: str | None = Field(
        description="null: the choice was given up, and the catalogue's default is asked"
    )
    locked: bool
    fingerprint: str | None = Field(description="Of the model's entry, as the production keeps it")
    before: ChoiceBefore | None


class VersionData(OfProduction):
    generation_id: UUID
    sequence: int = Field(description="Counts per generation, without gaps: a smaller one came earlier")
    version_id: UUID
    version: str = Field(description="v001")
    take_id: UUID
    state: str = Field(description="wip, wfa, retake, approved, on_hold or omitted")
    before: str | None = Field(description="The state that it had; null when it was submitted")


class DigestLine(Reply):
    role: str = Field(description="Of which one person is enough")
    kind: Literal["hold", "version", "consent"]
    count: int
    oldest_since: datetime
    oldest_hours: int


class DigestData(EventData):
    """What waits for people. What one of several roles may decide is counted under each."""

    waiting: list[DigestLine]


class MediaData(OfProduction):
    media_id: UUID
    role: str
    state: str
    code: str | None = Field(default=None, description="Why it was refused")


VerdictWord = Literal["pass", "fail", "needs_human", "not_assessable"]


class JudgedTakeData(EventData):
    """A take was judged for a check. Told once per check and take."""

    production_id: UUID
    shot_id: UUID | None
    external_ref: str | None = Field(default=None, description="Of the generation, as you gave it")
    generation_id: UUID | None = None
    sequence: int | None = Field(
        default=None, description="Counts per generation; null when it was judged apart from one"
    )
    check_id: UUID
    take_id: UUID
    media_id: UUID
    state: str = Field(description="judged, or unreadable")
    verdict: VerdictWord | None = Field(description="The gravest of its subjects'; null when unreadable")
    reasons: list[str]
    code: str | None = Field(default=None, description="Why it was unreadable")


class ReferenceData(EventData):
    """A picture was looked at as a reference. It carries nothing of what was seen but what is wrong."""

    production_id: UUID
    character_id: UUID
    look_id: UUID
    reference_set_id: UUID
    reference_id: UUID
    media_id: UUID
    external_ref: str | None = Field(description="Of the character, as you gave it")
    state: Literal["ready", "unusable"]
    findings: list[str] = Field(description="Codes; more stands at the reference")


class CheckData(EventData):
    production_id: UUID
    check_id: UUID
    generation_id: UUID | None = Field(description="Whose enforcement it judges for")
    external_ref: str | None = Field(description="Of the check, as you gave it")
    state: str
    verdict: VerdictWord | None = Field(description="The gravest of all; null until it is judged")
    waiting_for: str | None = Field(description="Why it waits: an evaluator that is down")
    code: str | None = Field(default=None, description="Why it failed")
    sheet_media_id: UUID | None = Field(description="The continuity sheet, once it is drawn")


class ExposureData(EventData):
    production_id: UUID
    shot_id: UUID | None = None
    take_id: UUID | None = Field(default=None, description="The take that was circled")
    cut_id: UUID | None = Field(default=None, description="The cut that counts now")
    limit_id: UUID
    scope: Literal["production", "sequence", "shot"]
    scope_id: UUID
    metric: Literal["share_of_shots", "screen_time", "frame_fraction"]
    action: Literal["warn", "hold", "block"]
    value: float = Field(description="What was set, 0 to 1")
    reading: float = Field(description="What it comes to, 0 to 1")


class BoardData(EventData):
    production_id: UUID
    storyboard_id: UUID
    storyboard_version: int = Field(description="What it shows")
    state: Literal["ready", "failed"]
    code: str | None = Field(description="Why it failed, or what a ready one lacks")
    panels: int
    media_id: UUID | None = Field(description="The PDF or the MP4")


class DrawingData(BoardData):
    drawing_id: UUID


class AnimaticData(BoardData):
    animatic_id: UUID
    timeline_media_id: UUID | None = Field(description="The OTIO file")


class EnforcementData(EventData):
    production_id: UUID
    shot_id: UUID | None
    generation_id: UUID
    enforcement_id: UUID
    external_ref: str | None = Field(default=None, description="Of the generation, as you gave it")
    sequence: int | None = Field(default=None, description="Counts per generation")
    check_id: UUID | None = None
    state: str = Field(description="passed, needs_review, failed or canceled")
    stop_reason: str | None
    best_take_id: UUID | None


class GoldenRunData(EventData):
    """A production's golden shots were made again."""

    production_id: UUID
    golden_run_id: UUID
    reason: Literal["requested", "choice_changed", "catalogue_changed", "scheduled"]
    model: str | None = Field(description="Made every shot instead of its own")
    state: Literal["succeeded", "failed"]
    verdict: Literal["unchanged", "drifted", "changed", "failed"] = Field(description="The gravest of all")
    counts: dict[str, int] = Field(description="How many shots have which verdict")
    code: str | None = Field(description="Why it failed, or has no sheet")
    sheet_media_id: UUID | None = Field(description="Old beside new, with the scores")


class BudgetData(EventData):
    """A budget passed a threshold. Amounts in US dollars, as they stood."""

    budget_id: UUID
    scope: BudgetScope
    production_id: UUID | None = Field(description="Of a production's or a shot's budget")
    shot_id: UUID | None
    soft_usd: Decimal | None
    hard_usd: Decimal | None
    spent_usd: Decimal
    unknown_usd: Decimal = Field(description="With a bill that nobody knows yet: it counts whole")
    reserved_usd: Decimal


class ConsentData(EventData):
    """It carries nothing of what the consent says but where it holds and until when."""

    consent_id: UUID
    performer_id: UUID
    production_ids: list[UUID]
    external_ref: str | None = Field(description="Of the consent, as you gave it")
    state: str
    ends_at: datetime | None = Field(description="When its term is over; null without one")


class DisabledData(EventData):
    endpoint_id: UUID
    reason: str


class TestData(EventData):
    endpoint_id: UUID


class ChallengeData(Reply):
    endpoint_id: UUID
    challenge: str = Field(
        description='Answer 2xx with this value as the body, as plain text or as JSON {"challenge": …}'
    )
    links: Links


T = TypeVar("T")


class WebhookMessage(BaseModel, Generic[T]):
    """A Standard Webhooks message. It carries ids, states and links, never a prompt, a note or a presigned URL."""

    type: str
    timestamp: datetime = Field(description="When it happened; the attempt's time is in webhook-timestamp")
    data: T
