"""What is given up: a step whose worker was lost again and again, alone, ends what it was for."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, select

from circletake.domain.kinds import Billed
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit import clock
from circletake.ports import Seal
from circletake.records.base import TenantRecord
from circletake.records.consistency import CheckMaterial
from circletake.records.events import WebhookDelivery, WebhookEndpoint
from circletake.records.exposure import Cut
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile, Verification
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.check_events import announce_check, announce_judged_take
from circletake.usecases.draw_sheet import tell_without_sheet
from circletake.usecases.end_take import Ending, end_take, one_take
from circletake.usecases.enforce_consistency import judging_lost
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.golden.draw_run import give_up_run
from circletake.usecases.inspect_media import announce_media
from circletake.usecases.inspect_reference import give_up_reference
from circletake.usecases.language.end_language import give_up_language
from circletake.usecases.material_work import ENDED
from circletake.usecases.permission.screen_inputs import not_screened
from circletake.usecases.publish_file import take_away_unrecorded
from circletake.usecases.record_judgements import conclude_when_judged, lock_check
from circletake.usecases.review.draw_preview import give_up_preview
from circletake.usecases.steps import ClaimedStep, add_step, end_step
from circletake.usecases.storyboards.work import give_up_output
from circletake.usecases.take_work import lock_take
from circletake.usecases.tools import Tools

T = TypeVar("T", bound=TenantRecord)


async def bury_step(tools: Tools, step: ClaimedStep) -> None:
    """Run a `bury` step: `subject_id` is the dead step, which stays for the operator to look at."""
    tenant = await tools.tenant(step.tenant_id)
    await take_away_unrecorded(tools, tenant, await _left_behind(tools, step))
    if step.details.get("kind") == "sheet":
        await tell_without_sheet(tools, step, trouble="dead_letter")
        return
    async with tools.database.tenant(step.tenant_id) as session:
        if step.details.get("kind") == "golden":
            await _give_up_golden(session, tenant.seal, step)
        elif step.details.get("kind") == "screen" and step.generation_id is not None:
            await not_screened(session, tenant, step.generation_id)
        elif step.take_id is not None:
            generation, takes = await lock_take(session, step)
            take = one_take(takes, step.take_id)
            if take.state not in TERMINAL:
                ending = Ending(
                    TakeState.FAILED,
                    Billed.FALSE,  # unless a call on record says otherwise
                    "dead_letter",
                    "Its worker was lost again and again. It is kept for the operator to look at.",
                )
                await end_take(session, tenant.seal, generation, takes, take, ending)
            if step.details.get("kind") == "judge":
                await _unjudged(session, tenant.seal, step, generation, takes)
        else:
            await _end_subject(session, step)
        await end_step(session, step)
        await wake_dispatcher(session)


async def _unjudged(
    session: TenantSession, seal: Seal, step: ClaimedStep, generation: Generation, takes: list[Take]
) -> None:
    """A take of an enforcement that nobody could judge: it isn't tried for ever, a person has to look."""
    material_id = await session.scalar(select(Step.subject_id).where(Step.id == step.subject_id))
    material = await session.get_one(CheckMaterial, material_id)
    await _unreadable(session, material)
    await judging_lost(session, seal, generation, takes, material)


async def _unreadable(session: TenantSession, material: CheckMaterial) -> None:
    if material.state == "queued":
        material.state, material.judged_at = "unreadable", clock.now()
        material.problem_code = "dead_letter"
        material.problem_detail = "Judging this file ended its worker again and again."
        await session.flush()


async def _give_up_file(session: TenantSession, tenant_id: UUID, material_id: UUID) -> None:
    """A file of a check that nobody could judge: the check goes on without it, and never passes for that."""
    check_id = await session.scalar(
        select(CheckMaterial.check_id).where(
            CheckMaterial.tenant_id == tenant_id, CheckMaterial.id == material_id
        )
    )
    if check_id is None:
        return
    check = await lock_check(session, tenant_id, check_id)
    material = await session.get_one(CheckMaterial, material_id)
    if material.state != "queued":
        return
    await _unreadable(session, material)
    if check.state in ENDED:
        return
    if material.take_id is not None:
        await announce_judged_take(session, check, material, [], None)
    await conclude_when_judged(session, check)
    await wake_waiters(session, check.id)


async def _give_up_check(session: TenantSession, tenant_id: UUID, check_id: UUID) -> None:
    """The end of a check that nobody could write. Its verdicts hold if they were told: then only the sheet is missing."""
    check = await lock_check(session, tenant_id, check_id)
    if check.state in ENDED:
        return
    told = check.judged_at is not None
    check.state = "succeeded" if told else "failed"
    check.failure_code = "sheet_not_drawn" if told else "dead_letter"
    check.waiting_for, check.finished_at = None, clock.now()
    await session.flush()
    await announce_check(session, check, "consistency_check.finished")


async def _left_behind(tools: Tools, step: ClaimedStep) -> Mapping[str, Any]:
    async with tools.database.tenant(step.tenant_id) as session:
        return await session.scalar(select(Step.details).where(Step.id == step.subject_id)) or {}


async def _end_subject(session: TenantSession, step: ClaimedStep) -> None:
    """What can't be worked on is ended, not left open for ever."""
    dead = (await session.scalars(select(Step).where(Step.id == step.subject_id))).one()
    if dead.subject_id is None:
        return
    ends = {
        "inspect": _refuse_upload,
        "verify": _give_up_verification,
        "cut": _give_up_cut,
        "judge": _give_up_file,
        "conclude": _give_up_check,
        "reference": give_up_reference,
        "notify": _give_up_delivery,
        "challenge": _give_up_challenge,
        "preview": give_up_preview,
        "storyboard": give_up_output,
        "animatic": give_up_output,
        "language": give_up_language,
    }
    if dead.kind in ends:  # a purge or a sheet has nothing that waits for it
        await ends[dead.kind](session, step.tenant_id, dead.subject_id)


async def _give_up_golden(session: TenantSession, seal: Seal, step: ClaimedStep) -> None:
    run_id = await session.scalar(select(Step.subject_id).where(Step.id == step.subject_id))
    if run_id is not None:
        await give_up_run(session, seal, step.tenant_id, run_id)


async def _give_up_verification(session: TenantSession, tenant_id: UUID, verification_id: UUID) -> None:
    verification = await session.scalar(_own(Verification, tenant_id, verification_id))
    if verification is not None and verification.state == "queued":
        verification.state, verification.finished_at = "failed", clock.now()
        await wake_waiters(session, verification.id)


async def _give_up_cut(session: TenantSession, tenant_id: UUID, cut_id: UUID) -> None:
    cut = await session.scalar(_own(Cut, tenant_id, cut_id))
    if cut is not None and cut.state == "queued":
        cut.state, cut.finished_at, cut.object_key = "refused", clock.now(), None
        cut.problem_code = "dead_letter"
        cut.problem_detail = "Reading this file ended its worker again and again."
        await wake_waiters(session, cut.id)


async def _give_up_delivery(session: TenantSession, tenant_id: UUID, delivery_id: UUID) -> None:
    delivery = await session.scalar(_own(WebhookDelivery, tenant_id, delivery_id))
    if delivery is not None and delivery.state == "pending":
        delivery.state, delivery.finished_at = "failed", clock.now()


async def _give_up_challenge(session: TenantSession, tenant_id: UUID, endpoint_id: UUID) -> None:
    endpoint = await session.scalar(_own(WebhookEndpoint, tenant_id, endpoint_id))
    if endpoint is not None and endpoint.state == "unverified":
        endpoint.last_error = "The challenge could not be sent. Start it again."
        await wake_waiters(session, endpoint.id)


async def _refuse_upload(session: TenantSession, tenant_id: UUID, media_id: UUID) -> None:
    file = await session.scalar(_own(MediaFile, tenant_id, media_id))
    if file is None or file.state != "inspecting":
        return
    file.state, file.finished_at = "refused", clock.now()
    file.problem_code = "dead_letter"
    file.problem_detail = "Looking at this file ended its inspector again and again."
    file.object_key = file.etag = None
    await session.flush()
    await add_step(session, tenant_id, kind="purge", lane="inspect", subject_id=file.id)
    await announce_media(session, file)


def _own(record: type[T], tenant_id: UUID, identifier: UUID) -> Select[T]:
    return select(record).where(record.tenant_id == tenant_id, record.id == identifier)
