"""The stills of a storyboard: a signed JPEG of every panel, or the ones that another output of the same pictures has."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.provenance import SourceType, source_type_of_composite, source_type_of_proxy
from circletake.domain.storyboards.panels import still_name
from circletake.kit import logs
from circletake.kit.children import ChildDied, ChildTimedOut
from circletake.ports import Ingredient, SigningFault, SignRequest, StillMade, StorageFault
from circletake.records.media import MediaFile
from circletake.records.storyboards import StoryboardFile, StoryboardOutput
from circletake.usecases.finish_take import RIGHTS
from circletake.usecases.storyboards.plans import PlannedPanel
from circletake.usecases.storyboards.work import BoardWork, Made, signed_as
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

JPEG = "image/jpeg"
AT_ONCE = 3  # one is fetched while one is drawn and one is signed; takes wait for the same signers
_CARDS = {
    "no_picture": "no picture yet",
    "picture_withdrawn": "picture withdrawn",
    "picture_unreadable": "picture can't be read",
}


@dataclass(frozen=True, slots=True)
class Still:
    """A panel's still. `remark` says why it is a card: a key of the cards, or empty."""

    panel: PlannedPanel
    made: Made
    remark: str = ""


def remarks_of(stills: Sequence[Still]) -> list[dict[str, Any]]:
    return [{"panel": each.panel.number, "code": each.remark} for each in stills if each.remark]


def stills_type(stills: Sequence[Still]) -> str:
    """Compute the digital source type of what is laid out from these stills."""
    return source_type_of_composite([each.made.source_type for each in stills]).value


def shown(stills: Sequence[Still]) -> list[dict[str, Any]]:
    """Name every still by its hash, for a manifest."""
    return [
        {"panel": each.panel.number, "media": str(each.made.media_id), "sha256": each.made.sha256}
        for each in stills
    ]


def as_ingredients(stills: Sequence[Still]) -> list[Ingredient]:
    return [
        Ingredient(
            path=each.made.path,
            media_type=JPEG,
            title=f"panel {each.panel.number}",
            sha256=each.made.sha256,
            relationship="componentOf",
            digital_source_type=each.made.source_type,
        )
        for each in stills
    ]


async def make_stills(tools: Tools, work: BoardWork, folder: Path) -> list[Still]:
    """Return the signed stills in the order of the panels, on the disk. Raises SigningFault or StorageFault."""
    sources = await _sources(tools, work)
    kept = await _kept(tools, work, sources)
    places = asyncio.Semaphore(AT_ONCE)

    async def make(panel: PlannedPanel) -> Still:
        async with places:
            if kept is None:
                return await _still(tools, work, panel, sources, folder)
            made = await _fetched(tools, work, panel, kept[panel.number], folder)
            return Still(panel, made, _remark(panel, sources))

    try:
        async with asyncio.TaskGroup() as group:
            making = [group.create_task(make(panel)) for panel in work.plan.panels]
    except* (SigningFault, StorageFault, ChildDied, ChildTimedOut) as faults:
        raise _first(faults) from None
    return [each.result() for each in making]


def _first(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """One fault of several, as a caller waits for it."""
    fault: BaseException = faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault


async def _sources(tools: Tools, work: BoardWork) -> dict[UUID, MediaFile]:
    """The panels' pictures that are ready now."""
    wanted = {panel.media_id for panel in work.plan.panels if panel.media_id is not None}
    async with tools.database.tenant(work.step.tenant_id) as session:
        rows = await session.scalars(
            select(MediaFile).where(
                MediaFile.tenant_id == work.step.tenant_id,
                MediaFile.id.in_(wanted),
                MediaFile.state == "ready",
            )
        )
        return {file.id: file for file in rows}


def _remark(panel: PlannedPanel, sources: Mapping[UUID, MediaFile]) -> str:
    if panel.media_id is None:
        return "no_picture"
    return "" if panel.media_id in sources else "picture_withdrawn"


async def _kept(
    tools: Tools, work: BoardWork, sources: Mapping[UUID, MediaFile]
) -> dict[int, MediaFile] | None:
    """Return the stills of another output of just these pictures, by panel number; None where there is none whole."""
    if any((panel.media_id in sources) != (panel.picture == "ready") for panel in work.plan.panels):
        return None  # a picture was withdrawn since it was asked for
    async with tools.database.tenant(work.step.tenant_id) as session:
        other = await session.scalar(
            select(StoryboardOutput)
            .where(
                StoryboardOutput.tenant_id == work.step.tenant_id,
                StoryboardOutput.storyboard_id == work.output.storyboard_id,
                StoryboardOutput.stills_key == work.output.stills_key,
                StoryboardOutput.state == "ready",
            )
            .order_by(StoryboardOutput.created_at.desc())
            .limit(1)
        )
        if other is None or any(each["code"] == "picture_unreadable" for each in other.remarks):
            return None
        rows = await session.execute(
            select(StoryboardFile.number, MediaFile)
            .join(MediaFile, MediaFile.id == StoryboardFile.media_id)
            .where(
                StoryboardFile.tenant_id == work.step.tenant_id,
                StoryboardFile.output_id == other.id,
                StoryboardFile.part == "still",
                MediaFile.state == "ready",
            )
        )
        found = {row.number: row.MediaFile for row in rows}
    return found if len(found) == len(work.plan.panels) else None


async def _fetched(tools: Tools, work: BoardWork, panel: PlannedPanel, file: MediaFile, folder: Path) -> Made:
    path = folder / f"{panel.name}.jpg"
    await tools.store.get_file(work.tenant.storage, file.object_key or "", path)
    return Made(
        "still",
        path,
        file.name,
        file.media_type,
        file.id,
        file.sha256,
        file.size,
        file.digital_source_type or SourceType.COMPOSITE.value,
        number=panel.number,
        source_media_id=panel.media_id if panel.picture == "ready" else None,
        kept=True,
        manifest_urn=file.manifest_urn,
        manifest_sha256=file.manifest_sha256,
    )


async def _still(
    tools: Tools, work: BoardWork, panel: PlannedPanel, sources: Mapping[UUID, MediaFile], folder: Path
) -> Still:
    file = sources.get(panel.media_id) if panel.media_id is not None else None
    remark = _remark(panel, sources)
    source: Path | None = None
    if file is not None:
        source = folder / f"source-{panel.number}{Path(file.name).suffix}"
        try:
            await tools.store.get_file(work.tenant.storage, file.object_key or "", source)
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            source, remark = None, "picture_unreadable"
    drawn = folder / f"{panel.name}-drawn.jpg"
    still = await tools.storyboards.still(
        source, name=panel.name, about=_CARDS.get(remark, ""), mark=panel.mark, target=drawn
    )
    if still.missing and not remark:
        remark = "picture_unreadable"
    made = await _sign(tools, work, panel, None if remark else file, source, drawn, still, folder)
    for each in (source, drawn):
        if each is not None:
            each.unlink(missing_ok=True)
    return Still(panel, made, remark)


async def _sign(
    tools: Tools,
    work: BoardWork,
    panel: PlannedPanel,
    file: MediaFile | None,
    source: Path | None,
    drawn: Path,
    still: StillMade,
    folder: Path,
) -> Made:
    output = work.output
    original = SourceType.ALGORITHMIC_MEDIA.value  # a card is lettering
    ingredients, actions = [], []
    if file is not None and source is not None:
        original = source_type_of_proxy(panel.source_type or SourceType.COMPOSITE.value).value
        ingredients.append(
            Ingredient(
                path=source,
                media_type=file.media_type,
                title=f"picture of panel {panel.number}",
                sha256=file.sha256,
                relationship="parentOf",
                digital_source_type=panel.source_type,
            )
        )
        actions.append({"action": "c2pa.resized.proportional"})
        if panel.mark:
            lettering = SourceType.ALGORITHMIC_MEDIA.value
            actions.append({"action": "c2pa.addedText", "digitalSourceType": lettering})
    signed = await tools.signer.sign(
        SignRequest(
            source=drawn,
            target=folder / f"{panel.name}.jpg",
            media_type=JPEG,
            title="storyboard panel",
            digital_source_type=original,
            ai_system="",  # scaling and lettering are ours; the model stands in the picture's own manifest
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=ingredients,
            generation={
                "production": str(output.production_id),
                "storyboard": str(output.storyboard_id),
                "storyboard_version": output.storyboard_version,
                "panel": str(panel.panel_id),
                "panel_number": panel.number,
                "ledger_entry": str(output.ledger_entry_id),
            },
            actions=actions,
        )
    )
    return signed_as(
        signed,
        part="still",
        name=still_name(work.plan.board, panel.number),
        media_type=JPEG,
        source_type=original,
        number=panel.number,
        source_media_id=file.id if file is not None else None,
        shot_id=panel.shot_id,
        row={"width": still.width, "height": still.height},
    )
