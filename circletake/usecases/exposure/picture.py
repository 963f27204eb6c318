"""What is in a production's picture now: the cut that counts, or else its circled takes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, select, update

from circletake.domain.exposure.doses import NONE, WHOLE, Dose, TakeDose, fraction_of, together
from circletake.domain.exposure.meter import Meter, Placed, measure
from circletake.domain.exposure.rates import frames_at, parse_rate, snapped
from circletake.domain.kinds import RULES, Kind, on_screen
from circletake.records.context import Production, Shot
from circletake.records.exposure import Cut, CutClip, Exposure
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession

OF_SHOTS = tuple(kind.value for kind in Kind if on_screen(kind))
Extra = Mapping[UUID, Sequence[tuple[UUID, Dose]]]  # by shot: (request, dose) that would come to it
InScope = Callable[[UUID | None], bool]


@dataclass(frozen=True, slots=True)
class ShotFacts:
    id: UUID
    code: str
    sequence_id: UUID | None
    frame_in: int | None
    frame_out: int | None

    @property
    def frames(self) -> int | None:
        if self.frame_in is None or self.frame_out is None:
            return None
        return self.frame_out - self.frame_in + 1


@dataclass(frozen=True, slots=True)
class Picture:
    """`rate` is the cut's, or the production's. `circled` are the doses of circled takes by shot."""

    rate: Fraction
    cut: Cut | None
    shots: Mapping[UUID, ShotFacts]
    circled: Mapping[UUID, Sequence[TakeDose]]
    takes: Mapping[UUID, TakeDose] = field(default_factory=dict)  # those that a clip of the cut is
    clips: Sequence[CutClip] = ()

    def measure(self, in_scope: InScope, extra: Extra | None = None) -> Meter:
        """Add up what is in scope; with `extra`, as it would be if these takes were circled."""
        return measure([*self._placed(in_scope, extra or {})])

    def without_length(self, in_scope: InScope) -> int:
        """Return how many shots of the scope count without a length, because nobody has said any."""
        if self.cut is not None:
            return 0
        return sum(in_scope(shot.id) and not self._length(shot) for shot in self.shots.values())

    def has_ai(self, shot_id: UUID) -> bool:
        """Say whether a model drew something in this shot already."""
        meter = self.measure(lambda each: each == shot_id)
        return meter.shots_with_ai > 0

    def _placed(self, in_scope: InScope, extra: Extra) -> Iterable[Placed]:
        if self.cut is None:
            yield from self._one_after_another(in_scope, extra, self.shots, 0)
            return
        seen: set[UUID] = set()
        for clip in self.clips:
            if clip.shot_id is not None and clip.spans:
                seen.add(clip.shot_id)
            if in_scope(clip.shot_id):
                yield self._of_clip(clip, extra)
        missing = {shot: self.shots[shot] for shot in extra if shot in self.shots and shot not in seen}
        yield from self._one_after_another(in_scope, extra, missing, self.cut.frame_count or 0)

    def _one_after_another(
        self, in_scope: InScope, extra: Extra, shots: Mapping[UUID, ShotFacts], begin: int
    ) -> Iterable[Placed]:
        now = begin
        for shot in shots.values():
            if not in_scope(shot.id):
                continue
            doses = self.circled.get(shot.id, ())
            length = self._length(shot)
            yield Placed(
                shot.id,
                [(now, now + length)],
                together([*((each.generation_id, each.mean) for each in doses), *extra.get(shot.id, ())]),
                tuple(each.take_id for each in doses),
                counts=True,
            )
            now += length

    def _length(self, shot: ShotFacts) -> int:
        """Return a shot's frames: of its range, else of its longest circled take; 0 when nobody knows."""
        if shot.frames is not None:
            return shot.frames
        return max((self._shown(each) for each in self.circled.get(shot.id, ())), default=0)

    def _shown(self, take: TakeDose) -> int:
        return frames_at(take.frames / take.rate, self.rate) if take.rate else take.frames

    def _of_clip(self, clip: CutClip, extra: Extra) -> Placed:
        shot: UUID | int = clip.number if clip.shot_id is None else clip.shot_id
        spans = [(first, last) for first, last in clip.spans]
        more = extra.get(clip.shot_id, ()) if clip.shot_id is not None else ()
        if clip.take_id is not None and clip.take_id in self.takes:
            take = self.takes[clip.take_id]
            dose = together([(take.generation_id, self._used(clip, take)), *more])
            return Placed(shot, spans, dose, (take.take_id,))
        if clip.matched_by != "shot_code" or clip.shot_id is None:
            return Placed(shot, spans, together(more) if more else NONE)
        doses = self.circled.get(clip.shot_id, ())
        together_with = together([*((each.generation_id, each.mean) for each in doses), *more])
        return Placed(shot, spans, together_with, tuple(each.take_id for each in doses))

    def _used(self, clip: CutClip, take: TakeDose) -> Dose:
        """Return the mean over the frames of the take that are on screen."""
        if take.rate is None or not clip.spans:
            return take.mean
        begin, speed = self._first_frame(clip, take), Fraction(clip.speed)
        per_frame = abs(speed) * take.rate / self.rate  # of the take, per frame of the cut
        generated = enhanced = Fraction(0)
        total = 0
        for first, last in clip.spans:
            inside = (first - clip.record_in) * per_frame
            used = take.between(begin + inside, (last - first) * per_frame)
            generated += used.generated * (last - first)
            enhanced += used.enhanced * (last - first)
            total += last - first
        return Dose(generated / total, enhanced / total) if total else take.mean

    def _first_frame(self, clip: CutClip, take: TakeDose) -> Fraction:
        """Return the take's frame, from 0, that the clip begins with: counted from the media's first where the file
        says it, from the shot's first where it must be that."""
        source = Fraction(clip.source_in)
        shot = self.shots.get(clip.shot_id) if clip.shot_id else None
        if clip.media_in is not None:
            source -= Fraction(clip.media_in)
        elif source >= take.frames and shot is not None and shot.frame_in is not None:
            source -= shot.frame_in
        return source * (take.rate or 1) / Fraction(clip.source_rate)


async def lock_production(session: TenantSession, tenant_id: UUID, production_id: UUID) -> Production:
    """Lock a production against other cuts and limits; what is made in it goes on."""
    return (
        await session.scalars(
            select(Production)
            .where(Production.tenant_id == tenant_id, Production.id == production_id)
            .with_for_update(key_share=True)
        )
    ).one()


async def count_this(session: TenantSession, cut: Cut) -> None:
    """Make this cut the one that counts. The caller holds the production's lock."""
    await session.execute(
        update(Cut)
        .where(
            Cut.tenant_id == cut.tenant_id,
            Cut.production_id == cut.production_id,
            Cut.active,
            Cut.id != cut.id,
        )
        .values(active=False)
    )
    cut.active = True
    await session.flush()


async def load_picture(session: TenantSession, production: Production, *, with_cut: bool = True) -> Picture:
    """Read what is in the picture, in at most five queries."""
    cut = await _active_cut(session, production) if with_cut else None
    clips: Sequence[CutClip] = ()
    if cut is not None:
        clips = list(
            await session.scalars(
                select(CutClip)
                .where(CutClip.tenant_id == cut.tenant_id, CutClip.cut_id == cut.id)
                .order_by(CutClip.number)
            )
        )
    circled: dict[UUID, list[TakeDose]] = defaultdict(list)
    chosen = and_(Take.circled, Generation.shot_id.is_not(None), Generation.kind.in_(OF_SHOTS))
    for shot_id, dose in await _doses(session, production, chosen):
        if shot_id is not None:
            circled[shot_id].append(dose)
    takes: dict[UUID, TakeDose] = {}
    if cut is not None:
        in_cut = exists().where(
            CutClip.tenant_id == cut.tenant_id, CutClip.cut_id == cut.id, CutClip.take_id == Take.id
        )
        takes = {dose.take_id: dose for _, dose in await _doses(session, production, in_cut)}
    return Picture(
        rate=parse_rate(cut.frame_rate if cut is not None else production.frame_rate),
        cut=cut,
        shots={each.id: each for each in await _shots(session, production)},
        circled=circled,
        takes=takes,
        clips=clips,
    )


async def _active_cut(session: TenantSession, production: Production) -> Cut | None:
    return await session.scalar(
        select(Cut).where(
            Cut.tenant_id == production.tenant_id, Cut.production_id == production.id, Cut.active
        )
    )


async def _shots(session: TenantSession, production: Production) -> list[ShotFacts]:
    rows = await session.execute(
        select(Shot.id, Shot.code, Shot.sequence_id, Shot.frame_in, Shot.frame_out)
        .where(Shot.tenant_id == production.tenant_id, Shot.production_id == production.id)
        .order_by(Shot.code)
    )
    return [ShotFacts(*row) for row in rows]


async def _doses(
    session: TenantSession, production: Production, which: ColumnElement[bool]
) -> list[tuple[UUID | None, TakeDose]]:
    rows = await session.execute(
        select(Take.id, Take.changed_fraction, Generation.id, Generation.shot_id, Generation.kind, Exposure)
        .join(Generation, Generation.id == Take.generation_id)
        .outerjoin(Exposure, and_(Exposure.tenant_id == Take.tenant_id, Exposure.take_id == Take.id))
        .where(
            Take.tenant_id == production.tenant_id,
            Generation.tenant_id == production.tenant_id,
            Generation.production_id == production.id,
            which,
        )
        .order_by(Take.id)
    )
    return [
        (shot_id, dose_of(take_id, generation_id, kind, changed, exposure))
        for take_id, changed, generation_id, shot_id, kind, exposure in rows
    ]


def dose_of(
    take_id: UUID, generation_id: UUID, kind: str, changed: float | None, exposure: Exposure | None
) -> TakeDose:
    """Return what was measured of a take; of one from before there was a measure, at least what it can have been."""
    if exposure is None:
        on_plate = RULES[Kind(kind)].on_plate
        mean = Dose(fraction_of(changed)) if on_plate and changed is not None else WHOLE
        return TakeDose(take_id, generation_id, mean, ((1, round(mean.generated * 1000), 0),))
    rate = exposure.frames_per_second
    return TakeDose(
        take_id,
        generation_id,
        Dose(fraction_of(exposure.generated_fraction), fraction_of(exposure.enhanced_fraction)),
        tuple((count, drawn, touched) for count, drawn, touched in exposure.frames),
        snapped(rate) if rate else None,
    )


def scope_of(picture: Picture, sequence_id: UUID | None, shot_id: UUID | None) -> InScope:
    """Return what says whether a shot is in a production (neither id), a sequence or a shot."""

    def inside(shot: UUID | None) -> bool:
        if shot_id is not None:
            return shot == shot_id
        if sequence_id is not None:
            facts = picture.shots.get(shot) if shot is not None else None
            return facts is not None and facts.sequence_id == sequence_id
        return True

    return inside
