"""The end of a golden run: old beside new on one signed sheet, the verdict, and the event that tells it."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select

from circletake.domain.golden.verdict import (
    AspectVerdict,
    GoldenAspect,
    GoldenJudgement,
    GoldenScores,
    GoldenThreshold,
    GoldenVerdict,
    counts,
    gravest,
    in_words,
)
from circletake.domain.kinds import MediaRole, RightsBasis
from circletake.domain.media import media_prefix
from circletake.domain.people import Actor
from circletake.domain.provenance import source_type_of_composite
from circletake.kit import clock, logs
from circletake.kit.ids import new_id
from circletake.ports import (
    GoldenRow,
    Seal,
    SignedFile,
    SigningFault,
    SignRequest,
    StorageFault,
    StoredObject,
)
from circletake.records.context import Production
from circletake.records.golden import GoldenRun
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.usecases.events import record_event, wake_dispatcher, wake_waiters
from circletake.usecases.finish_take import MAX_SIGNING_ATTEMPTS, RIGHTS
from circletake.usecases.golden.find_runs import ResultView, find_run, view_of
from circletake.usecases.ledger import record_entry
from circletake.usecases.publish_file import publish_file
from circletake.usecases.review.rules import approval_demanded
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools

log = logs.logger(__name__)

SHOWN = 24  # rows of a sheet, the gravest first
_FOOT = (
    "Likenesses are of decoded pixels, 1 for the same. The difference shows in orange where codes lie apart. A verdict is"
    " the gravest of its aspects; people decide what it means."
)
_BECAUSE = {
    "requested": "asked for",
    "choice_changed": "the choice of model changed",
    "catalogue_changed": "the catalogue changed the model",
    "scheduled": "on schedule",
}


@dataclass(frozen=True, slots=True)
class _Run:
    """A run with everything that its sheet shows."""

    run: GoldenRun
    results: Sequence[ResultView]
    files: Mapping[UUID, MediaFile]
    production_code: str
    mark: str  # burnt into the pictures of a studio that gives out none unapproved


async def draw_run(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, run_id: UUID) -> None:
    """Draw, sign, publish; then the run has succeeded. Ends the step."""
    whole = await _load(tools, tenant, run_id)
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        rows, shown = await _rows(tools, tenant, whole, folder)
        sheet = folder / "sheet.jpg"
        await tools.desk.golden_sheet(
            title="Golden shots",
            subtitle=_subtitle(whole),
            tally=_tally(whole),
            rows=rows,
            foot=_FOOT,
            target=sheet,
        )
        try:
            signed = await _sign(tools, whole, shown, sheet, folder / "signed.jpg")
        except SigningFault as fault:
            await _without_sheet(tools, tenant, step, run_id, fault)
            return
        await _publish(tools, tenant, step, whole, shown, signed)


async def _load(tools: Tools, tenant: TenantAtWork, run_id: UUID) -> _Run:
    async with tools.database.tenant(tenant.storage.tenant_id) as session:
        view = await view_of(session, tenant.seal, await find_run(session, tenant.storage.tenant_id, run_id))
        wanted = {each.golden.media_id for each in view.results} | {
            each.result.media_id for each in view.results if each.result.media_id
        }
        files = await session.scalars(
            select(MediaFile).where(MediaFile.id.in_(wanted), MediaFile.state == "ready")
        )
        code = await session.scalar(select(Production.code).where(Production.id == view.run.production_id))
        demanded = await approval_demanded(session, view.run.tenant_id)
        whole = _Run(
            view.run,
            view.results,
            {file.id: file for file in files},
            code or "",
            f"PREVIEW  {code}" if demanded else "",
        )
        session.expunge_all()
    return whole


def _subtitle(whole: _Run) -> str:
    run = whole.run
    return " · ".join(
        [
            whole.production_code,
            f"run {str(run.id)[-6:]}",
            f"{run.created_at:%Y-%m-%d %H:%M} UTC",
            _BECAUSE[run.reason],
            *([f"made by {run.model_id}"] if run.model_id else []),
        ]
    )


def _tally(whole: _Run) -> str:
    found = counts(GoldenVerdict(each.result.verdict) for each in whole.results if each.result.verdict)
    told = [f"{number} {verdict}" for verdict, number in reversed(found.items()) if number]
    more = len(whole.results) - SHOWN
    return ", ".join(told) + (f"; {more} more not shown" if more > 0 else "")


async def _rows(
    tools: Tools, tenant: TenantAtWork, whole: _Run, folder: Path
) -> tuple[list[GoldenRow], list[MediaFile]]:
    """The gravest results as rows, and the files they show."""
    order = list(GoldenVerdict)
    gravest_first = sorted(
        whole.results,
        key=lambda each: (-order.index(GoldenVerdict(each.result.verdict or "failed")), each.result.position),
    )[:SHOWN]
    rows, shown = [], []
    for view in gravest_first:
        paths = []
        for media_id in (view.golden.media_id, view.result.media_id):
            file = whole.files.get(media_id) if media_id else None
            path = await _fetch(tools, tenant, file, folder) if file else None
            if file is not None and path is not None:
                shown.append(file)
            paths.append(path)
        seed = "no seed" if view.golden.seed is None else f"seed {view.golden.seed}"
        rows.append(
            GoldenRow(
                name=view.name,
                label=f"{view.golden.kind.replace('_', ' ')} · {_models(view)} · {seed}",
                verdict=view.result.verdict or "failed",
                lines=words_of(view),
                old=paths[0],
                new=paths[1],
                mark=whole.mark,
                overlaid=view.result.seeded,
            )
        )
    return rows, shown


def _models(view: ResultView) -> str:
    if view.result.model_id == view.golden.model_id:
        changed = view.result.fingerprint not in {None, view.golden.fingerprint}
        return view.golden.model_id + (", changed in the catalogue" if changed else "")
    return f"{view.golden.model_id} → {view.result.model_id}"


def words_of(view: ResultView) -> Sequence[str]:
    """Say what was measured, or why there is nothing to measure, in words that need no manual."""
    stored = view.result.scores
    if not stored:
        return [view.result.failure_detail or (view.result.failure_code or "failed").replace("_", " ")]
    judged = [
        AspectVerdict(
            GoldenAspect(each["aspect"]),
            each["score"],
            GoldenThreshold(each["unchanged_from"], each["changed_below"]),
            GoldenVerdict(each["verdict"]),
        )
        for each in stored["aspects"]
    ]
    judgement = GoldenJudgement(
        GoldenVerdict(view.result.verdict or "failed"), judged, view.result.reasons, stored["judged_by"]
    )
    return in_words(scores_in(stored), judgement).lines


def scores_in(stored: Mapping[str, Any]) -> GoldenScores:
    """Read scores as they are kept."""
    known = {name: stored[name] for name in GoldenScores.__dataclass_fields__ if name in stored}
    return GoldenScores(
        **{**known, "old_size": tuple(stored["old_size"]), "new_size": tuple(stored["new_size"])}
    )


async def _fetch(tools: Tools, tenant: TenantAtWork, file: MediaFile, folder: Path) -> Path | None:
    path = folder / f"{file.id}{Path(file.name).suffix}"
    try:
        await tools.store.get_file(tenant.storage, file.object_key or "", path)
    except StorageFault as fault:
        if fault.kind != "missing":
            raise
        return None
    return path


async def _sign(
    tools: Tools, whole: _Run, shown: Sequence[MediaFile], source: Path, target: Path
) -> SignedFile:
    return await tools.signer.sign(
        SignRequest(
            source=source,
            target=target,
            media_type="image/jpeg",
            title="golden shots",
            digital_source_type=_source_type(shown),
            ai_system="",  # lettering and layout are ours; the models stand in the takes' own manifests
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[],  # each file is named by its hash below, as on a continuity sheet
            generation={
                "production": str(whole.run.production_id),
                "golden_run": str(whole.run.id),
                "shows": [{"media": str(file.id), "sha256": file.sha256} for file in shown],
            },
        )
    )


def _source_type(files: Sequence[MediaFile]) -> str:
    return source_type_of_composite([file.digital_source_type or "composite" for file in files]).value


async def _publish(
    tools: Tools,
    tenant: TenantAtWork,
    step: ClaimedStep,
    whole: _Run,
    shown: Sequence[MediaFile],
    signed: SignedFile,
) -> None:
    media_id, run = new_id(), whole.run
    file_name = f"golden_shots_{str(run.id)[-6:]}.jpg"
    row: dict[str, Any] = {
        "id": media_id,
        "tenant_id": run.tenant_id,
        "production_id": run.production_id,
        "shot_id": None,
        "role": MediaRole.PROXY.value,
        "name": file_name,
        "media_type": "image/jpeg",
        "size": signed.size,
        "sha256": signed.sha256,
        "rights_basis": RightsBasis.WORK_FOR_HIRE.value,
        "state": "ready",
        "object_key": media_prefix(run.production_id, None, media_id) + file_name,
        "digital_source_type": _source_type(shown),
        "manifest_urn": signed.manifest_urn,
        "manifest_sha256": signed.manifest_sha256,
    }

    async def record(stored: StoredObject) -> bool:
        async with tools.database.tenant(run.tenant_id) as session:
            return await finish_run(session, tenant.seal, step, run.id, sheet={**row, "etag": stored.etag})

    await publish_file(
        tools,
        tenant,
        step,
        key=row["object_key"],
        path=signed.path,
        media_type="image/jpeg",
        record=record,
    )


async def _without_sheet(
    tools: Tools, tenant: TenantAtWork, step: ClaimedStep, run_id: UUID, fault: SigningFault
) -> None:
    """A sheet that can't be signed isn't published; after some tries the run is finished without it."""
    log.warning("signing_failed", reason=str(fault), attempt=step.attempt)
    async with tools.database.tenant(step.tenant_id) as session:
        if step.attempt < MAX_SIGNING_ATTEMPTS and fault.retryable:
            await put_off(session, step, seconds=5.0 * step.attempt, trouble="signing_failed")
            return
        await finish_run(session, tenant.seal, step, run_id, code="sheet_not_signed")


async def finish_run(
    session: TenantSession,
    seal: Seal,
    step: ClaimedStep,
    run_id: UUID,
    *,
    sheet: Mapping[str, Any] | None = None,
    code: str | None = None,
) -> bool:
    """Record the sheet and the run's end, and end the step. False: it had ended before; then the file isn't wanted."""
    run = await find_run(session, step.tenant_id, run_id, lock=True)
    await hold_fence(session, step)
    if run.finished_at is not None:
        await end_step(session, step)
        return False
    if sheet is not None:
        await session.execute(insert(MediaFile).values(finished_at=func.now(), **sheet))
        run.sheet_media_id = sheet["id"]
    await conclude_run(session, seal, run, state="succeeded", code=code)
    await end_step(session, step, trouble=code)
    await wake_dispatcher(session)
    return True


async def conclude_run(
    session: TenantSession, seal: Seal, run: GoldenRun, *, state: str, code: str | None
) -> None:
    """Write the run's verdict, put it on the ledger and tell it. The run's row is locked."""
    view = await view_of(session, seal, run)
    verdicts = [GoldenVerdict(each.result.verdict or "failed") for each in view.results]
    run.state, run.failure_code, run.finished_at = state, code, clock.now()
    run.verdict = gravest([*verdicts, *([GoldenVerdict.FAILED] if state == "failed" else [])]).value
    run.counts = counts(verdicts)
    await session.flush()
    await record_entry(
        session,
        seal,
        tenant_id=run.tenant_id,
        kind="golden_run.finished",
        subject_id=run.id,
        body={
            "production": str(run.production_id),
            "verdict": run.verdict,
            "results": [
                {
                    "golden_shot": str(each.golden.id),
                    "media": str(each.result.media_id) if each.result.media_id else None,
                    "verdict": each.result.verdict,
                    "reasons": list(each.result.reasons),
                }
                for each in view.results
            ],
            **Actor(run.requested_by, run.requested_by_person).for_ledger(),
        },
    )
    await record_event(
        session,
        run.tenant_id,
        "golden_run.finished",
        {
            "golden_run_id": str(run.id),
            "production_id": str(run.production_id),
            "reason": run.reason,
            "model": run.model_id,
            "state": run.state,
            "verdict": run.verdict,
            "counts": run.counts,
            "code": code,
            "sheet_media_id": str(run.sheet_media_id) if run.sheet_media_id else None,
        },
    )
    await wake_waiters(session, run.id)


async def give_up_run(session: TenantSession, seal: Seal, tenant_id: UUID, run_id: UUID) -> None:
    """The end of a run whose worker was lost again and again: what was judged stays, the rest has failed."""
    run = await find_run(session, tenant_id, run_id, lock=True)
    if run.finished_at is None:
        await conclude_run(session, seal, run, state="failed", code="dead_letter")
        await wake_dispatcher(session)
