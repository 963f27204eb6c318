"""Hold what a golden run made against what was approved, file by file."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from circletake.domain.consistency.calibration import Calibrations, probability
from circletake.domain.consistency.words import Aspect, CharacterKind
from circletake.domain.golden.verdict import (
    GoldenAspect,
    GoldenScores,
    judge_golden,
    thresholds_in,
)
from circletake.kit import clock
from circletake.ports import CastMember, Evaluator, EvaluatorDown, FrameSeen, PictureRefused, StorageFault
from circletake.records.generations import Generation
from circletake.records.golden import GoldenResult, GoldenRun, GoldenShot
from circletake.records.media import MediaFile
from circletake.usecases.tools import TenantAtWork, Tools

_ATTEMPTS = 3  # of a step, after which what is down isn't waited for
_FACES = 4  # of a picture, the surest ones


@dataclass(frozen=True, slots=True)
class _Pair:
    result: GoldenResult
    golden: GoldenShot
    old: MediaFile | None
    new: MediaFile | None
    depicts: bool  # somebody who was declared


async def judge_results(tools: Tools, tenant: TenantAtWork, run: GoldenRun, *, attempt: int) -> None:
    """Judge every result that has a picture and no verdict. Each is recorded by itself, so that a repeat goes on.

    Raises StorageFault where the bucket is away, and EvaluatorDown while it helps to try again.
    """
    for pair in await _pairs(tools, run):
        try:
            values = await _judged(tools, tenant, pair)
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            values = _failed("file_missing", "A picture isn't in the bucket any more.")
        except EvaluatorDown as down:
            if down.retryable and attempt < _ATTEMPTS:
                raise
            values = _failed("evaluator_down", "Nothing can look at faces now: run it again.")
        async with tools.database.tenant(run.tenant_id) as session:
            row = await session.get_one(GoldenResult, pair.result.id)
            for name, value in values.items():
                setattr(row, name, value)
            row.judged_at = clock.now()


async def _pairs(tools: Tools, run: GoldenRun) -> Sequence[_Pair]:
    async with tools.database.tenant(run.tenant_id) as session:
        rows = await session.execute(
            select(GoldenResult, GoldenShot, Generation)
            .join(GoldenShot, GoldenShot.id == GoldenResult.golden_id)
            .join(Generation, Generation.id == GoldenShot.generation_id)
            .where(
                GoldenResult.tenant_id == run.tenant_id,
                GoldenResult.run_id == run.id,
                GoldenResult.verdict.is_(None),
            )
            .order_by(GoldenResult.position)
        )
        found = [
            _Pair(
                result,
                golden,
                await session.get(MediaFile, golden.media_id),
                await session.get(MediaFile, result.media_id) if result.media_id else None,
                bool(generation.depicts),
            )
            for result, golden, generation in rows
        ]
        session.expunge_all()
    return found


async def _judged(tools: Tools, tenant: TenantAtWork, pair: _Pair) -> dict[str, Any]:
    if pair.old is None or pair.old.state != "ready":
        return _failed("golden_withdrawn", "The approved picture was withdrawn: retire this golden shot.")
    if pair.new is None or pair.new.state != "ready":
        return _failed("media_not_ready", "The new picture was withdrawn before it could be judged.")
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        old = await _fetch(tools, tenant, pair.old, Path(name))
        new = await _fetch(tools, tenant, pair.new, Path(name))
        try:
            scores = await tools.desk.compare_pictures(old, new)
            if _faces_count(pair):
                face = await same_faces(
                    tools.evaluator,
                    tools.rules.calibrations,
                    Faces(old, pair.old.media_type, _frames(pair.old)),
                    Faces(new, pair.new.media_type, _frames(pair.new)),
                )
                scores = replace(scores, face=face)
        except PictureRefused as refused:
            return _failed("unreadable", f"A picture can't be compared: {refused}"[:300])
    return _verdict(pair, scores)


def _failed(code: str, detail: str) -> dict[str, Any]:
    return {"verdict": "failed", "failure_code": code, "failure_detail": detail}


def _verdict(pair: _Pair, scores: GoldenScores) -> dict[str, Any]:
    judgement = judge_golden(
        scores,
        seeded=pair.result.seeded,
        aspects=[GoldenAspect(each) for each in pair.golden.aspects],
        thresholds=thresholds_in(pair.golden.thresholds),
    )
    return {
        "verdict": judgement.verdict.value,
        "reasons": list(judgement.reasons),
        "scores": {
            **asdict(scores),
            "judged_by": judgement.judged_by,
            "aspects": [
                {
                    "aspect": each.aspect.value,
                    "score": round(each.score, 4),
                    "verdict": each.verdict.value,
                    "unchanged_from": each.threshold.unchanged_from,
                    "changed_below": each.threshold.changed_below,
                }
                for each in judgement.aspects
            ],
        },
    }


async def _fetch(tools: Tools, tenant: TenantAtWork, file: MediaFile, folder: Path) -> Path:
    path = folder / f"{file.id}{Path(file.name).suffix}"
    await tools.store.get_file(tenant.storage, file.object_key or "", path)
    return path


# --- faces ----------------------------------------------------------------------------------------------------


def _faces_count(pair: _Pair) -> bool:
    """Faces are looked at where somebody is declared to be in the picture, or it was asked for."""
    wanted = pair.golden.aspects
    return GoldenAspect.FACE.value in wanted if wanted else pair.depicts


@dataclass(frozen=True, slots=True)
class Faces:
    """A file on the local disk whose faces are compared; of a clip, those of its middle frame."""

    path: Path
    media_type: str
    frames: int = 1


async def same_faces(
    evaluator: Evaluator, calibrations: Calibrations, old: Faces, new: Faces
) -> float | None:
    """How probable it is that the faces of the approved picture are in the new one: the least of them. None: it shows
    none that can be judged. What is seen of faces is kept nowhere. Raises PictureRefused, EvaluatorDown."""
    before, after = await _seen(evaluator, old), await _seen(evaluator, new)
    figures = sorted(
        (each for each in before.figures if Aspect.FACE not in each.doubts),
        key=lambda each: -each.confidence,
    )[:_FACES]
    if not figures:
        return None
    if not after.figures:
        return 0.0
    cast = [
        CastMember(str(at), CharacterKind.HUMAN, (figure.features,), str(at))
        for at, figure in enumerate(figures)
    ]
    [matches] = await evaluator.compare(cast, [after])
    calibration = calibrations.get(evaluator.id, Aspect.FACE)
    if calibration is None:
        return None
    best = dict.fromkeys((member.key for member in cast), 0.0)
    for match in matches:
        if Aspect.FACE in match.values:
            likely = probability(calibration, match.values[Aspect.FACE])
            best[match.key] = max(best[match.key], likely)
    return min(best.values())


def _frames(file: MediaFile) -> int:
    return int((file.probe or {}).get("frames") or 1)


async def _seen(evaluator: Evaluator, file: Faces) -> FrameSeen:
    middle = file.frames // 2 if file.media_type.startswith("video/") else 0
    seen = await evaluator.see(file.path, file.media_type, frames=[middle], people=True, scene=False)
    if not seen:
        raise PictureRefused("truncated", "its middle frame can't be decoded")
    return seen[0]
