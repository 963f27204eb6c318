"""The gate before every send to a model: nothing passes without the permission it needs, at this moment.

It stands where a take is claimed and, once more, in the transaction that puts a call on record, so that what was
revoked or held in between is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from circletake.domain.kinds import RULES, Kind
from circletake.domain.permission.consents import Permission, Use
from circletake.domain.permission.holds import HoldLine, HoldReason, NewHold
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.effective_take import kind_of
from circletake.usecases.permission.consent_gate import permission_for

LABOUR = NewHold(
    HoldReason.LABOUR_ACTION,
    (HoldLine("labour_action", "The production holds everything during a labour action."),),
)

_STATE = text(
    """
    select p.labour_action_since, p.time_zone, s.sequence_id,
           exists (select from holds h where h.tenant_id = :tenant and h.generation_id = :generation
                   and h.state = 'open' and (h.take_id is null or h.take_id = :take)) as held,
           (select max(h.decided_at) from holds h where h.tenant_id = :tenant and h.generation_id = :generation
                   and h.state = 'released' and h.reason = 'awaiting_consent') as asked_again_at,
           array(select h.id from holds h where h.tenant_id = :tenant and h.generation_id = :generation
                   and h.state = 'released' and (h.take_id is null or h.take_id = :take)) as released,
           exists (select from generation_batches b where b.tenant_id = :tenant and b.id = :batch
                   and (b.paused_at is not null or b.canceled_at > :made)) as paused
    from productions p left join shots s on s.tenant_id = p.tenant_id and s.id = :shot
    where p.tenant_id = :tenant and p.id = :production
    """
)


@dataclass(frozen=True, slots=True)
class Passage:
    """What the gate says of one take now. `new` has to be opened; `held`: a hold is open already."""

    held: bool
    new: NewHold | None = None
    paused: bool = False  # its batch is: it waits for that, and for nobody else
    relied_on: Mapping[str, Any] = field(default_factory=dict)  # what the take's call relies on
    missing: Permission | None = None  # the consents that `new` waits for

    @property
    def free(self) -> bool:
        return not self.held and self.new is None and not self.paused


async def gate_take(session: TenantSession, generation: Generation, take: Take, *, at: datetime) -> Passage:
    """Say whether this take may reach a model now, and what that relies on. Two queries at most, no locks."""
    state = (
        await session.execute(
            _STATE,
            {
                "tenant": generation.tenant_id,
                "generation": generation.id,
                "take": take.id,
                "production": generation.production_id,
                "shot": generation.shot_id,
                "batch": generation.batch_id,
                "made": take.created_at,
            },
        )
    ).one()
    if state.held:
        return Passage(held=True)
    if state.paused:
        return Passage(held=False, paused=True)
    if state.labour_action_since is not None:
        return Passage(held=False, new=LABOUR)
    cleared = {"holds": [str(each) for each in state.released]} if state.released else {}
    characters = depicted(generation.depicts)
    if not characters:
        return Passage(held=False, relied_on=cleared)
    permission = await permission_for(
        session,
        tenant_id=generation.tenant_id,
        use=use_of(
            generation.use,
            production_id=generation.production_id,
            shot_id=generation.shot_id,
            sequence_id=state.sequence_id,
            kind=kind_of(generation, take),
            # a release asks again: a consent that came for it counts
            requested_at=state.asked_again_at or generation.created_at,
            at=at,
            time_zone=state.time_zone,
        ),
        characters=characters,
    )
    if permission.missing:
        return Passage(held=False, new=consent_hold(permission), missing=permission)
    return Passage(held=False, relied_on={**cleared, **relied_on(permission)})


def depicted(depicts: list[Any]) -> set[UUID]:
    """The characters of a generation's `depicts`."""
    return {UUID(each["character"]) for each in depicts}


def use_of(
    declared: Mapping[str, Any],
    *,
    production_id: UUID,
    shot_id: UUID | None,
    sequence_id: UUID | None,
    kind: Kind,
    requested_at: datetime,
    at: datetime,
    time_zone: str,
) -> Use:
    """The use that a consent has to cover."""
    return Use(
        production_id=production_id,
        shot_id=shot_id,
        sequence_id=sequence_id,
        kind=kind.value,
        media=declared.get("media"),
        territory=declared.get("territory"),
        requested_at=requested_at,
        at=at,
        time_zone=time_zone,
        alters_recording=RULES[kind].on_plate,
    )


def use_in(
    declared: Mapping[str, Any], production: Production, shot: Shot | None, kind: Kind, now: datetime
) -> Use:
    """The use of a request that is made now."""
    return use_of(
        declared,
        production_id=production.id,
        shot_id=shot.id if shot else None,
        sequence_id=shot.sequence_id if shot else None,
        kind=kind,
        requested_at=now,
        at=now,
        time_zone=production.time_zone,
    )


def relied_on(permission: Permission) -> dict[str, Any]:
    """What is frozen into the take: ids and document hashes, nothing readable."""
    return {
        **({"consents": list(permission.consents)} if permission.consents else {}),
        **({"exemptions": list(permission.exemptions)} if permission.exemptions else {}),
    }


def consent_hold(permission: Permission) -> NewHold:
    return NewHold(
        HoldReason.AWAITING_CONSENT,
        tuple(HoldLine(each.code, each.says) for each in permission.missing),
        {
            "missing": [
                {
                    "character": str(each.character_id),
                    "performer": str(each.performer_id) if each.performer_id else None,
                    "code": each.code,
                }
                for each in permission.missing
            ]
        },
    )
