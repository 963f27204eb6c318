"""Golden shots and their runs on the wire."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, model_validator

from circletake.domain.golden.verdict import SEEDED, UNSEEDED, GoldenAspect, GoldenVerdict
from circletake.domain.kinds import Kind
from circletake.records.golden import GoldenRun
from circletake.usecases.golden.draw_run import words_of
from circletake.usecases.golden.find_runs import ResultView, RunView
from circletake.usecases.golden.keep_golden import GoldenView, NewGolden
from circletake.usecases.golden.plan_run import PlannedGolden, RunScope
from circletake.usecases.golden.rules import GoldenRulesView
from circletake.usecases.golden.start_run import GoldenQuote
from services.api.schemas.common import Body, Reply, ShortText

Likeness = Annotated[float, Field(strict=True, ge=0, le=1)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=12, decimal_places=4)]
ModelId = Annotated[ShortText, Field(max_length=300)]


class GoldenThresholdBody(Body):
    """From `unchanged_from` on an aspect is unchanged, below `changed_below` it is changed, in between drifted."""

    unchanged_from: Likeness
    changed_below: Likeness

    @model_validator(mode="after")
    def _in_order(self) -> "GoldenThresholdBody":
        if self.changed_below > self.unchanged_from:
            raise ValueError("changed_below may not lie above unchanged_from")
        return self


class GoldenShotBody(Body):
    take_id: UUID = Field(description="A succeeded take of this production, best a circled one")
    name: ShortText = Field(description="What people call it on the sheet; kept encrypted")
    aspects: list[GoldenAspect] = Field(
        default=[], max_length=len(GoldenAspect), description="Those that count; empty: all that apply"
    )
    thresholds: dict[GoldenAspect, GoldenThresholdBody] = Field(
        default={}, description="Instead of the shipped ones, aspect by aspect"
    )

    def to_golden(self) -> NewGolden:
        return NewGolden(
            take_id=self.take_id,
            name=self.name,
            aspects=set(self.aspects),
            thresholds={aspect.value: each.model_dump() for aspect, each in self.thresholds.items()},
        )


class GoldenThresholdReply(Reply):
    unchanged_from: float
    changed_below: float


class GoldenShotReply(Reply):
    """An approved take that is made again whenever a run asks for it."""

    id: UUID
    production_id: UUID
    shot_id: UUID | None
    generation_id: UUID = Field(description="Its request stays there")
    take_id: UUID
    media_id: UUID = Field(description="The approved picture")
    name: str
    kind: Kind
    model: str = Field(description="That made it")
    fingerprint: str = Field(description="Of that model's entry in the catalogue, then")
    seed: int | None
    judged_by: Literal["pixels", "look"] = Field(
        description="pixels: the same seed must give the same picture; look: the model takes no seed, so only colour,"
        " texture and faces count"
    )
    aspects: list[GoldenAspect]
    thresholds: dict[GoldenAspect, GoldenThresholdReply] = Field(description="In force")
    created_by: UUID
    created_at: datetime
    retired_at: datetime | None
    retired_by: UUID | None

    @classmethod
    def of(cls, view: GoldenView) -> "GoldenShotReply":
        golden = view.golden
        shipped = UNSEEDED if golden.seed is None else SEEDED
        thresholds = {
            aspect: GoldenThresholdReply(unchanged_from=each.unchanged_from, changed_below=each.changed_below)
            for aspect, each in shipped.items()
        } | {GoldenAspect(aspect): GoldenThresholdReply(**each) for aspect, each in golden.thresholds.items()}
        return cls(
            id=golden.id,
            production_id=golden.production_id,
            shot_id=golden.shot_id,
            generation_id=golden.generation_id,
            take_id=golden.take_id,
            media_id=golden.media_id,
            name=view.name,
            kind=Kind(golden.kind),
            model=golden.model_id,
            fingerprint=golden.fingerprint,
            seed=golden.seed,
            judged_by="look" if golden.seed is None else "pixels",
            aspects=[GoldenAspect(each) for each in golden.aspects],
            thresholds=thresholds,
            created_by=golden.created_by,
            created_at=golden.created_at,
            retired_at=golden.retired_at,
            retired_by=golden.retired_by,
        )


class GoldenScopeBody(Body):
    """Which golden shots, and which model. Nothing given: all of the production, each by its own model."""

    model: ModelId | None = Field(
        default=None,
        description="Makes every shot instead of its own model: try a model or a version before you choose it. Also one"
        " that the production hasn't chosen",
    )
    kinds: list[Kind] = Field(default=[], max_length=len(Kind), description="Empty: all")
    golden_shot_ids: list[UUID] = Field(default=[], max_length=100, description="Empty: all")

    def scope(self) -> RunScope:
        return RunScope(
            self.model,
            [each.value for each in self.kinds],
            golden_ids=list(self.golden_shot_ids),
            newest=self.model is not None,
        )


class GoldenRunBody(GoldenScopeBody):
    max_usd: Usd | None = Field(
        default=None, description="409 `over_cap` where the run would cost more; see its quote"
    )


class GoldenQuoteShot(Reply):
    golden_shot_id: UUID
    model: str
    usd: Decimal
    code: str | None = Field(description="Why it can't be made now; then it costs nothing")

    @classmethod
    def of_planned(cls, planned: PlannedGolden) -> "GoldenQuoteShot":
        return cls(
            golden_shot_id=planned.golden.id,
            model=planned.model,
            usd=planned.usd,
            code=planned.refused.code if planned.refused else None,
        )


class GoldenQuoteReply(Reply):
    """What a run would cost. Nothing is recorded, reserved or sent."""

    currency: Literal["USD"] = "USD"
    total: Decimal
    unconfirmed: bool = Field(description="A price in it has no confirmation by the provider")
    shots: list[GoldenQuoteShot]

    @classmethod
    def of_quote(cls, quote: GoldenQuote) -> "GoldenQuoteReply":
        return cls(
            total=quote.total,
            unconfirmed=quote.unconfirmed,
            shots=[GoldenQuoteShot.of_planned(each) for each in quote.planned],
        )


class GoldenAspectReply(Reply):
    aspect: GoldenAspect
    score: float = Field(description="0 to 1, 1 for the same")
    verdict: GoldenVerdict
    unchanged_from: float
    changed_below: float


class GoldenResultReply(Reply):
    """One golden shot in a run: what was made, and how far it is from what was approved."""

    golden_shot_id: UUID
    name: str
    kind: Kind
    model: str = Field(description="That was asked now")
    model_before: str
    fingerprint_changed: bool = Field(description="The catalogue says something else of the model than then")
    old_media_id: UUID
    generation_id: UUID | None
    take_id: UUID | None
    new_media_id: UUID | None
    verdict: GoldenVerdict | None = Field(description="null until it is judged")
    judged_by: Literal["pixels", "look"]
    identical: bool | None = Field(description="Every decoded pixel is the same")
    psnr_db: float | None
    aspects: list[GoldenAspectReply]
    reasons: list[str] = Field(description="The aspects that aren't unchanged; size; length")
    words: list[str] = Field(description="The same as sentences")
    code: str | None = Field(description="Why there is nothing to judge")
    estimate_usd: Decimal

    @classmethod
    def of_view(cls, view: ResultView) -> "GoldenResultReply":
        result, golden = view.result, view.golden
        scores: dict[str, Any] = result.scores
        judged = result.verdict is not None
        return cls(
            golden_shot_id=golden.id,
            name=view.name,
            kind=Kind(golden.kind),
            model=result.model_id,
            model_before=golden.model_id,
            fingerprint_changed=result.model_id == golden.model_id
            and result.fingerprint not in {None, golden.fingerprint},
            old_media_id=golden.media_id,
            generation_id=result.generation_id,
            take_id=result.take_id,
            new_media_id=result.media_id,
            verdict=GoldenVerdict(result.verdict) if result.verdict else None,
            judged_by=scores.get("judged_by", "pixels" if result.seeded else "look"),
            identical=scores.get("identical"),
            psnr_db=scores.get("psnr_db"),
            aspects=[GoldenAspectReply(**each) for each in scores.get("aspects", ())],
            reasons=list(result.reasons),
            words=list(words_of(view)) if judged else [],
            code=result.failure_code,
            estimate_usd=result.estimate_usd,
        )


class GoldenRunSummary(Reply):
    id: UUID
    production_id: UUID
    reason: Literal["requested", "choice_changed", "catalogue_changed", "scheduled"]
    model: str | None = Field(description="Made every shot instead of its own")
    kinds: list[Kind]
    state: Literal["queued", "making", "judging", "succeeded", "failed"]
    verdict: GoldenVerdict | None = Field(description="The gravest of its shots'")
    counts: dict[str, int] = Field(description="How many shots have which verdict")
    max_usd: Decimal | None
    estimate_usd: Decimal | None = Field(description="null until a run that began by itself is planned")
    requested_by: UUID | None = Field(description="The API key")
    requested_by_person: UUID | None = Field(description="Neither: it began by itself")
    sheet_media_id: UUID | None = Field(description="Old beside new, where they differ, the scores; signed")
    code: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of_run(cls, run: GoldenRun) -> "GoldenRunSummary":
        return cls(**run_fields(run))


class GoldenRunReply(GoldenRunSummary):
    results: list[GoldenResultReply]

    @classmethod
    def of_view(cls, view: RunView) -> "GoldenRunReply":
        return cls(**run_fields(view.run), results=[GoldenResultReply.of_view(each) for each in view.results])


def run_fields(run: GoldenRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "production_id": run.production_id,
        "reason": run.reason,
        "model": run.model_id,
        "kinds": run.kinds,
        "state": run.state,
        "verdict": run.verdict,
        "counts": run.counts,
        "max_usd": run.max_usd,
        "estimate_usd": run.estimate_usd,
        "requested_by": run.requested_by,
        "requested_by_person": run.requested_by_person,
        "sheet_media_id": run.sheet_media_id,
        "code": run.failure_code,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }


class GoldenRulesBody(Body):
    """All of the rules at once."""

    on_change: StrictBool = Field(
        description="Run when the production's choice of a model changes, and when the catalogue's entry of a model does"
    )
    every_days: Annotated[int, Field(strict=True, ge=1, le=366)] | None = Field(
        default=None,
        description="Run on a schedule too: a version that a provider swaps behind the same id shows nowhere else",
    )
    golden_max_usd: Usd = Field(description="What one run may cost at most; shots beyond it aren't made")


class GoldenRulesReply(Reply):
    """When a production's golden shots are made again by themselves. Version 0: never, nobody set rules."""

    on_change: bool
    every_days: int | None
    golden_max_usd: Decimal | None
    next_at: datetime | None = Field(description="When the schedule runs next")
    changed_by: UUID | None
    changed_at: datetime | None
    version: int

    @classmethod
    def of_view(cls, view: GoldenRulesView) -> "GoldenRulesReply":
        return cls(
            on_change=view.on_change,
            every_days=view.every_days,
            golden_max_usd=view.max_usd,
            next_at=view.next_at,
            changed_by=view.changed_by,
            changed_at=view.changed_at,
            version=view.version,
        )


def shots_of(views: Sequence[GoldenView]) -> list[GoldenShotReply]:
    return [GoldenShotReply.of(view) for view in views]
