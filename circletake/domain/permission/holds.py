"""Holds: a request that is accepted and not run, why, and which people may let it go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from circletake.domain.people import Role


class HoldReason(StrEnum):
    AWAITING_CONSENT = "awaiting_consent"  # a consent that covered it lapsed or was revoked
    AWAITING_APPROVAL = "awaiting_approval"  # a policy pack's rule asks for a person
    UNDECLARED_LIKENESS = "undeclared_likeness"  # a face that no declared character accounts for
    EXPOSURE_LIMIT = "exposure_limit"
    BUDGET = "budget"
    LABOUR_ACTION = "labour_action"  # the production's switch


class HoldState(StrEnum):
    OPEN = "open"
    RELEASED = "released"  # a person let it go
    DECLINED = "declined"  # a person refused: what waited is canceled
    LIFTED = "lifted"  # its cause is gone, or what waited has ended


RELEASED_BY: Mapping[HoldReason, frozenset[Role]] = {
    HoldReason.AWAITING_CONSENT: frozenset({Role.RIGHTS_CLEARANCE_MANAGER}),
    HoldReason.AWAITING_APPROVAL: frozenset({Role.APPROVER}),
    HoldReason.UNDECLARED_LIKENESS: frozenset({Role.RIGHTS_CLEARANCE_MANAGER}),
    HoldReason.EXPOSURE_LIMIT: frozenset({Role.APPROVER}),
    HoldReason.BUDGET: frozenset({Role.PRODUCTION_MANAGER}),
    HoldReason.LABOUR_ACTION: frozenset({Role.PRODUCTION_MANAGER}),
}


@dataclass(frozen=True, slots=True)
class HoldLine:
    """One rule, limit or finding behind a hold, with the sentence that says why."""

    rule: str
    says: str


@dataclass(frozen=True, slots=True)
class NewHold:
    """A hold that has to be opened. `details` are ids and numbers, never content.

    `released_by`: roles of which one is enough; empty means those of the reason.
    """

    reason: HoldReason
    lines: tuple[HoldLine, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    released_by: frozenset[Role] = frozenset()

    @property
    def roles(self) -> frozenset[Role]:
        return self.released_by or RELEASED_BY[self.reason]


def first_reason(reasons: Iterable[str]) -> HoldReason | None:
    """The one that is shown on a take: what takes longest to settle comes first, in the order of `HoldReason`."""
    given = set(reasons)
    return next((reason for reason in HoldReason if reason.value in given), None)
