"""Finish a circled take: enlarged by a model, laid back at its plate's size and depth where it has one.

A finish is a generation of kind `upscale` whose source is the take; so it is gated, budgeted, signed and reviewed like
any other, and the draft stays as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Conflict
from circletake.domain.kinds import RULES, InputSlot, Kind, laid_back
from circletake.domain.policy.declaration import UseDeclaration
from circletake.domain.takes import TakeState
from circletake.records.generations import Generation, Take
from circletake.records.session import Database, TenantSession
from circletake.usecases.effective_take import kind_of
from circletake.usecases.find_generations import find_generation, find_take
from circletake.usecases.inputs_of import requested_inputs
from circletake.usecases.permission.gate import depicted
from circletake.usecases.plan_generation import GenerationRequest

_LAID = (InputSlot.PLATE, InputSlot.MATTE)


@dataclass(frozen=True, slots=True)
class FinishRequest:
    """How a circled take is to be finished. Text is content: it never reaches a log."""

    model: str | None = None
    prompt: str | None = field(default=None, repr=False)
    negative_prompt: str | None = field(default=None, repr=False)
    controls: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    strict: bool = False
    external_ref: str | None = None


async def plan_finish(
    database: Database, *, tenant_id: UUID, take_id: UUID, asked: FinishRequest
) -> GenerationRequest:
    """Return the request that finishes a take. Raises NotFound, or Conflict for one that can't be finished.

    Whether it is still circled is asked again when the request is accepted.
    """
    async with database.tenant(tenant_id) as session:
        take = await find_take(session, tenant_id, take_id)
        generation = await find_generation(session, tenant_id, take.generation_id)
        _require_finishable(generation, take)
        assert take.media_id is not None
        inputs = {InputSlot.SOURCE: take.media_id}
        # the plate itself, also of a take that made a region of an earlier take anew
        asked_with = await requested_inputs(session, generation)
    if laid_back(Kind(generation.kind), asked_with):
        inputs |= {slot: asked_with[slot].id for slot in _LAID if slot in asked_with}
    return GenerationRequest(
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        kind=Kind.UPSCALE,
        model=asked.model,
        prompt=asked.prompt,
        negative_prompt=asked.negative_prompt,
        inputs=inputs,
        controls=asked.controls,
        seed=asked.seed,
        strict=asked.strict,
        external_ref=asked.external_ref,
        depicts=sorted(depicted(generation.depicts)),
        use=UseDeclaration.of(generation.use),
        finish_of=take.id,
    )


def _require_finishable(generation: Generation, take: Take) -> None:
    require_circled(take)
    if RULES[kind_of(generation, take)].video:
        raise Conflict(
            "No model enlarges a clip. Ask for a new one at the resolution you need, with a frame of this take as its"
            " first_frame.",
            code="clip_not_finishable",
        )


async def require_still_circled(session: TenantSession, tenant_id: UUID, take_id: UUID) -> None:
    """Hold the take as it is until the finish is on record. Raises Conflict when its circle was taken back."""
    query = select(Take).where(Take.tenant_id == tenant_id, Take.id == take_id).with_for_update(read=True)
    require_circled((await session.scalars(query)).one())


def require_circled(take: Take) -> None:
    """Raises Conflict for a take that nobody circled."""
    if take.state != TakeState.SUCCEEDED or not take.circled:
        raise Conflict("Only a circled take is finished: circle it first.", code="take_not_circled")
