"""An animatic: every still for exactly its frames, as MP4, and the same timing as OTIO for an editing system."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from circletake.domain.storyboards.panels import animatic_name
from circletake.domain.storyboards.timing import spans_of
from circletake.kit.ids import new_id
from circletake.ports import (
    AnimaticMade,
    AnimaticShot,
    PictureRefused,
    SigningFault,
    SignRequest,
    TimelineClip,
    TimelineFault,
)
from circletake.usecases.finish_take import RIGHTS
from circletake.usecases.steps import ClaimedStep
from circletake.usecases.storyboards.draw_storyboard import disclosure_of
from circletake.usecases.storyboards.make_stills import (
    Still,
    as_ingredients,
    make_stills,
    remarks_of,
    shown,
    stills_type,
)
from circletake.usecases.storyboards.work import (
    BoardWork,
    Made,
    begin,
    fail,
    not_signed,
    publish,
    signed_as,
)
from circletake.usecases.tools import Tools

MP4 = "video/mp4"
OTIO = "application/vnd.opentimelineio+json"
SIDECAR = "application/c2pa"


async def make_animatic(tools: Tools, step: ClaimedStep) -> None:
    """Run an `animatic` step: `subject_id` is the animatic. Ends without a word when it is made already.

    Where this worker can't write timelines (Python 3.14 has no OpenTimelineIO) the animatic is the MP4 alone, and
    its code says so.
    """
    work = await begin(tools, step)
    if work is None:
        return
    with tempfile.TemporaryDirectory(dir=tools.scratch) as name:
        folder = Path(name)
        try:
            stills = await make_stills(tools, work, folder)
            video = await _video(tools, work, stills, folder)
            timeline, code = await _timeline(tools, work, stills, video, folder)
        except SigningFault as fault:
            await not_signed(tools, step, fault)
            return
        except PictureRefused as refused:
            await fail(tools, step, f"animatic_{refused.code}")
            return
        files = [*(each.made for each in stills), video, *timeline]
        await publish(tools, work, files, remarks=remarks_of(stills), code=code)


async def _video(tools: Tools, work: BoardWork, stills: Sequence[Still], folder: Path) -> Made:
    settings, drawn = work.output.settings, folder / "drawn.mp4"
    made = await tools.storyboards.animatic(
        [
            AnimaticShot(
                each.made.path,
                each.panel.frames,
                " · ".join(filter(None, [each.panel.name, each.panel.shot_code])),
            )
            for each in stills
        ],
        width=settings["width"],
        height=settings["height"],
        rate=work.plan.rate,
        burn_in=settings["burn_in"],
        target=drawn,
    )
    signed = await tools.signer.sign(
        SignRequest(
            source=drawn,
            target=folder / "animatic.mp4",
            media_type=MP4,
            title="animatic",
            digital_source_type=stills_type(stills),
            ai_system="",  # timing and lettering are ours; the models stand in the pictures' own manifests
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=as_ingredients(stills),
            generation=_said(work, stills),
        )
    )
    drawn.unlink()
    return signed_as(
        signed,
        part="video",
        name=f"{animatic_name(work.plan.board, work.plan.version)}.mp4",
        media_type=MP4,
        source_type=stills_type(stills),
        media_id=new_id(),
        row={"width": made.width, "height": made.height, "probe": _probe(made)},
    )


def _probe(made: AnimaticMade) -> dict[str, Any]:
    return {
        "frames": made.frames,
        "frames_per_second": round(float(made.rate), 6),
        "rate": str(made.rate),
    }


def _said(work: BoardWork, stills: Sequence[Still]) -> dict[str, Any]:
    output = work.output
    return {
        "production": str(output.production_id),
        "storyboard": str(output.storyboard_id),
        "storyboard_version": output.storyboard_version,
        "animatic": str(output.id),
        "ledger_entry": str(output.ledger_entry_id),
        "disclosure": disclosure_of(stills),
        "shows": shown(stills),
    }


async def _timeline(
    tools: Tools, work: BoardWork, stills: Sequence[Still], video: Made, folder: Path
) -> tuple[list[Made], str | None]:
    """Write the timeline and its manifest, which stands beside it. Returns a code where it can't be written."""
    plan, path = work.plan, folder / "animatic.otio"
    name = animatic_name(plan.board, plan.version)
    try:
        await tools.timelines.write(
            _clips(stills),
            name=name,
            rate=plan.rate,
            metadata={
                "production_id": str(work.output.production_id),
                "storyboard_id": str(work.output.storyboard_id),
                "storyboard_version": plan.version,
                "animatic_id": str(work.output.id),
                "animatic_media_id": str(video.media_id),
                "animatic_name": video.name,
                "frame_rate": str(plan.rate),
            },
            target=path,
        )
    except TimelineFault as fault:
        return [], f"timeline_{fault.code}"
    source_type = stills_type(stills)
    signed = await tools.signer.sign(
        SignRequest(
            source=path,
            target=folder / "animatic.otio.c2pa",
            media_type=OTIO,
            title="animatic timeline",
            digital_source_type=source_type,
            ai_system="",
            ai_system_version="",
            model_type="",
            rights=RIGHTS,
            ingredients=[],  # it holds no picture; what it cuts is named by its hash
            generation={
                **_said(work, stills),
                "video": {"media": str(video.media_id), "sha256": video.sha256},
            },
        )
    )
    data = path.read_bytes()
    timeline = Made(
        "timeline",
        path,
        f"{name}.otio",
        OTIO,
        new_id(),
        hashlib.sha256(data).hexdigest(),
        len(data),
        source_type,
        manifest_urn=signed.manifest_urn,
        manifest_sha256=signed.manifest_sha256,
    )
    beside = Made(
        "manifest",
        signed.path,
        f"{name}.otio.c2pa",
        SIDECAR,
        new_id(),
        signed.sha256,
        signed.size,
        source_type,
    )
    return [timeline, beside], None


def _clips(stills: Sequence[Still]) -> list[TimelineClip]:
    spans = spans_of([each.panel.frames for each in stills])
    return [
        TimelineClip(
            name=each.panel.shot_code or each.panel.name,
            frames=each.panel.frames,
            media_name=each.made.name,
            metadata=_known(
                panel=each.panel.number,
                panel_id=each.panel.panel_id,
                shot_code=each.panel.shot_code,
                shot_id=each.panel.shot_id,
                take_id=each.panel.take_id,
                picture_media_id=each.panel.media_id,
                record_in=span.start,
            ),
            media_metadata=_known(media_id=each.made.media_id, sha256=each.made.sha256),
            note=each.panel.words.get("caption", ""),
        )
        for each, span in zip(stills, spans, strict=True)
    ]


def _known(**values: Any) -> dict[str, Any]:
    """Leave out what there isn't; ids as text."""
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in values.items()
        if value is not None
    }
