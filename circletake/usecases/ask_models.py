"""Models that judge: embeddings beside what the offline evaluator saw, and a second opinion on what stays undecided.

Every call is paid, so it is on record before it leaves, under no transaction; its answer is kept, so that it is paid
once. A model that can't answer makes the check wait, or say so; it never lets anything pass.
"""

import json
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from circletake.dialects.contract import UnfitRequest, UnusableAnswer, encode_body
from circletake.dialects.converse_judge import Order, agreed
from circletake.dialects.registry import embedder_for, judge_for
from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.materials import MaterialJudgement, second_opinion
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.words import Aspect, Box, CharacterKind, EvaluatorId, Verdict
from circletake.domain.costs import cost_of_tokens
from circletake.domain.pictures import ModelCard, Picture
from circletake.ports import FrameSeen, Match
from circletake.records.media import MediaFile
from circletake.usecases.material_work import Asked, Work
from circletake.usecases.observe_media import PEOPLE, chosen_figure, keep_seen, known_parts, part_of
from circletake.usecases.paid_judging import ModelDown, paid_judging
from circletake.usecases.plan_check import CastLook
from circletake.usecases.tools import Tools

T = TypeVar("T")

EMBEDDED_SIDE = 512  # pixels of what is sent to be embedded
JUDGED_SIDE = 768  # pixels of what a judge gets to see
JUDGE_REFERENCES = 3
REFUSED = "refused"  # outcome of a second opinion that couldn't be had, for good
_ORDERS: tuple[Order, ...] = ("references_first", "shot_first")

# (media file, frame, part) to the frame with vectors for features
_Embedded = dict[tuple[UUID, int, str], FrameSeen]


async def add_embeddings(
    tools: Tools,
    work: Work,
    frames: Sequence[FrameSeen],
    found: Sequence[Sequence[Match]],
    path: Callable[[], Awaitable[Path]],
) -> list[dict[EvaluatorId, Sequence[Match]]]:
    """What the embedding models that the check names say of these frames: one more line of evidence each.

    They see what the offline evaluator found, cut out; a vector is kept like every observation. Raises ModelDown.
    """
    added: list[dict[EvaluatorId, Sequence[Match]]] = [{} for _ in frames]
    for evaluator, model_id in tools.rules.models.items():
        if str(evaluator) not in work.rules.evaluators:
            continue
        card = tools.catalogue.get(model_id)
        if card is None:
            raise ModelDown(f"{model_id} is no longer in the catalogue", retryable=False)
        known = await _known_vectors(tools, work, evaluator)
        parts = sorted(work.parts)
        references = {
            look.key: await _reference_vectors(tools, work, look, evaluator, card, known)
            for look in work.cast
            if part_of(look.kind) in parts
        }
        for place, frame in enumerate(frames):
            own: list[Match] = []
            for part in parts:
                seen = await _embedded(tools, work, work.file, evaluator, card, frame, part, path, known)
                for look in work.cast:
                    if part_of(look.kind) == part:
                        own += _cosines(look, references[look.key], seen)
            # where it was found is known already, and so is whether it was pasted
            wanted = {(match.key, match.figure) for match in found[place]}
            added[place][evaluator] = [match for match in own if (match.key, match.figure) in wanted]
    return added


async def _known_vectors(tools: Tools, work: Work, evaluator: EvaluatorId) -> _Embedded:
    """Every vector of this file and of the cast's references that was paid for before, in one round trip."""
    known: _Embedded = {}
    ids = {media_id for look in work.cast for media_id, _ in look.references} | {work.file.id}
    async with tools.database.tenant(work.step.tenant_id) as session:
        for part in work.parts:
            seen = await known_parts(
                session, work.tenant.seal, str(evaluator), dict.fromkeys(ids, frozenset([part]))
            )
            known |= {(media, at, part): one for media, frames in seen.items() for at, one in frames.items()}
    return known


def _cosines(look: CastLook, references: Sequence[Sequence[float]], seen: FrameSeen) -> list[Match]:
    vectors = [(index, _vector(figure.features)) for index, figure in enumerate(seen.figures)]
    if seen.scene:
        vectors.append((-1, _vector(seen.scene)))
    if not references:
        return []
    return [
        Match(
            look.key,
            index,
            {Aspect.OVERALL: (sum(_dot(vector, each) for each in references) / len(references),)},
        )
        for index, vector in vectors
    ]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)


def _vector(packed: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(packed) // 4}f", packed)


async def _reference_vectors(
    tools: Tools,
    work: Work,
    look: CastLook,
    evaluator: EvaluatorId,
    card: ModelCard,
    known: _Embedded,
) -> list[tuple[float, ...]]:
    """The vectors of a look's references, each asked for once in its life."""
    vectors = []
    for media_id, figure in look.references:
        seen = work.known.get(media_id, {}).get(0)
        if seen is None:
            continue
        embedded = known.get((media_id, 0, part_of(look.kind)))
        if embedded is None:
            file = await _file(tools, work, media_id)
            if file.state != "ready":
                continue
            fetch = _fetcher(tools, work, file)
            embedded = await _embedded(
                tools, work, file, evaluator, card, seen, part_of(look.kind), fetch, known
            )
        if look.kind is not CharacterKind.HUMAN:
            vectors.append(_vector(embedded.scene))
        elif (chosen := chosen_figure(embedded, figure)) is not None:
            vectors.append(_vector(embedded.figures[chosen].features))
    return vectors


async def _embedded(
    tools: Tools,
    work: Work,
    file: MediaFile,
    evaluator: EvaluatorId,
    card: ModelCard,
    frame: FrameSeen,
    part: str,
    path: Callable[[], Awaitable[Path]],
    known: _Embedded,
) -> FrameSeen:
    """The frame with vectors for features, as kept, or as asked for now."""
    if (file.id, frame.frame, part) in known:
        return known[file.id, frame.frame, part]
    whole = Box(0, 0, frame.width, frame.height)
    boxes = [figure.box for figure in frame.figures] if part == PEOPLE else [whole]
    crops = await tools.evaluator.crops(
        await path(), file.media_type, [(frame.frame, box) for box in boxes], side=EMBEDDED_SIDE
    )
    vectors = [await _embed(tools, work, file, evaluator, card, crop) for crop in crops]
    embedded = (
        replace(
            frame,
            figures=tuple(
                replace(figure, features=_packed(vector), doubts={})
                for figure, vector in zip(frame.figures, vectors, strict=True)
            ),
            scene=b"",
        )
        if part == PEOPLE
        else replace(frame, figures=(), scene=_packed(vectors[0]))
    )
    await keep_seen(tools, work.tenant.seal, file, [embedded], [part], evaluator=str(evaluator))
    known[file.id, frame.frame, part] = embedded
    return embedded


async def _embed(
    tools: Tools, work: Work, file: MediaFile, evaluator: EvaluatorId, card: ModelCard, crop: Picture
) -> tuple[float, ...]:
    dialect = embedder_for(card)
    dimensions = int(card.limits["dimensions"][0])
    try:
        body = encode_body(dialect.body(crop, card), card)
    except UnfitRequest as unfit:
        raise ModelDown(f"{card.id} doesn't take this crop: {unfit}", retryable=False) from unfit
    return await paid_judging(
        tools,
        work,
        file,
        evaluator,
        card,
        card.price.usd,
        body,
        partial(tools.runner.invoke, work.tenant.storage, card, body),
        lambda answer: (dialect.vector(answer.body, dimensions), card.price.usd),
    )


async def _file(tools: Tools, work: Work, media_id: UUID) -> MediaFile:
    async with tools.database.tenant(work.step.tenant_id) as session:
        return await session.get_one(MediaFile, media_id)


def _fetcher(tools: Tools, work: Work, file: MediaFile) -> Callable[[], Awaitable[Path]]:
    async def fetch() -> Path:
        path = work.folder / f"{file.id}{Path(file.name).suffix}"
        if not path.exists():
            await tools.store.get_file(work.tenant.storage, file.object_key or "", path)
        return path

    return fetch


async def ask_judge(
    tools: Tools,
    work: Work,
    look: CastLook,
    shown: FrameJudgement,
    judgement: MaterialJudgement,
    path: Callable[[], Awaitable[Path]],
) -> Asked:
    """Show a judge model the references and the worst frame, in both orders, and weigh in what it says.

    Raises ModelDown when it is worth asking again. A judge that won't answer, or whose answer isn't an opinion,
    leaves the take with a person.
    """
    card = tools.catalogue.get(work.rules.second_opinion or "")
    evaluator = None if card is None else tools.rules.of_model(card.id)
    if card is None or evaluator is None:
        return Asked(judgement, {"evaluator": work.rules.second_opinion, "outcome": REFUSED}, "")
    aspects = [
        aspect for aspect, verdict in judgement.verdicts.items() if verdict is Verdict.NEEDS_HUMAN
    ] or [Aspect.OVERALL]
    pictures = await _reference_crops(tools, work, look)
    shot = await tools.evaluator.crops(
        await path(), work.file.media_type, [(shown.frame, shown.box or Box(0, 0, 0, 0))], side=JUDGED_SIDE
    )
    if not pictures or not shot:
        return Asked(judgement, {"evaluator": str(evaluator), "outcome": "nothing_to_show"}, "")
    dialect = judge_for(card)
    estimate = cost_of_tokens(card, *dialect.at_most(card, len(pictures), aspects))
    heard = []
    for order in _ORDERS:
        body = dialect.body(pictures, shot[0], card, aspects, order=order)
        try:
            heard.append(
                await paid_judging(
                    tools,
                    work,
                    work.file,
                    evaluator,
                    card,
                    estimate,
                    b"".join([order.encode(), *(each.data for each in (*pictures, shot[0]))]),
                    partial(tools.runner.converse, work.tenant.storage, card, body),
                    lambda answer: (
                        dialect.read(answer.body, aspects),
                        cost_of_tokens(card, *dialect.tokens(answer.body)),
                    ),
                )
            )
        except UnusableAnswer:
            return Asked(judgement, {"evaluator": str(evaluator), "outcome": "no_opinion"}, "")
        except ModelDown as down:
            if down.retryable:
                raise
            return Asked(judgement, {"evaluator": str(evaluator), "outcome": REFUSED, "why": str(down)}, "")
    profile = work.profiles[look.key]
    opinion = {}
    for aspect, values in agreed(*heard).items():
        calibration = tools.rules.calibrations.get(evaluator, aspect)
        if calibration is not None:
            opinion[aspect] = probability(calibration, values, prior=profile.prior)
    weighed = second_opinion(judgement, opinion, profile)
    return Asked(
        weighed,
        {
            "evaluator": str(evaluator),
            "outcome": "heard" if opinion else "undecided",
            "scores": {aspect.value: p for aspect, p in opinion.items()},
            "before": judgement.verdict.value,
        },
        json.dumps(
            [{aspect.value: each.difference for aspect, each in one.aspects.items()} for one in heard]
        ),
    )


async def _reference_crops(tools: Tools, work: Work, look: CastLook) -> list[Picture]:
    pictures: list[Picture] = []
    for media_id, figure in look.references[:JUDGE_REFERENCES]:
        seen = work.known.get(media_id, {}).get(0)
        if seen is None:
            continue
        file = await _file(tools, work, media_id)
        if file.state != "ready":
            continue
        box = Box(0, 0, seen.width, seen.height)
        if look.kind is CharacterKind.HUMAN and (chosen := chosen_figure(seen, figure)) is not None:
            box = seen.figures[chosen].box
        path = await _fetcher(tools, work, file)()
        pictures += await tools.evaluator.crops(path, file.media_type, [(0, box)], side=JUDGED_SIDE)
    return pictures
