"""A consent, a use that it covers, and the performer who gave it: tests change one thing or several."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from circletake.domain.permission.consents import (
    Consent,
    ConsentScope,
    ConsentState,
    Portrayal,
    ReplicaType,
    SignerRole,
    Use,
)
from circletake.domain.permission.coverage import missing_in

PRODUCTION, ELSEWHERE, SHOT, OTHER_SHOT, SEQUENCE, OTHER_SEQUENCE, MARA, JUNE, IDA, OTTO = (
    UUID(int=number) for number in range(1, 11)
)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
SIGNED = date(2026, 6, 1)

COVERED = Consent(
    id=UUID(int=100),
    performer_id=IDA,
    state=ConsentState.GRANTED,
    replica_type=ReplicaType.EMPLOYMENT_BASED,
    scope=ConsentScope(
        production_ids=frozenset({PRODUCTION}),
        kinds=frozenset({"cleanup", "concept_art"}),
        media=frozenset({"streaming"}),
        territories=frozenset({"DE", "US"}),
        until=date(2026, 12, 31),
    ),
    signer_role=SignerRole.PERFORMER,
    signed_on=SIGNED,
    granted_at=NOON - timedelta(days=10),
    document_sha256="ab" * 32,
)
USE = Use(
    production_id=PRODUCTION,
    shot_id=SHOT,
    sequence_id=SEQUENCE,
    kind="cleanup",
    media="streaming",
    territory=["DE"],
    requested_at=NOON,
    at=NOON,
    time_zone="UTC",
    alters_recording=True,
)
PLAYED = Portrayal(MARA, IDA)


def codes(consent: Consent, use: Use = USE, portrayal: Portrayal = PLAYED) -> list[str]:
    return [each.code for each in missing_in(consent, use, portrayal)]


def narrowed(**changes: object) -> Consent:
    return replace(COVERED, scope=replace(COVERED.scope, **changes))  # type: ignore[arg-type]
