"""A fixed number of drawing processes, so that the event loop only ever waits.

Each process is an executor of its own: one that crashes takes the call that ran in it with it, not its neighbours.
"""

import asyncio
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1


class PoolBusy(Exception):
    """As many calls as allowed are waiting already."""


class DrawingDied(Exception):
    """The drawing process ended without an answer."""


def _start(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _new_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(os.getpid(),),
    )


class DrawingPool:
    """Processes start at their first call. They die with this one, however it ends."""

    def __init__(self, processes: int, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting = 0
        self._free: asyncio.LifoQueue[ProcessPoolExecutor] = asyncio.LifoQueue()
        self._all: set[ProcessPoolExecutor] = set()
        for _ in range(processes):
            self._add()

    def _add(self) -> None:
        process = _new_process()
        self._all.add(process)
        self._free.put_nowait(process)

    async def run(self, call: Callable[[], T], *, patient: bool = False) -> T:
        """Run a picklable call (a `functools.partial` of a module-level function) in a drawing process.

        Raises PoolBusy at once when too many are waiting (never when `patient`), DrawingDied when the process
        ended, or what the function raised. A call that has begun is never abandoned: its process comes back only
        when it is done.
        """
        process = await self._take(patient=patient)
        future = asyncio.ensure_future(asyncio.wrap_future(process.submit(call)))
        future.add_done_callback(lambda done: self._give_back(process, done))
        try:
            return await asyncio.shield(future)
        except BrokenProcessPool:
            raise DrawingDied from None

    async def _take(self, *, patient: bool) -> ProcessPoolExecutor:
        if self._waiting >= self._max_waiting and not patient:
            raise PoolBusy
        self._waiting += 1
        try:
            return await self._free.get()
        finally:
            self._waiting -= 1

    def _give_back(self, process: ProcessPoolExecutor, done: "asyncio.Future[T]") -> None:
        if process not in self._all:
            return
        if not done.cancelled() and isinstance(done.exception(), BrokenProcessPool):
            self._all.discard(process)
            process.shutdown(wait=False)
            self._add()
        else:
            self._free.put_nowait(process)

    def close(self) -> None:
        """End every drawing process at once."""
        for process in list(self._all):
            self._all.discard(process)
            # the executor has no public way to end a running call
            for child in list((getattr(process, "_processes", None) or {}).values()):
                child.kill()
            process.shutdown(wait=False, cancel_futures=True)
