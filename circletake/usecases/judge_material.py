"""Judge one file of a check: look at it, compare it with the cast, record a judgement per subject.

What an evaluator saw is kept, so that the next question about this file costs a comparison. An evaluator that is
down makes the check wait; a file that can't be read says so. Neither ever passes.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from circletake.domain.consistency.words import Verdict
from circletake.ports import EvaluatorDown, PictureRefused, StorageFault
from circletake.usecases.ask_models import ask_judge
from circletake.usecases.call_model import PaidCall
from circletake.usecases.look_at_material import LocalFile, look_at_material, shown_frame
from circletake.usecases.material_work import Judged, Work, begin_work
from circletake.usecases.paid_judging import ModelDown
from circletake.usecases.record_judgements import record_judgements, wait_for_evaluator
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.tools import Tools

MAX_SLOW_LOOKS = 4  # of the offline evaluator at one file, before the file is said to be too much for it


async def judge_material(tools: Tools, step: ClaimedStep, paid: PaidCall) -> None:
    """Run a `judge` step: `subject_id` is the check's material."""
    tenant = await tools.tenant(step.tenant_id)
    with TemporaryDirectory(dir=tools.scratch) as folder:
        work = await begin_work(tools, tenant, step, paid, Path(folder))
        if work is None:
            return
        if work.file.state != "ready":
            problem = "file_withdrawn", "The file was taken back after the check had been accepted."
            await record_judgements(tools, work, [], problem=problem)
            return
        local = LocalFile(tools, work)
        try:
            judged = await look_at_material(tools, work, local)
            settled, down = await _hear(tools, work, judged, local)
        except PictureRefused as refused:
            await record_judgements(tools, work, [], problem=(refused.code, str(refused)))
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            problem = "file_missing", "The file isn't in the bucket any more."
            await record_judgements(tools, work, [], problem=problem)
        except EvaluatorDown as trouble:
            await _down(tools, work, trouble)
        else:
            if down is None:
                await record_judgements(tools, work, settled)
            else:
                await wait_for_evaluator(
                    tools, step, work.check.id, str(down), work=work, settled=settled
                )  # fmt: skip


async def _hear(
    tools: Tools, work: Work, judged: Sequence[Judged], local: LocalFile
) -> tuple[list[Judged], EvaluatorDown | None]:
    """Ask for a second opinion on what stays undecided. Returns what is settled, and what keeps the rest waiting."""
    settled: list[Judged] = []
    for each in judged:
        undecided = each.kept is None and each.judgement.verdict is Verdict.NEEDS_HUMAN
        if not undecided or work.rules.second_opinion is None:
            settled.append(each)
            continue
        shown = shown_frame(each.frames, each.judgement.worst_frame)
        try:
            asked = await ask_judge(tools, work, each.look, shown, each.judgement, local.path)
        except EvaluatorDown as down:
            return settled, down
        settled.append(replace(each, judgement=asked.judgement, opinion=asked))
    return settled, None


async def _down(tools: Tools, work: Work, down: EvaluatorDown) -> None:
    if not down.retryable:
        await record_judgements(tools, work, [], problem=("evaluator_refused", str(down)))
    elif not isinstance(down, ModelDown) and int(work.step.details.get("waits", 0)) >= MAX_SLOW_LOOKS - 1:
        # the offline evaluator is down for nobody else: it is this file that it can't get through
        problem = "evaluator_timeout", "Looking at this file takes too long: export it smaller."
        await record_judgements(tools, work, [], problem=problem)
    else:
        await wait_for_evaluator(tools, work.step, work.check.id, str(down), work=work)
