"""Look at one file and judge whom a check asks about in it: frame by frame, as far as the sampling asks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from circletake.domain.consistency.judging import judge_frame
from circletake.domain.consistency.materials import judge_material as judge_frames
from circletake.domain.consistency.sampling import Sampling
from circletake.domain.consistency.subjects import FrameJudgement, Subject
from circletake.domain.consistency.words import Aspect, Box, CharacterKind
from circletake.domain.pictures import Picture
from circletake.kit import logs
from circletake.ports import CastMember, FrameSeen, PictureRefused
from circletake.records.media import MediaFile
from circletake.usecases.ask_models import add_embeddings
from circletake.usecases.material_work import Judged, Work
from circletake.usecases.observe_media import PEOPLE, SCENE, part_of, reference_features, see_file
from circletake.usecases.plan_check import CastLook
from circletake.usecases.tools import Tools

log = logs.logger(__name__)

CROP_SIDE = 320  # pixels of the longest side; of every subject in every file for the continuity sheet
_NOWHERE = Box(0, 0, 0, 0)  # the whole frame
_HEAD_TO_HIPS = 4.5  # heights of a face box


class LocalFile:
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
            seen |= await see_file(
                self._tools,
                self._work.tenant,
                self._work.file,
                frames=missing,
                people=self._work.people,
                scene=self._work.scene,
                expected=max(1, len(self._work.planned.expected or ())),
                path=await self.path(),
            )
        return dict(sorted(seen.items()))


async def look_at_material(tools: Tools, work: Work, local: LocalFile) -> list[Judged]:
    """Judge every subject that the plan has in this file. Raises PictureRefused, EvaluatorDown, StorageFault."""
    left = [position for position in sorted(work.planned.looks) if position not in work.kept]
    judged = dict(work.kept)
    if left:
        frames = await _frames(tools, work, local)
        fresh = [
            _judged(tools, work, position, frames[work.planned.looks[position].key]) for position in left
        ]
        crops = await _crops(tools, work, fresh, local)
        for (one, shown), crop in zip(fresh, crops, strict=True):
            judged[one.position] = Judged(
                one.position, one.look, one.judgement, one.frames, shown.figure, crop
            )
    return [judged[position] for position in sorted(judged)]


async def _frames(tools: Tools, work: Work, local: LocalFile) -> dict[str, list[FrameJudgement]]:
    """Look, compare, judge until the sampling has enough; every look's frames in their order."""
    members = await _members(tools, work)
    still = not work.file.media_type.startswith("video/")
    total = 1 if still else max(1, int((work.file.probe or {}).get("frames") or 1))
    sampling = Sampling(**work.rules.sampling)
    judged: dict[str, list[FrameJudgement]] = {look.key: [] for look in work.planned.looks.values()}
    looked: set[int] = set()
    frames = [0] if still else sampling.start(total)
    while frames:
        looked |= set(frames)
        seen = list((await local.see(frames)).values())
        for each in await _judge_seen(tools, work, members, seen, local):
            judged[each.key].append(each)
        if still:
            break
        if not seen and 0 not in looked:
            frames = [0]  # far shorter than it said: its first frame is better than nothing
            continue
        frames = sorted(_more(work, sampling, total, judged) - looked)
    if not any(judged.values()):
        raise PictureRefused("no_frames", "the video holds none of the frames it announces: export it again")
    return {key: sorted(own, key=lambda each: each.frame) for key, own in judged.items()}


async def _judge_seen(
    tools: Tools, work: Work, members: Sequence[CastMember], seen: Sequence[FrameSeen], local: LocalFile
) -> list[FrameJudgement]:
    if not seen:
        return []
    matches = await tools.evaluator.compare(members, seen)
    added = await add_embeddings(tools, work, seen, matches, local.path)
    return [
        judged
        for frame, found, more in zip(seen, matches, added, strict=True)
        for judged in judge_frame(
            _subjects(work),
            frame,
            {tools.evaluator.id: found, **more},
            tools.rules.calibrations,
            work.profiles,
            identities={member.key: member.identity for member in members},
        )
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
    """The cast, as far as it is of a kind that is asked about, with its references' features; references that nobody
    looked at yet are seen now."""
    cast = [look for look in work.cast if part_of(look.kind) in work.parts]
    await _see_references(tools, work, cast)
    members = []
    for look in cast:
        features = [
            features
            for media_id, figure in look.references
            if (features := reference_features(work.known.get(media_id, {}).get(0), look.kind, figure))
        ]
        if features:
            members.append(CastMember(look.key, look.kind, features, identity=str(look.character_id)))
    return members


async def _see_references(tools: Tools, work: Work, cast: Sequence[CastLook]) -> None:
    missing = {
        media_id for look in cast for media_id, _ in look.references if 0 not in work.known.get(media_id, {})
    }
    if not missing:
        return
    async with tools.database.tenant(work.step.tenant_id) as session:
        files = [await session.get_one(MediaFile, media_id) for media_id in sorted(missing)]
    for file in files:
        parts = {part_of(look.kind) for look in cast for one, _ in look.references if one == file.id}
        if file.state != "ready":
            continue
        try:
            work.known[file.id] = await see_file(
                tools, work.tenant, file, frames=[0], people=PEOPLE in parts, scene=SCENE in parts
            )
        except PictureRefused as refused:
            # it was approved once; the others of its set speak for the look
            log.warning("reference_not_seen", reason=refused.code)


def _judged(
    tools: Tools, work: Work, position: int, frames: Sequence[FrameJudgement]
) -> tuple[Judged, FrameJudgement]:
    """One subject's judgement over its frames, and the frame that is shown of it."""
    look = work.planned.looks[position]
    profile = work.profiles[look.key]
    margins = {
        aspect: calibration.margin
        for aspect in profile.counted(look.kind)
        if (calibration := tools.rules.calibrations.get(tools.evaluator.id, aspect)) is not None
    }
    judgement = judge_frames(frames, profile, look.kind, margins=margins)
    return Judged(position, look, judgement, frames), shown_frame(frames, judgement.worst_frame)


def shown_frame(frames: Sequence[FrameJudgement], worst: int | None) -> FrameJudgement:
    return next((each for each in frames if each.frame == worst), frames[0])


async def _crops(
    tools: Tools, work: Work, fresh: Sequence[tuple[Judged, FrameJudgement]], local: LocalFile
) -> Sequence[bytes | None]:
    """Cut every subject out at once: the file is decoded once, however many it shows."""
    boxes = [(shown.frame, _to_show(one, shown)) for one, shown in fresh]
    try:
        cut: Sequence[Picture] = await tools.evaluator.crops(
            await local.path(), work.file.media_type, boxes, side=CROP_SIDE
        )
    except PictureRefused as refused:
        log.warning("crop_not_made", reason=refused.code)  # what was seen of it stands
        return [None] * len(boxes)
    return [each.data for each in cut]


def _to_show(one: Judged, shown: FrameJudgement) -> Box:
    """The face, with what the evaluator cuts around it; down to the hips where it is the costume that broke."""
    box = shown.box
    if box is None:
        return _NOWHERE
    if one.look.kind is not CharacterKind.HUMAN or Aspect.WARDROBE not in one.judgement.broken:
        return box
    return Box(
        box.left - box.width, box.top - box.height // 2, 3 * box.width, round(_HEAD_TO_HIPS * box.height)
    )
