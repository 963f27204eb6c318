"""Consistency profiles on the wire: how strictly, by which numbers, and where those come from."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field

from circletake.domain.consistency.calibration import Calibration
from circletake.domain.consistency.profiles import Profile, Statistic
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import Aspect, CharacterKind, ShotSize
from circletake.records.consistency import ConsistencyProfile
from circletake.usecases.keep_profiles import LEARNT, Scope, effective
from services.api.schemas.common import Body, Reply

Probability = Annotated[float, Field(gt=0, lt=1)]
SCOPE = {"character_id", "shot_size", "keep_learnt"}


class ThresholdBody(Body):
    """Probabilities: below fail_below it fails, from pass_from it passes, between them a person looks."""

    fail_below: Probability
    pass_from: Probability


class ProfileBody(Body):
    """Where it differs from the shipped profile; everything left out stays as shipped."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "shot_size": "CU",
                    "thresholds": {"face": {"fail_below": 0.3, "pass_from": 0.7}},
                    "statistic": "minimum",
                }
            ]
        }
    )

    character_id: UUID | None = Field(default=None, description="Whom it is for; everybody when left out")
    shot_size: ShotSize | None = Field(default=None, description="For which framing; all when left out")
    thresholds: dict[Aspect, ThresholdBody] = Field(default={}, description="By aspect")
    statistic: Statistic | None = Field(default=None, description="What stands for a take of several frames")
    min_face_px: Annotated[float, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Faces with less between the eyes aren't judged"
    )
    copy_ceiling: Annotated[float, Field(gt=0, le=10)] | None = Field(
        default=None, description="From there on a pasted reference is suspected"
    )
    prior: Probability | None = Field(
        default=None, description="At which share of right characters the probabilities hold"
    )
    band: Annotated[float, Field(ge=0, le=10)] | None = Field(
        default=None, description="Least half-width of the zone around a threshold, in log-odds"
    )
    min_coverage: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Least share of a take's frames that must show the identity for a pass"
    )
    counts: dict[CharacterKind, Annotated[list[Aspect], Field(min_length=1, max_length=6)]] = Field(
        default={}, description="Which aspects decide, by kind; the first carries the identity"
    )
    keep_learnt: bool = Field(
        default=True, description="Keep what a refit of the version before learnt from your decisions"
    )

    def overrides(self) -> dict[str, Any]:
        given = self.model_dump(mode="json", exclude_unset=True, exclude=SCOPE)
        return {name: value for name, value in given.items() if value not in (None, {})}

    def scope(self, production_id: UUID) -> Scope:
        return Scope(production_id, self.character_id, self.shot_size)


class SourceReply(Reply):
    """Where the numbers of one evaluator and aspect come from."""

    evaluator: str
    aspect: Aspect
    calibration: str
    source: str
    provisional: bool = Field(description="true: shipped; nobody has held it against this production")

    @classmethod
    def of(cls, calibration: Calibration, learnt: bool) -> "SourceReply":
        refit = ", then refit on this production's decisions" if learnt else ""
        return cls(
            evaluator=str(calibration.evaluator),
            aspect=calibration.aspect,
            calibration=calibration.id,
            source=calibration.source + refit,
            provisional=calibration.provisional and not learnt,
        )


class DefaultProfileReply(Reply):
    """What holds where no profile says otherwise."""

    profile: dict[str, Any] = Field(description="Every value in force")
    provisional: bool
    sources: list[SourceReply]

    @classmethod
    def of_rules(cls, rules: JudgingRules) -> "DefaultProfileReply":
        profile = rules.default_profile
        return cls(profile=_shown(profile), provisional=profile.provisional, sources=_sources(rules, profile))


class ProfileReply(Reply):
    """One version of a profile. It never changes: a change makes the next version."""

    id: UUID
    production_id: UUID
    character_id: UUID | None
    shot_size: ShotSize | None
    version: int
    overrides: dict[str, Any] = Field(description="Where it differs from the shipped profile")
    profile: dict[str, Any] = Field(description="Every value in force")
    provisional: bool = Field(
        description="false once a refit has held the aspect that carries the identity against your decisions"
    )
    fitted: dict[str, Any] | None = Field(
        description="What a refit learnt from: decisions, and per aspect slope and threshold with 95 % intervals,"
        " AUC, balanced calibration error and Brier score; not_fitted: what was missing"
    )
    sources: list[SourceReply]
    created_by: UUID | None = Field(description="The API key; null when a person did")
    created_by_person: UUID | None
    created_at: datetime
    retired_at: datetime | None = Field(description="Since then another version, or the wider profile, holds")

    @classmethod
    def of(cls, rules: JudgingRules, row: ConsistencyProfile) -> "ProfileReply":
        profile = effective(rules, row)
        plain = cls.model_fields.keys() - {"overrides", "profile", "sources"}
        return cls(
            **{name: getattr(row, name) for name in plain},
            overrides={name: value for name, value in row.body.items() if name not in {*LEARNT, "by_size"}},
            profile=_shown(profile),
            sources=_sources(rules, profile),
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


def _shown(profile: Profile) -> dict[str, Any]:
    hidden = {"id", "version", "provisional"}
    return {name: value for name, value in profile.as_json().items() if name not in hidden}


def _sources(rules: JudgingRules, profile: Profile) -> list[SourceReply]:
    return [
        SourceReply.of(each, each.aspect in profile.learnt) for each in rules.calibrations.entries.values()
    ]
