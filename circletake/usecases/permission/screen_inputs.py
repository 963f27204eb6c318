"""Look at a generation's pictures for faces that nobody declared, before any of them reaches a model.

An evaluator that is down makes the generation wait; a picture that can't be looked at, and a look that ends its worker
again and again, hold it for a person. None of them ever passes.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy import select, update

from circletake.domain.consistency.calibration import probability
from circletake.domain.consistency.words import Aspect, CharacterKind
from circletake.domain.kinds import InputSlot
from circletake.domain.permission.holds import HoldLine, HoldReason, NewHold
from circletake.domain.permission.likeness import SCREENER, FaceFound, crops_prefix
from circletake.domain.takes import TERMINAL, TakeState
from circletake.kit import logs
from circletake.kit.backoff import exponential
from circletake.kit.ids import new_id
from circletake.ports import (
    CastMember,
    EvaluatorDown,
    Figure,
    FrameSeen,
    Match,
    PictureRefused,
    ScreenedFace,
    StorageFault,
)
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.rights import Screening as ScreeningRow
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.effective_take import controls_of, kind_of
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.inputs_of import inputs_of
from circletake.usecases.observe_media import PEOPLE, known_observations, reference_features, see_file
from circletake.usecases.permission.keep_screenings import SeenFaces, keep_seen_faces, keep_unreadable, opened
from circletake.usecases.permission.open_holds import open_hold, queue_takes
from circletake.usecases.permission.screening import CLEAR, Screening, Subject, screening_needed
from circletake.usecases.plan_check import CastLook
from circletake.usecases.resolve_material import is_one_of
from circletake.usecases.steps import (
    ClaimedStep,
    end_step,
    hold_fence,
    lock_generation,
    lock_takes,
    put_off,
)
from circletake.usecases.tools import TenantAtWork, Tools

log = logs.logger(__name__)

CROP_SIDE = 320
MAX_ROUNDS = 4  # the cast may change while it is compared with
MAX_SLOW_LOOKS = 4
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5.0, 300.0


async def screen_inputs(tools: Tools, step: ClaimedStep) -> None:
    """Run a `screen` step: `generation_id` is the generation."""
    tenant = await tools.tenant(step.tenant_id)
    for _ in range(MAX_ROUNDS):
        asked = await _settle(tools, tenant, step)
        if asked is None:
            return
        try:
            await _look(tools, tenant, step.tenant_id, asked)
        except EvaluatorDown as down:
            await _wait(tools, tenant, step, down)
            return
    async with tools.database.tenant(step.tenant_id) as session:
        await put_off(session, step, seconds=_FIRST_WAIT_SECONDS, trouble="cast_changed", counted=False)


async def not_screened(session: TenantSession, tenant: TenantAtWork, generation_id: UUID) -> None:
    """The end of a look that ended its worker again and again: a person has to look instead. Ends no step."""
    generation = await lock_generation(session, tenant.storage.tenant_id, generation_id)
    takes = await lock_takes(session, tenant.storage.tenant_id, generation_id)
    if all(take.state in TERMINAL for take in takes):
        return
    await open_hold(session, tenant.seal, generation, takes, _dead_hold())
    await wake_waiters(session, generation.id)


def _dead_hold() -> NewHold:
    says = "Its pictures couldn't be looked at for people (the look ended again and again): a person has to."
    return NewHold(HoldReason.UNDECLARED_LIKENESS, (HoldLine("not_screened", says),), {"faces": []})


# --- what is asked ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """What has to be looked at now; nothing is locked any more."""

    files: Mapping[UUID, MediaFile]
    subjects: Sequence[Subject]
    rows: Mapping[Subject, ScreeningRow]
    cast: Sequence[CastLook]


async def _settle(tools: Tools, tenant: TenantAtWork, step: ClaimedStep) -> _Asked | None:
    """Decide, when everything was seen: release or hold, and end the step. Otherwise say what is to be seen."""
    assert step.generation_id is not None
    async with tools.database.tenant(step.tenant_id) as session:
        generation = await lock_generation(session, step.tenant_id, step.generation_id)
        takes = await lock_takes(session, step.tenant_id, step.generation_id)
        if all(take.state in TERMINAL for take in takes):
            await end_step(session, step)
            return None
        screening, inputs = await _screening(session, generation, takes)
        if screening.outcome == "needed":
            return await _asked(session, step.tenant_id, screening, inputs)
        if screening.hold is not None:
            await open_hold(session, tenant.seal, generation, takes, screening.hold)
        else:
            await release_after_screening(session, tools, generation, takes)
        await wake_waiters(session, generation.id)
        await end_step(session, step)
        await wake_dispatcher(session)
        return None


async def release_after_screening(
    session: TenantSession, tools: Tools, generation: Generation, takes: Sequence[Take]
) -> None:
    """Give their first step to the takes that waited for the look, and for nothing else."""
    begun = set(
        await session.scalars(
            select(Step.take_id).where(
                Step.tenant_id == generation.tenant_id,
                Step.generation_id == generation.id,
                Step.take_id.is_not(None),
            )
        )
    )
    waiting = [take for take in takes if take.state == TakeState.QUEUED and take.id not in begun]
    if waiting:
        await queue_takes(session, tools.catalogue, generation, waiting, screened=True)
        await session.flush()


async def _screening(
    session: TenantSession, generation: Generation, takes: Sequence[Take]
) -> tuple[Screening, Mapping[InputSlot, MediaFile]]:
    """The first answer that isn't clear, over every open take's own pictures: one that is made anew may have others
    than its generation."""
    clear: Mapping[InputSlot, MediaFile] = {}
    asked: set[str] = set()
    for take in takes:
        mark = json.dumps(take.changes, sort_keys=True, default=str)
        if take.state in TERMINAL or mark in asked:
            continue
        asked.add(mark)
        inputs = await inputs_of(session, generation, take)
        screening = await screening_needed(
            session,
            tenant_id=generation.tenant_id,
            kind=kind_of(generation, take),
            inputs=inputs,
            characters={UUID(each["character"]) for each in generation.depicts},
            controls=controls_of(generation, take),
            generation_id=generation.id,
        )
        if screening.outcome != "clear":
            return screening, inputs
    return CLEAR, clear


async def _asked(
    session: TenantSession, tenant_id: UUID, screening: Screening, inputs: Mapping[InputSlot, MediaFile]
) -> _Asked:
    rows = await session.scalars(
        select(ScreeningRow).where(
            ScreeningRow.tenant_id == tenant_id,
            is_one_of(ScreeningRow.media_id, [media_id for media_id, _ in screening.subjects]),
            ScreeningRow.evaluator == SCREENER,
        )
    )
    return _Asked(
        {file.id: file for file in inputs.values()},
        screening.subjects,
        {(row.media_id, row.matte_id): row for row in rows},
        screening.cast,
    )


# --- looking ------------------------------------------------------------------------------------------------------


async def _look(tools: Tools, tenant: TenantAtWork, tenant_id: UUID, asked: _Asked) -> None:
    members = await _members(tools, tenant, tenant_id, asked.cast)
    compared = [str(look.reference_set_id) for look in asked.cast]
    for subject in asked.subjects:
        row = asked.rows.get(subject)
        identifier = row.id if row is not None else new_id()
        try:
            if row is None:
                look = await _see(tools, tenant, asked.files, subject)
            else:
                look = opened(tenant, row)
        except PictureRefused as refused:
            await keep_unreadable(tools, tenant_id, subject, refused.code)
            continue
        except StorageFault as fault:
            if fault.kind != "missing":
                raise
            await keep_unreadable(tools, tenant_id, subject, "file_missing")
            continue
        faces = await _compared(tools, asked.cast, members, look)
        await keep_seen_faces(
            tools, tenant, tenant_id, subject, identifier, replace(look, faces=faces), compared
        )


async def _see(
    tools: Tools, tenant: TenantAtWork, files: Mapping[UUID, MediaFile], subject: Subject
) -> SeenFaces:
    """Find the faces and cut them out. Raises PictureRefused, StorageFault, EvaluatorDown."""
    media_id, matte_id = subject
    file = files[media_id]
    with TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        picture, matte = folder / "picture", None
        await tools.store.get_file(tenant.storage, file.object_key or "", picture)
        if matte_id is not None:
            matte = folder / "matte"
            await tools.store.get_file(tenant.storage, files[matte_id].object_key or "", matte)
        seen = await tools.evaluator.screen(picture, matte)
        crops = []
        if seen.faces:
            boxes = [(0, each.figure.box) for each in seen.faces]
            crops = list(await tools.evaluator.crops(picture, file.media_type, boxes, side=CROP_SIDE))
    place = f"{crops_prefix(file.production_id, media_id)}{matte_id or 'whole'}/{SCREENER}"
    faces = []
    for number, (each, crop) in enumerate(zip(seen.faces, crops, strict=True), 1):
        key = f"{place}/{number}.jpg"
        await tools.store.put(tenant.storage, key, crop.data, crop.media_type)
        faces.append(_found(each, key))
    return SeenFaces(seen.width, seen.height, faces, [each.figure.features for each in seen.faces])


def _found(each: ScreenedFace, crop: str) -> FaceFound:
    figure = each.figure
    return FaceFound(
        box=figure.box,
        face_px=figure.face_px,
        confidence=figure.confidence,
        share=each.share,
        doubted=not figure.features or Aspect.FACE in figure.doubts,
        crop=crop,
    )


async def _members(
    tools: Tools, tenant: TenantAtWork, tenant_id: UUID, cast: Sequence[CastLook]
) -> list[CastMember]:
    """The production's people with what was seen in their references; what nobody looked at yet is looked at now."""
    media = sorted({media_id for look in cast for media_id, _ in look.references})
    if not media:
        return []
    async with tools.database.tenant(tenant_id) as session:
        known = await known_observations(session, tenant.seal, str(tools.evaluator.id), media, [PEOPLE])
        missing = [each for each in media if 0 not in known.get(each, {})]
        files = list(await session.scalars(select(MediaFile).where(is_one_of(MediaFile.id, missing))))
    for file in files:
        if file.state != "ready":
            continue
        try:
            known[file.id] = await see_file(tools, tenant, file, frames=[0], people=True, scene=False)
        except PictureRefused as refused:
            log.warning("reference_not_seen", reason=refused.code)  # the others of its set speak for the look
    members = []
    for look in cast:
        features = [
            found
            for media_id, figure in look.references
            if (found := reference_features(known.get(media_id, {}).get(0), CharacterKind.HUMAN, figure))
        ]
        if features:
            members.append(
                CastMember(look.key, CharacterKind.HUMAN, features, identity=str(look.character_id))
            )
    return members


async def _compared(
    tools: Tools, cast: Sequence[CastLook], members: Sequence[CastMember], look: SeenFaces
) -> list[FaceFound]:
    """The faces with how probably each is whom a reference set shows."""
    if not look.faces or not members:
        return list(look.faces)
    figures = [
        Figure(
            box=face.box, confidence=face.confidence, face_px=face.face_px, sharpness=0.0, features=features
        )
        for face, features in zip(look.faces, look.features, strict=True)
    ]
    (matches,) = await tools.evaluator.compare(members, [FrameSeen(0, look.width, look.height, figures)])
    sets = {each.key: str(each.reference_set_id) for each in cast}
    told: list[dict[str, float]] = [{} for _ in look.faces]
    for match in matches:
        p = _face_probability(tools, match)
        if p is not None:
            told[match.figure][sets[match.key]] = p
    return [replace(face, likeness=likeness) for face, likeness in zip(look.faces, told, strict=True)]


def _face_probability(tools: Tools, match: Match) -> float | None:
    calibration = tools.rules.calibrations.get(tools.evaluator.id, Aspect.FACE)
    values = match.values.get(Aspect.FACE)
    if calibration is None or values is None or match.figure < 0:
        return None
    return probability(calibration, values)


# --- trouble ------------------------------------------------------------------------------------------------------


async def _wait(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, down: EvaluatorDown) -> None:
    """Try again later; what can't be got through, or never will be, is for a person to look at."""
    waits = int(step.details.get("waits", 0)) + 1
    if down.retryable and waits < MAX_SLOW_LOOKS:
        async with tools.database.tenant(step.tenant_id) as session:
            await hold_fence(session, step)
            await session.execute(
                update(Step)
                .where(Step.tenant_id == step.tenant_id, Step.id == step.id)
                .values(details={**step.details, "waits": waits})
                .execution_options(synchronize_session=False)
            )
            seconds = exponential(
                waits,
                first=_FIRST_WAIT_SECONDS,
                most=_LONGEST_WAIT_SECONDS,
                jitter=random.random(),  # noqa: S311 - spreads retries
            )
            await put_off(session, step, seconds=seconds, trouble="evaluator_down", counted=False)
        return
    async with tools.database.tenant(step.tenant_id) as session:
        await not_screened(session, tenant, step.generation_id or step.id)
        await end_step(session, step)
        await wake_dispatcher(session)
