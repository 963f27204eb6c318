"""Storyboards, their panels, drawings and animatics on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool

from circletake.domain.storyboards.panels import (
    MAX_ACTION,
    MAX_CAMERA,
    MAX_CAPTION,
    MAX_PANELS,
    MAX_REF,
    MAX_SCENE,
    MAX_SPEECH,
    MAX_TITLE,
    TEXTS,
    PanelDraft,
    panel_name,
)
from circletake.domain.storyboards.timing import MAX_PANEL_FRAMES, timecode
from circletake.records.storyboards import StoryboardOutput
from circletake.usecases.storyboards.find_storyboards import OutputView, PanelView, StoryboardView
from services.api.schemas.common import Body, ExternalRef, Reply, Text
from services.api.schemas.context import EditBody

SIDE_MIN, SIDE_MAX = 160, 1920  # pixels of an animatic's frame

Title = Annotated[Text, Field(min_length=1, max_length=MAX_TITLE, description="Kept encrypted")]
ScriptRef = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_REF,
        description="Which script it follows, for example `draft 3, blue`. Kept encrypted",
    ),
]
Scene = Annotated[
    Text,
    Field(min_length=1, max_length=MAX_SCENE, description="For example `12A`. Kept encrypted"),
]
Caption = Annotated[
    Text, Field(min_length=1, max_length=MAX_CAPTION, description="What is seen. Kept encrypted")
]
Dialogue = Annotated[
    Text, Field(min_length=1, max_length=MAX_SPEECH, description="What is said. Kept encrypted")
]
Action = Annotated[
    Text, Field(min_length=1, max_length=MAX_ACTION, description="What happens. Kept encrypted")
]
Camera = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_CAMERA,
        description="Lens, movement, for example `slow push-in`. Kept encrypted",
    ),
]
Duration = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_PANEL_FRAMES, description="Frames at the production's frame rate"),
]
SEQUENCE = "A sequence of the same production"
SHOT = "A shot of the same production; several panels may show one"
TAKE = "A take of the same production that succeeded; of a video its middle frame is shown"
MEDIA = "A ready picture or video of the same production, instead of a take"
AI_WORDS = (
    "Whether a language model proposed the words: the drawing says so. Words that one wrote for you are known, whatever"
    " is said here"
)


class StoryboardBody(Body):
    production_id: UUID
    title: Title
    sequence_id: UUID | None = Field(default=None, description=SEQUENCE)
    script_ref: ScriptRef | None = None
    scene: Scene | None = None
    breakdown_id: UUID | None = Field(
        default=None,
        description="A script breakdown of the same production: each of its shots becomes a panel, in its order; with"
        " `scene`, those of that scene",
    )
    external_ref: ExternalRef | None = None


class StoryboardEdit(EditBody):
    title: Title = Field(default_factory=str)
    sequence_id: UUID | None = Field(default=None, description=SEQUENCE)
    script_ref: ScriptRef | None = None
    scene: Scene | None = None
    external_ref: ExternalRef | None = None


class StoryboardReply(Reply):
    """A storyboard; its panels are read apart."""

    id: UUID
    production_id: UUID
    sequence_id: UUID | None
    number: int = Field(description="Counts in the production")
    name: str = Field(description="`AGM_SB01`: what its files' names begin with")
    title: str | None
    script_ref: str | None
    scene: str | None
    external_ref: str | None
    panels: int
    frames: int = Field(description="How long all panels last together")
    seconds: float
    frame_rate: str = Field(description="The production's, exact: `24` or `24000/1001`")
    version: int = Field(description="In quotes it is the ETag, for If-Match; counts changes of panels too")
    created_at: datetime

    @classmethod
    def of(cls, view: StoryboardView) -> "StoryboardReply":
        board = view.board
        return cls(
            id=board.id,
            production_id=board.production_id,
            sequence_id=board.sequence_id,
            number=board.number,
            name=view.name,
            title=view.words["title"],
            script_ref=view.words["script_ref"],
            scene=view.words["scene"],
            external_ref=board.external_ref,
            panels=view.panels,
            frames=view.frames,
            seconds=round(float(view.frames / view.rate), 6),
            frame_rate=str(view.rate),
            version=board.version,
            created_at=board.created_at,
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


class StoryboardPanelBody(Body):
    id: UUID | None = Field(
        default=None, description="Of a panel that is there already; left out for a new one"
    )
    shot_id: UUID | None = Field(default=None, description=SHOT)
    take_id: UUID | None = Field(default=None, description=TAKE)
    media_id: UUID | None = Field(default=None, description=MEDIA)
    caption: Caption | None = None
    action: Action | None = None
    dialogue: Dialogue | None = None
    camera: Camera | None = None
    ai_generated_text: StrictBool = Field(default=False, description=AI_WORDS)
    duration_frames: Duration | None = Field(
        default=None, description="Frames at the production's frame rate; two seconds where it is left out"
    )

    def draft(self) -> PanelDraft:
        fields = self.model_dump()
        texts = {name: fields.pop(name) for name in TEXTS}
        return PanelDraft(**fields, texts=texts)


class StoryboardPanelsBody(Body):
    """All panels, in their order: the first is panel 1. A panel that isn't in the list is gone."""

    panels: list[StoryboardPanelBody] = Field(max_length=MAX_PANELS)


class StoryboardPanelEdit(EditBody):
    shot_id: UUID | None = Field(default=None, description=SHOT)
    take_id: UUID | None = Field(default=None, description=TAKE)
    media_id: UUID | None = Field(default=None, description=MEDIA)
    caption: Caption | None = None
    action: Action | None = None
    dialogue: Dialogue | None = None
    camera: Camera | None = None
    ai_generated_text: StrictBool = Field(default_factory=bool, description=AI_WORDS)
    duration_frames: Duration = Field(default_factory=int)


class StoryboardPanelReply(Reply):
    id: UUID
    number: int
    name: str = Field(description="`p003`: on the page, in the animatic and in the still's name")
    shot_id: UUID | None
    shot_code: str | None
    take_id: UUID | None
    media_id: UUID | None = Field(description="The picture; of a take its file")
    picture: Literal["none", "ready", "withdrawn", "refused", "inspecting", "uploading"] = Field(
        description="What there is of the picture: `none` and `withdrawn` are drawn as a card that says so"
    )
    caption: str | None
    action: str | None
    dialogue: str | None
    camera: str | None
    ai_generated_text: bool
    duration_frames: int
    start_frame: int = Field(description="Where it begins in the animatic, from 0")

    @classmethod
    def of(cls, view: PanelView) -> "StoryboardPanelReply":
        panel = view.panel
        return cls(
            id=panel.id,
            number=panel.number,
            name=panel_name(panel.number),
            shot_id=panel.shot_id,
            shot_code=view.shot_code,
            take_id=panel.take_id,
            media_id=panel.media_id,
            picture=view.picture,
            caption=view.words["caption"],
            action=view.words["action"],
            dialogue=view.words["dialogue"],
            camera=view.words["camera"],
            ai_generated_text=panel.ai_generated_text,
            duration_frames=panel.duration_frames,
            start_frame=view.start,
        )


class StoryboardPanelsReply(Reply):
    """All panels as they are now."""

    storyboard_id: UUID
    version: int = Field(description="Of the storyboard; in quotes it is the ETag")
    panels: list[StoryboardPanelReply]


# --- what is drawn ----------------------------------------------------------------------------------------------

OutputState = Literal["queued", "ready", "failed"]


class BoardRemark(Reply):
    panel: int
    code: Literal["no_picture", "picture_withdrawn", "picture_unreadable"]


class BoardStill(Reply):
    panel: int
    media_id: UUID
    name: str


class BoardFile(Reply):
    media_id: UUID
    name: str
    state: str = Field(description="`ready`, or `withdrawn` with a picture it showed")

    @staticmethod
    def of(view: OutputView, part: str) -> "BoardFile | None":
        return next(
            (
                BoardFile(media_id=each.media_id, name=each.name, state=each.state)
                for each in view.files
                if each.part == part
            ),
            None,
        )


class BoardOutputReply(Reply):
    """What drawings and animatics share. It shows the storyboard as it was at `storyboard_version`."""

    id: UUID
    storyboard_id: UUID
    production_id: UUID
    storyboard_version: int
    state: OutputState
    panels: int
    code: str | None = Field(description="Why it failed, or what a ready one lacks")
    remarks: list[BoardRemark] = Field(description="Panels that are drawn as a card, and why")
    stills: list[BoardStill] = Field(
        description="A signed JPEG of every panel, in their order; lists leave them out"
    )
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def stills_of(view: OutputView) -> list[BoardStill]:
        return [
            BoardStill(panel=each.number, media_id=each.media_id, name=each.name)
            for each in view.files
            if each.part == "still"
        ]

    @staticmethod
    def remarks_of(output: StoryboardOutput) -> list[BoardRemark]:
        return [BoardRemark(**each) for each in output.remarks]


class DrawingReply(BoardOutputReply):
    pages: int | None
    document: BoardFile | None = Field(description="The signed PDF")

    @classmethod
    def of(cls, view: OutputView) -> "DrawingReply":
        output = view.output
        return cls(
            id=output.id,
            storyboard_id=output.storyboard_id,
            production_id=output.production_id,
            storyboard_version=output.storyboard_version,
            state=output.state,
            panels=output.panels,
            code=output.failure_code,
            remarks=cls.remarks_of(output),
            stills=cls.stills_of(view),
            created_at=output.created_at,
            finished_at=output.finished_at,
            pages=output.pages,
            document=BoardFile.of(view, "document"),
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()


Side = Annotated[int, Field(strict=True, ge=SIDE_MIN, le=SIDE_MAX, multiple_of=2)]


class AnimaticBody(Body):
    width: Side = Field(default=1280, description="Of the frame, in pixels; even")
    height: Side = Field(default=720, description="Of the frame, in pixels; even")
    burn_in: StrictBool = Field(
        default=False,
        description="Burn panel, shot code, frame and timecode into a band along the foot; timecode is non-drop and"
        " begins at 00:00:00:00",
    )


class AnimaticReply(BoardOutputReply):
    width: int
    height: int
    burn_in: bool
    frames: int
    frame_rate: str = Field(description="Exact: `24` or `24000/1001`")
    seconds: float
    end_timecode: str = Field(description="The first frame after it, non-drop")
    video: BoardFile | None = Field(description="The signed MP4 (MPEG-4 Part 2)")
    timeline: BoardFile | None = Field(description="The same timing as OpenTimelineIO, one clip a panel")
    timeline_manifest: BoardFile | None = Field(
        description="The timeline's signed C2PA manifest: OTIO can't carry one itself"
    )

    @classmethod
    def of(cls, view: OutputView) -> "AnimaticReply":
        output, rate = view.output, view.rate
        return cls(
            id=output.id,
            storyboard_id=output.storyboard_id,
            production_id=output.production_id,
            storyboard_version=output.storyboard_version,
            state=output.state,
            panels=output.panels,
            code=output.failure_code,
            remarks=cls.remarks_of(output),
            stills=cls.stills_of(view),
            created_at=output.created_at,
            finished_at=output.finished_at,
            width=output.settings["width"],
            height=output.settings["height"],
            burn_in=output.settings["burn_in"],
            frames=output.frame_count,
            frame_rate=output.frame_rate,
            seconds=round(float(output.frame_count / rate), 6),
            end_timecode=timecode(output.frame_count, rate),
            video=BoardFile.of(view, "video"),
            timeline=BoardFile.of(view, "timeline"),
            timeline_manifest=BoardFile.of(view, "manifest"),
        )

    def body(self) -> bytes:
        return self.model_dump_json().encode()
