"""What generations and enforcements say alike of consistency: the caps and the ladder."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.consistency.enforcing import OnExhausted, OnNeedsHuman
from circletake.domain.consistency.ladders import Rung
from circletake.domain.kinds import Kind
from circletake.usecases.plan_check import MAX_SUBJECTS, SubjectAsked
from circletake.usecases.plan_enforcement import MAX_ATTEMPTS, MAX_OTHER_MODELS, EnforcementRequest
from services.api.schemas.checks import SamplingBody, SubjectBody
from services.api.schemas.common import Body, Moment, Reply


class ConsistencyBody(Body):
    """Whom every take has to show, and how far to go until one does."""

    subjects: Annotated[list[SubjectBody], Field(min_length=1, max_length=MAX_SUBJECTS)]
    max_attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = Field(
        description="Takes at most, those of the generation itself included"
    )
    max_cost_usd: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=6)] = Field(
        description="Spent at most on all takes and on models that judge; in flight and unknown bills count whole"
    )
    rungs: Annotated[list[Rung], Field(min_length=1, max_length=len(Rung))] | None = Field(
        default=None,
        description="The strategy, in this order. Left out: all, what promises most for what failed first",
    )
    deadline: Moment | None = Field(default=None, description="No take is started after it")
    on_exhausted: OnExhausted = Field(
        default=OnExhausted.KEEP_BEST_FOR_REVIEW,
        description="When no take passed and none may be made any more",
    )
    on_needs_human: OnNeedsHuman = Field(
        default=OnNeedsHuman.REVIEW, description="A take near its threshold: stop and show it, or go on"
    )
    other_models: (
        Annotated[list[Annotated[str, Field(max_length=2048)]], Field(max_length=MAX_OTHER_MODELS)] | None
    ) = Field(
        default=None,
        description="For the rung `other_model`, in this order; left out: every live model of the kind",
    )
    approved_frame_media_id: UUID | None = Field(
        default=None,
        description="The picture that `image_to_image` and `keyframe` start from. Left out: a circled take of this shot,"
        " or else, with one subject, a reference of its look",
    )
    sampling: SamplingBody = SamplingBody()
    evaluators: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=8)] = Field(
        default_factory=list, description="name@version; left out: the offline one"
    )
    second_opinion: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="A judge model's id, asked about what stays `needs_human`. It is paid for."
    )
    profile_id: UUID | None = Field(default=None, description="Left out: the most specific of the production")
    statistic: Literal["minimum", "p05", "median"] | None = None

    def to_request(self) -> EnforcementRequest:
        return EnforcementRequest(
            subjects=[SubjectAsked(each.character_id, each.look_id) for each in self.subjects],
            max_attempts=self.max_attempts,
            max_cost_usd=self.max_cost_usd,
            rungs=None if self.rungs is None else list(dict.fromkeys(self.rungs)),
            deadline_at=self.deadline,
            on_exhausted=self.on_exhausted,
            on_needs_human=self.on_needs_human,
            other_models=self.other_models,
            approved_frame_media_id=self.approved_frame_media_id,
            profile_id=self.profile_id,
            statistic=self.statistic,
            sampling=self.sampling.model_dump(),
            evaluators=self.evaluators,
            second_opinion=self.second_opinion,
        )


class RungReply(Reply):
    """One way to make a take again that a model really serves."""

    rung: Rung
    model: str
    kind: Kind = Field(description="What the take is asked for as: a region is repainted as an `element`")
    cost_usd: Decimal = Field(description="Of one take at most")

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "RungReply":
        return cls(rung=stored["rung"], model=stored["model"], kind=stored["kind"], cost_usd=stored["cost"])


class UnsupportedRung(Reply):
    """A rung that was asked for and that nobody serves here. It is not tried."""

    rung: Rung
    why: str

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "UnsupportedRung":
        return cls(rung=stored["rung"], why=stored["why"])
