"""The picture desk: every decoder runs in a child process that can be killed."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from circletake.adapters.vision import calls
from circletake.adapters.vision.bounds import Bounds
from circletake.domain.consistency.words import Box
from circletake.domain.golden.verdict import GoldenScores
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.ports import (
    CompositeReport,
    ContinuityRow,
    GoldenRow,
    ModelInput,
    PictureRefused,
    PreviewMade,
    PreviewMark,
    Probe,
    SheetTake,
)


def output_type_for(plate_media_type: str) -> str:
    """Return the media type a composite is written as: the plate's own, or PNG where the plate's is lossy.

    Decoded pixels don't survive being encoded as JPEG or lossy WebP again.
    """
    return "image/tiff" if plate_media_type == "image/tiff" else "image/png"


class VisionPictureDesk:
    """Implements `circletake.ports.PictureDesk`.

    Uploads are judged in `probes`, whose children have limited memory; everything else runs in `pool`. A pool given
    as `probes` must serve nothing else: after its first probe a child can write no file. Except in `probe`, a child
    that dies or takes too long raises ChildDied or ChildTimedOut: try again.
    """

    def __init__(
        self, pool: ChildPool, *, probes: ChildPool | None = None, bounds: Bounds | None = None
    ) -> None:
        self._bounds = bounds or Bounds()
        self._pool = pool
        self._own_probes = probes is None
        self._probes = probes or ChildPool(1, max_memory_bytes=self._bounds.max_child_bytes)

    def close(self) -> None:
        """End the probe children this desk made itself."""
        if self._own_probes:
            self._probes.close()

    async def probe(self, path: Path, declared_type: str) -> Probe:
        """Decode the file within bounds; raises PictureRefused."""
        call = partial(calls.probe, path, declared_type, self._bounds)
        try:
            return await self._probe_once(call)
        except ChildDied:
            pass  # perhaps not this file's fault: once more, in a fresh child
        try:
            return await self._probe_once(call)
        except ChildDied:
            raise PictureRefused(
                "bomb", "decoding the file ends the decoder (too much memory, or damaged): export it again"
            ) from None

    async def _probe_once(self, call: "partial[Probe]") -> Probe:
        try:
            return await self._probes.run(call, timeout_seconds=self._bounds.probe_seconds)
        except ChildTimedOut:
            raise PictureRefused(
                "bomb",
                f"decoding the file takes longer than {self._bounds.probe_seconds:.0f} s: "
                "export it again, smaller or less compressed",
            ) from None

    async def for_model(
        self,
        path: Path,
        *,
        limits: Mapping[str, Any],
        grayscale: bool = False,
        invert: bool = False,
        size: tuple[int, int] | None = None,
    ) -> ModelInput:
        """Re-encode a picture as 8-bit PNG or JPEG inside a model's limits. Raises PictureRefused.

        There is no colour management: the model gets the file's own codes, 16-bit ones rounded to 8. Alpha is
        dropped.
        """
        call = partial(
            calls.for_model,
            path,
            dict(limits),
            self._bounds,
            grayscale=grayscale,
            invert=invert,
            size=size,
        )
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def lay_back(
        self,
        *,
        plate: Path,
        matte: Path | None,
        result: Path,
        target: Path,
        target_type: str,
        extend: Mapping[str, int] | None = None,
        grow_pixels: int = 0,
    ) -> CompositeReport:
        """Lay a model's result back at the plate's size and depth. Raises LayBackFault.

        `target_type` is `output_type_for` the plate's. `grow_pixels` strengthens a soft matte's edge; it never
        reaches outside the matte.
        """
        job = {
            "plate": plate,
            "matte": matte,
            "result": result,
            "target": target,
            "target_type": target_type,
            "extend": dict(extend) if extend is not None else None,
            "grow_pixels": grow_pixels,
        }
        call = partial(calls.lay_back, job, self._bounds)
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def region_matte(
        self, *, width: int, height: int, boxes: Sequence[Box], feather: int, target: Path
    ) -> None:
        """Draw a matte as a grey PNG: the boxes white, black from `feather` pixels beyond. Raises PictureRefused."""
        call = partial(calls.region_matte, width, height, tuple(boxes), feather, target, self._bounds)
        await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def poster(self, path: Path, media_type: str, target: Path) -> None:
        """Write a small JPEG (longest side 640) of a picture, or of a video's middle frame."""
        call = partial(calls.poster, path, media_type, target, self._bounds)
        await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def preview(self, path: Path, *, mark: PreviewMark, target: Path) -> PreviewMade:
        """Write a JPEG of a picture (longest side 1280 at most), or an MP4 of a video (960), with the mark burnt in.

        Raises PictureRefused.
        """
        call = partial(calls.preview, path, mark, target, self._bounds)
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def contact_sheet(
        self, *, title: str, subtitle: str, takes: Sequence[SheetTake], plate: Path | None, target: Path
    ) -> None:
        """Draw takes on one JPEG, the plate first when there is one. A take without a picture is a grey panel."""
        call = partial(calls.contact_sheet, title, subtitle, tuple(takes), plate, target, self._bounds)
        await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def continuity_sheet(
        self,
        *,
        title: str,
        subtitle: str,
        rows: Sequence[ContinuityRow],
        foot: str,
        target: Path,
        document: Path | None = None,
    ) -> int:
        """Draw characters shot by shot as one JPEG page and, as `document`, as a PDF; return the PDF's pages."""
        call = partial(
            calls.continuity_sheet, title, subtitle, tuple(rows), foot, target, document, self._bounds
        )
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def compare_pictures(self, old: Path, new: Path) -> GoldenScores:
        """Measure how far a picture is from another one of the same request. Raises PictureRefused."""
        call = partial(calls.compare_pictures, old, new, self._bounds)
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def golden_sheet(
        self, *, title: str, subtitle: str, tally: str, rows: Sequence[GoldenRow], foot: str, target: Path
    ) -> None:
        """Draw golden shots as one JPEG, a row each: approved, made again, the difference, the scores in words."""
        call = partial(calls.golden_sheet, title, subtitle, tally, tuple(rows), foot, target, self._bounds)
        await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)
