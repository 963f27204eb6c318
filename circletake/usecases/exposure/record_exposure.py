"""What of a take's frames a model drew, kept in the transaction that records the take."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert, select

from circletake.domain.errors import NotFound
from circletake.domain.exposure.doses import runs_of
from circletake.ports import CompositeReport, Probe
from circletake.records.exposure import Exposure
from circletake.records.generations import Generation, Take
from circletake.records.session import Database, TenantSession
from circletake.usecases.find_generations import find_take


async def record_exposure(
    session: TenantSession,
    *,
    generation: Generation,
    take: Take,
    probe: Probe,
    composite: CompositeReport | None,
) -> None:
    """Record one take's exposure. Without a plate the whole of each frame is generated."""
    if composite is None:
        frames, measured = [(1.0, 0.0)] * max(1, probe.frames), "no_plate"
    else:
        frames, measured = [(composite.generated_fraction, composite.enhanced_fraction)], "pixels"
    generated, enhanced = _mean([each for each, _ in frames]), _mean([each for _, each in frames])
    await session.execute(
        insert(Exposure).values(
            tenant_id=take.tenant_id,
            production_id=generation.production_id,
            take_id=take.id,
            generated_fraction=generated,
            enhanced_fraction=enhanced,
            frames=[list(run) for run in runs_of(frames)],
            frame_count=len(frames),
            frames_per_second=probe.frames_per_second,
            measured=measured,
        )
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


async def get_exposure(database: Database, tenant_id: UUID, take_id: UUID) -> Exposure:
    """Return what was measured of a take. Raises NotFound, too for a take that has no picture."""
    async with database.tenant(tenant_id) as session:
        await find_take(session, tenant_id, take_id)
        found = await session.scalar(
            select(Exposure).where(Exposure.tenant_id == tenant_id, Exposure.take_id == take_id)
        )
    if found is None:
        raise NotFound("exposure")
    return found
