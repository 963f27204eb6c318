"""The timeline writer: OpenTimelineIO loads in a child process, as it does for reading."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from circletake.adapters.cuts import calls
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.ports import TimelineClip, TimelineFault

WRITE_SECONDS = 60.0
CHILD_BYTES = 2 * 1024**3


class OtioTimelineWriter:
    """Implements `circletake.ports.TimelineWriter`."""

    def __init__(self, pool: ChildPool | None = None) -> None:
        self._pool = pool or ChildPool(1, max_memory_bytes=CHILD_BYTES)

    def close(self) -> None:
        self._pool.close()

    async def write(
        self,
        clips: Sequence[TimelineClip],
        *,
        name: str,
        rate: Fraction,
        metadata: Mapping[str, Any],
        target: Path,
    ) -> None:
        """Write OTIO JSON. Raises TimelineFault: writer_missing on a Python for which OpenTimelineIO has no wheel."""
        call = partial(calls.write_timeline, tuple(clips), name, rate, dict(metadata), target)
        try:
            await self._pool.run(call, timeout_seconds=WRITE_SECONDS)
        except (ChildDied, ChildTimedOut):
            raise TimelineFault("writer_failed", "Writing the timeline ended its writer.") from None
