"""The meter of a production, a sequence or a shot."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

from circletake.domain.errors import NotFound
from circletake.domain.exposure.meter import Meter
from circletake.records.exposure import Cut
from circletake.records.session import Database
from circletake.usecases.exposure.picture import ShotFacts, load_picture, scope_of
from circletake.usecases.find_context import find_production, find_sequence, find_shot


@dataclass(frozen=True, slots=True)
class Measured:
    """`rate` is what the meter's frames count at; `cut` is what it is based on, None: circled takes."""

    meter: Meter
    rate: Fraction
    cut: Cut | None
    shots: Mapping[UUID, ShotFacts]
    without_length: int


async def measure_production(
    database: Database,
    tenant_id: UUID,
    production_id: UUID,
    *,
    sequence_id: UUID | None = None,
    shot_id: UUID | None = None,
) -> Measured:
    """Measure what is in the picture now. Raises NotFound, too for a sequence or shot of another production."""
    async with database.tenant(tenant_id) as session:
        production = await find_production(session, tenant_id, production_id)
        if sequence_id is not None:
            sequence = await find_sequence(session, tenant_id, sequence_id)
            if sequence.production_id != production_id:
                raise NotFound("sequence")
        if shot_id is not None:
            shot = await find_shot(session, tenant_id, shot_id)
            if shot.production_id != production_id:
                raise NotFound("shot")
        picture = await load_picture(session, production)
    scope = scope_of(picture, sequence_id, shot_id)
    return Measured(
        picture.measure(scope), picture.rate, picture.cut, picture.shots, picture.without_length(scope)
    )
