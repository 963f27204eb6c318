"""The offline evaluator: networks on this machine's processor, in child processes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.likeness import calls
from circletake.adapters.vision.likeness.weights import WeightsFault, check_weights
from circletake.domain.consistency.words import Box, EvaluatorId
from circletake.domain.pictures import Picture
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.ports import CastMember, EvaluatorDown, FrameSeen, Match, PictureRefused, Screened

T = TypeVar("T")


class LikenessEvaluator:
    """Implements `circletake.ports.Evaluator`. Each child of `pool` keeps the networks, about 250 MB.

    Raises WeightsFault when made without the networks' files.
    """

    id = EvaluatorId("likeness", "1")

    def __init__(self, pool: ChildPool, weights: Path, *, bounds: Bounds | None = None) -> None:
        check_weights(weights)
        self._pool = pool
        self._weights = weights
        self._bounds = bounds or Bounds()

    async def see(
        self,
        path: Path,
        media_type: str,
        *,
        frames: Sequence[int],
        people: bool,
        scene: bool,
        expected: int = 1,
    ) -> Sequence[FrameSeen]:
        """Frames behind a video's end are left out. Raises PictureRefused, EvaluatorDown."""
        del media_type  # the file itself says what it is
        call = partial(calls.see, self._weights, path, tuple(frames), people, scene, expected, self._bounds)
        return await self._twice(call)

    async def screen(self, path: Path, matte: Path | None) -> Screened:
        """Raises PictureRefused, EvaluatorDown."""
        return await self._twice(partial(calls.screen, self._weights, path, matte, self._bounds))

    async def compare(
        self, cast: Sequence[CastMember], seen: Sequence[FrameSeen]
    ) -> Sequence[Sequence[Match]]:
        """Raises EvaluatorDown, also when features are another evaluator's."""
        return await self._run(partial(calls.compare, tuple(cast), tuple(seen)))

    async def crops(
        self, path: Path, media_type: str, boxes: Sequence[tuple[int, Box]], *, side: int
    ) -> Sequence[Picture]:
        """Raises PictureRefused, also for a frame that can't be read, and EvaluatorDown."""
        del media_type
        return await self._twice(partial(calls.crops, path, tuple(boxes), side, self._bounds))

    async def _twice(self, call: Callable[[], T]) -> T:
        """A child that dies over a file may have been somebody else's victim: once more, in a fresh one."""
        try:
            return await self._run(call)
        except ChildDied:
            pass
        try:
            return await self._run(call)
        except ChildDied:
            raise PictureRefused(
                "bomb", "looking at the file ends the decoder (too much memory, or damaged): export it again"
            ) from None

    async def _run(self, call: Callable[[], T]) -> T:
        try:
            return await self._pool.run(call, timeout_seconds=self._bounds.work_seconds)
        except ChildTimedOut:
            raise EvaluatorDown("the offline evaluator took too long") from None
        except WeightsFault as fault:
            raise EvaluatorDown(str(fault), retryable=False) from None
