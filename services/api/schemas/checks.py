"""Consistency checks on the wire."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from circletake.domain.consistency.words import Aspect, Reason, Verdict
from circletake.records.consistency import ConsistencyCheck
from circletake.usecases.find_checks import CheckView, MaterialView, ResultView
from circletake.usecases.plan_check import MAX_SUBJECTS, SubjectAsked
from circletake.usecases.request_check import CheckRequest
from circletake.usecases.resolve_material import MaterialAsked
from services.api.schemas.common import Body, ExternalRef, Reply, Text

MAX_ITEMS = 500

CheckState = Literal["queued", "running", "waiting", "succeeded", "failed", "canceled"]


class SubjectBody(Body):
    """A character to be found again."""

    character_id: UUID
    look_id: UUID | None = Field(
        default=None, description="Left out: the look that each shot's breakdown gives it, or its only one"
    )


class MaterialBody(Body):
    """One thing to look at: a take, a media file, a shot (its circled takes, or its newest one) or a sequence (all
    its shots, in the order of their codes)."""

    take_id: UUID | None = None
    media_id: UUID | None = None
    shot_id: UUID | None = None
    sequence_id: UUID | None = None
    expected: Annotated[list[UUID], Field(max_length=MAX_SUBJECTS)] | None = Field(
        default=None,
        description="The characters that must be in it. Left out: those of the shot's breakdown; in a check of one"
        " character, that one, except in the shots of a sequence whose breakdown doesn't name it, which are skipped."
        " Whoever isn't expected and isn't found is no failure.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        named = [self.take_id, self.media_id, self.shot_id, self.sequence_id]
        if sum(each is not None for each in named) != 1:
            raise ValueError("name exactly one of take_id, media_id, shot_id and sequence_id")
        return self


class SamplingBody(Body):
    """Which frames of a video are looked at."""

    mode: Literal["every", "adaptive"] = Field(
        default="adaptive", description="every n-th frame; or few first, more where the score falls"
    )
    every: Annotated[int, Field(ge=1, le=100_000)] = Field(default=12, description="n, for mode `every`")
    first: Annotated[int, Field(ge=1, le=100)] = Field(default=3, description="To begin with, when adaptive")
    max_frames: Annotated[int, Field(ge=1, le=200)] = 24


class CheckBody(Body):
    """Is this still them? Characters, in their approved looks, against takes, files, shots or a whole sequence."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "production_id": "0193a1f0-0000-7000-8000-000000000001",
                    "subjects": [{"character_id": "0193a1f0-0000-7000-8000-000000000002"}],
                    "material": [{"sequence_id": "0193a1f0-0000-7000-8000-000000000003"}],
                }
            ]
        }
    )

    production_id: UUID
    subjects: Annotated[list[SubjectBody], Field(min_length=1, max_length=MAX_SUBJECTS)]
    material: Annotated[list[MaterialBody], Field(min_length=1, max_length=MAX_ITEMS)] = Field(
        description="In story order"
    )
    sampling: SamplingBody = SamplingBody()
    evaluators: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=8)] = Field(
        default_factory=list,
        description="name@version; left out: the offline one, which finds the characters",
    )
    second_opinion: Annotated[str, Field(max_length=256)] | None = Field(
        default=None,
        description="A judge model's id, asked about what stays `needs_human`; see `GET /v1/models`. It is paid for.",
    )
    profile_id: UUID | None = Field(
        default=None, description="Left out: the most specific profile of the production"
    )
    statistic: Literal["minimum", "p05", "median"] | None = Field(
        default=None, description="What stands for a take of several frames; the profile's when left out"
    )
    external_ref: ExternalRef | None = None

    def to_request(self) -> CheckRequest:
        return CheckRequest(
            production_id=self.production_id,
            subjects=[SubjectAsked(each.character_id, each.look_id) for each in self.subjects],
            materials=[
                MaterialAsked(
                    take_id=each.take_id,
                    media_id=each.media_id,
                    shot_id=each.shot_id,
                    sequence_id=each.sequence_id,
                    expected=each.expected,
                )
                for each in self.material
            ],
            sampling=self.sampling.model_dump(),
            evaluators=self.evaluators,
            second_opinion=self.second_opinion,
            profile_id=self.profile_id,
            statistic=self.statistic,
            external_ref=self.external_ref,
        )


class CheckSummary(Reply):
    """A check as lists show it."""

    id: UUID
    production_id: UUID
    generation_id: UUID | None = Field(description="Of the enforcement it serves")
    state: CheckState = Field(
        description="`waiting`: an evaluator is down; it is asked again. Nothing passes meanwhile."
    )
    waiting_for: str | None
    verdict: Verdict | None = Field(description="The gravest of what was found; null until all is judged")
    external_ref: str | None
    created_at: datetime
    judged_at: datetime | None
    finished_at: datetime | None = Field(description="When the continuity sheet is there too")
    sheet_media_id: UUID | None = Field(description="The continuity sheet, JPEG")
    sheet_pdf_media_id: UUID | None
    failure_code: str | None

    @staticmethod
    def fields_of(check: ConsistencyCheck) -> dict[str, Any]:
        return {name: getattr(check, name) for name in CheckSummary.model_fields}


class CheckedSubjectReply(Reply):
    character_id: UUID
    look_id: UUID | None


class CheckReply(CheckSummary):
    subjects: list[CheckedSubjectReply]
    material: dict[str, int] = Field(description="Files by state: queued, judged, unreadable")
    sampling: dict[str, Any]
    evaluators: list[str]
    second_opinion: str | None
    profile: dict[str, Any] = Field(
        description="As it was at acceptance: thresholds per aspect and shot size, the prior, whether provisional"
    )
    summary: dict[str, Any] = Field(
        description="Across the shots, per character: likeness, self-consistency, breaks by aspect, outliers, slow"
        " drift, pairs that cut together; what was skipped or couldn't be read"
    )
    cost_usd: Decimal = Field(
        description="Of the models that were asked; the offline evaluator costs nothing"
    )
    ledger_entry_id: UUID | None

    @classmethod
    def of_view(cls, view: CheckView) -> "CheckReply":
        check = view.check
        return cls(
            **cls.fields_of(check),
            subjects=[
                CheckedSubjectReply(character_id=each.character_id, look_id=each.look_id)
                for each in view.subjects
            ],
            material=view.materials,
            sampling=check.sampling,
            evaluators=check.evaluators,
            second_opinion=check.second_opinion,
            profile=check.profile,
            summary=check.summary,
            cost_usd=Decimal(view.cost_usd),
            ledger_entry_id=check.ledger_entry_id,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class JudgedReply(Reply):
    """One character in one file. Scores are probabilities that it is the same, at the profile's prior."""

    character_id: UUID
    look_id: UUID
    reference_set_id: UUID
    verdict: Verdict
    score: float | None = Field(description="Of the worst aspect that counts, by the profile's statistic")
    scores: dict[Aspect, float]
    reasons: list[Reason]
    broken: list[Aspect]
    worst_frame: int | None
    shot_size: str | None
    drift_curve: list[tuple[int, float | None]] = Field(description="(frame, score)")
    frames: list[dict[str, Any]] | None = Field(
        description="With `frames=true`: per frame the box, face size, scores and reasons"
    )
    evaluators: list[str]
    provisional: bool
    second_opinion: dict[str, Any] | None
    differences: list[dict[Aspect, Annotated[str, Text]]] | None = Field(
        description="What the second opinion saw, in its words"
    )

    @classmethod
    def of(cls, view: ResultView, *, frames: bool) -> "JudgedReply":
        judgement, body = view.judgement, view.judgement.body
        return cls(
            character_id=judgement.character_id,
            look_id=judgement.look_id,
            reference_set_id=judgement.reference_set_id,
            verdict=Verdict(judgement.verdict),
            score=judgement.score,
            scores={Aspect(name): p for name, p in judgement.scores.items()},
            reasons=[Reason(each) for each in judgement.reasons],
            broken=[Aspect(each) for each in body.get("broken", [])],
            worst_frame=judgement.worst_frame,
            shot_size=body.get("shot_size"),
            drift_curve=[(at, p) for at, p in body.get("drift_curve", [])],
            frames=judgement.frames if frames else None,
            evaluators=judgement.evaluators,
            provisional=bool(body.get("provisional", True)),
            second_opinion=judgement.opinion,
            differences=None if view.differences is None else json.loads(view.differences),
        )


class MaterialReply(Reply):
    """One file of a check."""

    position: int
    media_id: UUID
    take_id: UUID | None
    shot_id: UUID | None
    state: Literal["queued", "judged", "unreadable"]
    problem_code: str | None
    problem_detail: str | None
    expected: list[UUID] | None
    results: list[JudgedReply]

    @classmethod
    def of(cls, view: MaterialView, *, frames: bool) -> "MaterialReply":
        material = view.material
        return cls(
            position=material.position,
            media_id=material.media_id,
            take_id=material.take_id,
            shot_id=material.shot_id,
            state=material.state,
            problem_code=material.problem_code,
            problem_detail=material.problem_detail,
            expected=None if material.expected is None else [UUID(each) for each in material.expected],
            results=[JudgedReply.of(each, frames=frames) for each in view.results],
        )
