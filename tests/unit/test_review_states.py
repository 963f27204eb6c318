"""The rules of review: who moves a version from state to state, and what an approval needs."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.people import Role
from circletake.domain.review.states import (
    Interested,
    Standing,
    VersionState,
    missing_for_approval,
    possible,
    refusal,
    version_name,
)

ADA, RITA, SAM = (UUID(int=number) for number in (1, 2, 3))
OWN = Interested(submitted_by=SAM, requested_by=RITA)


def may(current: str, wanted: str, *roles: Role, person: UUID = ADA) -> str | None:
    found = refusal(VersionState(current), VersionState(wanted), roles=roles, person=person, interested=OWN)
    return found.code if found else None


@settings(max_examples=100, deadline=None)
@given(
    current=st.sampled_from(VersionState),
    roles=st.frozensets(st.sampled_from(Role)),
    person=st.sampled_from([ADA, RITA, SAM]),
)
def test_only_an_approver_who_has_no_part_in_it_approves_and_only_what_waits(
    current: VersionState, roles: frozenset[Role], person: UUID
) -> None:
    """Whatever other roles somebody has, whatever the state: no other way leads to an approval."""
    approves = refusal(current, VersionState.APPROVED, roles=roles, person=person, interested=OWN) is None
    assert approves == (current is VersionState.WFA and Role.APPROVER in roles and person is ADA)


def test_nobody_approves_their_own_work_and_is_told_so() -> None:
    """Neither who submitted it nor who asked for its takes, though both are approvers."""
    assert may("wfa", "approved", Role.APPROVER, person=SAM) == "own_work"
    assert may("wfa", "approved", Role.APPROVER, person=RITA) == "own_work"


@pytest.mark.parametrize(
    ("current", "wanted", "role", "code"),
    [
        ("wfa", "retake", Role.REVIEWER, None),
        ("wfa", "retake", Role.REQUESTER, "missing_role"),
        ("retake", "wfa", Role.REQUESTER, None),
        ("approved", "retake", Role.REVIEWER, "missing_role"),
        ("approved", "retake", Role.PRODUCTION_MANAGER, None),
        ("approved", "wip", Role.APPROVER, "wrong_transition"),
        ("omitted", "approved", Role.APPROVER, "wrong_transition"),
        ("wip", "wfa", Role.RIGHTS_CLEARANCE_MANAGER, "missing_role"),
    ],
)
def test_transitions_and_their_roles(current: str, wanted: str, role: Role, code: str | None) -> None:
    """A requester submits, a reviewer sends back, and an approval isn't undone by somebody who couldn't give it."""
    assert may(current, wanted, role) == code


def test_what_somebody_can_do_is_told_in_advance() -> None:
    """A reviewer sees what is theirs to decide, somebody without a role nothing."""
    told = possible(VersionState.WFA, roles={Role.REVIEWER}, person=ADA, interested=OWN)
    assert told == (VersionState.WIP, VersionState.RETAKE, VersionState.ON_HOLD, VersionState.OMITTED)
    assert possible(VersionState.WFA, roles=set(), person=ADA, interested=OWN) == ()


def test_an_approval_is_told_everything_that_it_lacks_at_once() -> None:
    """The circle, the hold and each consultation that a pack wants: in one answer, none twice."""
    standing = Standing(circled=False, open_holds=1, consulted=frozenset({"editor"}))
    missing = missing_for_approval(standing, ["director", "editor", "director"])
    assert [code for code, _ in missing] == ["take_not_circled", "open_hold", "consultation_required"]
    assert "director" in missing[2][1]
    whole = Standing(circled=True, open_holds=0, consulted=frozenset({"director"}))
    assert missing_for_approval(whole, ["director"]) == ()


def test_version_names_sort_as_versions_do() -> None:
    """v001, as trackers write it."""
    assert [version_name(number) for number in (1, 12, 1000)] == ["v001", "v012", "v1000"]
