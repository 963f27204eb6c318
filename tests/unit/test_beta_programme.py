"""The doors of the beta programme: what an invitation is worth, and what a closed feature closes."""

from datetime import UTC, datetime, timedelta

import pytest

from circletake.domain.beta.programme import (
    ALWAYS_OPEN,
    GATES,
    REFUSALS,
    Feature,
    InvitationState,
    closed_in_body,
    feature_of,
    invitation_state,
)
from services.api.routes import TENANT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("accepted", "days", "revoked", "state"),
    [
        (False, 1, False, "pending"),
        (True, 1, False, "accepted"),
        (True, 0, False, "expired"),
        (False, -1, False, "expired"),
        (True, 1, True, "revoked"),
    ],
)
def test_what_an_invitation_is_worth(accepted: bool, days: int, revoked: bool, state: str) -> None:
    """Only an accepted one that runs opens the door; at its very end it is over."""
    found = invitation_state(
        accepted=accepted, expires_at=NOW + timedelta(days=days), revoked=revoked, now=NOW
    )
    assert found == state
    assert (found in REFUSALS) == (found is not InvitationState.ACCEPTED)


def test_a_feature_is_its_routes_and_no_more() -> None:
    """What begins alike isn't the same: a template is matched by whole parts."""
    assert feature_of("/v1/takes/{take_id}/preview") is Feature.PREVIEWS
    assert feature_of("/v1/policy-packs/{pack_id}/signatures") is Feature.POLICY_PACKS
    assert feature_of("/v1/takes/{take_id}") is None
    assert feature_of("/v1/policy-packs-of-old") is None


def test_every_gate_stands_before_a_route_and_every_open_path_is_one() -> None:
    """A misspelt gate would be open for ever."""
    paths = {route.path for router in TENANT for route in router.routes}  # type: ignore[attr-defined]
    for feature, beginnings in GATES.items():
        for beginning in beginnings:
            assert any(feature_of(path) is feature and path.startswith(beginning) for path in paths), (
                beginning
            )
    assert paths >= ALWAYS_OPEN


def test_a_closed_feature_is_closed_in_a_request_for_takes_too() -> None:
    """Asking for it inside another request is asking for it."""
    closed = {"consistency_enforcements"}
    assert closed_in_body({"consistency": {"subjects": []}}, closed) is Feature.CONSISTENCY_ENFORCEMENTS
    assert closed_in_body({"consistency": None}, closed) is None
    assert closed_in_body({"consistency": {}}, {"previews"}) is None
    assert closed_in_body(["consistency"], closed) is None
