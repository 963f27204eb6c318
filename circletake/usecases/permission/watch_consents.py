"""The end of a consent's term: told a month ahead, and at its midnight.

The gate doesn't wait for this: it reads the dates. This is for the people who have to get a new one.
"""

from datetime import datetime

from circletake.domain.permission.consents import ConsentState
from circletake.kit import clock
from circletake.records.performers import Consent
from circletake.records.session import TenantSession
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.ledger import record_entry
from circletake.usecases.permission.consent_events import tell_consent
from circletake.usecases.permission.decide_consents import EXPIRING, ends_at
from circletake.usecases.permission.find_consents import find_consent
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import Tools


async def watch_consent(tools: Tools, step: ClaimedStep) -> None:
    """Run a `consent` step: `subject_id` is the consent. It comes back until the term is over."""
    tenant = await tools.tenant(step.tenant_id)
    assert step.subject_id is not None
    async with tools.database.tenant(step.tenant_id) as session:
        consent = await find_consent(session, step.tenant_id, step.subject_id, lock=True)
        await hold_fence(session, step)
        now = clock.now()
        if consent.state == ConsentState.GRANTED:
            consent.ends_at = await ends_at(session, consent)
            if consent.ends_at is not None and now < consent.ends_at:
                await _tell_ahead(session, consent, now)
                due = consent.ends_at
                if consent.expiring_told_at is None:
                    due -= EXPIRING
                await put_off(session, step, seconds=max(1.0, (due - now).total_seconds()), counted=False)
                return
            if consent.ends_at is not None:
                consent.state = ConsentState.EXPIRED.value
                consent.version += 1
                await session.flush()
                await record_entry(
                    session,
                    tenant.seal,
                    tenant_id=step.tenant_id,
                    kind="consent.expired",
                    subject_id=consent.id,
                    body={"ended_at": consent.ends_at.isoformat()},
                )
                await tell_consent(session, consent, "consent.expired")
        await end_step(session, step)
        await wake_dispatcher(session)


async def _tell_ahead(session: TenantSession, consent: Consent, now: datetime) -> None:
    if consent.ends_at is None or consent.expiring_told_at is not None or now < consent.ends_at - EXPIRING:
        return
    consent.expiring_told_at = now
    await session.flush()
    await tell_consent(session, consent, "consent.expiring")
