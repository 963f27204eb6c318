"""The preview of a take, on a worker: made smaller, marked, signed, published.

It is an output too: its manifest names the take it was made from.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.kinds import MediaRole, RightsBasis
from circletake.domain.media import media_prefix
from circletake.domain.provenance import SourceType, source_type_of_proxy
from circletake.kit import clock, logs
from circletake.kit.ids import new_id
from circletake.ports import (
    Ingredient,
    PictureRefused,
    PreviewMade,
    PreviewMark,
    SignedFile,
    SigningFault,
    SignRequest,
    StorageFault,
    StoredObject,
)
from circletake.records.context import Production, Shot
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.review import Preview
from circletake.records.session import TenantSession
from circletake.usecases.events import wake_waiters
from circletake.usecases.finish_take import EXTENSIONS, MAX_SIGNING_ATTEMPTS, RIGHTS
from circletake.usecases.publish_file import publish_file
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import Tools

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class _Subject:
    preview: Preview
    take: Take
    file: MediaFile
    generation: Generation
    production_code: str
    shot_code: str | None

    @property
    def mark(self) -> PreviewMark:
        """Short ids: nobody's name is burnt into a picture that travels."""
        take = f"take {self.take.number} {short(self.take.id)}"
        viewer = f"{self.preview.viewer_is.replace('api_', '')} {short(self.preview.viewer)}"
        return PreviewMark(
            short=f"PREVIEW  {self.production_code}  {take}  {viewer}",
            whole="  ·  ".join(
                [
                    "PREVIEW, not for delivery",
                    " ".join(filter(None, [self.production_code, self.shot_code])),
                    take,
                    f"for {viewer}",
                    f"{self.preview.asked_at:%Y-%m-%d}",
                ]
            ),
        )


def short(identifier: UUID) -> str:
    """The last six characters of an id: what people read out."""
    return str(identifier)[-6:]


async def draw_preview(tools: Tools, step: ClaimedStep) -> None:
    """Run a `preview` step: `subject_id` is the preview. Ends without a word when it is made already."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        subject = await _subject(session, step.subject_id)
        if subject is None:
            await end_step(session, step)
            return
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        source = folder / f"take{Path(subject.file.name).suffix}"
        suffix = "mp4" if subject.file.media_type.startswith("video/") else "jpg"
        target = folder / f"preview.{suffix}"
        try:
            await tools.store.get_file(tenant.storage, subject.file.object_key or "", source)
            made = await tools.desk.preview(source, mark=subject.mark, target=target)
        except PictureRefused as refused:
            await _failed(tools, step, f"preview_{refused.code}")
            return
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            await _failed(tools, step, "result_missing")
            return
        try:
            signed = await _sign(tools, subject, made, source, target, folder)
        except SigningFault as fault:
            await _not_signed(tools, step, fault)
            return
        row = _row(step, subject, made, signed)

        async def record(stored: StoredObject) -> bool:
            return await _record(tools, step, {**row, "etag": stored.etag})

        await publish_file(
            tools,
            tenant,
            step,
            key=row["object_key"],
            path=signed.path,
            media_type=made.media_type,
            record=record,
        )


async def _subject(session: TenantSession, preview_id: UUID | None) -> _Subject | None:
    found = (
        await session.execute(
            select(Preview, Take, MediaFile, Generation, Production.code, Shot.code)
            .join(Take, Take.id == Preview.take_id)
            .join(MediaFile, MediaFile.id == Take.media_id)
            .join(Generation, Generation.id == Take.generation_id)
            .join(Production, Production.id == Generation.production_id)
            .outerjoin(Shot, Shot.id == Generation.shot_id)
            .where(Preview.id == preview_id, Preview.state == "queued")
        )
    ).one_or_none()
    return None if found is None else _Subject(*found)


async def _sign(
    tools: Tools, subject: _Subject, made: PreviewMade, source: Path, target: Path, folder: Path
) -> SignedFile:
    original = subject.file.digital_source_type or SourceType.COMPOSITE.value
    return await tools.signer.sign(
        SignRequest(
            source=target,
            target=folder / f"signed.{EXTENSIONS[made.media_type]}",
            media_type=made.media_type,
            title="preview",
            digital_source_type=source_type_of_proxy(original).value,
            ai_system="",  # scaling and lettering are ours; the model stands in the take's own manifest
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[
                Ingredient(
                    path=source,
                    media_type=subject.file.media_type,
                    title=f"take {subject.take.number}",
                    sha256=subject.file.sha256,
                    relationship="parentOf",
                    digital_source_type=subject.file.digital_source_type,
                )
            ],
            generation={
                "production": str(subject.generation.production_id),
                "generation": str(subject.generation.id),
                "take": str(subject.take.id),
                "preview": True,
                subject.preview.viewer_is: str(subject.preview.viewer),
                "ledger_entry": str(subject.generation.ledger_entry_id),
            },
            actions=(
                {"action": "c2pa.resized.proportional"},
                {"action": "c2pa.addedText", "digitalSourceType": SourceType.ALGORITHMIC_MEDIA.value},
            ),
        )
    )


def _row(step: ClaimedStep, subject: _Subject, made: PreviewMade, signed: SignedFile) -> dict[str, Any]:
    media_id, generation = new_id(), subject.generation
    name = f"preview_{short(generation.id)}_t{subject.take.number:02d}.{EXTENSIONS[made.media_type]}"
    original = subject.file.digital_source_type or SourceType.COMPOSITE.value
    return {
        "id": media_id,
        "tenant_id": step.tenant_id,
        "production_id": generation.production_id,
        "shot_id": generation.shot_id,
        "role": MediaRole.PROXY.value,
        "name": name,
        "media_type": made.media_type,
        "size": signed.size,
        "sha256": signed.sha256,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": media_prefix(generation.production_id, generation.shot_id, media_id) + name,
        "width": made.width,
        "height": made.height,
        "probe": {
            "frames": made.frames,
            "frames_per_second": made.frames_per_second,
            "shortened": made.shortened,
        },
        "generation_id": generation.id,
        "digital_source_type": source_type_of_proxy(original).value,
        "manifest_urn": signed.manifest_urn,
        "manifest_sha256": signed.manifest_sha256,
    }


async def _record(tools: Tools, step: ClaimedStep, row: dict[str, Any]) -> bool:
    """Returns whether the file was recorded: another try of this step may have been first."""
    async with tools.database.tenant(step.tenant_id) as session:
        preview = await _locked(session, step.subject_id)
        await hold_fence(session, step)
        wanted = preview is not None and preview.state == "queued"
        if preview is not None and wanted:
            await session.execute(insert(MediaFile).values(finished_at=func.now(), **row))
            preview.state, preview.media_id, preview.finished_at = "ready", row["id"], clock.now()
            await session.flush()
            await wake_waiters(session, preview.id)
        await end_step(session, step)
    return wanted


async def _locked(session: TenantSession, preview_id: UUID | None) -> Preview | None:
    return await session.scalar(select(Preview).where(Preview.id == preview_id).with_for_update())


async def _not_signed(tools: Tools, step: ClaimedStep, fault: SigningFault) -> None:
    log.warning("signing_failed", reason=str(fault), attempt=step.attempt)
    if fault.retryable and step.attempt < MAX_SIGNING_ATTEMPTS:
        async with tools.database.tenant(step.tenant_id) as session:
            await put_off(session, step, seconds=5.0 * step.attempt, trouble="signing_failed")
        return
    await _failed(tools, step, "signing_failed")


async def _failed(tools: Tools, step: ClaimedStep, code: str) -> None:
    async with tools.database.tenant(step.tenant_id) as session:
        if step.subject_id is not None:
            await give_up_preview(session, step.tenant_id, step.subject_id, code=code)
        await end_step(session, step, trouble=code)


async def give_up_preview(
    session: TenantSession, tenant_id: UUID, preview_id: UUID, *, code: str = "dead_letter"
) -> None:
    """End a preview that can't be made; whoever asks again has it tried again."""
    preview = await _locked(session, preview_id)
    if preview is not None and preview.tenant_id == tenant_id and preview.state == "queued":
        preview.state, preview.failure_code, preview.finished_at = "failed", code, clock.now()
        await session.flush()
        await wake_waiters(session, preview.id)
