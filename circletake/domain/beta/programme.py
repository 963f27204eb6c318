"""The beta programme: what an invitation allows now, which routes a closed feature closes, what feedback says."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class InvitationState(StrEnum):
    PENDING = "pending"  # nobody of the studio has accepted its NDA yet
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    REVOKED = "revoked"


def invitation_state(
    *, accepted: bool, expires_at: datetime, revoked: bool, now: datetime
) -> InvitationState:
    """Return what an invitation is worth now. Revoked and expired ones stay so, accepted or not."""
    if revoked:
        return InvitationState.REVOKED
    if expires_at <= now:
        return InvitationState.EXPIRED
    return InvitationState.ACCEPTED if accepted else InvitationState.PENDING


REFUSALS: Mapping[InvitationState, tuple[str, str]] = {
    InvitationState.PENDING: (
        "nda_required",
        "Your studio was invited under an agreement that nobody has accepted yet: `GET /v1/nda`, `POST /v1/nda-acceptance`.",
    ),
    InvitationState.EXPIRED: ("invitation_expired", "Your studio's invitation is over: ask the operator."),
    InvitationState.REVOKED: (
        "invitation_revoked",
        "Your studio's invitation was revoked: ask the operator.",
    ),
}
"""Of the states that close the door: the code and the sentence of the 403."""

ALWAYS_OPEN = frozenset({"/v1/me", "/v1/nda", "/v1/nda-acceptance"})
"""Paths on which an invited studio finds out where it stands."""


class Feature(StrEnum):
    """What the operator can open and close for a studio. Everything is open until it is closed."""

    CONSISTENCY_CHECKS = "consistency_checks"
    CONSISTENCY_ENFORCEMENTS = "consistency_enforcements"
    POLICY_PACKS = "policy_packs"
    EXPOSURE = "exposure"
    PREVIEWS = "previews"
    WEBHOOKS = "webhooks"


GATES: Mapping[Feature, tuple[str, ...]] = {
    Feature.CONSISTENCY_CHECKS: (
        "/v1/consistency-checks",
        "/v1/productions/{production_id}/consistency-profiles",
    ),
    Feature.CONSISTENCY_ENFORCEMENTS: ("/v1/consistency-enforcements",),
    Feature.POLICY_PACKS: (
        "/v1/policy-packs",
        "/v1/policy-evaluations",
        "/v1/productions/{production_id}/policy-packs",
    ),
    Feature.EXPOSURE: (
        "/v1/cuts",
        "/v1/exposure-limits",
        "/v1/productions/{production_id}/cuts",
        "/v1/productions/{production_id}/exposure",
        "/v1/productions/{production_id}/exposure-limits",
    ),
    Feature.PREVIEWS: ("/v1/takes/{take_id}/preview",),
    Feature.WEBHOOKS: ("/v1/webhook-endpoints", "/v1/webhook-deliveries"),
}
"""The beginnings of the paths that a feature is. What a closed one had made before stays where it is and is still
judged, held and told: a gate closes a door, not a rule."""

GENERATIONS = "/v1/generations"
IN_BODY: Mapping[Feature, str] = {Feature.CONSISTENCY_ENFORCEMENTS: "consistency"}
"""Fields of a request for takes that are a feature too."""


def feature_of(path: str) -> Feature | None:
    """Return the feature that a route belongs to, by its template: `/v1/takes/{take_id}/preview`."""
    for feature, beginnings in GATES.items():
        if any(path == each or path.startswith(f"{each}/") for each in beginnings):
            return feature
    return None


def closed_in_body(body: Any, closed: Collection[str]) -> Feature | None:
    """Return the closed feature that the body of a request for takes asks for."""
    if not isinstance(body, dict):
        return None
    return next(
        (feature for feature, name in IN_BODY.items() if feature in closed and body.get(name) is not None),
        None,
    )


class FeedbackReason(StrEnum):
    """Why a take is rated as it is."""

    GOOD_AS_IS = "good_as_is"
    IDENTITY_DRIFT = "identity_drift"
    WARDROBE_WRONG = "wardrobe_wrong"
    ANATOMY = "anatomy"
    FLICKER = "flicker"
    EDGES = "edges"
    LIGHTING_MISMATCH = "lighting_mismatch"
    COLOUR_MISMATCH = "colour_mismatch"
    PERSPECTIVE = "perspective"
    ARTEFACTS = "artefacts"
    REQUEST_IGNORED = "request_ignored"
    TOO_GENERIC = "too_generic"
    WRONG_PERIOD = "wrong_period"
    TOO_SLOW = "too_slow"
    TOO_DEAR = "too_dear"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a studio stands in the programme. `invitation` is None for one that was never invited: then no door of the
    programme concerns it."""

    invitation: InvitationState | None = None
    closed: frozenset[str] = frozenset()
