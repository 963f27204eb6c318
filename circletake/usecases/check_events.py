"""What a check tells: ids, states and verdict words, nothing of anybody's face."""

from collections.abc import Sequence
from typing import Any

from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.words import Verdict
from circletake.records.consistency import CheckMaterial, ConsistencyCheck
from circletake.records.generations import Generation
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_waiters
from circletake.usecases.generation_events import event_data

# the worst of several: what a person has to look at first
_GRAVITY = (Verdict.PASS, Verdict.NOT_ASSESSABLE, Verdict.NEEDS_HUMAN, Verdict.FAIL)


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Return the gravest verdict; None when there is none."""
    return max(verdicts, key=_GRAVITY.index, default=None)


def check_data(check: ConsistencyCheck, **more: Any) -> dict[str, Any]:
    return {
        "check_id": str(check.id),
        "production_id": str(check.production_id),
        "generation_id": str(check.generation_id) if check.generation_id else None,
        "external_ref": check.external_ref,
        "state": check.state,
        "verdict": check.verdict,
        "waiting_for": check.waiting_for,
        "code": check.failure_code,
        "sheet_media_id": str(check.sheet_media_id) if check.sheet_media_id else None,
        **more,
    }


async def announce_check(session: TenantSession, check: ConsistencyCheck, event_type: str) -> None:
    """Record an event about a check and wake who waits for it."""
    await record_event(session, check.tenant_id, event_type, check_data(check))
    await wake_waiters(session, check.id)


async def announce_judged_take(
    session: TenantSession,
    check: ConsistencyCheck,
    material: CheckMaterial,
    judgements: Sequence[MaterialJudgement],
    generation: Generation | None,
) -> None:
    """Record `take.judged`. With its generation, whose row is locked, it is one of that generation's events."""
    verdict = worst([each.verdict for each in judgements])
    reasons = dict.fromkeys(reason.value for each in judgements for reason in each.reasons)
    told = {
        "check_id": str(check.id),
        "take_id": str(material.take_id),
        "media_id": str(material.media_id),
        "state": material.state,
        "verdict": verdict.value if verdict else None,
        "reasons": list(reasons),
        "code": material.problem_code,
    }
    if generation is None:
        about = {"production_id": str(check.production_id), "shot_id": _text(material.shot_id)}
        await record_event(session, check.tenant_id, "take.judged", {**about, **told})
    else:
        data = event_data(generation, **told)
        await record_event(session, check.tenant_id, "take.judged", data, generation_id=generation.id)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
