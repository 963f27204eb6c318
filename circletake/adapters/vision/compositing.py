"""Lay a model's picture back onto its plate. Runs in a child process only."""

# ruff: noqa: PLR2004 - the numbers are the format's own offsets and codes

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.decoding import Decoded, decode
from circletake.adapters.vision.encoding import dress_of, write_picture
from circletake.adapters.vision.exposing import Exposed, exposed
from circletake.adapters.vision.mattes import grown, read_matte
from circletake.domain.frames import Box, Size, bands, extended, same_shape
from circletake.ports import CompositeReport, LayBackFault, PictureRefused

_BAND_ROWS = 256
_REC709 = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True, slots=True)
class LayBack:
    """One composite to make; paths are local. `extend` and `matte` exclude each other."""

    plate: Path
    matte: Path | None
    result: Path
    target: Path
    target_type: str
    extend: Mapping[str, int] | None
    grow_pixels: int


def lay_back_files(job: LayBack, bounds: Bounds) -> CompositeReport:
    """Composite, write, read the written file again and measure it against the plate.

    Raises LayBackFault when the pictures don't belong together, or if a pixel that had to stay did change.
    """
    try:
        plate = decode(job.plate, bounds)
        result = decode(job.result, bounds)
        if job.extend is not None and job.matte is None:
            return _extend(job, plate, result, bounds)
        if job.matte is not None and job.extend is None:
            return _through_matte(job, plate, result, bounds)
    except PictureRefused as refused:
        raise LayBackFault(str(refused)) from None
    raise LayBackFault("a result is laid back either through a matte or around an extended plate")


def _through_matte(job: LayBack, plate: Decoded, result: Decoded, bounds: Bounds) -> CompositeReport:
    assert job.matte is not None
    weights, notes = read_matte(job.matte, bounds)
    matte_size = Size(weights.shape[1], weights.shape[0])
    if matte_size != plate.size:
        raise LayBackFault(f"the matte is {matte_size}, the plate {plate.size}: they must be the same size")
    used = grown(weights, job.grow_pixels)
    laid = _scaled(result, plate.size, notes)
    composite = plate.pixels.copy()
    _blend(composite, laid, used, has_alpha=plate.has_alpha)
    colours = plate.colour()
    seen = exposed(colours, _as_grey(result.colour(), colours), used, lossy=result.lossy)
    notes += _notes(job, plate, result)
    dress = dress_of(job.plate, plate.media_type)
    write_picture(job.target, composite, job.target_type, dress, has_alpha=plate.has_alpha)
    del composite, laid, used
    whole = Box(0, 0, plate.size.width, plate.size.height)
    return _measured(job, plate, weights == 0, whole, seen, notes, bounds)


def _extend(job: LayBack, plate: Decoded, result: Decoded, bounds: Bounds) -> CompositeReport:
    assert job.extend is not None
    try:
        canvas, place = extended(plate.size, job.extend)
    except ValueError as fault:
        raise LayBackFault(str(fault)) from None
    notes: list[str] = []
    laid = _scaled(result, canvas, notes)
    composite = np.empty((canvas.height, canvas.width, *plate.pixels.shape[2:]), plate.pixels.dtype)
    if plate.has_alpha:
        composite[..., -1] = np.iinfo(composite.dtype).max
        notes.append("the new border is opaque, the plate keeps its alpha")
    everywhere = np.full((canvas.height, canvas.width), 65535, np.uint16)
    _blend(composite, laid, everywhere, has_alpha=plate.has_alpha)
    composite[place.top : place.bottom, place.left : place.right] = plate.pixels
    notes += _notes(job, plate, result)
    dress = dress_of(job.plate, plate.media_type)
    write_picture(job.target, composite, job.target_type, dress, has_alpha=plate.has_alpha)
    del composite, laid, everywhere
    kept = np.ones((plate.size.height, plate.size.width), bool)
    border = Exposed(canvas.pixels - plate.size.pixels, 0)  # all of it, and none of the plate
    return _measured(job, plate, kept, place, border, notes, bounds)


def _scaled(result: Decoded, size: Size, notes: list[str]) -> Any:
    """Bring the result to the plate's size as 16-bit codes, so that interpolation adds steps between 8-bit ones."""
    if not same_shape(result.size, size):
        raise LayBackFault(
            f"the model's picture is {result.size}, which is not the shape of {size}: it would be stretched"
        )
    pixels = np.ascontiguousarray(result.colour())
    if pixels.dtype == np.uint8:
        pixels = pixels.astype(np.uint16) * 257
    if result.size == size:
        return pixels
    larger = size.width > result.size.width
    notes.append(f"the model's picture was scaled from {result.size} to {size}")
    return cv2.resize(
        pixels,
        (size.width, size.height),
        interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA,
    )


def _blend(composite: Any, laid: Any, weights: Any, *, has_alpha: bool) -> None:
    """composite += weight × (laid − composite) on the colours, rounded to the nearest code; weight 0 keeps the code.

    `composite` is changed in place, `laid` and `weights` are 16-bit codes. Alpha is left alone.
    """
    rows = np.flatnonzero(weights.any(axis=1))
    columns = np.flatnonzero(weights.any(axis=0))
    if not rows.size:
        return
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    highest = np.iinfo(composite.dtype).max
    colours = composite if composite.ndim == 2 else composite[..., : composite.shape[2] - has_alpha]
    for first, last in bands(int(rows[-1]) + 1 - int(rows[0]), _BAND_ROWS):
        down = slice(int(rows[0]) + first, int(rows[0]) + last)
        below = colours[down, across]
        weight = weights[down, across].astype(np.float32) / 65535
        over = _like(laid[down, across].astype(np.float32) * (highest / 65535), below)
        if below.ndim == 3:
            weight = weight[..., None]
        mixed = below + weight * (over - below)
        rounded = np.clip(np.rint(mixed), 0, highest).astype(composite.dtype)
        colours[down, across] = np.where(weight > 0, rounded, below)


def _like(over: Any, below: Any) -> Any:
    """Give the result as many channels as the plate has colours: a grey plate stays grey."""
    colours = 1 if below.ndim == 2 else below.shape[2]
    if over.ndim == 3 and colours == 1:
        over = over @ _REC709
    if over.ndim == 2 and below.ndim == 3:
        over = np.repeat(over[..., None], colours, axis=2)
    return over


def _as_grey(result: Any, plate: Any) -> Any:
    """Return the model's colours in the channels that the plate has."""
    if plate.ndim == result.ndim:
        return result
    if plate.ndim == 2:
        return np.rint(result.astype(np.float32) @ _REC709).astype(result.dtype)
    return np.repeat(result[..., None], 3, axis=2)


def _notes(job: LayBack, plate: Decoded, result: Decoded) -> list[str]:
    notes = []
    if plate.bit_depth > result.bit_depth:
        notes.append(
            f"the generated part holds the model's {result.bit_depth} bits at {plate.bit_depth}: "
            "grain and steep grades show the difference"
        )
    if plate.colour().ndim == 2 and result.colour().ndim == 3:
        notes.append("the plate is grey: the generated part was turned grey (Rec. 709 weights)")
    if plate.media_type != job.target_type:
        lossy = ", so that the plate's decoded pixels survive" if plate.lossy else ""
        notes.append(f"the plate is {plate.media_type}, the composite is written as {job.target_type}{lossy}")
    return notes


def _measured(
    job: LayBack, plate: Decoded, kept: Any, place: Box, seen: Exposed, notes: list[str], bounds: Bounds
) -> CompositeReport:
    """Decode what was written and count the pixels that differ; `kept` is True where the plate had to stay."""
    written = decode(job.target, bounds)
    changed_inside = changed_kept = 0
    for first, last in bands(place.height, _BAND_ROWS):
        there = written.pixels[place.top + first : place.top + last, place.left : place.right]
        here = plate.pixels[first:last]
        if there.shape != here.shape or there.dtype != here.dtype:
            raise LayBackFault("the written composite has other channels or another depth than the plate")
        differs = there != here
        if differs.ndim == 3:
            differs = differs.any(axis=2)
        changed_inside += int(np.count_nonzero(differs))
        changed_kept += int(np.count_nonzero(differs & kept[first:last]))
    if changed_kept:
        raise LayBackFault(f"{changed_kept} pixels that had to stay the plate's did change")
    size = written.size
    outside = size.pixels - place.width * place.height
    return CompositeReport(
        width=size.width,
        height=size.height,
        bit_depth=written.bit_depth,
        changed_fraction=(changed_inside + outside) / size.pixels,
        outside_matte_changed=changed_kept,
        generated_fraction=seen.generated / size.pixels,
        enhanced_fraction=seen.enhanced / size.pixels,
        notes=tuple(notes),
    )
