"""The cut reader: whatever a posted file does to its parser, it does to a child that can be killed."""

from fractions import Fraction
from functools import partial
from pathlib import Path

from circletake.adapters.cuts import calls
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.ports import CutFormat, CutRead, CutRefused

READ_SECONDS = 60.0
CHILD_BYTES = 2 * 1024**3


class OtioCutReader:
    """Implements `circletake.ports.CutReader`."""

    def __init__(self, pool: ChildPool | None = None) -> None:
        self._pool = pool or ChildPool(1, max_memory_bytes=CHILD_BYTES)

    def close(self) -> None:
        self._pool.close()

    async def read(self, path: Path, form: CutFormat, *, rate: Fraction) -> CutRead:
        call = partial(calls.read_cut, path, form, rate)
        try:
            return await self._pool.run(call, timeout_seconds=READ_SECONDS)
        except (ChildDied, ChildTimedOut):
            raise CutRefused(
                "too_large",
                "Reading this file ends its reader (too large, or damaged): export a shorter timeline.",
            ) from None
