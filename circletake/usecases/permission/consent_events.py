"""What is told of a consent: ids, its state and when it ends, never what stands in it."""

from circletake.records.performers import Consent
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event


async def tell_consent(session: TenantSession, consent: Consent, event_type: str) -> None:
    """Record an event of a consent whose changes are flushed. The caller wakes the dispatcher."""
    await record_event(
        session,
        consent.tenant_id,
        event_type,
        {
            "consent_id": str(consent.id),
            "performer_id": str(consent.performer_id),
            "production_ids": [str(each) for each in consent.production_ids],
            "external_ref": consent.external_ref,
            "state": consent.state,
            "ends_at": consent.ends_at.isoformat() if consent.ends_at else None,
        },
    )
