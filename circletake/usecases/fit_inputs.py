"""A generation's inputs as the model takes them: made once, kept in the bucket, the same bytes for every take."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from circletake.dialects.checks import input_limits
from circletake.domain.kinds import RULES, InputSlot
from circletake.domain.pictures import Picture
from circletake.ports import StorageFault
from circletake.records.media import MediaFile
from circletake.usecases.take_work import TakeWork
from circletake.usecases.tools import Tools

BLACK_CHANGES = "black_changes"  # our own mattes are white where the picture changes


async def fit_inputs(tools: Tools, work: TakeWork) -> dict[InputSlot, Picture]:
    """Return every input that is sent, inside the model's limits. The plate first: a matte follows its size."""
    fitted: dict[InputSlot, Picture] = {}
    sent = work.inputs.keys() - RULES[work.kind].not_sent
    order = sorted(sent, key=lambda slot: slot is not InputSlot.PLATE)
    for slot in order:
        fitted[slot] = await _fit(tools, work, slot, work.inputs[slot], fitted)
    return fitted


def _key(work: TakeWork, slot: InputSlot, file: MediaFile) -> str:
    """One per model as its card says it is (limits, polarity) and, for a matte, per plate: takes of one generation may
    differ in both."""
    plate = work.inputs.get(InputSlot.PLATE)
    for_model = f"{work.card.fingerprint} {plate.sha256 if plate else ''}"
    fitted_for = hashlib.sha256(for_model.encode()).hexdigest()
    return f"{work.staging}/inputs/{slot}-{file.sha256[:16]}-{fitted_for[:8]}"


async def _fit(
    tools: Tools,
    work: TakeWork,
    slot: InputSlot,
    file: MediaFile,
    fitted: Mapping[InputSlot, Picture],
) -> Picture:
    key = _key(work, slot, file)
    kept = await _kept(tools, work, key)
    if kept is not None:
        return kept
    limits = input_limits(work.card, slot) or {}
    plate = fitted.get(InputSlot.PLATE)
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        path = Path(folder) / "input"
        await tools.store.get_file(work.tenant.storage, file.object_key or "", path)
        made = await tools.desk.for_model(
            path,
            limits=limits,
            grayscale=slot is InputSlot.MATTE,
            invert=slot is InputSlot.MATTE and limits.get("polarity") == BLACK_CHANGES,
            size=(plate.width, plate.height) if plate and slot is InputSlot.MATTE else None,
        )
    picture = Picture(made.data, made.media_type, made.width, made.height, made.scale)
    facts = {
        "media_type": made.media_type,
        "width": made.width,
        "height": made.height,
        "scale": made.scale,
    }
    await tools.store.put(work.tenant.storage, key, made.data, made.media_type)
    # the facts come last: where they are, the picture is whole
    await tools.store.put(work.tenant.storage, f"{key}.json", json.dumps(facts).encode(), "application/json")
    return picture


async def _kept(tools: Tools, work: TakeWork, key: str) -> Picture | None:
    try:
        facts = json.loads(await tools.store.get(work.tenant.storage, f"{key}.json"))
    except StorageFault as fault:
        if fault.kind == "missing":
            return None
        raise
    data = await tools.store.get(work.tenant.storage, key)
    return Picture(data, facts["media_type"], facts["width"], facts["height"], facts["scale"])
