"""The matte of a take that makes only a region anew: drawn from what was judged, signed, published, then used.

It is the first step of such a take; the call to the model is the next one.
"""

import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert

from circletake.domain.consistency.words import Box
from circletake.domain.kinds import Billed, InputSlot, MediaRole, RightsBasis
from circletake.domain.provenance import source_type_of_composite
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit.ids import new_id
from circletake.ports import Ingredient, PictureRefused, SignedFile, SigningFault, SignRequest, StoredObject
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.steps import Step
from circletake.usecases.choice.cards import card_of
from circletake.usecases.effective_take import changed_inputs
from circletake.usecases.end_take import Ending, end_take, one_take
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.finish_take import MAX_SIGNING_ATTEMPTS, RIGHTS
from circletake.usecases.publish_file import publish_file
from circletake.usecases.steps import ClaimedStep, end_step, put_off
from circletake.usecases.take_steps import step_for_take
from circletake.usecases.take_work import lock_take
from circletake.usecases.tools import TenantAtWork, Tools


async def draw_matte(tools: Tools, step: ClaimedStep) -> None:
    """Run a `matte` step: `take_id` is the take whose region is to be drawn. Ends without a word when that take was
    canceled, or has its matte already."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        generation = await session.get_one(Generation, step.generation_id)
        take = await session.get_one(Take, step.take_id)
        inputs = changed_inputs(take.changes) or {}
        plate = await session.get_one(MediaFile, inputs[InputSlot.PLATE])
        if take.state in TERMINAL or take.cancel_requested or InputSlot.MATTE in inputs:
            await end_step(session, step)
            return
    if step.overdue:
        await _end(tools, tenant, step, _OVERDUE)
        return
    region = (take.changes or {})["region"]
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        drawn = folder / "matte.png"
        try:
            await tools.desk.region_matte(
                width=region["width"],
                height=region["height"],
                boxes=[Box(*box) for box in region["boxes"]],
                feather=region["feather"],
                target=drawn,
            )
        except PictureRefused as refused:
            await _end(tools, tenant, step, _failed("region_unusable", str(refused)))
            return
        await tools.store.get_file(tenant.storage, plate.object_key or "", folder / "plate")
        try:
            signed = await _sign(tools, generation, take, plate, drawn, folder)
        except SigningFault as fault:
            await _not_signed(tools, tenant, step, fault)
            return
        await _publish(tools, tenant, step, generation, take, region, signed)


def _failed(code: str, detail: str) -> Ending:
    return Ending(TakeState.FAILED, Billed.FALSE, code, detail)


_OVERDUE = Ending(TakeState.EXPIRED, Billed.FALSE, "expired", "Its deadline passed before it started.")


async def _end(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, ending: Ending) -> None:
    async with tools.database.tenant(step.tenant_id) as session:
        generation, takes = await lock_take(session, step)
        take = one_take(takes, step.take_id)
        if take.state not in TERMINAL:
            await end_take(session, tenant.seal, generation, takes, take, ending)
        await end_step(session, step, trouble=ending.code)


async def _not_signed(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, fault: SigningFault) -> None:
    if fault.retryable and step.attempt < MAX_SIGNING_ATTEMPTS:
        async with tools.database.tenant(step.tenant_id) as session:
            await put_off(session, step, seconds=5.0 * step.attempt, trouble="signing_failed")
        return
    await _end(
        tools,
        tenant,
        step,
        _failed("signing_failed", "Its matte could not be signed, so it isn't published. Tell the operator."),
    )


async def _sign(
    tools: Tools, generation: Generation, take: Take, plate: MediaFile, drawn: Path, folder: Path
) -> SignedFile:
    return await tools.signer.sign(
        SignRequest(
            source=drawn,
            target=folder / "signed.png",
            media_type="image/png",
            title="matte",
            digital_source_type=source_type_of_composite([]).value,  # drawn by rule, from numbers
            ai_system="",
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[
                Ingredient(
                    path=folder / "plate",
                    media_type=plate.media_type,
                    title="plate",
                    sha256=plate.sha256,
                    relationship="inputTo",
                    digital_source_type=plate.digital_source_type,
                )
            ],
            generation={
                "production": str(generation.production_id),
                "generation": str(generation.id),
                "take": str(take.id),
                "matte": True,
                "ledger_entry": str(generation.ledger_entry_id),
            },
        )
    )


async def _publish(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    generation: Generation,
    take: Take,
    region: dict[str, Any],
    signed: SignedFile,
) -> None:
    media_id = new_id()
    place = generation.shot_id or "concept"
    name = f"matte_{str(generation.id)[-6:]}_t{take.number:02d}.png"
    key = f"media/{generation.production_id}/{place}/{media_id}/{name}"
    row: dict[str, Any] = {
        "id": media_id,
        "tenant_id": step.tenant_id,
        "production_id": generation.production_id,
        "shot_id": generation.shot_id,
        "role": MediaRole.MATTE.value,
        "name": name,
        "media_type": "image/png",
        "size": signed.size,
        "sha256": signed.sha256,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": key,
        "width": region["width"],
        "height": region["height"],
        "generation_id": generation.id,
        "digital_source_type": source_type_of_composite([]).value,
        "manifest_urn": signed.manifest_urn,
        "manifest_sha256": signed.manifest_sha256,
    }

    async def record(stored: StoredObject) -> bool:
        return await _record(tools, step, {**row, "etag": stored.etag})

    await publish_file(tools, tenant, step, key=key, path=signed.path, media_type="image/png", record=record)


async def _record(tools: Tools, step: ClaimedStep, row: dict[str, Any]) -> bool:
    """The matte becomes an input of its take, and the model is called next. Returns whether the file was recorded:
    it isn't when the take ended meanwhile."""
    async with tools.database.tenant(step.tenant_id) as session:
        generation, takes = await lock_take(session, step)
        take = one_take(takes, step.take_id)
        open_still = take.state not in TERMINAL
        if open_still:
            changes = take.changes or {}
            await session.execute(insert(MediaFile).values(finished_at=func.now(), **row))
            take.changes = {
                **changes,
                "inputs": {**changes["inputs"], InputSlot.MATTE.value: str(row["id"])},
            }
            await session.flush()
            card = await card_of(session, tools.catalogue, generation, take)
            if card is None:
                raise LookupError("the model of this take is no longer in the catalogue")
            await session.execute(
                insert(Step).values(
                    step_for_take(
                        step.tenant_id, generation.id, take.id, card.id, card.mode, step.deadline_at
                    )
                )
            )
        await end_step(session, step)
        await wake_dispatcher(session)
    return open_still
