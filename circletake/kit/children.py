"""Run a blocking function in a child process that can be killed, and that dies with its parent.

Each slot is an executor of its own with one process, so that a child that crashes takes only the call that
ran in it with it, not its neighbours.
"""

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1


class ChildDied(RuntimeError):
    """The child process ended without an answer (crash, out of memory, killed)."""


class ChildTimedOut(RuntimeError):
    """The child process did not answer in time and was killed."""


def _start_child(parent: int, max_memory_bytes: int | None) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if max_memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))


class ChildPool:
    """A fixed number of child processes, started on first use by `spawn`."""

    def __init__(self, slots: int, *, max_memory_bytes: int | None = None) -> None:
        self._max_memory_bytes = max_memory_bytes
        self._free: asyncio.LifoQueue[ProcessPoolExecutor] = asyncio.LifoQueue()
        self._all: set[ProcessPoolExecutor] = set()
        for _ in range(slots):
            self._add_slot()

    def _add_slot(self) -> None:
        executor = ProcessPoolExecutor(
            max_workers=1,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_child,
            initargs=(os.getpid(), self._max_memory_bytes),
        )
        self._all.add(executor)
        self._free.put_nowait(executor)

    async def run(self, call: Callable[[], T], *, timeout_seconds: float = 120.0) -> T:
        """Run a picklable call (a `functools.partial` of a module-level function) and return its answer.

        Raises ChildTimedOut after `timeout_seconds`, ChildDied if the process ended, or what the function raised.
        """
        executor = await self._free.get()
        future: Future[T] | None = None
        try:
            future = executor.submit(call)
            answer = await asyncio.wait_for(asyncio.wrap_future(future), timeout_seconds)
        except TimeoutError:
            if future is not None and future.done() and not future.cancelled():
                self._free.put_nowait(executor)  # the function itself raised TimeoutError
                raise
            self._replace(executor)
            raise ChildTimedOut(f"no answer within {timeout_seconds} s") from None
        except BrokenProcessPool:
            self._replace(executor)
            raise ChildDied("the child process ended without an answer") from None
        except asyncio.CancelledError:
            self._replace(executor)
            raise
        except BaseException:
            self._free.put_nowait(executor)
            raise
        self._free.put_nowait(executor)
        return answer

    def _replace(self, executor: ProcessPoolExecutor) -> None:
        self._end(executor)
        self._add_slot()

    def _end(self, executor: ProcessPoolExecutor) -> None:
        self._all.discard(executor)
        # the executor has no public way to end a running call
        for process in list((getattr(executor, "_processes", None) or {}).values()):
            process.kill()
        executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End every child at once."""
        for executor in list(self._all):
            self._end(executor)
