"""The continuity sheet of a check: a character cut out of every shot in story order, with what was judged of it.

One JPEG to look at and one PDF with everything. Both are outputs: signed, with every file they show by its hash.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.consistency.words import MISMATCH, Box, CharacterKind
from circletake.domain.kinds import MediaRole, RightsBasis
from circletake.domain.media import media_prefix
from circletake.domain.provenance import source_type_of_composite
from circletake.kit import clock, logs
from circletake.kit.ids import new_id
from circletake.ports import (
    ContinuityCell,
    ContinuityRow,
    EvaluatorDown,
    PictureRefused,
    SignedFile,
    SigningFault,
    SignRequest,
    StorageFault,
    StoredObject,
)
from circletake.records.characters import Character, Reference
from circletake.records.consistency import CheckMaterial, CheckResult, Judgement
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.check_events import announce_check
from circletake.usecases.checked import Checked, CheckedShot, CheckedSubject
from circletake.usecases.events import wake_dispatcher
from circletake.usecases.finish_take import MAX_SIGNING_ATTEMPTS, RIGHTS
from circletake.usecases.material_work import ENDED
from circletake.usecases.publish_file import Output, publish_files
from circletake.usecases.record_judgements import lock_check
from circletake.usecases.steps import end_step, hold_fence, put_off
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

REFERENCES_SHOWN = 4
REFERENCE_SIDE = 320  # pixels
_TYPES = {"sheet": "image/jpeg", "document": "application/pdf"}
_BY_REASON = {reason.value: aspect.value for aspect, reason in MISMATCH.items()}


async def draw_continuity(tools: Tools, checked: Checked) -> None:
    """Draw, sign, publish; then the check has succeeded. Ends the step."""
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        rows = await _rows(tools, checked, folder)
        sheet, document = folder / "sheet.jpg", folder / "sheet.pdf"
        await tools.desk.continuity_sheet(
            title="Continuity",
            subtitle=" · ".join(
                [
                    f"check {str(checked.check.id)[-6:]}",
                    f"{checked.check.created_at:%Y-%m-%d %H:%M} UTC",
                    *checked.check.evaluators,
                ]
            ),
            rows=rows,
            foot=_foot(checked),
            target=sheet,
            document=document,
        )
        files = await _files(tools, checked)
        try:
            signed = {
                "sheet": await _sign(tools, checked, files, sheet, folder / "signed.jpg", "image/jpeg"),
                "document": await _sign(
                    tools, checked, files, document, folder / "signed.pdf", "application/pdf"
                ),
            }
        except SigningFault as fault:
            await _without_sheet(tools, checked, fault)
            return
        await _publish(tools, checked, files, signed)


def _foot(checked: Checked) -> str:
    provisional = any(each["profile"]["provisional"] for each in checked.check.profile["scoped"])
    prior = checked.check.profile["scoped"][0]["profile"]["prior"]
    words = f"Scores are probabilities of being the same, at a prior of {prior:g}."
    return words + (" Thresholds are provisional." if provisional else "")


async def _rows(tools: Tools, checked: Checked, folder: Path) -> list[ContinuityRow]:
    crops = await _crops(tools, checked)
    told = {each["subject"]: each for each in checked.check.summary.get("subjects", [])}
    rows = []
    for subject in checked.subjects:
        shots = checked.line(subject)
        if subject.deleted or (
            not shots and not any(shot.material.state == "unreadable" for shot in checked.shots)
        ):
            continue
        sequence = told.get(str(subject.id), {})
        slow = [each for each in sequence.get("drifts", []) if each["kind"] == "slow_drift"]
        clashes = {each["before"] for each in sequence.get("cuts", []) if each["clashing"] and each["direct"]}
        profile = checked.profile(subject)
        threshold = profile.threshold(profile.carrying(subject.kind))
        looks = {checked.looks.get(shot.judgements[subject.id].look_id, "") for shot in shots}
        rows.append(
            ContinuityRow(
                name=subject.name,
                look=looks.pop() if len(looks) == 1 else None,
                kind=subject.kind.value,
                references=await _references(tools, checked, subject, folder),
                cells=[
                    _cell(checked, subject, shot, crops, clashes)
                    for shot in checked.shots
                    if subject.id in shot.judgements or shot.material.state == "unreadable"
                ],
                slow_drift=bool(slow),
                drift="; ".join(f"{each['aspect']} drifts from {each['since']} on" for each in slow),
                fail_below=threshold.fail_below if threshold else None,
                pass_from=threshold.pass_from if threshold else None,
            )
        )
    return rows


def _cell(
    checked: Checked,
    subject: CheckedSubject,
    shot: CheckedShot,
    crops: Mapping[UUID, bytes],
    clashes: set[str],
) -> ContinuityCell:
    judgement = shot.judgements.get(subject.id)
    if judgement is None:
        return ContinuityCell(
            label=shot.label,
            verdict="not_assessable",
            score=None,
            reasons=(shot.material.problem_code or "unreadable",),
            scene=shot.scene,
        )
    broken = next((_BY_REASON[each] for each in judgement.reasons if each in _BY_REASON), None)
    return ContinuityCell(
        label=shot.label,
        verdict=judgement.verdict,
        score=judgement.score,
        reasons=tuple(judgement.reasons),
        aspect=broken,
        crop=crops.get(judgement.id),
        scene=shot.scene,
        look=checked.looks.get(judgement.look_id),
        cut_clash=shot.label in clashes,
    )


async def _crops(tools: Tools, checked: Checked) -> dict[UUID, bytes]:
    async with tools.database.tenant(checked.step.tenant_id) as session:
        rows = (
            await session.execute(
                select(Judgement.id, Judgement.crop)
                .join(CheckResult, CheckResult.judgement_id == Judgement.id)
                .where(
                    CheckResult.tenant_id == checked.step.tenant_id,
                    CheckResult.check_id == checked.check.id,
                    Judgement.crop.is_not(None),
                )
            )
        ).all()
    seal = checked.tenant.seal
    return {row.id: seal.open(row.crop, place=f"judgements.crop:{row.id}") for row in rows}


async def _references(tools: Tools, checked: Checked, subject: CheckedSubject, folder: Path) -> list[bytes]:
    """The subject cut out of its references. One that can't be read any more is left out."""
    wanted = [
        media_id
        for look in checked.cast
        if look.character_id == subject.character_id
        for media_id, _ in look.references
    ][:REFERENCES_SHOWN]
    async with tools.database.tenant(checked.step.tenant_id) as session:
        found = (
            await session.execute(
                select(MediaFile, Reference.box)
                .join(Reference, Reference.media_id == MediaFile.id)
                .where(MediaFile.id.in_(wanted), Reference.state == "ready", MediaFile.state == "ready")
            )
        ).all()
    pictures: list[bytes] = []
    for file, box in {file.id: (file, box) for file, box in found}.values():
        path = folder / f"{file.id}{Path(file.name).suffix}"
        human = subject.kind is CharacterKind.HUMAN and box
        try:
            await tools.store.get_file(checked.tenant.storage, file.object_key or "", path)
            cut = await tools.evaluator.crops(
                path, file.media_type, [(0, Box(**box) if human else Box(0, 0, 0, 0))], side=REFERENCE_SIDE
            )
        except (StorageFault, PictureRefused, EvaluatorDown) as fault:
            log.warning("reference_not_shown", reason=type(fault).__name__)
            continue
        pictures += [each.data for each in cut]
    return pictures


async def _files(tools: Tools, checked: Checked) -> list[MediaFile]:
    async with tools.database.tenant(checked.step.tenant_id) as session:
        rows = await session.scalars(
            select(MediaFile)
            .join(CheckMaterial, CheckMaterial.media_id == MediaFile.id)
            .where(CheckMaterial.check_id == checked.check.id)
            .order_by(CheckMaterial.position)
        )
        return list(rows.unique())


async def _sign(
    tools: Tools,
    checked: Checked,
    files: Sequence[MediaFile],
    source: Path,
    target: Path,
    media_type: str,
) -> SignedFile:
    return await tools.signer.sign(
        SignRequest(
            source=source,
            target=target,
            media_type=media_type,
            title="continuity sheet",
            digital_source_type=_source_type(files),
            ai_system="",  # lettering and layout are ours; the models stand in the takes' own manifests
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[],  # a season's worth of files would have to be fetched; each is named by its hash below
            generation={
                "production": str(checked.check.production_id),
                "consistency_check": str(checked.check.id),
                "ledger_entry": str(checked.check.ledger_entry_id) if checked.check.ledger_entry_id else None,
                "shows": [{"media": str(file.id), "sha256": file.sha256} for file in files],
            },
        )
    )


def _source_type(files: Sequence[MediaFile]) -> str:
    return source_type_of_composite([file.digital_source_type or "composite" for file in files]).value


async def _publish(
    tools: Tools, checked: Checked, files: Sequence[MediaFile], signed: Mapping[str, SignedFile]
) -> None:
    check = checked.check
    rows: list[dict[str, Any]] = []
    for part, one in signed.items():
        media_id = new_id()
        suffix = "jpg" if part == "sheet" else "pdf"
        file_name = f"continuity_{str(check.id)[-6:]}.{suffix}"
        rows.append(
            {
                "id": media_id,
                "tenant_id": checked.step.tenant_id,
                "production_id": check.production_id,
                "shot_id": None,
                "role": MediaRole.PROXY.value,
                "name": file_name,
                "media_type": _TYPES[part],
                "size": one.size,
                "sha256": one.sha256,
                "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
                "state": "ready",
                "object_key": media_prefix(check.production_id, None, media_id) + file_name,
                "generation_id": check.generation_id,
                "digital_source_type": _source_type(files),
                "manifest_urn": one.manifest_urn,
                "manifest_sha256": one.manifest_sha256,
            }
        )
    outputs = [
        Output(row["object_key"], one.path, row["media_type"])
        for row, one in zip(rows, signed.values(), strict=True)
    ]

    async def record(stored: Sequence[StoredObject]) -> bool:
        recorded = [{**row, "etag": one.etag} for row, one in zip(rows, stored, strict=True)]
        return await _finish(tools, checked, rows=recorded)

    await publish_files(tools, checked.tenant, checked.step, outputs, record=record)


async def _without_sheet(tools: Tools, checked: Checked, fault: SigningFault) -> None:
    """A sheet that can't be signed isn't published; after some tries the check is finished without it."""
    log.warning("signing_failed", reason=str(fault), attempt=checked.step.attempt)
    if checked.step.attempt < MAX_SIGNING_ATTEMPTS and fault.retryable:
        async with tools.database.tenant(checked.step.tenant_id) as session:
            await put_off(session, checked.step, seconds=5.0 * checked.step.attempt, trouble="signing_failed")
        return
    await _finish(tools, checked, rows=[], code="sheet_not_signed")


async def _finish(
    tools: Tools, checked: Checked, *, rows: Sequence[dict[str, Any]], code: str | None = None
) -> bool:
    """Record the sheet and the check's end. False: it was canceled meanwhile, or somebody whom the sheet shows was
    deleted and it has to be drawn again without them; then the files aren't wanted."""
    step = checked.step
    async with tools.database.tenant(step.tenant_id) as session:
        check = await lock_check(session, step.tenant_id, checked.check.id)
        await hold_fence(session, step)
        if check.state in ENDED:
            await end_step(session, step)
            return False
        if rows and await _deleted_meanwhile(session, checked):
            await put_off(session, step, seconds=0, trouble="character_deleted", counted=False)
            return False
        for row in rows:
            await session.execute(insert(MediaFile).values(finished_at=func.now(), **row))
        if rows:
            check.sheet_media_id, check.sheet_pdf_media_id = rows[0]["id"], rows[1]["id"]
        check.state, check.failure_code, check.finished_at = "succeeded", code, clock.now()
        await session.flush()
        await announce_check(session, check, "consistency_check.finished")
        await end_step(session, step, trouble=code)
        await wake_dispatcher(session)
    return True


async def _deleted_meanwhile(session: TenantSession, checked: Checked) -> bool:
    """Say whether the sheet shows somebody who was deleted since it was begun. Until this transaction ends nobody
    else can be: whoever deletes a character then finds the sheet on record and takes it back."""
    shown = [subject.character_id for subject in checked.subjects if not subject.deleted]
    living = await session.scalars(
        select(Character.id)
        .where(
            Character.tenant_id == checked.step.tenant_id,
            Character.id.in_(shown),
            Character.deleted_at.is_(None),
        )
        .order_by(Character.id)
        .with_for_update(read=True)
    )
    return len(living.all()) < len(shown)
