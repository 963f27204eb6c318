"""What the desk asks its children to do. The decoders load there: the worker's own process never imports one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from circletake.adapters.vision.bounds import Bounds
from circletake.domain.consistency.words import Box
from circletake.domain.golden.verdict import GoldenScores
from circletake.ports import (
    CompositeReport,
    ContinuityRow,
    GoldenRow,
    ModelInput,
    PreviewMade,
    PreviewMark,
    Probe,
    SheetTake,
)


def probe(path: Path, declared_type: str, bounds: Bounds) -> Probe:
    from circletake.adapters.vision.probing import probe_file

    return probe_file(path, declared_type, bounds)


def for_model(
    path: Path,
    limits: Mapping[str, Any],
    bounds: Bounds,
    *,
    grayscale: bool,
    invert: bool,
    size: tuple[int, int] | None,
) -> ModelInput:
    from circletake.adapters.vision.modelinput import prepare

    return prepare(path, limits, bounds, grayscale=grayscale, invert=invert, size=size)


def lay_back(job: Mapping[str, Any], bounds: Bounds) -> CompositeReport:
    from circletake.adapters.vision.compositing import LayBack, lay_back_files

    return lay_back_files(LayBack(**job), bounds)


def region_matte(
    width: int, height: int, boxes: Sequence[Box], feather: int, target: Path, bounds: Bounds
) -> None:
    from circletake.adapters.vision.regionmatte import write_region_matte

    write_region_matte(width, height, boxes, feather, target, bounds)


def poster(path: Path, media_type: str, target: Path, bounds: Bounds) -> None:
    from circletake.adapters.vision.thumbnails import write_poster

    write_poster(path, media_type, target, bounds)


def preview(path: Path, mark: PreviewMark, target: Path, bounds: Bounds) -> PreviewMade:
    from circletake.adapters.vision.previews import write_preview

    return write_preview(path, mark, target, bounds)


def contact_sheet(
    title: str,
    subtitle: str,
    takes: Sequence[SheetTake],
    plate: Path | None,
    target: Path,
    bounds: Bounds,
) -> None:
    from circletake.adapters.vision.sheet import write_sheet

    write_sheet(title, subtitle, takes, plate, target, bounds)


def continuity_sheet(
    title: str,
    subtitle: str,
    rows: Sequence[ContinuityRow],
    foot: str,
    target: Path,
    document: Path | None,
    bounds: Bounds,
) -> int:
    from circletake.adapters.vision.continuity.document import Heading, write_continuity

    return write_continuity(Heading(title, subtitle, foot), rows, target, document, bounds)


def compare_pictures(old: Path, new: Path, bounds: Bounds) -> GoldenScores:
    from circletake.adapters.vision.golden import compare_files

    return compare_files(old, new, bounds)


def golden_sheet(
    title: str, subtitle: str, tally: str, rows: Sequence[GoldenRow], foot: str, target: Path, bounds: Bounds
) -> None:
    from circletake.adapters.vision.golden_sheet import Heading, write_golden_sheet

    write_golden_sheet(Heading(title, subtitle, tally, foot), rows, target, bounds)
