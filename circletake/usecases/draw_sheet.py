"""The contact sheet of a finished generation, and the event that tells it is finished.

People look rather than read: one JPEG with the takes, their numbers, seeds and states. It is an output too, so it
is signed, with its takes as ingredients.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.kinds import InputSlot, MediaRole, RightsBasis
from circletake.domain.provenance import source_type_of_composite
from circletake.domain.takes import TERMINAL
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import Ingredient, SheetTake, SignedFile, SigningFault, SignRequest, StoredObject
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, GenerationInput, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.batches.complete import generation_finished
from circletake.usecases.effective_take import model_of
from circletake.usecases.enforce_consistency import running_enforcement
from circletake.usecases.events import record_event
from circletake.usecases.finish_take import MAX_SIGNING_ATTEMPTS, RIGHTS
from circletake.usecases.generation_events import event_data
from circletake.usecases.publish_file import publish_file
from circletake.usecases.review.rules import approval_demanded
from circletake.usecases.steps import ClaimedStep, end_step, lock_generation, lock_takes, put_off
from circletake.usecases.tools import TenantAtWork, Tools


async def draw_sheet(tools: Tools, step: ClaimedStep) -> None:
    """Run a `sheet` step; ends it without a word when a retry has opened the generation again, or when the sheet
    that such a retry asked for has told its end already."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        generation = (
            await session.scalars(select(Generation).where(Generation.id == step.generation_id))
        ).one()
        takes = list(
            await session.scalars(
                select(Take).where(Take.generation_id == generation.id).order_by(Take.number)
            )
        )
        if not await _to_be_told(session, generation, takes):
            await end_step(session, step)
            return
        files = await _files(session, takes)
        plate = await _plate(session, generation.id)
        shot_code = await session.scalar(select(Shot.code).where(Shot.id == generation.shot_id))
        marked = await _mark(session, generation)
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        paths = await _fetch(tools, tenant, files, folder)
        plate_path = await _fetch_one(tools, tenant, plate, folder) if plate else None
        sheet = folder / "sheet.jpg"
        await tools.desk.contact_sheet(
            title=f"{shot_code or ''} {generation.kind.replace('_', ' ')}".strip(),
            subtitle=" · ".join(
                [
                    generation.model_id,
                    f"{generation.created_at:%Y-%m-%d %H:%M} UTC",
                    f"generation {str(generation.id)[-6:]}",
                ]
            ),
            takes=[_panel(generation, take, paths.get(take.id), marked) for take in takes],
            plate=plate_path,
            target=sheet,
        )
        try:
            signed = await _sign(tools, generation, takes, files, paths, sheet, folder)
        except SigningFault:
            await _without_sheet(tools, step)
            return
        await _publish(tools, tenant, step, generation, files, signed)


async def _to_be_told(session: TenantSession, generation: Generation, takes: Sequence[Take]) -> bool:
    """Whether the generation is at its end and nobody has told it; an enforcement at work may still make takes."""
    if generation.finished_at is not None or any(take.state not in TERMINAL for take in takes):
        return False
    return await running_enforcement(session, generation) is None


async def _files(session: TenantSession, takes: Sequence[Take]) -> dict[UUID, MediaFile]:
    wanted = {take.media_id: take.id for take in takes if take.media_id is not None}
    rows = await session.scalars(select(MediaFile).where(MediaFile.id.in_(wanted)))
    return {wanted[file.id]: file for file in rows}


async def _plate(session: TenantSession, generation_id: UUID) -> MediaFile | None:
    return await session.scalar(
        select(MediaFile)
        .join(GenerationInput, GenerationInput.media_id == MediaFile.id)
        .where(GenerationInput.generation_id == generation_id, GenerationInput.slot == InputSlot.PLATE.value)
    )


async def _fetch(
    tools: Tools, tenant: TenantAtWork, files: Mapping[UUID, MediaFile], folder: Path
) -> dict[UUID, Path]:
    return {take_id: await _fetch_one(tools, tenant, file, folder) for take_id, file in files.items()}


async def _fetch_one(tools: Tools, tenant: TenantAtWork, file: MediaFile, folder: Path) -> Path:
    path = folder / f"{file.id}{Path(file.name).suffix}"
    await tools.store.get_file(tenant.storage, file.object_key or "", path)
    return path


async def _mark(session: TenantSession, generation: Generation) -> str | None:
    """Return what is burnt into the takes of a studio that gives out none unapproved: on a sheet of one take that is
    nearly as large as the take itself."""
    if not await approval_demanded(session, generation.tenant_id):
        return None
    code = await session.scalar(select(Production.code).where(Production.id == generation.production_id))
    return f"PREVIEW  {code}"


def _panel(generation: Generation, take: Take, path: Path | None, marked: str | None) -> SheetTake:
    """`label` says what became of it, or how it differs from its generation."""
    changed = (take.changes or {}).get("rung", "").replace("_", " ")
    if model_of(generation, take) != generation.model_id:
        changed = f"{changed}: {model_of(generation, take)}"
    return SheetTake(
        number=take.number,
        state=take.state,
        seed=take.seed_used or take.seed,
        cost_usd=f"{take.cost_usd or 0:.2f}",
        label=take.failure_code or changed,
        path=path,
        mark=f"{marked}  take {take.number} {str(take.id)[-6:]}" if marked else "",
    )


async def _sign(
    tools: Tools,
    generation: Generation,
    takes: Sequence[Take],
    files: Mapping[UUID, MediaFile],
    paths: Mapping[UUID, Path],
    sheet: Path,
    folder: Path,
) -> SignedFile:
    parts = [files[take.id] for take in takes if take.id in files]
    types = [part.digital_source_type or "composite" for part in parts]
    return await tools.signer.sign(
        SignRequest(
            source=sheet,
            target=folder / "signed.jpg",
            media_type="image/jpeg",
            title="contact sheet",
            digital_source_type=source_type_of_composite(types).value,
            ai_system="",  # lettering and layout are ours; the models stand in the takes' own manifests
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[
                Ingredient(
                    path=paths[take.id],
                    media_type=files[take.id].media_type,
                    title=f"take {take.number}",
                    sha256=files[take.id].sha256,
                    relationship="componentOf",
                    digital_source_type=files[take.id].digital_source_type,
                )
                for take in takes
                if take.id in files
            ],
            generation={
                "production": str(generation.production_id),
                "generation": str(generation.id),
                "contact_sheet": True,
                "ledger_entry": str(generation.ledger_entry_id),
            },
        )
    )


async def _publish(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    generation: Generation,
    files: Mapping[UUID, MediaFile],
    signed: SignedFile,
) -> None:
    media_id = new_id()
    place = generation.shot_id or "concept"
    name = f"contact_sheet_{str(generation.id)[-6:]}.jpg"
    key = f"media/{generation.production_id}/{place}/{media_id}/{name}"
    types = [file.digital_source_type or "composite" for file in files.values()]
    row: dict[str, Any] = {
        "id": media_id,
        "tenant_id": step.tenant_id,
        "production_id": generation.production_id,
        "shot_id": generation.shot_id,
        "role": MediaRole.PROXY.value,
        "name": name,
        "media_type": "image/jpeg",
        "size": signed.size,
        "sha256": signed.sha256,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": key,
        "generation_id": generation.id,
        "digital_source_type": source_type_of_composite(types).value,
        "manifest_urn": signed.manifest_urn,
        "manifest_sha256": signed.manifest_sha256,
    }

    async def record(stored: StoredObject) -> bool:
        return await _record(tools, step, {**row, "etag": stored.etag})

    await publish_file(tools, tenant, step, key=key, path=signed.path, media_type="image/jpeg", record=record)


async def _record(tools: Tools, step: ClaimedStep, row: dict[str, Any]) -> bool:
    """Returns whether the sheet was recorded: it isn't when the generation was opened again or told meanwhile."""
    async with tools.database.tenant(step.tenant_id) as session:
        generation = await lock_generation(session, step.tenant_id, row["generation_id"])
        takes = await lock_takes(session, step.tenant_id, generation.id)
        told = await _to_be_told(session, generation, takes)
        if told:
            await session.execute(insert(MediaFile).values(finished_at=func.now(), **row))
            generation.sheet_media_id = row["id"]
            await session.flush()
            await tell_finished(session, generation, takes)
        await end_step(session, step)
    return told


async def _without_sheet(tools: Tools, step: ClaimedStep) -> None:
    """A sheet that can't be signed isn't published; after some tries the generation is told without it."""
    async with tools.database.tenant(step.tenant_id) as session:
        if step.attempt < MAX_SIGNING_ATTEMPTS:
            await put_off(session, step, seconds=5.0 * step.attempt, trouble="signing_failed")
            return
    await tell_without_sheet(tools, step, trouble="signing_failed")


async def tell_without_sheet(tools: Tools, step: ClaimedStep, *, trouble: str) -> None:
    """Say that the generation is finished though its sheet can't be drawn, and end the step."""
    async with tools.database.tenant(step.tenant_id) as session:
        if step.generation_id is not None:
            generation = await lock_generation(session, step.tenant_id, step.generation_id)
            takes = await lock_takes(session, step.tenant_id, generation.id)
            if await _to_be_told(session, generation, takes):
                await tell_finished(session, generation, takes)
        await end_step(session, step, trouble=trouble)


async def tell_finished(session: TenantSession, generation: Generation, takes: Sequence[Take]) -> None:
    """Record `generation.finished`. The generation and its takes are locked and not yet told."""
    generation.finished_at = clock.now()
    await session.flush()
    counts: dict[str, int] = {}
    for take in takes:
        counts[take.state] = counts.get(take.state, 0) + 1
    await record_event(
        session,
        generation.tenant_id,
        "generation.finished",
        event_data(
            generation,
            state=generation.state,
            takes=counts,
            sheet_media_id=str(generation.sheet_media_id) if generation.sheet_media_id else None,
        ),
        generation_id=generation.id,
    )
    await generation_finished(session, generation)
