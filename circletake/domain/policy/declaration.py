"""What a request says of its use: for which stage, where it will be seen, and what is in it.

The questions are those that buyers ask of every use of generative models (Netflix, Using Generative AI in Content
Production, August 2025: final deliverables, talent likeness, personal data, third-party material, story-critical
elements, content that could mislead) and that laws ask of advertising (New York, S.8420-A).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class DeliverableStage(StrEnum):
    TEMP = "temp"  # temporary media: nothing of it is delivered
    FINAL = "final"  # it may be part of a deliverable


class IntendedUse(StrEnum):
    PRODUCTION = "production"
    MARKETING = "marketing"
    ADVERTISING = "advertising"


@dataclass(frozen=True, slots=True)
class UseDeclaration:
    """What isn't declared is None: "not said", which is not "no". Rules can ask for it."""

    deliverable_stage: DeliverableStage | None = None
    intended_use: IntendedUse | None = None
    involves_talent_likeness: bool | None = None
    involves_personal_data: bool | None = None
    third_party_ip: bool | None = None
    story_critical: bool | None = None
    could_mislead: bool | None = None
    ai_text: bool | None = None  # it rests on a script, an outline or a storyboard that AI made
    media: tuple[str, ...] | None = None  # where it will be shown; "*": anywhere
    territory: tuple[str, ...] | None = None  # countries by their two letters; "*": worldwide

    def stored(self) -> dict[str, Any]:
        """What was said, as JSON; what wasn't is left out."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `stored` gave."""
        said = dict(stored)
        if "deliverable_stage" in said:
            said["deliverable_stage"] = DeliverableStage(said["deliverable_stage"])
        if "intended_use" in said:
            said["intended_use"] = IntendedUse(said["intended_use"])
        for name in ("media", "territory"):
            if name in said:
                said[name] = tuple(said[name])
        return cls(**said)
