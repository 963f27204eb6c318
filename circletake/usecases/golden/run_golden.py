"""A golden run on the worker: ask for every shot again, wait for the takes, judge them, draw the sheet.

The takes are ordinary ones: gated, budgeted, on the ledger, signed. Each is asked for under a key of its own, so that
a worker that is lost in between asks for nothing twice. While takes are made the step comes back now and then: it
holds no slot meanwhile.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import Invalid, Refused
from circletake.domain.kinds import Quality
from circletake.domain.people import Actor
from circletake.domain.policy.declaration import UseDeclaration
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit import clock, logs
from circletake.records.generations import Generation, Take
from circletake.records.golden import GoldenResult, GoldenRun, GoldenShot
from circletake.records.session import TenantSession
from circletake.usecases.choice.choose_model import production_models
from circletake.usecases.effective_take import controls_of, kind_of, model_of
from circletake.usecases.find_generations import find_generation, find_take
from circletake.usecases.generation_rows import GenerationView
from circletake.usecases.golden.draw_run import draw_run
from circletake.usecases.golden.find_runs import find_run
from circletake.usecases.golden.judge_result import judge_results
from circletake.usecases.golden.plan_run import RunScope, card_for, plan_run
from circletake.usecases.golden.start_run import enter_automatic, write_plan
from circletake.usecases.idempotency import Answer, IdempotencyClaim
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.permission.gate import depicted
from circletake.usecases.plan_generation import GenerationRequest
from circletake.usecases.request_generation import request_generation
from circletake.usecases.sealed_text import open_text
from circletake.usecases.steps import ClaimedStep, end_step, hold_fence, put_off
from circletake.usecases.tools import TenantAtWork, Tools

log = logs.logger(__name__)

WITHIN = timedelta(hours=24)  # what hasn't begun by then, because it is held, isn't made
_SOONEST, _LATEST = 1.0, 60.0  # seconds between two looks at takes that are being made
ENDED = frozenset({"succeeded", "failed"})


async def run_golden(tools: Tools, step: ClaimedStep) -> None:
    """Run a `golden` step: `subject_id` is the run."""
    tenant = await tools.tenant(step.tenant_id)
    assert step.subject_id is not None
    run = await _planned(tools, tenant, step, step.subject_id)
    if run is None:
        return
    for result in await _unasked(tools, run):
        await _ask(tools, tenant, run, result)
    if not await _all_made(tools, step, run):
        return
    await judge_results(tools, tenant, run, attempt=step.attempt)
    await draw_run(tools, tenant, step, run.id)


async def _planned(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, run_id: UUID) -> GoldenRun | None:
    """Plan a run that began by itself, and say that its shots are being made. None: it has ended."""
    async with tools.database.tenant(step.tenant_id) as session:
        run = await find_run(session, step.tenant_id, run_id, lock=True)
        await hold_fence(session, step)
        if run.state in ENDED:
            await end_step(session, step)
            return None
        if run.state == "queued":
            if run.estimate_usd is None:
                scope = RunScope(run.model_id, run.kinds, run.only_models, newest=of_newest(run))
                planned = await plan_run(
                    session,
                    tools.catalogue,
                    step.tenant_id,
                    run.production_id,
                    scope,
                    now=clock.now(),
                )
                await write_plan(session, run, planned)
                await enter_automatic(session, tenant.seal, run)
            run.state = "making"
            await session.flush()
        session.expunge(run)
    return run


async def _unasked(tools: Tools, run: GoldenRun) -> list[GoldenResult]:
    async with tools.database.tenant(run.tenant_id) as session:
        rows = await session.scalars(
            select(GoldenResult)
            .where(
                GoldenResult.tenant_id == run.tenant_id,
                GoldenResult.run_id == run.id,
                GoldenResult.generation_id.is_(None),
                GoldenResult.verdict.is_(None),
            )
            .order_by(GoldenResult.position)
        )
        found = list(rows)
        session.expunge_all()
    return found


async def _ask(tools: Tools, tenant: TenantAtWork, run: GoldenRun, result: GoldenResult) -> None:
    """Ask for one shot again, through the door that every request takes. What is refused has failed."""
    generation_id, refused = None, None
    async with tools.database.tenant(run.tenant_id) as session:
        request = await _request(session, tools, tenant, run, result)
    try:
        answer = await request_generation(
            tools.database,
            tools.catalogue,
            tools.rules,
            tools.packs,
            tenant.seal,
            tenant_id=run.tenant_id,
            actor=Actor(run.requested_by, run.requested_by_person),
            request=request,
            claim=IdempotencyClaim(str(result.id), "golden run", result.id.bytes),
            now=clock.now(),
            answer=_accepted,
        )
        generation_id = UUID(answer.location)
    except Refused as refusal:
        refused = refusal
    async with tools.database.tenant(run.tenant_id) as session:
        row = await session.get_one(GoldenResult, result.id)
        if refused is not None:
            row.verdict, row.failure_detail = "failed", refused.detail
            row.failure_code = _code(refused)
        else:
            row.generation_id = generation_id


def _code(refused: Refused) -> str:
    """The first thing that is wrong says more than that something is."""
    if isinstance(refused, Invalid) and refused.violations:
        return refused.violations[0].code
    return refused.code


def _accepted(view: GenerationView) -> Answer:
    return Answer(202, b"", str(view.generation.id))


def of_newest(run: GoldenRun) -> bool:
    """A model that is tried, or that changed in the catalogue, runs as the catalogue has it; else as the production."""
    return run.reason == "catalogue_changed" or (run.reason == "requested" and run.model_id is not None)


async def _request(
    session: TenantSession, tools: Tools, tenant: TenantAtWork, run: GoldenRun, result: GoldenResult
) -> GenerationRequest:
    """Return the golden take's request as it was, for one take with its seed."""
    golden = await session.get_one(GoldenShot, result.golden_id)
    generation = await find_generation(session, run.tenant_id, golden.generation_id)
    take = await find_take(session, run.tenant_id, golden.take_id)
    files = await inputs_of(session, generation, take)
    models = await production_models(session, run.tenant_id, run.production_id)
    _, beside = card_for(
        tools.catalogue, models, kind_of(generation, take), result.model_id, newest=of_newest(run)
    )

    def text(column: str) -> str | None:
        return open_text(tenant.seal, getattr(generation, column), f"generations.{column}:{generation.id}")

    return GenerationRequest(
        production_id=generation.production_id,
        shot_id=generation.shot_id,
        kind=kind_of(generation, take),
        model=result.model_id,
        prompt=text("prompt"),
        negative_prompt=text("negative_prompt"),
        search_prompt=text("search_prompt"),
        quality=Quality(generation.quality),
        inputs={slot: file.id for slot, file in files.items()},
        controls=dict(controls_of(generation, take)),
        seed=golden.seed,
        deadline_at=_deadline(run),
        metadata={"golden_run": str(run.id), "golden_shot": str(golden.id)},
        depicts=sorted(depicted(generation.depicts)),
        use=UseDeclaration.of(generation.use),
        trial=beside,
    )


def _deadline(run: GoldenRun) -> datetime:
    return max(run.created_at + WITHIN, clock.now() + timedelta(minutes=10))


async def _all_made(tools: Tools, step: ClaimedStep, run: GoldenRun) -> bool:
    """Look whether every take has ended, and note what came of each. If not, the step comes back."""
    async with tools.database.tenant(run.tenant_id) as session:
        waiting = list(
            await session.scalars(
                select(GoldenResult).where(
                    GoldenResult.tenant_id == run.tenant_id,
                    GoldenResult.run_id == run.id,
                    GoldenResult.verdict.is_(None),
                    GoldenResult.media_id.is_(None),
                )
            )
        )
        left = 0
        for result in waiting:
            left += not await _note(session, result)
        if left:
            age = (clock.now() - run.created_at).total_seconds()
            await put_off(
                session, step, seconds=min(_LATEST, max(_SOONEST, age / 6)), trouble="making", counted=False
            )
            return False
        (await session.get_one(GoldenRun, run.id)).state = "judging"
    return True


async def _note(session: TenantSession, result: GoldenResult) -> bool:
    """Note which take a generation ended with; False while it hasn't ended."""
    if result.generation_id is None:
        return False
    generation = await find_generation(session, result.tenant_id, result.generation_id)
    takes = list(
        await session.scalars(
            select(Take)
            .where(Take.tenant_id == result.tenant_id, Take.generation_id == generation.id)
            .order_by(Take.number)
        )
    )
    if any(take.state not in TERMINAL for take in takes):
        return False
    made = next((take for take in reversed(takes) if _made_as_asked(generation, take, result)), None)
    if made is not None:
        result.take_id, result.media_id = made.id, made.media_id
        return True
    last = takes[-1]
    result.take_id, result.verdict = last.id, "failed"
    result.failure_code = last.failure_code or str(last.state)
    result.failure_detail = last.failure_detail
    return True


def _made_as_asked(generation: Generation, take: Take, result: GoldenResult) -> bool:
    """A take that another model made instead says nothing of the one that was asked."""
    return (
        take.state == TakeState.SUCCEEDED
        and take.media_id is not None
        and model_of(generation, take) == result.model_id
    )
