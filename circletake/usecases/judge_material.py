"""Judge one file of a check: look at it, compare it with the cast, record a judgement per subject.

What an evaluator saw is kept, so that the next question about this file costs a comparison. An evaluator that is
down makes the check wait; a file that can't be read says so. Neither ever passes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.consistency.judging import judge_frame
from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.materials import judge_material as judge_frames
from circletake.domain.consistency.profiles import Profile, Scoped
from circletake.domain.consistency.rules import profile_for
from circletake.domain.consistency.sampling import Sampling
from circletake.domain.consistency.subjects import FrameJudgement, Subject
from circletake.domain.consistency.words import Box, CharacterKind, ShotSize, Verdict
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.ports import CastMember, EvaluatorDown, FrameSeen, PictureRefused, StorageFault
from circletake.records.characters import Character
from circletake.records.consistency import (
    CheckMaterial,
    CheckResult,
    CheckSubject,
    ConsistencyCheck,
    Judgement,
)
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import TenantSession
from circletake.records.steps import Step
from circletake.usecases.ask_models import Asked, add_embeddings, ask_judge
from circletake.usecases.check_events import announce_check, announce_judged_take
from circletake.usecases.enforce_consistency import attempt_judged
from circletake.usecases.events import wake_dispatcher, wake_waiters
from circletake.usecases.forget_character import forget_unneeded
from circletake.usecases.observe_media import PEOPLE, SCENE, known_observations, see_file
from circletake.usecases.plan_check import (
    CastLook,
    MaterialPlanned,
    SubjectAsked,
    approved_cast,
    cast_digest,
    judgement_key,
    planned_again,
)
from circletake.usecases.request_check import FrozenRules, conclude_step
from circletake.usecases.steps import (
    ClaimedStep,
    end_step,
    hold_fence,
    lock_generation,
    lock_takes,
    put_off,
)
from circletake.usecases.tools import TenantAtWork, Tools

CROP_SIDE = 320  # pixels of the longest side; of every subject in every file for the continuity sheet
WAIT_SECONDS = 20.0  # for an evaluator that is down, longer every time
LONGEST_WAIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Work:
    """One file to judge, as it was when the step began; nothing is locked any more."""

    step: ClaimedStep
    tenant: TenantAtWork
    check: ConsistencyCheck
    material: CheckMaterial
    file: MediaFile
    planned: MaterialPlanned
    subject_ids: Sequence[UUID]  # rows of the check's subjects, by position
    cast: Sequence[CastLook]
    rules: FrozenRules
    profiles: Mapping[str, Profile]  # by the look's key
    known: Mapping[UUID, Mapping[int, FrameSeen]]  # what was seen before, of this file and the references
    reference_files: Mapping[UUID, MediaFile]
    folder: Path  # on the local disk, for as long as the step runs

    @property
    def people(self) -> bool:
        return any(look.kind is CharacterKind.HUMAN for look in self.cast)

    @property
    def scene(self) -> bool:
        return any(look.kind is not CharacterKind.HUMAN for look in self.planned.looks.values())


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one subject."""

    position: int
    look: CastLook
    judgement: MaterialJudgement
    frames: Sequence[FrameJudgement]
    figure: int | None  # in the frame that is shown
    crop: bytes | None = field(repr=False, default=None)
    opinion: Asked | None = None


async def judge_material(tools: Tools, step: ClaimedStep) -> None:
    """Run a `judge` step: `subject_id` is the check's material."""
    tenant = await tools.tenant(step.tenant_id)
    with TemporaryDirectory(dir=tools.scratch) as folder:
        work = await _begin(tools, tenant, step, Path(folder))
        if work is None:
            return
        try:
            judged = await _judge(tools, work)
        except (PictureRefused, StorageFault) as fault:
            if isinstance(fault, StorageFault) and fault.kind != "missing":
                raise
            code = fault.code if isinstance(fault, PictureRefused) else "file_missing"
            await _record(tools, work, [], problem=(code, str(fault)))
        except EvaluatorDown as down:
            if down.retryable:
                await _wait(tools, work, down)
            else:
                await _record(tools, work, [], problem=("evaluator_refused", str(down)))
        else:
            await _record(tools, work, judged)


async def _begin(tools: Tools, tenant: TenantAtWork, step: ClaimedStep, folder: Path) -> Work | None:
    async with tools.database.tenant(step.tenant_id) as session:
        material = await session.get_one(CheckMaterial, step.subject_id)
        check = await session.get_one(ConsistencyCheck, material.check_id)
        if material.state != "queued" or check.state in {"canceled", "failed"}:
            await end_step(session, step)
            return None
        if check.state != "running":
            await hold_fence(session, step)
            check.state, check.waiting_for = "running", None
            await session.flush()
        file = await session.get_one(MediaFile, material.media_id)
        subjects = list(
            await session.scalars(
                select(CheckSubject).where(CheckSubject.check_id == check.id).order_by(CheckSubject.position)
            )
        )
        cast = await approved_cast(session, check.production_id)
        planned = await planned_again(
            session,
            file=file,
            take_id=material.take_id,
            shot_id=material.shot_id,
            expected=material.expected,
            subjects=[SubjectAsked(each.character_id, each.look_id) for each in subjects],
            cast=cast,
        )
        rules = FrozenRules(check.evaluators, check.profile, check.sampling, check.second_opinion)
        whole = any(look.kind is not CharacterKind.HUMAN for look in planned.looks.values())
        known, reference_files = await _known(session, tools, tenant, file, cast, whole=whole)
    return Work(
        step=step,
        tenant=tenant,
        check=check,
        material=material,
        file=file,
        planned=planned,
        subject_ids=[each.id for each in subjects],
        cast=cast,
        rules=rules,
        profiles=profiles_of(check, cast),
        known=known,
        reference_files=reference_files,
        folder=folder,
    )


def profiles_of(check: ConsistencyCheck, cast: Sequence[CastLook]) -> dict[str, Profile]:
    """Return each look's profile, as the check froze it."""
    scoped = [_scoped(each) for each in check.profile["scoped"]]
    production = str(check.production_id)
    return {
        look.key: profile_for(scoped, production=production, character=str(look.character_id))
        for look in cast
    }


def _scoped(stored: Mapping[str, Any]) -> Scoped:
    return Scoped(
        Profile.from_json(stored["profile"]),
        production=stored["production"],
        character=stored["character"],
        size=ShotSize(stored["size"]) if stored["size"] else None,
    )


async def _known(
    session: TenantSession,
    tools: Tools,
    tenant: TenantAtWork,
    file: MediaFile,
    cast: Sequence[CastLook],
    *,
    whole: bool,
) -> tuple[dict[UUID, dict[int, FrameSeen]], dict[UUID, MediaFile]]:
    """What was seen before of this file and of the references, and the references' files."""
    evaluator = str(tools.evaluator.id)
    by_part: dict[str, list[UUID]] = {PEOPLE: [], SCENE: []}
    for look in cast:
        part = PEOPLE if look.kind is CharacterKind.HUMAN else SCENE
        by_part[part] += [media_id for media_id, _ in look.references]
    known: dict[UUID, dict[int, FrameSeen]] = {}
    for part, media_ids in by_part.items():
        if part == SCENE and not whole:
            continue  # nobody without a face is asked about
        for media_id, frames in (
            await known_observations(session, tenant.seal, evaluator, media_ids, [part])
        ).items():
            known[media_id] = {
                at: _together(known.get(media_id, {}).get(at), seen) for at, seen in frames.items()
            }
    people = bool(by_part[PEOPLE])
    parts = [part for part, asked in ((PEOPLE, people), (SCENE, whole)) if asked]
    own = await known_observations(session, tenant.seal, evaluator, [file.id], parts)
    known[file.id] = own.get(file.id, {})
    missing = [media_id for ids in by_part.values() for media_id in ids if media_id not in known]
    files = await session.scalars(select(MediaFile).where(MediaFile.id.in_(missing)))
    return known, {each.id: each for each in files}


def _together(one: FrameSeen | None, other: FrameSeen) -> FrameSeen:
    if one is None:
        return other
    return replace(other, figures=one.figures or other.figures, scene=one.scene or other.scene)


async def _judge(tools: Tools, work: Work) -> list[Judged]:
    """Look, compare, judge; frame by frame as far as the sampling asks. Raises what looking raises."""
    if not work.planned.looks:
        return []
    members = await _members(tools, work)
    local = _Local(tools, work)
    still = not work.file.media_type.startswith("video/")
    total = 1 if still else max(1, int((work.file.probe or {}).get("frames") or 1))
    sampling = Sampling(**work.rules.sampling)
    judged: dict[str, list[FrameJudgement]] = {look.key: [] for look in work.planned.looks.values()}
    looked: set[int] = set()
    frames = [0] if still else sampling.start(total)
    while frames:
        looked |= set(frames)
        seen = await local.see(frames)
        matches = await tools.evaluator.compare(members, list(seen.values()))
        for frame, found in zip(seen.values(), matches, strict=True):
            evidence = {tools.evaluator.id: found}
            evidence |= await add_embeddings(tools, work, frame, found, local.path)
            for each in judge_frame(
                _subjects(work),
                frame,
                evidence,
                tools.rules.calibrations,
                work.profiles,
                identities={member.key: member.identity for member in members},
            ):
                judged[each.key].append(each)
        frames = [] if still else sorted(_more(work, sampling, total, judged) - looked)
    return [
        await _one(tools, work, position, look, sorted(judged[look.key], key=lambda each: each.frame), local)
        for position, look in sorted(work.planned.looks.items())
        if judged[look.key]
    ]


def _more(
    work: Work, sampling: Sampling, total: int, judged: Mapping[str, Sequence[FrameJudgement]]
) -> set[int]:
    """The frames that any subject asks for next."""
    frames: set[int] = set()
    for look in work.planned.looks.values():
        profile = work.profiles[look.key]
        counted = profile.counted(look.kind)
        threshold = profile.threshold(counted[0])
        if threshold is not None:
            scores = {
                each.frame: min((each.scores[a] for a in counted if a in each.scores), default=None)
                for each in judged[look.key]
            }
            frames |= set(sampling.more(total, scores, threshold))
    return frames


def _subjects(work: Work) -> list[Subject]:
    expected = work.planned.expected
    return [
        Subject(
            look.key,
            look.kind,
            expected=expected is not None and look.character_id in expected,
            identity=str(look.character_id),
        )
        for _, look in sorted(work.planned.looks.items())
    ]


async def _members(tools: Tools, work: Work) -> list[CastMember]:
    """The cast with its references' features; references that nobody looked at yet are seen now."""
    known = {media_id: dict(frames) for media_id, frames in work.known.items()}
    for media_id, file in work.reference_files.items():
        kinds = {look.kind for look in work.cast for one, _ in look.references if one == media_id}
        known[media_id] = await see_file(
            tools,
            work.tenant,
            file,
            frames=[0],
            people=CharacterKind.HUMAN in kinds,
            scene=kinds != {CharacterKind.HUMAN},
        )
    members = []
    for look in work.cast:
        if look.kind is not CharacterKind.HUMAN and not work.scene:
            continue
        features = [
            features
            for media_id, figure in look.references
            if (features := reference_features(known.get(media_id, {}).get(0), look.kind, figure))
        ]
        if features:
            members.append(CastMember(look.key, look.kind, features, identity=str(look.character_id)))
    return members


def reference_features(seen: FrameSeen | None, kind: CharacterKind, figure: int | None) -> bytes | None:
    """Return what a reference contributes: the chosen figure, or the one with the largest face, or the scene."""
    if seen is None:
        return None
    if kind is not CharacterKind.HUMAN:
        return seen.scene or None
    if not seen.figures:
        return None
    chosen = (
        seen.figures[figure]
        if figure is not None and figure < len(seen.figures)
        else max(seen.figures, key=lambda each: each.face_px)
    )
    return chosen.features


class _Local:
    """The file on the local disk, fetched when somebody needs its pixels."""

    def __init__(self, tools: Tools, work: Work) -> None:
        self._tools, self._work = tools, work
        self._path = work.folder / f"file{Path(work.file.name).suffix}"
        self._there = False

    async def path(self) -> Path:
        if not self._there:
            file = self._work.file
            await self._tools.store.get_file(self._work.tenant.storage, file.object_key or "", self._path)
            self._there = True
        return self._path

    async def see(self, frames: Sequence[int]) -> dict[int, FrameSeen]:
        """What is in these frames: looked up, or seen now. A video may hold fewer frames than it said."""
        known = self._work.known.get(self._work.file.id, {})
        missing = [frame for frame in frames if frame not in known]
        seen = {frame: known[frame] for frame in frames if frame in known}
        if missing:
            expected = self._work.planned.expected
            seen |= await see_file(
                self._tools,
                self._work.tenant,
                self._work.file,
                frames=missing,
                people=self._work.people,
                scene=self._work.scene,
                expected=max(1, len(expected or ())),
                path=await self.path(),
            )
        return dict(sorted(seen.items()))


async def _one(
    tools: Tools,
    work: Work,
    position: int,
    look: CastLook,
    frames: Sequence[FrameJudgement],
    local: _Local,
) -> Judged:
    profile = work.profiles[look.key]
    margins = {
        aspect: calibration.margin
        for aspect in profile.counted(look.kind)
        if (calibration := tools.rules.calibrations.get(tools.evaluator.id, aspect)) is not None
    }
    judgement = judge_frames(frames, profile, look.kind, margins=margins)
    shown = next((each for each in frames if each.frame == judgement.worst_frame), frames[0])
    cut = await tools.evaluator.crops(
        await local.path(),
        work.file.media_type,
        [(shown.frame, shown.box or Box(0, 0, 0, 0))],
        side=CROP_SIDE,
    )
    opinion = None
    if work.rules.second_opinion and judgement.verdict is Verdict.NEEDS_HUMAN:
        opinion = await ask_judge(tools, work, look, shown, judgement, local.path)
        judgement = opinion.judgement
    return Judged(position, look, judgement, frames, shown.figure, cut[0].data if cut else None, opinion)


async def _wait(tools: Tools, work: Work, down: EvaluatorDown) -> None:
    """The check says that it waits, and for what; the step is tried again, later every time."""
    step = work.step
    async with tools.database.tenant(step.tenant_id) as session:
        check = await _lock_check(session, work.check.id)
        if check.state in {"queued", "running"}:
            check.state, check.waiting_for = "waiting", str(down)[:200]
            await session.flush()
            await announce_check(session, check, "consistency_check.waiting")
        seconds = min(LONGEST_WAIT_SECONDS, WAIT_SECONDS * 1.5 ** min(step.attempt, 10))
        await put_off(session, step, seconds=seconds, trouble="evaluator_down", counted=False)


async def _lock_check(session: TenantSession, check_id: UUID) -> ConsistencyCheck:
    return (
        await session.scalars(
            select(ConsistencyCheck).where(ConsistencyCheck.id == check_id).with_for_update()
        )
    ).one()


async def _record(
    tools: Tools, work: Work, judged: Sequence[Judged], *, problem: tuple[str, str] | None = None
) -> None:
    """The judgements, the material's state, what an enforcement does next, and the check's end when this was its
    last file; one transaction, the fence still ours."""
    step, seal = work.step, work.tenant.seal
    cast = cast_digest(work.cast)
    async with tools.database.tenant(step.tenant_id) as session:
        generation: Generation | None = None
        takes: list[Take] = []
        if step.generation_id is not None:
            generation = await lock_generation(session, step.tenant_id, step.generation_id)
            takes = await lock_takes(session, step.tenant_id, step.generation_id)
        check = await _lock_check(session, work.check.id)
        await hold_fence(session, step)
        material = await session.get_one(CheckMaterial, work.material.id)
        living = await _living(session, judged)
        if len(living) < len({each.look.character_id for each in judged}):
            # deleted while it was looked at: nothing of its face is kept
            await forget_unneeded(session, step.tenant_id, [work.file.id])
            judged = [each for each in judged if each.look.character_id in living]
        for each in judged:
            key = judgement_key(work.planned, each.position, cast=cast, rules=work.rules.digest)
            judgement_id = await _keep(session, work, each, key)
            await session.execute(
                insert(CheckResult).values(
                    id=new_id(),
                    tenant_id=step.tenant_id,
                    check_id=check.id,
                    material_id=material.id,
                    subject_id=work.subject_ids[each.position],
                    judgement_id=judgement_id,
                )
            )
        material.judged_at = clock.now()
        material.state = "judged" if problem is None else "unreadable"
        if problem is not None:
            material.problem_code, material.problem_detail = problem[0], problem[1][:500]
        await session.flush()
        if material.take_id is not None:
            await announce_judged_take(
                session, check, material, [each.judgement for each in judged], generation
            )
        if generation is not None:
            await attempt_judged(session, seal, generation, takes, material, judged)
        elif await _all_judged(session, check.id):
            await session.execute(insert(Step).values(conclude_step(step.tenant_id, check.id)))
        await wake_waiters(session, check.id)
        await end_step(session, step)
        await wake_dispatcher(session)


async def _living(session: TenantSession, judged: Sequence[Judged]) -> set[UUID]:
    """The characters that weren't deleted meanwhile, held until this transaction ends."""
    rows = await session.scalars(
        select(Character.id)
        .where(Character.id.in_({each.look.character_id for each in judged}), Character.deleted_at.is_(None))
        .order_by(Character.id)
        .with_for_update(read=True)
    )
    return set(rows)


async def _all_judged(session: TenantSession, check_id: UUID) -> bool:
    left = await session.scalar(
        select(func.count()).where(CheckMaterial.check_id == check_id, CheckMaterial.state == "queued")
    )
    return not left


async def _keep(session: TenantSession, work: Work, each: Judged, key: str) -> UUID:
    """Insert the judgement, or find the same one that another check made meanwhile."""
    identifier = new_id()
    judgement, seal = each.judgement, work.tenant.seal
    kept: UUID | None = await session.scalar(
        upsert(Judgement)
        .values(
            id=identifier,
            tenant_id=work.step.tenant_id,
            key=key,
            media_id=work.file.id,
            character_id=each.look.character_id,
            look_id=each.look.look_id,
            reference_set_id=each.look.reference_set_id,
            verdict=judgement.verdict.value,
            score=judgement.score,
            scores={aspect.value: p for aspect, p in judgement.scores.items()},
            reasons=[reason.value for reason in judgement.reasons],
            worst_frame=judgement.worst_frame,
            body=judgement.as_json(),
            frames=[frame.as_json() for frame in each.frames],
            evaluators=list(work.rules.evaluators),
            opinion=None if each.opinion is None else each.opinion.summary,
            opinion_text=None
            if each.opinion is None
            else seal.close(each.opinion.text, place=f"judgements.opinion_text:{identifier}"),
            figure=each.figure,
            crop=None if each.crop is None else seal.close(each.crop, place=f"judgements.crop:{identifier}"),
        )
        .on_conflict_do_nothing(index_elements=["tenant_id", "key"])
        .returning(Judgement.id)
    )
    if kept is not None:
        return kept
    return (await session.scalars(select(Judgement.id).where(Judgement.key == key))).one()
