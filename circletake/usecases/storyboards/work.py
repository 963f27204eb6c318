"""What a worker is given when it draws from a storyboard, and how such work ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.kinds import MediaRole, RightsBasis
from circletake.domain.media import media_prefix
from circletake.kit import clock, logs
from circletake.kit.ids import new_id
from circletake.ports import SignedFile, SigningFault, StoredObject
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.records.storyboards import Storyboard, StoryboardFile, StoryboardOutput
from circletake.records.together import insert_together
from circletake.usecases.events import record_event, wake_dispatcher, wake_waiters
from circletake.usecases.finish_take import MAX_SIGNING_ATTEMPTS
from circletake.usecases.ledger import record_entry
from circletake.usecases.publish_file import Output, publish_files
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.storyboards.plans import BoardPlan, open_plan
from circletake.usecases.tools import TenantAtWork, Tools

log = logs.logger(__name__)

EVENTS = {"drawing": "storyboard.drawn", "animatic": "animatic.finished"}


@dataclass(frozen=True, slots=True)
class BoardWork:
    """A queued output with its plan opened."""

    step: ClaimedStep
    tenant: TenantAtWork
    output: StoryboardOutput
    plan: BoardPlan


@dataclass(frozen=True, slots=True)
class Made:
    """A file of an output on the local disk. `media_id` is what it will have, or has: a still that another output
    published is `kept` as it is. `row` are its media file's other columns."""

    part: str
    path: Path
    name: str
    media_type: str
    media_id: UUID
    sha256: str
    size: int
    source_type: str
    number: int = 0
    source_media_id: UUID | None = None
    kept: bool = False
    manifest_urn: str | None = None
    manifest_sha256: str | None = None
    shot_id: UUID | None = None
    row: Mapping[str, Any] = field(default_factory=dict)


def signed_as(
    signed: SignedFile, *, part: str, name: str, media_type: str, source_type: str, **more: Any
) -> Made:
    """A new file that carries its manifest."""
    return Made(
        part,
        signed.path,
        name,
        media_type,
        more.pop("media_id", None) or new_id(),
        signed.sha256,
        signed.size,
        source_type,
        manifest_urn=signed.manifest_urn,
        manifest_sha256=signed.manifest_sha256,
        **more,
    )


async def begin(tools: Tools, step: ClaimedStep) -> BoardWork | None:
    """Look up what is to be made. None: it was made already, or nobody needs it any more; the step is ended."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        row = (
            await session.execute(
                select(StoryboardOutput, Storyboard.deleted_at)
                .join(Storyboard, Storyboard.id == StoryboardOutput.storyboard_id)
                .where(StoryboardOutput.tenant_id == step.tenant_id, StoryboardOutput.id == step.subject_id)
            )
        ).one()
        output, deleted_at = row
        if output.state != "queued":
            await end_step(session, step)
            return None
    if deleted_at is not None:
        await fail(tools, step, "storyboard_deleted")
        return None
    return BoardWork(step, tenant, output, open_plan(tenant.seal, output))


async def publish(
    tools: Tools,
    work: BoardWork,
    files: Sequence[Made],
    *,
    remarks: Sequence[Mapping[str, Any]],
    pages: int | None = None,
    code: str | None = None,
) -> None:
    """Publish what is new of the files and record the output as ready."""
    new = [each for each in files if not each.kept]
    rows = [_media_row(work, each) for each in new]
    outputs = [
        Output(row["object_key"], each.path, each.media_type) for row, each in zip(rows, new, strict=True)
    ]

    async def record(stored: Sequence[StoredObject]) -> bool:
        recorded = [{**row, "etag": one.etag} for row, one in zip(rows, stored, strict=True)]
        return await _finish(tools, work, files, recorded, remarks=remarks, pages=pages, code=code)

    await publish_files(tools, work.tenant, work.step, outputs, record=record)


def _media_row(work: BoardWork, made: Made) -> dict[str, Any]:
    output = work.output
    role = MediaRole.MANIFEST if made.part == "manifest" else MediaRole.PROXY
    return {
        "id": made.media_id,
        "tenant_id": work.step.tenant_id,
        "production_id": output.production_id,
        "shot_id": made.shot_id,
        "role": role.value,
        "name": made.name,
        "media_type": made.media_type,
        "size": made.size,
        "sha256": made.sha256,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": media_prefix(output.production_id, made.shot_id, made.media_id) + made.name,
        "digital_source_type": made.source_type,
        "manifest_urn": made.manifest_urn,
        "manifest_sha256": made.manifest_sha256,
        "width": made.row.get("width"),
        "height": made.row.get("height"),
        "probe": made.row.get("probe"),
        "finished_at": clock.now(),
    }


async def _finish(
    tools: Tools,
    work: BoardWork,
    files: Sequence[Made],
    rows: Sequence[Mapping[str, Any]],
    *,
    remarks: Sequence[Mapping[str, Any]],
    pages: int | None,
    code: str | None,
) -> bool:
    """Record files and end. False: another try came first, or a picture was withdrawn while it was drawn, and it has
    to be drawn again without it; then the files aren't wanted."""
    step, tenant_id = work.step, work.step.tenant_id
    async with tools.database.tenant(tenant_id) as session:
        output = await _locked(session, tenant_id, work.output.id)
        await hold_fence(session, step)
        if output.state != "queued":
            await end_step(session, step)
            return False
        if not await _still_there(session, tenant_id, files):
            await put_off(session, step, seconds=0, trouble="picture_withdrawn", counted=False)
            return False
        file_rows = [
            {
                "tenant_id": tenant_id,
                "output_id": output.id,
                "part": each.part,
                "number": each.number,
                "media_id": each.media_id,
                "source_media_id": each.source_media_id,
            }
            for each in files
        ]
        await insert_together(session, (MediaFile, rows), (StoryboardFile, file_rows))
        output.state, output.failure_code, output.finished_at = "ready", code, clock.now()
        output.remarks, output.pages = [dict(each) for each in remarks], pages
        await session.flush()
        await record_entry(
            session,
            work.tenant.seal,
            tenant_id=tenant_id,
            kind=EVENTS[output.kind],
            subject_id=output.id,
            body={
                "production": str(output.production_id),
                "storyboard": str(output.storyboard_id),
                "version": output.storyboard_version,
                "asked": str(output.ledger_entry_id),
                "files": [
                    {"part": each.part, "sha256": each.sha256, "manifest": each.manifest_urn}
                    for each in files
                ],
            },
        )
        await _tell(session, output, files)
        await end_step(session, step, trouble=code)
        await wake_dispatcher(session)
    return True


async def _still_there(session: TenantSession, tenant_id: UUID, files: Sequence[Made]) -> bool:
    """Whether every picture shown and every still that is used again is ready. Until this transaction ends they stay
    so: whoever withdraws one then finds what shows it on record."""
    wanted = {each.source_media_id for each in files if each.source_media_id is not None}
    wanted |= {each.media_id for each in files if each.kept}
    ready = await session.scalars(
        select(MediaFile.id)
        .where(MediaFile.tenant_id == tenant_id, MediaFile.id.in_(wanted), MediaFile.state == "ready")
        .order_by(MediaFile.id)
        .with_for_update(read=True)
    )
    return len(ready.all()) == len(wanted)


async def _locked(session: TenantSession, tenant_id: UUID, output_id: UUID) -> StoryboardOutput:
    return (
        await session.scalars(
            select(StoryboardOutput)
            .where(StoryboardOutput.tenant_id == tenant_id, StoryboardOutput.id == output_id)
            .with_for_update()
        )
    ).one()


async def _tell(session: TenantSession, output: StoryboardOutput, files: Sequence[Made]) -> None:
    ids = {each.part: str(each.media_id) for each in files if each.part != "still"}
    main = ids.get("document") or ids.get("video")
    more = {} if output.kind == "drawing" else {"timeline_media_id": ids.get("timeline")}
    data = {
        f"{output.kind}_id": str(output.id),
        "storyboard_id": str(output.storyboard_id),
        "storyboard_version": output.storyboard_version,
        "production_id": str(output.production_id),
        "state": output.state,
        "code": output.failure_code,
        "panels": output.panels,
        "media_id": main,
        **more,
    }
    await record_event(session, output.tenant_id, EVENTS[output.kind], data)
    await wake_waiters(session, output.id)


async def not_signed(tools: Tools, step: ClaimedStep, fault: SigningFault) -> None:
    """What can't be signed isn't published; after some tries the output has failed."""
    log.warning("signing_failed", reason=str(fault), attempt=step.attempt)
    if fault.retryable and step.attempt < MAX_SIGNING_ATTEMPTS:
        async with tools.database.tenant(step.tenant_id) as session:
            await put_off(session, step, seconds=5.0 * step.attempt, trouble="signing_failed")
        return
    await fail(tools, step, "signing_failed")


async def fail(tools: Tools, step: ClaimedStep, code: str) -> None:
    async with tools.database.tenant(step.tenant_id) as session:
        if step.subject_id is not None:
            await give_up_output(session, step.tenant_id, step.subject_id, code=code)
        await end_step(session, step, trouble=code)
        await wake_dispatcher(session)


async def give_up_output(
    session: TenantSession, tenant_id: UUID, output_id: UUID, *, code: str = "dead_letter"
) -> None:
    """End an output that can't be made, and tell it; whoever asks again has it tried again."""
    output = await _locked(session, tenant_id, output_id)
    if output.state == "queued":
        output.state, output.failure_code, output.finished_at = "failed", code, clock.now()
        await session.flush()
        await _tell(session, output, [])
