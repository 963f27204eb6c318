"""Look at an upload: pin it, copy it, judge the copy, and only then publish it, or refuse it and remove it.

What it decides is committed before anything is deleted, and the deletions are repeatable: a step that is run again
finds the decision and goes on with the cleaning.
"""

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from circletake.domain.media import frame_range_problem, media_key
from circletake.domain.permission.marks import Marks
from circletake.kit import clock
from circletake.kit.children import ChildTimedOut
from circletake.ports import PictureRefused, Probe, StorageFault, StoredObject
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_dispatcher, wake_waiters
from circletake.usecases.purge_media import end_or_purge_again, purge_objects, subject_file
from circletake.usecases.steps import ClaimedStep, FenceLost, hold_fence
from circletake.usecases.tools import TenantAtWork, Tools


class _Refusal(Exception):
    """Why a file isn't taken; `detail` says what to change and goes to the studio."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Accepted:
    stored: StoredObject
    facts: Probe
    credentials: dict[str, Any] | None  # what its own C2PA manifest says, when it has one
    mining: dict[str, Any]  # what it says of training, mining and inference


async def inspect_media(tools: Tools, step: ClaimedStep) -> None:
    """Run an `inspect` step: `subject_id` is the media file. Storage that is away puts the step off."""
    tenant = await tools.tenant(step.tenant_id)
    async with tools.database.tenant(step.tenant_id) as session:
        file = await subject_file(session, step)
    if file.state == "inspecting":
        try:
            outcome = await _judge(tools, tenant, step, file)
            file = await _record(tools, step, outcome)
        except FenceLost:
            await _clean_after_loss(tools, tenant, step)
            raise
    await purge_objects(tools, tenant, file)
    await end_or_purge_again(tools, step)


async def _judge(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, file: MediaFile
) -> "_Accepted | _Refusal":
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        try:
            copy = await _pinned_copy(tools, tenant, step, file)
            path = Path(folder) / "upload"
            await tools.store.get_file(tenant.storage, copy.key, path)
            facts = await _decoded(tools, path, file)
            return _Accepted(copy, facts, *await _credentials(tools, path, file))
        except _Refusal as refusal:
            return refusal


async def _pinned_copy(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, file: MediaFile
) -> StoredObject:
    """Copy what was pinned when the upload was completed, and nothing that was put there since."""
    source = file.object_key or ""
    target = media_key(file.production_id, file.shot_id, file.id, step.fence, file.name)
    changed = _Refusal(
        "changed", "The file was written again after it was completed: upload it as a new media file."
    )
    try:
        found = await tools.store.head(tenant.storage, source)
        if found.etag != file.etag:
            raise changed
        if found.size != file.size:
            raise _Refusal(
                "size_mismatch",
                f"{found.size} bytes arrived, {file.size} were declared: send the whole file.",
            )
        return await tools.store.copy(tenant.storage, source, target, source_etag=found.etag)
    except StorageFault as fault:
        if fault.kind == "changed":
            raise changed from fault
        if fault.kind == "missing":
            raise _Refusal(
                "upload_missing", "The file isn't in the bucket any more: upload it again."
            ) from fault
        raise


async def _decoded(tools: Tools, path: Path, file: MediaFile) -> Probe:
    if await sha256_of(path) != file.sha256:
        raise _Refusal(
            "hash_mismatch", "The bytes that arrived don't have the declared SHA-256: send the file again."
        )
    try:
        facts = await tools.desk.probe(path, file.media_type)
    except PictureRefused as refused:
        raise _Refusal(refused.code, str(refused)) from refused
    problem = frame_range_problem(file.media_type, file.first_frame, file.last_frame, facts.frames)
    if problem is not None:
        raise _Refusal("frame_range", problem)
    return facts


async def _credentials(
    tools: Tools, path: Path, file: MediaFile
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Read the file's own manifest, and its marks. A tampered manifest could never be signed over, so it is told
    before money is spent; one that can't be read is only said to be so."""
    try:
        verdict = await tools.signer.verify(path, file.media_type)
    except ChildTimedOut:
        return None, Marks("unreadable", reason="reading its manifest takes too long").as_json()
    marks = dict(verdict.marks)
    if verdict.status == "tampered":
        raise _Refusal(
            "tampered_manifest",
            "Its C2PA manifest doesn't match its bytes, so no take made with it could be signed: "
            f"upload the original, or a copy without the manifest ({'; '.join(verdict.reasons)[:300]}).",
        )
    if verdict.status == "no_manifest" or verdict.manifest_urn is None:
        return None, marks
    return {
        "status": verdict.status,
        "manifest_urn": verdict.manifest_urn,
        "signer": verdict.signer,
        "digital_source_type": verdict.digital_source_type,
    }, marks


async def _record(tools: Tools, step: ClaimedStep, outcome: "_Accepted | _Refusal") -> MediaFile:
    """Commit what was decided and tell it. A file that was withdrawn meanwhile stays withdrawn."""
    async with tools.database.tenant(step.tenant_id) as session:
        file = await subject_file(session, step, lock=True)
        await hold_fence(session, step)
        if file.state == "inspecting":
            if isinstance(outcome, _Refusal):
                file.state = "refused"
                file.problem_code, file.problem_detail = outcome.code, storable(outcome.detail)
                file.object_key, file.etag = None, None
            else:
                _accept(file, outcome)
                own = await _own_output(session, file)
                file.mining = {**storable(outcome.mining), "own_output": own}
            file.finished_at = clock.now()
            await session.flush()
            await announce_media(session, file)
    return file


def _accept(file: MediaFile, accepted: _Accepted) -> None:
    facts, credentials = accepted.facts, accepted.credentials
    file.state = "ready"
    file.object_key, file.etag = accepted.stored.key, accepted.stored.etag
    file.width, file.height = facts.width, facts.height
    file.probe = {
        "channels": facts.channels,
        "bit_depth": facts.bit_depth,
        "frames": facts.frames,
        "frames_per_second": facts.frames_per_second,
        "duration_seconds": facts.duration_seconds,
        "has_alpha": facts.has_alpha,
        "icc_profile": facts.icc_profile,
        "codec": facts.codec,
        "content_credentials": storable(credentials),
    }
    if credentials is not None and credentials["status"] == "trusted":
        file.digital_source_type = storable(credentials["digital_source_type"])


async def _own_output(session: TenantSession, file: MediaFile) -> bool:
    """Whether these very bytes were made here for this tenant: its own outputs may be its own references."""
    made = select(MediaFile.id).where(
        MediaFile.tenant_id == file.tenant_id,
        MediaFile.sha256 == file.sha256,
        MediaFile.generation_id.is_not(None),
    )
    return await session.scalar(made.limit(1)) is not None


async def announce_media(session: TenantSession, file: MediaFile) -> None:
    """Record `media.ready` or `media.refused`, and wake who waits for this file."""
    await record_event(
        session,
        file.tenant_id,
        f"media.{file.state}",
        {
            "production_id": str(file.production_id),
            "shot_id": str(file.shot_id) if file.shot_id else None,
            "external_ref": file.external_ref,
            "media_id": str(file.id),
            "role": file.role,
            "state": file.state,
            "code": file.problem_code,
        },
    )
    await wake_waiters(session, file.id)
    await wake_dispatcher(session)


async def _clean_after_loss(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> None:
    """Somebody else has the step: take away this attempt's own copy and nothing else."""
    async with tools.database.tenant(step.tenant_id) as session:
        file = await subject_file(session, step)
    own = media_key(file.production_id, file.shot_id, file.id, step.fence, file.name)
    if file.object_key != own:
        await tools.store.delete(tenant.storage, [own])


async def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex, without holding up the loop."""

    def digest() -> str:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    return await asyncio.to_thread(digest)


def storable(value: Any) -> Any:
    """Return JSON-like content that Postgres takes: a stranger's file may carry NULs and broken surrogates."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(str(key)): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value
