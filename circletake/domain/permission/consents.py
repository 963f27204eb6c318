"""Consents: the words, and the rule that says whether a use of a performer's likeness is covered.

Replica types are those of the SAG-AFTRA 2023 TV/Theatrical agreement (carried on in 2026): employment-based,
independently created and background actor digital replicas, and the digital alteration of a recorded performance.
A consent has to be separate, reasonably specific and signed before the use; see `coverage` for the rule.

Terms and signatures are dates. They begin and end at midnight in the production's own time zone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from circletake.domain.kinds import Kind

ANY = "*"  # of media and territories: stated to be without limit
CHECK = "consistency_check"  # pictures are shown to models that judge: nothing is made of anybody
CONSENT_KINDS = tuple(sorted({*(each.value for each in Kind), CHECK}))  # what a consent may name
VOICE_USES = frozenset({"dub_voice", "lip_sync"})  # no other kind touches a voice


class ReplicaType(StrEnum):
    """What was consented to (SAG-AFTRA 2023, "Digital Replicas 101")."""

    EMPLOYMENT_BASED = "employment_based"  # made with the performer, who works on the production
    INDEPENDENTLY_CREATED = "independently_created"  # made without them, for a production they don't work on
    BACKGROUND = "background"  # of a background actor, made with them
    DIGITAL_ALTERATION = "digital_alteration"  # a change of what was recorded of them


class SignerRole(StrEnum):
    PERFORMER = "performer"
    REPRESENTATIVE = "representative"
    ESTATE = "estate"
    UNION = "union"
    GUARDIAN = "guardian"


class ConsentState(StrEnum):
    DRAFT = "draft"
    REQUESTED = "requested"
    GRANTED = "granted"
    DECLINED = "declined"
    EXPIRED = "expired"
    REVOKED = "revoked"


TRANSITIONS: Mapping[ConsentState, frozenset[ConsentState]] = {
    ConsentState.DRAFT: frozenset({ConsentState.REQUESTED}),
    ConsentState.REQUESTED: frozenset({ConsentState.GRANTED, ConsentState.DECLINED}),
    ConsentState.GRANTED: frozenset({ConsentState.EXPIRED, ConsentState.REVOKED}),
    ConsentState.DECLINED: frozenset(),
    ConsentState.EXPIRED: frozenset(),
    ConsentState.REVOKED: frozenset(),
}


class PortrayalKind(StrEnum):
    """How a performer stands for a character."""

    PERFORMS = "performs"
    DOUBLES = "doubles"
    VOICE = "voice"
    LIKENESS = "likeness"  # a reference set of the character was made from the performer's photographs


class BargainingStatus(StrEnum):
    """How it stands with the union about a synthetic performer."""

    NOTIFIED = "notified"
    BARGAINING = "bargaining"
    AGREED = "agreed"
    IN_ARBITRATION = "in_arbitration"
    NO_AGREEMENT = "no_agreement"


class CompensationBasis(StrEnum):
    DAY = "day"
    FEE = "fee"


class ExemptionReason(StrEnum):
    """Why an alteration of a recording needs no consent.

    The SAG-AFTRA 2023 TV/Theatrical agreement asks for none where photography and sound remain substantially as
    scripted, performed or recorded, and for post-production changes of these purposes; Netflix' guidance for partners
    on generative AI ("talent enhancement") gives the same list. No reason lets a digital replica be made.
    """

    SUBSTANTIALLY_AS_RECORDED = "substantially_as_recorded"
    COSMETICS = "cosmetics"
    WARDROBE = "wardrobe"
    NOISE = "noise"
    TIMING_OR_SPEED = "timing_or_speed"
    CONTINUITY = "continuity"
    PITCH_OR_TONE = "pitch_or_tone"
    CLARITY = "clarity"
    DUB_LIKE_FIX = "dub_like_fix"  # where dubbing is permitted under the existing agreements
    PERMITTED_DOUBLE = "permitted_double"  # where the use of a double is permitted under them


@dataclass(frozen=True, slots=True)
class ConsentScope:
    """What a consent covers. Productions and kinds are named one by one: none named covers nothing.

    Media and territories are named too, or stated to be without limit by `*`: an empty list covers nothing. Shots and
    sequences narrow it down: with none of either, it covers the whole of its productions. The term's last day is
    `until`; a consent without one covers nothing unless `no_end` says that this is meant.
    """

    production_ids: frozenset[UUID] = frozenset()
    kinds: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    territories: frozenset[str] = frozenset()
    shot_ids: frozenset[UUID] = frozenset()
    sequence_ids: frozenset[UUID] = frozenset()
    since: date | None = None  # None: from the day it was signed, which has to come before any request
    until: date | None = None
    no_end: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as the gate reads it. `granted_at`: when a person put it on record as granted."""

    id: UUID
    performer_id: UUID
    state: ConsentState
    replica_type: ReplicaType
    scope: ConsentScope
    signer_role: SignerRole | None = None
    signed_on: date | None = None
    granted_at: datetime | None = None
    document_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Portrayal:
    """A performer who stands for a character, and what decides who has to sign for them."""

    character_id: UUID
    performer_id: UUID
    kind: PortrayalKind = PortrayalKind.PERFORMS
    is_minor: bool = False
    has_guardian: bool = False
    deceased: bool = False


@dataclass(frozen=True, slots=True)
class Exemption:
    """A person's statement that an alteration of a recording needs no consent. Without shots: of any shot."""

    id: UUID
    character_id: UUID
    performer_id: UUID
    production_id: UUID
    kinds: frozenset[str]
    shot_ids: frozenset[UUID]
    reason: ExemptionReason
    recorded_at: datetime
    until: date


@dataclass(frozen=True, slots=True)
class Use:
    """What is about to be done. Times are aware; `time_zone` is the production's IANA name.

    `kind` is a generation's, or `consistency_check`. `requested_at`: when it was asked for, or asked for again by the
    release of a hold. `at`: now. `media` and `territory`: from the use declaration, one, several or none.
    `alters_recording`: a plate goes in, and comes out changed.
    """

    production_id: UUID
    shot_id: UUID | None
    sequence_id: UUID | None
    kind: str
    media: str | Collection[str] | None
    territory: str | Collection[str] | None
    requested_at: datetime
    at: datetime
    time_zone: str
    alters_recording: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps a use from being covered: a stable code, and the sentence that says what to get."""

    character_id: UUID
    performer_id: UUID | None
    code: str
    says: str
    consent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """What a use relies on, `{id, document_sha256}` and `{id, reason}`, and what it lacks. Ids and hashes only."""

    consents: list[dict[str, str | None]] = field(default_factory=list)
    exemptions: list[dict[str, str]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def zone_named(name: str) -> ZoneInfo | None:
    """Return the IANA time zone, or None when there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def term_end(until: date, zone: ZoneInfo) -> datetime:
    """Return the instant when a term with this last day is over: midnight, the first time it strikes.

    Where clocks go forward at midnight, it is the instant of the change; where they go back over it, the day that
    comes again isn't part of the term.
    """
    return datetime.combine(until + timedelta(days=1), time(), tzinfo=zone)


def is_to_come(day: date, now: datetime) -> bool:
    """Say whether this day hasn't begun anywhere yet: the first place where one begins is 14 hours ahead of UTC."""
    return day > (now + timedelta(hours=14)).date()


def is_over(scope: ConsentScope, at: datetime, zone: ZoneInfo) -> bool:
    """Say whether the term has ended. `at` is aware."""
    return scope.until is not None and at.timestamp() >= term_end(scope.until, zone).timestamp()


def may_become(state: ConsentState, then: ConsentState) -> bool:
    return then in TRANSITIONS[state]


def signer_fits(role: SignerRole | None, *, is_minor: bool, deceased: bool) -> bool:
    """Say whether this signer can speak for the performer as they are now.

    The estate or the union for one who has died (SAG-AFTRA 2023), the guardian for a minor, the performer or their
    representative for anybody else.
    """
    if deceased:
        return role in {SignerRole.ESTATE, SignerRole.UNION}
    if is_minor:
        return role is SignerRole.GUARDIAN
    return role in {SignerRole.PERFORMER, SignerRole.REPRESENTATIVE}


def needs_consent(portrayal: Portrayal, kind: str) -> bool:
    """Say whether this use touches what the performer has rights in: a voice isn't in a picture."""
    return portrayal.kind is not PortrayalKind.VOICE or kind in VOICE_USES


def exempts(exemption: Exemption, use: Use, portrayal: Portrayal) -> bool:
    """Say whether an exemption covers this use: alterations of a recording only, put on record before the request."""
    return (
        use.alters_recording
        and exemption.character_id == portrayal.character_id
        and exemption.performer_id == portrayal.performer_id
        and exemption.production_id == use.production_id
        and use.kind in exemption.kinds
        and (not exemption.shot_ids or use.shot_id in exemption.shot_ids)
        and exemption.recorded_at < use.requested_at
        and not is_over(ConsentScope(until=exemption.until), use.at, ZoneInfo(use.time_zone))
    )
