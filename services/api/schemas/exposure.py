"""Exposure, cuts and limits on the wire."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from circletake.domain.exposure.doses import STEPS
from circletake.domain.exposure.limits import LimitAction, Metric
from circletake.domain.exposure.meter import Line, Time
from circletake.domain.exposure.rates import parse_rate
from circletake.records.exposure import Exposure, ExposureLimit
from circletake.usecases.exposure.find_cuts import ClipView, CutView
from circletake.usecases.exposure.measure_production import Measured
from services.api.schemas.common import Body, Reply

Share = Annotated[float, Field(ge=0, le=1)]


def _share(value: Fraction) -> float:
    return round(float(value), 6)


# --- takes ----------------------------------------------------------------------------------------------------


class FrameRun(Reply):
    frames: int = Field(description="How many frames in a row")
    generated: Share
    enhanced: Share


class ExposureReply(Reply):
    """What of a take's frames a model drew. Measured on decoded pixels, never taken from the matte."""

    take_id: UUID
    production_id: UUID
    generated_fraction: Share = Field(description="Of the frame, drawn by a model: the mean over the frames")
    enhanced_fraction: Share = Field(description="Of the frame, where only grain or noise changed")
    frame_count: int
    frames_per_second: float | None = Field(description="null for a still")
    frames: list[FrameRun] = Field(description="Frame by frame, in runs; in thousandths of the frame")
    measured: Literal["pixels", "no_plate"] = Field(
        description="pixels: against the plate; no_plate: there is none, so all of it is generated"
    )

    @classmethod
    def of(cls, row: Exposure) -> "ExposureReply":
        return cls(
            take_id=row.take_id,
            production_id=row.production_id,
            generated_fraction=round(row.generated_fraction, 6),
            enhanced_fraction=round(row.enhanced_fraction, 6),
            frame_count=row.frame_count,
            frames_per_second=row.frames_per_second,
            frames=[
                FrameRun(frames=count, generated=drawn / STEPS, enhanced=touched / STEPS)
                for count, drawn, touched in row.frames
            ],
            measured=row.measured,
        )


# --- cuts -----------------------------------------------------------------------------------------------------

CutState = Literal["queued", "ready", "refused"]
MatchedBy = Literal["take_id", "media_id", "sha256", "file_name", "shot_code"]


class CutReply(Reply):
    """An editor's timeline. The one that is `active` is what the meter counts."""

    id: UUID
    production_id: UUID
    format: Literal["otio", "edl"]
    state: CutState
    active: bool
    frame_rate: str = Field(description="Frames per second, exact: `24` or `24000/1001`")
    frame_count: int | None = Field(description="null until it is read")
    seconds: float | None
    size: int
    sha256: str
    clips: int
    clips_of_takes: int = Field(description="Clips known to be a take")
    clips_unmatched: int = Field(
        description="Clips that are nothing known: see the clips with `matched=false`"
    )
    code: str | None = Field(description="Why it was refused")
    detail: str | None = Field(description="What to change")
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: CutView) -> "CutReply":
        cut = view.cut
        rate = parse_rate(cut.frame_rate)
        return cls(
            id=cut.id,
            production_id=cut.production_id,
            format=cut.format,
            state=cut.state,
            active=cut.active,
            frame_rate=cut.frame_rate,
            frame_count=cut.frame_count,
            seconds=None if cut.frame_count is None else _share(cut.frame_count / rate),
            size=cut.size,
            sha256=cut.sha256,
            clips=view.clips,
            clips_of_takes=view.takes,
            clips_unmatched=view.unmatched,
            code=cut.problem_code,
            detail=cut.problem_detail,
            created_at=cut.created_at,
            finished_at=cut.finished_at,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class CutClipReply(Reply):
    """A clip where it stands in the cut, in frames of the cut's rate."""

    number: int = Field(description="In the order of the file, from 0")
    name: str
    record_in: int
    record_out: int = Field(description="The first frame after it, a dissolve's frames among it")
    seen: list[list[int]] = Field(
        description="What no upper track covers: first frame, and first frame after"
    )
    frames_seen: int
    source_in: str = Field(description="The source's first frame at `source_rate`, as the file counts; exact")
    source_rate: str
    speed: str = Field(description="Source frames per frame shown, exact: 2 is twice as fast, 0 a freeze")
    take_id: UUID | None
    circled: bool | None = Field(description="Whether that take is circled now")
    shot_id: UUID | None
    matched_by: MatchedBy | None = Field(description="What it was known by; null: unknown")

    @classmethod
    def of(cls, view: ClipView) -> "CutClipReply":
        clip = view.clip
        return cls(
            number=clip.number,
            name=view.name,
            record_in=clip.record_in,
            record_out=clip.record_out,
            seen=[[first, last] for first, last in clip.spans],
            frames_seen=sum(last - first for first, last in clip.spans),
            source_in=clip.source_in,
            source_rate=clip.source_rate,
            speed=clip.speed,
            take_id=clip.take_id,
            circled=view.circled,
            shot_id=clip.shot_id,
            matched_by=clip.matched_by,
        )


# --- the meter ------------------------------------------------------------------------------------------------


class ScreenTime(Reply):
    """Seconds on screen; nothing is counted twice in a dissolve."""

    total: float
    with_generated: float = Field(description="While a model's drawing is in the picture, however little")
    generated: float = Field(description="Weighted: each frame counts as much as was drawn of it")
    with_enhanced: float
    enhanced: float
    share: Share = Field(description="with_generated of total")
    frame_fraction: Share = Field(description="generated of total")

    @classmethod
    def of(cls, time: Time, rate: Fraction) -> "ScreenTime":
        return cls(
            total=_share(time.total / rate),
            with_generated=_share(time.with_generated / rate),
            generated=_share(time.generated / rate),
            with_enhanced=_share(time.with_enhanced / rate),
            enhanced=_share(time.enhanced / rate),
            share=_share(time.share),
            frame_fraction=_share(time.frame_fraction),
        )


class ShotLine(Reply):
    shot_id: UUID | None = Field(description="null for a clip of the cut that is no shot of yours")
    clip_number: int | None = Field(description="Of such a clip")
    code: str | None
    sequence_id: UUID | None
    time: ScreenTime
    most_generated: Share = Field(description="Of the frame, where it is most")
    take_ids: list[UUID] = Field(description="The takes that count")

    @classmethod
    def of(cls, line: Line, measured: Measured) -> "ShotLine":
        known = isinstance(line.shot, UUID)
        shot = measured.shots.get(line.shot) if isinstance(line.shot, UUID) else None
        return cls(
            shot_id=line.shot if isinstance(line.shot, UUID) else None,
            clip_number=None if known else int(line.shot),
            code=shot.code if shot else None,
            sequence_id=shot.sequence_id if shot else None,
            time=ScreenTime.of(line.time, measured.rate),
            most_generated=_share(line.most.generated),
            take_ids=list(line.takes),
        )


class MeterReply(Reply):
    """How much of the picture AI made, now."""

    production_id: UUID
    based_on: Literal["cut", "circled_takes"]
    cut_id: UUID | None = Field(description="The cut that counts")
    cut_at: datetime | None
    frame_rate: str
    shots: int = Field(description="In the picture; a clip that is no shot of yours counts as one")
    shots_with_ai: int
    share_of_shots: Share
    shots_without_length: int = Field(
        description="Shots that count as shots but not in time: no frame range, no circled take"
    )
    screen_time: ScreenTime
    lines: list[ShotLine] = Field(description="Shots with AI in them; with `all=true` every shot")

    @classmethod
    def of(cls, production_id: UUID, measured: Measured, *, every: bool) -> "MeterReply":
        meter, cut = measured.meter, measured.cut
        return cls(
            production_id=production_id,
            based_on="cut" if cut else "circled_takes",
            cut_id=cut.id if cut else None,
            cut_at=cut.created_at if cut else None,
            frame_rate=str(measured.rate),
            shots=meter.shots,
            shots_with_ai=meter.shots_with_ai,
            share_of_shots=_share(meter.share_of_shots),
            shots_without_length=measured.without_length,
            screen_time=ScreenTime.of(meter.time, measured.rate),
            lines=[
                ShotLine.of(line, measured)
                for line in meter.lines
                if every or line.most.any or line.most.enhanced > 0
            ],
        )


# --- limits ---------------------------------------------------------------------------------------------------


class LimitBody(Body):
    metric: Metric = Field(
        description="share_of_shots: shots with AI of all shots; screen_time: time with AI in the picture of all"
        " time; frame_fraction: of a frame, in any one take"
    )
    value: Annotated[Decimal, Field(ge=0, le=1, max_digits=7, decimal_places=6)] = Field(
        description="A fraction: 0.1 is 10 %"
    )
    action: LimitAction = Field(
        description="warn: a webhook; hold: an approver has to let it; block: refused with `exposure_limit`"
    )
    sequence_id: UUID | None = Field(default=None, description="For this sequence only")
    shot_id: UUID | None = Field(default=None, description="For this shot only")


class LimitReply(Reply):
    id: UUID
    production_id: UUID
    sequence_id: UUID | None
    shot_id: UUID | None
    metric: Metric
    value: Share
    action: LimitAction
    set_by: UUID | None = Field(description="The person")
    created_at: datetime

    @classmethod
    def of(cls, row: ExposureLimit) -> "LimitReply":
        return cls.model_validate(row)

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class LimitList(Reply):
    data: list[LimitReply]
