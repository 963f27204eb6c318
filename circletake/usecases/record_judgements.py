"""Put on record what one file was judged, what an enforcement does next, and the check's end when it was the last."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.kit import clock
from circletake.kit.backoff import exponential
from circletake.kit.ids import new_id
from circletake.records.characters import Character, Look
from circletake.records.consistency import CheckMaterial, CheckResult, ConsistencyCheck, Judgement
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.ask_models import REFUSED
from circletake.usecases.check_events import announce_check, announce_judged_take
from circletake.usecases.enforce_consistency import attempt_judged
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.forget_character import forget_unneeded
from circletake.usecases.material_work import ENDED, Judged, Work
from circletake.usecases.request_check import conclude_step, judged_before
from circletake.usecases.steps import (
    ClaimedStep,
    end_step,
    hold_fence,
    lock_generation,
    lock_takes,
    put_off,
)
from circletake.usecases.tools import Tools

WAIT_SECONDS = 5.0  # for an evaluator that is down, longer every time
LONGEST_WAIT_SECONDS = 600.0
_WAITS = "waits"


async def record_judgements(
    tools: Tools, work: Work, judged: Sequence[Judged], *, problem: tuple[str, str] | None = None
) -> None:
    """One transaction, the fence still ours. What was judged of a check that has ended meanwhile is kept for the next
    question, and told nobody."""
    step = work.step
    async with tools.database.tenant(step.tenant_id) as session:
        generation: Generation | None = None
        takes: list[Take] = []
        if step.generation_id is not None:
            generation = await lock_generation(session, step.tenant_id, step.generation_id)
            takes = await lock_takes(session, step.tenant_id, step.generation_id)
        check = await lock_check(session, step.tenant_id, work.check.id)
        await hold_fence(session, step)
        material = await session.get_one(CheckMaterial, work.material.id)
        judged = await _of_the_living(session, work, judged)
        kept = await _keep(session, work, judged)
        if judged:
            await session.execute(
                insert(CheckResult),
                [
                    {
                        "id": new_id(),
                        "tenant_id": step.tenant_id,
                        "check_id": check.id,
                        "material_id": material.id,
                        "subject_id": work.subject_ids[each.position],
                        "judgement_id": kept[each.position],
                    }
                    for each in judged
                ],
            )
        material.judged_at = clock.now()
        material.state = "judged" if problem is None else "unreadable"
        if problem is not None:
            material.problem_code, material.problem_detail = problem[0], problem[1][:500]
        await session.flush()
        if check.state not in ENDED:
            if check.state == "waiting":
                check.state, check.waiting_for = "running", None
            if material.take_id is not None:
                judgements = [each.judgement for each in judged]
                await announce_judged_take(session, check, material, judgements, generation)
        if generation is not None:
            await attempt_judged(session, work.tenant.seal, generation, takes, material, judged)
        else:
            await conclude_when_judged(session, check)
        await wake_waiters(session, check.id)
        await end_step(session, step)
        await wake_dispatcher(session)


async def wait_for_evaluator(
    tools: Tools, step: ClaimedStep, check_id: UUID, why: str, *, work: Work | None = None,
    settled: Sequence[Judged] = (),
) -> None:  # fmt: skip
    """The check says that it waits, and for what; the step is tried again, later every time. What is `settled`
    already stays, so that no answer is paid for twice."""
    async with tools.database.tenant(step.tenant_id) as session:
        check = await lock_check(session, step.tenant_id, check_id)
        await hold_fence(session, step)
        if work is not None and settled:
            await _keep(session, work, await _of_the_living(session, work, settled))
        if check.state in {"queued", "running"}:
            check.state, check.waiting_for = "waiting", why[:200]
            await session.flush()
            await announce_check(session, check, "consistency_check.waiting")
        waits = int(step.details.get(_WAITS, 0)) + 1
        await session.execute(
            update(Step)
            .where(Step.tenant_id == step.tenant_id, Step.id == step.id)
            .values(details={**step.details, _WAITS: waits})
            .execution_options(synchronize_session=False)
        )
        seconds = exponential(waits, first=WAIT_SECONDS, most=LONGEST_WAIT_SECONDS, jitter=random.random())  # noqa: S311 - spreads retries
        await put_off(session, step, seconds=seconds, trouble="evaluator_down", counted=False)


async def lock_check(session: TenantSession, tenant_id: UUID, check_id: UUID) -> ConsistencyCheck:
    return (
        await session.scalars(
            select(ConsistencyCheck)
            .where(ConsistencyCheck.tenant_id == tenant_id, ConsistencyCheck.id == check_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()


async def conclude_when_judged(session: TenantSession, check: ConsistencyCheck) -> None:
    """Queue the check's end when no file of it is left. The check is locked, so that this is seen once."""
    if check.state in ENDED:
        return
    left = await session.scalar(
        select(
            exists().where(
                CheckMaterial.tenant_id == check.tenant_id,
                CheckMaterial.check_id == check.id,
                CheckMaterial.state == "queued",
            )
        )
    )
    if not left:
        await session.execute(insert(Step).values(conclude_step(check.tenant_id, check.id)))


async def _of_the_living(session: TenantSession, work: Work, judged: Sequence[Judged]) -> Sequence[Judged]:
    """Leave out who was deleted while it was looked at: nothing of that face is kept. The others can't be deleted
    until this transaction ends."""
    if not judged:
        return judged
    looks = set(
        await session.scalars(
            select(Look.id)
            .join(Character, Character.id == Look.character_id)
            .where(
                Look.tenant_id == work.step.tenant_id,
                Look.id.in_([each.look.look_id for each in judged]),
                Look.deleted_at.is_(None),
                Character.deleted_at.is_(None),
            )
            .order_by(Character.id)
            .with_for_update(read=True, of=Character)
        )
    )
    living = [each for each in judged if each.look.look_id in looks]
    if len(living) < len(judged):
        await forget_unneeded(session, work.step.tenant_id, [work.file.id])
    return living


async def _keep(session: TenantSession, work: Work, judged: Sequence[Judged]) -> dict[int, UUID]:
    """Insert the judgements, or find those that another check made meanwhile; their ids by the subject's position."""
    kept = {each.position: each.kept for each in judged if each.kept is not None}
    fresh = sorted(
        (each for each in judged if each.kept is None), key=lambda each: work.keys[each.position]
    )  # in one order everywhere: two that insert the same keys can't wait for each other in a circle
    if not fresh:
        return kept
    rows = [_row(work, each) for each in fresh]
    made = await session.execute(
        upsert(Judgement)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
        .returning(Judgement.key, Judgement.id)
    )
    by_key: dict[str, UUID] = {row.key: row.id for row in made}
    others = [row["key"] for row in rows if row["key"] not in by_key]
    if others:
        by_key |= await judged_before(session, work.step.tenant_id, others)
    return kept | {each.position: by_key[row["key"]] for each, row in zip(fresh, rows, strict=True)}


def _row(work: Work, each: Judged) -> dict[str, Any]:
    identifier = new_id()
    judgement, seal, opinion = each.judgement, work.tenant.seal, each.opinion
    key = work.keys[each.position]
    if opinion is not None and opinion.summary["outcome"] == REFUSED:
        key = f"{key} {identifier}"  # nobody was heard: the next check asks again
    return {
        "id": identifier,
        "tenant_id": work.step.tenant_id,
        "key": key,
        "media_id": work.file.id,
        "character_id": each.look.character_id,
        "look_id": each.look.look_id,
        "reference_set_id": each.look.reference_set_id,
        "verdict": judgement.verdict.value,
        "score": judgement.score,
        "scores": {aspect.value: p for aspect, p in judgement.scores.items()},
        "reasons": [reason.value for reason in judgement.reasons],
        "worst_frame": judgement.worst_frame,
        "body": judgement.as_json(),
        "frames": [frame.as_json() for frame in each.frames],
        "evaluators": list(work.rules.evaluators),
        "opinion": None if opinion is None else opinion.summary,
        "opinion_text": None
        if opinion is None
        else seal.close(opinion.text, place=f"judgements.opinion_text:{identifier}"),
        "figure": each.figure,
        "crop": None if each.crop is None else seal.close(each.crop, place=f"judgements.crop:{identifier}"),
    }
