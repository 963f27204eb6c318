"""Answer "what is known of this file?": what its manifest proves, and whether it is an output of this tenant.

Nothing that the file names is ever fetched.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.kit import clock
from circletake.kit.children import ChildTimedOut
from circletake.ports import StorageFault, VerifyVerdict
from circletake.records.media import MediaFile, Verification
from circletake.records.session import TenantSession
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.inspect_media import sha256_of, storable
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence
from circletake.usecases.tools import TenantAtWork, Tools

MAX_CLAIM_BYTES = 256 * 1024  # of JSON; a hostile manifest can be long
MAX_LINES = 200  # reasons and ingredient problems


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is looked at: a media file of ours, or a file that was posted for this only."""

    verification_id: UUID
    state: str
    posted_key: str | None
    key: str | None
    media_type: str
    recorded_sha256: str | None


async def verify_file(tools: Tools, step: ClaimedStep) -> None:
    """Run a `verify` step: `subject_id` is the verification. Storage that is away puts the step off."""
    tenant = await tools.tenant(step.tenant_id)
    subject = await _subject(tools, step)
    if subject.state == "queued":
        answer = await _look(tools, tenant, subject)
        await _record(tools, step, subject, answer)
    if subject.posted_key is not None:
        await tools.store.delete(tenant.storage, [subject.posted_key])
    async with tools.database.tenant(step.tenant_id) as session:
        await end_step(session, step)
        await wake_dispatcher(session)


async def _subject(tools: Tools, step: ClaimedStep) -> _Subject:
    async with tools.database.tenant(step.tenant_id) as session:
        row = (
            await session.scalars(
                select(Verification).where(
                    Verification.tenant_id == step.tenant_id, Verification.id == step.subject_id
                )
            )
        ).one()
        file = None
        if row.media_id is not None:
            file = await session.scalar(
                select(MediaFile).where(MediaFile.tenant_id == step.tenant_id, MediaFile.id == row.media_id)
            )
    return _Subject(
        verification_id=row.id,
        state=row.state,
        posted_key=row.object_key,
        key=file.object_key if file else row.object_key,
        media_type=row.media_type,
        recorded_sha256=file.sha256 if file else None,
    )


async def _look(tools: Tools, tenant: TenantAtWork, subject: _Subject) -> tuple[str, VerifyVerdict] | None:
    """Return the file's SHA-256 and what its manifest proves; None when the file is gone."""
    if subject.key is None:
        return None
    with tempfile.TemporaryDirectory(dir=tools.scratch) as folder:
        path = Path(folder) / "file"
        try:
            await tools.store.get_file(tenant.storage, subject.key, path)
        except StorageFault as fault:
            if fault.kind == "missing":
                return None
            raise
        digest = await sha256_of(path)
        try:
            verdict = await tools.signer.verify(path, subject.media_type)
        except ChildTimedOut:
            reason = "reading the manifest takes too long"
            verdict = VerifyVerdict("unreadable", (reason,), (), None, None, None, None, {})
    return digest, verdict


async def _record(
    tools: Tools, step: ClaimedStep, subject: _Subject, answer: tuple[str, VerifyVerdict] | None
) -> None:
    async with tools.database.tenant(step.tenant_id) as session:
        await hold_fence(session, step)
        row = (
            await session.scalars(
                select(Verification)
                .where(Verification.tenant_id == step.tenant_id, Verification.id == subject.verification_id)
                .with_for_update()
            )
        ).one()
        row.finished_at = clock.now()
        if answer is None:
            row.state = "failed"
            row.result = {"reasons": ["the file is no longer in the bucket"]}
        else:
            digest, verdict = answer
            known = await _known_output(session, step.tenant_id, digest, verdict.manifest_urn)
            row.state = "done"
            row.result = storable(_result(digest, verdict, known, subject.recorded_sha256))
        await session.flush()
        await wake_waiters(session, row.id)


async def _known_output(
    session: TenantSession, tenant_id: UUID, digest: str, manifest_urn: str | None
) -> dict[str, Any] | None:
    """Find an output of this tenant by its bytes, or else by its manifest, which outlives a changed file."""
    # only what we made and signed has it: what is known of an upload's own manifest is kept with its inspection
    outputs = select(MediaFile).where(MediaFile.tenant_id == tenant_id, MediaFile.manifest_urn.is_not(None))
    found = await session.scalar(
        outputs.where(MediaFile.sha256 == digest).order_by(MediaFile.created_at).limit(1)
    )
    if found is None and manifest_urn is not None:
        found = await session.scalar(
            outputs.where(MediaFile.manifest_urn == manifest_urn).order_by(MediaFile.created_at).limit(1)
        )
    if found is None:
        return None
    return {
        "take_id": str(found.take_id) if found.take_id else None,
        "generation_id": str(found.generation_id) if found.generation_id else None,
        "media_id": str(found.id),
        "known_manifest": manifest_urn is not None and found.manifest_urn == manifest_urn,
        "same_bytes": found.sha256 == digest,
    }


def _result(
    digest: str, verdict: VerifyVerdict, known: Mapping[str, Any] | None, recorded_sha256: str | None
) -> dict[str, Any]:
    """The answer as it is kept and shown. A file of ours whose bytes aren't the recorded ones is tampered with."""
    status, reasons = verdict.status, list(verdict.reasons[:MAX_LINES])
    as_recorded = None if recorded_sha256 is None else recorded_sha256 == digest
    if as_recorded is False:
        status = "tampered"
        reasons.insert(0, "the bytes in the bucket don't have the SHA-256 that was recorded for this file")
    problems = [
        {key: list(value) if isinstance(value, tuple) else value for key, value in problem.items()}
        for problem in verdict.ingredient_problems[:MAX_LINES]
    ]
    claim: Mapping[str, Any] | None = verdict.claim
    if len(json.dumps([claim, problems, reasons], default=str)) > MAX_CLAIM_BYTES:
        claim, problems = None, []
        reasons = [*(reason[:300] for reason in reasons[:20]), "the manifest is too long to be shown"]
    return {
        "status": status,
        "reasons": reasons,
        "ingredient_problems": problems,
        "signer": verdict.signer,
        "signed_at": verdict.signed_at.isoformat() if verdict.signed_at else None,
        "digital_source_type": verdict.digital_source_type,
        "manifest_urn": verdict.manifest_urn,
        "claim": json.loads(json.dumps(claim, default=str)),
        "known_output": known,
        "sha256": digest,
        "bytes_as_recorded": as_recorded,
    }
