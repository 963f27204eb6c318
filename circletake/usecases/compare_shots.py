"""How alike a character is in shots that follow each other.

A pair is compared once in its life: what came of it is kept with the later one's judgement, a part at a time, so that
a worker that is lost costs a part.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Uuid, bindparam, text

from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.words import Aspect, CharacterKind
from circletake.ports import CastMember, FrameSeen
from circletake.usecases.observe_media import known_parts, part_of
from circletake.usecases.tools import TenantAtWork, Tools

PAIRS_AT_ONCE = 4
PAIRS_IN_A_PART = 200  # whose features are in memory together

# by the check's subject, and by the earlier one's place in that subject's line of shots
PairScores = Mapping[UUID, Mapping[int, Mapping[Aspect, float]]]

_Frame = tuple[UUID, int, str]  # media file, frame, part

_KEEP = text(
    """
    with told as materialized (
        select * from jsonb_to_recordset(cast(:rows as jsonb)) as r(id uuid, beside jsonb)),
    held as materialized (
        select j.id from judgements j where j.tenant_id = :tenant and j.id in (select id from told)
        order by j.id for update)
    update judgements j set beside = j.beside || told.beside
    from told join held on held.id = told.id where j.tenant_id = :tenant and j.id = told.id
    """
).bindparams(bindparam("tenant", type_=Uuid()))


@dataclass(frozen=True, slots=True)
class ShotPair:
    """Two judgements of one subject that follow each other. `position`: of the later one in the check."""

    subject_id: UUID
    character_id: UUID
    kind: CharacterKind
    prior: float
    at: int
    position: int
    before: Row[Any]
    after: Row[Any]

    @property
    def frames(self) -> tuple[_Frame, _Frame]:
        """The frame that each judgement is about."""
        part = part_of(self.kind)
        one, other = (
            (each.media_id, each.worst_frame if each.worst_frame is not None else 0, part)
            for each in (self.before, self.after)
        )
        return one, other


async def compare_pairs(
    tools: Tools, tenant: TenantAtWork, tenant_id: UUID, pairs: Sequence[ShotPair]
) -> PairScores:
    """Look pairs up, or compare them now and keep what came of it. No transaction may be open. Raises EvaluatorDown."""
    found: dict[UUID, dict[int, Mapping[Aspect, float]]] = {}
    wanted = []
    for pair in pairs:
        known = pair.after.beside.get(str(pair.before.id))
        if known is None:
            wanted.append(pair)
        else:
            scores = {Aspect(name): p for name, p in known.items()}
            found.setdefault(pair.subject_id, {})[pair.at] = scores
    wanted.sort(key=lambda pair: pair.position)  # so that a file's subjects are in the same part
    for start in range(0, len(wanted), PAIRS_IN_A_PART):
        part = wanted[start : start + PAIRS_IN_A_PART]
        seen = await _seen(tools, tenant, tenant_id, part)
        compared = await _compare(tools, part, seen)
        await _keep(tools, tenant_id, part, compared)
        for pair, one in zip(part, compared, strict=True):
            found.setdefault(pair.subject_id, {})[pair.at] = one or {}
    return found


async def _seen(
    tools: Tools, tenant: TenantAtWork, tenant_id: UUID, pairs: Sequence[ShotPair]
) -> dict[_Frame, FrameSeen]:
    wanted = {frame for pair in pairs for frame in pair.frames}
    found: dict[_Frame, FrameSeen] = {}
    async with tools.database.tenant(tenant_id) as session:
        for part in sorted({part for _, _, part in wanted}):
            frames: dict[UUID, set[int]] = {}
            for media_id, at, own in wanted:
                if own == part:
                    frames.setdefault(media_id, set()).add(at)
            known = await known_parts(
                session,
                tenant.seal,
                str(tools.evaluator.id),
                dict.fromkeys(frames, frozenset([part])),
                frames=frames,
            )
            for media_id, seen in known.items():
                found |= {(media_id, at, part): one for at, one in seen.items()}
    return found


async def _compare(
    tools: Tools, pairs: Sequence[ShotPair], seen: Mapping[_Frame, FrameSeen]
) -> list[dict[Aspect, float] | None]:
    gate = asyncio.Semaphore(PAIRS_AT_ONCE)

    async def one(pair: ShotPair) -> dict[Aspect, float] | None:
        frames = pair.frames
        before, after = (
            _own(pair, seen.get(frame), judgement)
            for frame, judgement in zip(frames, (pair.before, pair.after), strict=True)
        )
        if before is None or after is None:
            return None
        async with gate:
            return await _alike(tools, pair, before, after)

    return list(await asyncio.gather(*(one(pair) for pair in pairs)))


def _own(pair: ShotPair, frame: FrameSeen | None, judgement: Row[Any]) -> FrameSeen | None:
    """The frame reduced to the subject's own figure; None when it isn't seen there, or what was seen is gone."""
    if frame is None or pair.kind is not CharacterKind.HUMAN:
        return frame
    if judgement.figure is None or judgement.figure >= len(frame.figures):
        return None
    return FrameSeen(frame.frame, frame.width, frame.height, (frame.figures[judgement.figure],))


async def _alike(tools: Tools, pair: ShotPair, before: FrameSeen, after: FrameSeen) -> dict[Aspect, float]:
    """Probability that two shots show the same, per aspect that both show."""
    human = pair.kind is CharacterKind.HUMAN
    features = before.figures[0].features if human else before.scene
    one = CastMember("before", pair.kind, [features], identity=str(pair.character_id))
    [matches] = await tools.evaluator.compare([one], [after])
    doubts = {*before.figures[0].doubts, *after.figures[0].doubts} if human else set()
    scores: dict[Aspect, float] = {}
    for match in matches:
        for aspect, values in match.values.items():
            calibration = tools.rules.calibrations.get(tools.evaluator.id, aspect)
            if calibration is not None and aspect not in doubts:
                scores[aspect] = probability(calibration, values, prior=pair.prior)
    return scores


async def _keep(
    tools: Tools,
    tenant_id: UUID,
    pairs: Sequence[ShotPair],
    compared: Sequence[Mapping[Aspect, float] | None],
) -> None:
    """Keep what was compared; what couldn't be, because it isn't known any more, may be some day."""
    beside: dict[UUID, dict[str, Any]] = {}
    for pair, scores in zip(pairs, compared, strict=True):
        if scores is not None:
            told = {aspect.value: round(p, 6) for aspect, p in scores.items()}
            beside.setdefault(pair.after.id, {})[str(pair.before.id)] = told
    if not beside:
        return
    rows = json.dumps([{"id": str(each), "beside": told} for each, told in beside.items()])
    async with tools.database.tenant(tenant_id) as session:
        await session.execute(_KEEP, {"rows": rows, "tenant": tenant_id})
