"""Write a timeline as OTIO JSON. Runs in a child process only.

One video track of clips without gaps. Times are whole frames at the rate; OTIO keeps a rate as a double, which every
reader puts back to the exact one (24000/1001). No URL in it leads anywhere: a clip's media is named by its file name,
and by its id in the metadata, so that nothing in the file expires or gives access.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from circletake.ports import TimelineClip

NAMESPACE = "circletake"  # of our own metadata; other tools keep what they don't know


def write_timeline(
    clips: Sequence[TimelineClip], name: str, rate: Fraction, metadata: Mapping[str, Any], target: Path
) -> None:
    """Write the file. Raises OSError, or what OTIO raises on metadata it can't keep."""
    timeline = otio.schema.Timeline(name=name, metadata={NAMESPACE: dict(metadata)})
    timeline.global_start_time = otio.opentime.RationalTime(0, float(rate))
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    track.extend([_clip(each, rate) for each in clips])
    timeline.tracks.append(track)
    target.write_text(otio.adapters.otio_json.write_to_string(timeline), encoding="utf-8")


def _clip(clip: TimelineClip, rate: Fraction) -> Any:
    whole = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, float(rate)), otio.opentime.RationalTime(clip.frames, float(rate))
    )
    media = otio.schema.ExternalReference(
        target_url=clip.media_name,
        available_range=whole,
        metadata={NAMESPACE: dict(clip.media_metadata)},
    )
    media.name = clip.media_name
    made = otio.schema.Clip(
        name=clip.name,
        media_reference=media,
        source_range=whole,
        metadata={NAMESPACE: dict(clip.metadata)},
    )
    if clip.note:
        marked = otio.opentime.TimeRange(
            otio.opentime.RationalTime(0, float(rate)), otio.opentime.RationalTime(1, float(rate))
        )
        made.markers.append(otio.schema.Marker(name=clip.note, marked_range=marked))
    return made
