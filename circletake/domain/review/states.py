"""The states of a version, who may change them, and what an approval needs.

The states are the field's: Kitsu's `wip wfa retake`, with AYON's approved, on hold and omitted. `wfa`, waiting for
approval, is where a version is looked at.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from circletake.domain.people import Role, named


class VersionState(StrEnum):
    WIP = "wip"  # submitted so that it has a number; not yet to be looked at
    WFA = "wfa"  # waiting for approval
    RETAKE = "retake"  # looked at, and not good enough
    APPROVED = "approved"
    ON_HOLD = "on_hold"
    OMITTED = "omitted"  # not in the film any more


SUBMITTERS = frozenset({Role.REQUESTER, Role.REVIEWER, Role.APPROVER, Role.PRODUCTION_MANAGER})
APPROVERS = frozenset({Role.APPROVER})
DECIDERS = frozenset({Role.REVIEWER, Role.APPROVER, Role.PRODUCTION_MANAGER})
# an approval is taken back by somebody who could have given it, or who answers for the production
REVERSERS = frozenset({Role.APPROVER, Role.PRODUCTION_MANAGER})

_SUBMIT = {VersionState.WIP: SUBMITTERS, VersionState.WFA: SUBMITTERS}
_PARK = {VersionState.ON_HOLD: DECIDERS, VersionState.OMITTED: DECIDERS}

TRANSITIONS: Mapping[VersionState, Mapping[VersionState, frozenset[Role]]] = {
    VersionState.WIP: {VersionState.WFA: SUBMITTERS, VersionState.RETAKE: DECIDERS, **_PARK},
    VersionState.WFA: {
        VersionState.WIP: SUBMITTERS,
        VersionState.RETAKE: DECIDERS,
        VersionState.APPROVED: APPROVERS,
        **_PARK,
    },
    VersionState.RETAKE: {**_SUBMIT, **_PARK},
    VersionState.APPROVED: dict.fromkeys(
        (VersionState.RETAKE, VersionState.ON_HOLD, VersionState.OMITTED), REVERSERS
    ),
    VersionState.ON_HOLD: {
        VersionState.WIP: DECIDERS,
        VersionState.WFA: DECIDERS,
        VersionState.RETAKE: DECIDERS,
        VersionState.OMITTED: DECIDERS,
    },
    VersionState.OMITTED: {VersionState.WIP: DECIDERS, VersionState.WFA: DECIDERS},
}
"""From a state to the states it may become, with the roles of which one is enough. Only what waits for approval is
approved: a version that was put on hold or sent back has to be submitted again first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a change of state is refused. `code` is stable; `roles` names who may make it, where that is the reason."""

    code: str
    says: str
    roles: frozenset[Role] = frozenset()


@dataclass(frozen=True, slots=True)
class Interested:
    """The people whose own work a version is: who submitted it and who asked for its takes."""

    submitted_by: UUID
    requested_by: UUID | None = None


def refusal(
    current: VersionState,
    wanted: VersionState,
    *,
    roles: Collection[Role],
    person: UUID,
    interested: Interested,
) -> Refusal | None:
    """Return why this person may not change the state so, or None when they may."""
    needed = TRANSITIONS[current].get(wanted)
    if needed is None:
        ways = ", ".join(sorted(TRANSITIONS[current])) or "nothing"
        return Refusal("wrong_transition", f"A version that is {current} can't become {wanted}, only {ways}.")
    if needed.isdisjoint(roles):
        return Refusal("missing_role", f"This needs the role {named(needed)}.", needed)
    if wanted is VersionState.APPROVED and person in {interested.submitted_by, interested.requested_by}:
        return Refusal(
            "own_work", "Nobody approves a version that they submitted, or whose takes they asked for."
        )
    return None


def possible(
    current: VersionState, *, roles: Collection[Role], person: UUID, interested: Interested
) -> tuple[VersionState, ...]:
    """Return the states to which this person may change a version, in the order of the words."""
    return tuple(
        wanted
        for wanted in VersionState
        if refusal(current, wanted, roles=roles, person=person, interested=interested) is None
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a version has when somebody wants to approve it. `consulted`: roles that were consulted about it, its shot
    or its whole production."""

    circled: bool
    open_holds: int
    consulted: frozenset[str]


def missing_for_approval(
    standing: Standing, required_consultations: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return (code, sentence) for everything that an approval still needs; empty when nothing is missing."""
    missing: list[tuple[str, str]] = []
    if not standing.circled:
        missing.append(("take_not_circled", "Its take isn't circled any more: circle it, or submit another."))
    if standing.open_holds:
        missing.append(("open_hold", "Something of its request is on hold: have that released first."))
    missing += [
        ("consultation_required", f"No consultation with the {role.replace('_', ' ')} is on record.")
        for role in dict.fromkeys(required_consultations)
        if role not in standing.consulted
    ]
    return tuple(missing)


def version_name(number: int) -> str:
    """v001: at least three digits, so that names sort as the versions do."""
    return f"v{number:03d}"
