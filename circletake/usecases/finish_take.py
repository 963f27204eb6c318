"""Stages 7 and 8: lay the result back onto its plate, sign it, publish it, record it.

An output that can't be signed isn't published.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert

from circletake.domain.kinds import Billed, InputSlot, MediaRole, RightsBasis, laid_back
from circletake.domain.pictures import composite_type
from circletake.domain.provenance import source_type_of_take
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit import logs
from circletake.kit.ids import new_id
from circletake.ports import (
    CompositeReport,
    Ingredient,
    LayBackFault,
    PictureRefused,
    Probe,
    SignedFile,
    SigningFault,
    SignRequest,
    StorageFault,
    StoredObject,
)
from circletake.records.generations import Generation, Invocation, Take
from circletake.records.media import MediaFile
from circletake.usecases.effective_take import controls_of
from circletake.usecases.end_take import Ending, end_take, one_take
from circletake.usecases.exposure.record_exposure import record_exposure
from circletake.usecases.publish_file import publish_file
from circletake.usecases.steps import ClaimedStep, end_step, put_off
from circletake.usecases.take_work import TakeWork, begin_take, finish_with, lock_take
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

MAX_SIGNING_ATTEMPTS = 6
MODEL_TYPE = "c2pa.types.model"  # c2pa.ai-disclosure, C2PA 2.4 section 18.28
RIGHTS = "Rights are on record with the production."
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/tiff": "tif",
    "video/mp4": "mp4",
}


@dataclass(frozen=True, slots=True)
class _Made:
    """A finished file on the local disk, before it is signed."""

    path: Path
    media_type: str
    probe: Probe
    raw: Path
    raw_type: str
    composite: CompositeReport | None
    plate: Path | None


async def finish_take(tools: Tools, step: ClaimedStep) -> None:
    """Run a `finish` step."""
    work = await begin_take(tools, step)
    if work is None:
        return
    if work.answered is None:
        raise LookupError("the invocation of this step isn't there")
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        try:
            made = await _make(tools, work, work.answered, Path(folder))
        except (LayBackFault, PictureRefused) as fault:
            await finish_with(
                tools,
                work,
                Ending(TakeState.FAILED, Billed.TRUE, "result_unusable", str(fault)),
            )
            return
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            await finish_with(tools, work, _MISSING)
            return
        try:
            signed = await _sign(tools, work, made, Path(folder))
        except SigningFault as fault:
            await _not_signed(tools, work, fault)
            return
        await _publish(tools, work, made, signed)


_MISSING = Ending(
    TakeState.FAILED,
    Billed.TRUE,
    "result_missing",
    "The model's result, or an input it belongs to, is no longer in the bucket.",
)


async def _make(tools: Tools, work: TakeWork, invocation: Invocation, folder: Path) -> _Made:
    """Fetch the raw result; on a plate, lay it back at the plate's own size and depth."""
    raw = folder / "raw"
    raw_type = invocation.result_type or "image/png"
    await tools.store.get_file(work.tenant.storage, invocation.result_key or "", raw)
    if not laid_back(work.kind, work.inputs):
        return _Made(raw, raw_type, await tools.desk.probe(raw, raw_type), raw, raw_type, None, None)
    plate, matte = None, None
    for slot in (InputSlot.PLATE, InputSlot.MATTE):
        if slot in work.inputs:
            path = folder / slot.value
            await tools.store.get_file(work.tenant.storage, work.inputs[slot].object_key or "", path)
            plate, matte = (path, matte) if slot is InputSlot.PLATE else (plate, path)
    if plate is None:
        raise LayBackFault("the plate is missing")
    laying = await _laid_as(tools, work)
    target_type = composite_type(work.inputs[InputSlot.PLATE].media_type)
    target = folder / f"composite.{EXTENSIONS[target_type]}"
    report = await tools.desk.lay_back(
        plate=plate,
        matte=matte,
        result=raw,
        target=target,
        target_type=target_type,
        extend=laying.get("extend"),
        grow_pixels=int(laying.get("grow_mask", 0)),
    )
    probe = await tools.desk.probe(target, target_type)
    return _Made(target, target_type, probe, raw, raw_type, report, plate)


async def _laid_as(tools: Tools, work: TakeWork) -> Mapping[str, Any]:
    """The controls that say where the result lies: its own, or of a finish those of the take that it finishes."""
    if work.generation.finish_of is None:
        return work.controls
    async with tools.database.tenant(work.step.tenant_id) as session:
        finished = await session.get_one(Take, work.generation.finish_of)
        return controls_of(await session.get_one(Generation, finished.generation_id), finished)


async def _sign(tools: Tools, work: TakeWork, made: _Made, folder: Path) -> SignedFile:
    ingredients = [await _ingredient(tools, work, slot, file, folder) for slot, file in work.inputs.items()]
    ingredients += await _vendor_ingredient(tools, work, made)
    request = SignRequest(
        source=made.path,
        target=folder / f"signed.{EXTENSIONS[made.media_type]}",
        media_type=made.media_type,
        title=_name(work, made.media_type),
        digital_source_type=_source_type(work),
        ai_system=work.card.name,
        ai_system_version=work.card.id,
        model_type=MODEL_TYPE,
        rights=RIGHTS,
        ingredients=ingredients,
        generation=_claim(work),
    )
    return await tools.signer.sign(request)


def _parent(work: TakeWork) -> InputSlot | None:
    """The input that the take is a changed version of: its plate, else the picture that was worked on whole."""
    if laid_back(work.kind, work.inputs):
        return InputSlot.PLATE
    return InputSlot.SOURCE if InputSlot.SOURCE in work.inputs else None


def _source_type(work: TakeWork) -> str:
    parent = _parent(work)
    return source_type_of_take(
        work.card.digital_source_type,
        on_plate=parent is not None,
        plate_source_type=work.inputs[parent].digital_source_type if parent else None,
    ).value


async def _vendor_ingredient(tools: Tools, work: TakeWork, made: _Made) -> list[Ingredient]:
    """The model's own file, when its maker signed it: its manifest would be lost otherwise."""
    if not await asyncio.to_thread(_may_be_signed, made.raw):
        return []
    verdict = await tools.signer.verify(made.raw, made.raw_type)
    if verdict.manifest_urn is None:
        return []
    return [
        Ingredient(
            path=made.raw,
            media_type=made.raw_type,
            title="model output",
            sha256=await asyncio.to_thread(_sha256, made.raw),
            relationship="parentOf" if _parent(work) is None else "componentOf",
        )
    ]


def _may_be_signed(path: Path) -> bool:
    return b"c2pa" in path.read_bytes()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _ingredient(
    tools: Tools, work: TakeWork, slot: InputSlot, file: MediaFile, folder: Path
) -> Ingredient:
    path = folder / slot.value
    if not path.exists():
        await tools.store.get_file(work.tenant.storage, file.object_key or "", path)
    relationship = "parentOf" if slot is _parent(work) else "inputTo"
    return Ingredient(
        path=path,
        media_type=file.media_type,
        title=slot.value,  # a file's name may say what a prompt would
        sha256=file.sha256,
        relationship=relationship,  # type: ignore[arg-type]  # one of the port's literals
        digital_source_type=file.digital_source_type,
    )


def _claim(work: TakeWork) -> dict[str, Any]:
    """Our own assertion: ids, keyed hashes and the ledger entry of the request. Nothing readable of the content."""
    generation, seal = work.generation, work.tenant.seal
    return {
        "production": str(generation.production_id),
        "shot": str(generation.shot_id) if generation.shot_id else None,
        "generation": str(generation.id),
        "take": str(work.take.id),
        "take_number": work.take.number,
        "kind": work.kind.value,
        "model": work.card.id,
        "seed": work.take.seed_used or work.take.seed,
        "prompt_hash": seal.keyed_hash(work.prompt.encode()) if work.prompt else None,
        "ledger_entry": str(generation.ledger_entry_id),
        **({"rung": work.take.changes["rung"]} if work.take.changes else {}),
        # ids of consents with their documents' hashes, of exemptions and of cleared holds
        **({"permission": work.take.permission} if work.take.permission else {}),
        "inputs": {slot.value: str(file.id) for slot, file in work.inputs.items()},
    }


def _name(work: TakeWork, media_type: str) -> str:
    parts = [work.shot_code, work.generation.kind, str(work.generation.id)[-6:], f"t{work.take.number:02d}"]
    return "_".join(part for part in parts if part) + f".{EXTENSIONS[media_type]}"


async def _not_signed(tools: Tools, work: TakeWork, fault: SigningFault) -> None:
    log.warning("signing_failed", reason=str(fault), attempt=work.step.attempt)
    if fault.retryable and work.step.attempt < MAX_SIGNING_ATTEMPTS:
        async with tools.database.tenant(work.step.tenant_id) as session:
            await put_off(session, work.step, seconds=5.0 * work.step.attempt, trouble="signing_failed")
        return
    await finish_with(
        tools,
        work,
        Ending(
            TakeState.FAILED,
            Billed.TRUE,
            "signing_failed",
            "The take could not be signed, so it isn't published. Tell the operator.",
        ),
    )


async def _publish(tools: Tools, work: TakeWork, made: _Made, signed: SignedFile) -> None:
    media_id = new_id()
    place = work.generation.shot_id or "concept"
    name = _name(work, made.media_type)
    key = f"media/{work.generation.production_id}/{place}/{media_id}/{name}"
    probe = made.probe
    row: dict[str, Any] = {
        "id": media_id,
        "tenant_id": work.step.tenant_id,
        "production_id": work.generation.production_id,
        "shot_id": work.generation.shot_id,
        "role": MediaRole.TAKE.value,
        "name": name,
        "media_type": made.media_type,
        "size": signed.size,
        "sha256": signed.sha256,
        "colour_space": work.inputs[InputSlot.PLATE].colour_space if made.plate else None,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": key,
        "width": probe.width,
        "height": probe.height,
        "probe": {
            "bit_depth": probe.bit_depth,
            "channels": probe.channels,
            "frames": probe.frames,
            "frames_per_second": probe.frames_per_second,
            "duration_seconds": probe.duration_seconds,
        },
        "generation_id": work.generation.id,
        "take_id": work.take.id,
        "digital_source_type": _source_type(work),
        "manifest_urn": signed.manifest_urn,
        "manifest_sha256": signed.manifest_sha256,
    }

    async def record(stored: StoredObject) -> bool:
        return await _record(tools, work, made, signed, {**row, "etag": stored.etag})

    await publish_file(
        tools,
        work.tenant,
        work.step,
        key=key,
        path=signed.path,
        media_type=made.media_type,
        record=record,
    )


async def _record(tools: Tools, work: TakeWork, made: _Made, signed: SignedFile, row: dict[str, Any]) -> bool:
    """T4. Returns whether the file was recorded: it isn't when the take was canceled meanwhile."""
    async with tools.database.tenant(work.step.tenant_id) as session:
        generation, takes = await lock_take(session, work.step)
        take = one_take(takes, work.take.id)
        canceled = take.cancel_requested or take.state in TERMINAL
        if take.state not in TERMINAL:
            if canceled:
                ending = Ending(
                    TakeState.CANCELED, Billed.TRUE, "canceled", "Canceled after the model had answered."
                )
            else:
                await session.execute(insert(MediaFile).values(finished_at=func.now(), **row))
                take.media_id = row["id"]
                take.changed_fraction = made.composite.changed_fraction if made.composite else None
                await record_exposure(
                    session, generation=generation, take=take, probe=made.probe, composite=made.composite
                )
                ending = Ending(
                    TakeState.SUCCEEDED,
                    Billed.TRUE,
                    ledger={
                        "media": str(row["id"]),
                        "sha256": signed.sha256,
                        "manifest": signed.manifest_urn,
                        "changed_fraction": _millionths(take.changed_fraction),
                        "generated_fraction": _millionths(
                            made.composite.generated_fraction if made.composite else 1.0
                        ),
                    },
                )
            await end_take(session, work.tenant.seal, generation, takes, take, ending)
        await end_step(session, work.step)
    return not canceled


def _millionths(fraction: float | None) -> str | None:
    """A canonical document holds no floats."""
    return None if fraction is None else str(Decimal(fraction).quantize(Decimal("0.000001")))
