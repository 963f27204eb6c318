"""Enforcements on the wire."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.consistency.words import Verdict
from circletake.domain.takes import TakeState
from circletake.records.consistency import Enforcement, EnforcementAttempt
from circletake.records.generations import Take
from circletake.usecases.find_enforcements import EnforcementView
from services.api.schemas.common import Reply
from services.api.schemas.consistency import ConsistencyBody, RungReply, UnsupportedRung

EnforcementState = Literal["running", "passed", "needs_review", "failed", "canceled"]


class EnforcementBody(ConsistencyBody):
    """Have the takes of a generation judged, and more made until one passes. Its takes so far are attempts too."""

    generation_id: UUID


class EnforcementAttemptReply(Reply):
    """One take: what was changed, why, and what came of it."""

    number: int
    take_id: UUID
    take_number: int
    state: TakeState
    rung: str = Field(description="`first` for a take as it was asked for, else a rung of the ladder")
    changed: dict[str, Any] = Field(
        description="Model, kind, inputs, controls, region and seed, where they differ"
    )
    improves_take_id: UUID | None = Field(description="The take it was to improve")
    because: list[str] = Field(description="Reasons found in that take")
    verdict: Verdict | None
    scores: dict[str, float] = Field(description="Per aspect, the lowest of all subjects; probabilities")
    broken: list[str] = Field(description="The aspects that failed")
    reasons: list[str]
    subjects: list[dict[str, Any]] = Field(description="The same per character, with the box it was found in")
    judged_at: datetime | None
    billed: str | None
    cost_usd: Decimal | None
    estimate_usd: Decimal
    media_id: UUID | None

    @classmethod
    def of(cls, attempt: EnforcementAttempt, take: Take) -> "EnforcementAttemptReply":
        scores = attempt.scores
        return cls(
            number=attempt.number,
            take_id=take.id,
            take_number=take.number,
            state=TakeState(take.state),
            rung=attempt.rung,
            changed={name: value for name, value in attempt.changed.items() if name != "controls_report"},
            improves_take_id=attempt.why.get("improves"),
            because=attempt.why.get("because", []),
            verdict=Verdict(attempt.verdict) if attempt.verdict else None,
            scores=scores.get("aspects", {}),
            broken=scores.get("broken", []),
            reasons=attempt.reasons,
            subjects=scores.get("subjects", []),
            judged_at=attempt.judged_at,
            billed=take.billed,
            cost_usd=take.cost_usd,
            estimate_usd=take.estimate_usd,
            media_id=take.media_id,
        )


class EnforcementSummary(Reply):
    """An enforcement as lists show it."""

    id: UUID
    generation_id: UUID
    check_id: UUID = Field(
        description="The consistency check that judges its takes, with the continuity sheet"
    )
    state: EnforcementState
    stop_reason: str | None = Field(
        description="passed, needs_human, not_judged, no_rung_can_help, attempts_used_up, cost_cap, deadline, canceled"
    )
    best_take_id: UUID | None
    max_attempts: int
    max_cost_usd: Decimal
    deadline: datetime | None
    on_exhausted: str
    on_needs_human: str
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def fields_of(row: Enforcement) -> dict[str, Any]:
        named = {name: getattr(row, name) for name in EnforcementSummary.model_fields if name != "deadline"}
        return {**named, "deadline": row.deadline_at}

    @classmethod
    def of(cls, row: Enforcement) -> "EnforcementSummary":
        return cls(**cls.fields_of(row))


class EnforcementReply(EnforcementSummary):
    production_id: UUID
    detail: str | None = Field(description="Why it stopped, in words")
    ladder: list[RungReply] = Field(description="The rungs that are served, as they were at acceptance")
    unsupported: list[UnsupportedRung]
    approved_media_id: UUID | None = Field(description="What `image_to_image` and `keyframe` start from")
    attempts: list[EnforcementAttemptReply]
    in_flight: int = Field(description="Takes that are being made or judged")
    spent_usd: Decimal = Field(description="Owed for certain, with what models that judge cost")
    at_most_usd: Decimal = Field(
        description="With what is in flight and what nobody knows; never above the cap"
    )
    judging_usd: Decimal = Field(description="Of that, what models that judge may have cost")

    @classmethod
    def of_view(cls, view: EnforcementView) -> "EnforcementReply":
        row = view.enforcement
        return cls(
            **cls.fields_of(row),
            production_id=view.production_id,
            detail=row.options.get("detail"),
            ladder=[RungReply.of(each) for each in row.ladder],
            unsupported=[UnsupportedRung.of(each) for each in row.unsupported],
            approved_media_id=row.options.get("approved_media_id"),
            attempts=[EnforcementAttemptReply.of(attempt, take) for attempt, take in view.attempts],
            in_flight=view.in_flight,
            spent_usd=view.charged,
            at_most_usd=view.at_most,
            judging_usd=view.judging,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()
