"""The storyboard desk: a child process of its own, since an animatic takes minutes and no take's picture waits for it."""

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.storyboards import calls
from circletake.domain.frames import Size
from circletake.kit.children import ChildPool
from circletake.ports import AnimaticMade, AnimaticShot, BoardHeading, BoardPanel, StillMade

# measured at 1280×720 on one core: 4 ms a frame, 60 ms a panel; a busy machine takes ten times that
_SECONDS_PER_FRAME = 0.05
_SECONDS_PER_PANEL = 1.0


class VisionStoryboardDesk:
    """Implements `circletake.ports.StoryboardDesk`. A child that dies or takes too long raises ChildDied or
    ChildTimedOut: try again."""

    def __init__(self, pool: ChildPool | None = None, *, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._pool = pool or ChildPool(1, max_memory_bytes=self._bounds.max_child_bytes)

    def close(self) -> None:
        self._pool.close()

    async def still(
        self, source: Path | None, *, name: str, about: str, mark: str, target: Path
    ) -> StillMade:
        """Write a panel's picture, or its card, as JPEG of at most 1920 pixels."""
        call = partial(calls.still, source, name, about, mark, target, self._bounds)
        return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)

    async def document(self, heading: BoardHeading, panels: Sequence[BoardPanel], target: Path) -> int:
        """Write the PDF and return its pages."""
        call = partial(calls.document, heading, tuple(panels), target)
        seconds = self._bounds.work_seconds + len(panels) * _SECONDS_PER_PANEL
        return await self._pool.run(call, timeout_seconds=seconds)

    async def animatic(
        self,
        shots: Sequence[AnimaticShot],
        *,
        width: int,
        height: int,
        rate: Fraction,
        burn_in: bool,
        target: Path,
    ) -> AnimaticMade:
        """Write the MP4. Raises PictureRefused."""
        call = partial(calls.animatic, tuple(shots), Size(width, height), rate, burn_in, target)
        frames = sum(shot.frames for shot in shots)
        seconds = self._bounds.work_seconds + frames * _SECONDS_PER_FRAME
        return await self._pool.run(call, timeout_seconds=seconds)
