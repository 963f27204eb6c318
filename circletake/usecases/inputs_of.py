"""The files that a take is made from: its own, where it differs from its generation."""

from sqlalchemy import select

from circletake.domain.kinds import InputSlot
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.effective_take import changed_inputs


async def inputs_of(session: TenantSession, generation: Generation, take: Take) -> dict[InputSlot, MediaFile]:
    """The files that a take is made from: its own, where it differs from its generation."""
    changed = changed_inputs(take.changes)
    if changed is not None:
        files = {
            file.id: file
            for file in await session.scalars(select(MediaFile).where(MediaFile.id.in_(changed.values())))
        }
        return {slot: files[media_id] for slot, media_id in changed.items()}
    return await requested_inputs(session, generation)


async def requested_inputs(session: TenantSession, generation: Generation) -> dict[InputSlot, MediaFile]:
    """The files that the generation was asked for with."""
    rows = await session.execute(
        select(GenerationInput.slot, MediaFile)
        .join(MediaFile, MediaFile.id == GenerationInput.media_id)
        .where(GenerationInput.generation_id == generation.id)
    )
    return {InputSlot(slot): file for slot, file in rows}
