"""The bounded runner: steps that this process has claimed, their heartbeats, and their hand-back on SIGTERM.

ARQ only delivers bells. A bell reserves a slot, claims the step and hands it over here, so that a call that takes
minutes never sits in ARQ's queue.
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from socket import gaierror
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from circletake.kit import logs
from circletake.kit.children import ChildDied, ChildTimedOut
from circletake.ports import StorageFault
from circletake.records.session import Database
from circletake.usecases.call_model import PaidCall
from circletake.usecases.steps import ClaimedStep, FenceLost, claim_step, hand_back, heartbeat, put_off
from circletake.usecases.take_work import requeue_take
from services.worker import metrics

log = logs.logger(__name__)

Handler = Callable[[ClaimedStep, PaidCall], Awaitable[None]]

# what may be tried again by itself: nothing was decided when it happened
_PASSING_ATTEMPTS = 5
_AWAY_SECONDS = 5.0
# connection lost, rolled back for another transaction, no resources, shut down or starting up
_PASSING_SQLSTATES = ("08", "40", "53", "57P")


class Runner:
    """Runs claimed steps of one lane, at most `slots` at once."""

    def __init__(
        self,
        *,
        database: Database,
        handlers: Mapping[str, Handler],
        lane: str,
        slots: int,
        worker: str,
        lease_seconds: float,
        on_slot_freed: Callable[[], None],
    ) -> None:
        self._database = database
        self._handlers = handlers
        self._lane, self._slots, self._worker = lane, slots, worker
        self._lease_seconds = lease_seconds
        self._on_slot_freed = on_slot_freed
        self._reserved = 0
        self._running: dict[asyncio.Task[None], tuple[ClaimedStep, PaidCall]] = {}
        self._draining = False

    @property
    def slots(self) -> int:
        """What the dispatcher may count on."""
        return 0 if self._draining else self._slots

    def free_slots(self) -> int:
        return 0 if self._draining else self._slots - self._reserved

    async def on_bell(self, tenant_id: UUID, step_id: UUID, ring_no: int) -> None:
        """Reserve a slot, claim, start. Returns before the work is done."""
        if self.free_slots() <= 0:
            return  # the dispatcher rings again
        self._reserved += 1
        try:
            step = await claim_step(
                self._database,
                tenant_id=tenant_id,
                step_id=step_id,
                ring_no=ring_no,
                worker=self._worker,
                lease_seconds=self._lease_seconds,
            )
        except BaseException:
            self._free()
            raise
        if step is None:
            metrics.STALE_BELLS.labels(self._lane).inc()
            self._free()
            return
        if self._draining:
            self._free()
            await hand_back(self._database, step)
            return
        paid = PaidCall()
        task = asyncio.create_task(self._run(step, paid), name=f"step-{step.id}")
        self._running[task] = (step, paid)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._free()

    def _free(self) -> None:
        self._reserved -= 1
        self._on_slot_freed()

    async def _run(self, step: ClaimedStep, paid: PaidCall) -> None:
        with logs.bound(
            step_id=str(step.id),
            tenant_id=str(step.tenant_id),
            generation_id=str(step.generation_id) if step.generation_id else None,
            take_id=str(step.take_id) if step.take_id else None,
            kind=step.kind,
        ):
            work = asyncio.ensure_future(self._handle(step, paid))
            beats = asyncio.create_task(self._beat(step, work))
            try:
                with metrics.STEP_SECONDS.labels(self._lane, step.kind).time():
                    await work
                log.info("step_done", attempt=step.attempt)
            except FenceLost:
                metrics.FENCES_LOST.labels(self._lane).inc()
                log.warning("fence_lost", fence=step.fence)
            except asyncio.CancelledError:
                work.cancel()
                if not self._draining:  # the heartbeat found the lease gone
                    metrics.FENCES_LOST.labels(self._lane).inc()
                    log.warning("fence_lost", fence=step.fence)
                    return
                await self._hand_back(step)
            except Exception:  # noqa: BLE001 - the loop must outlive whatever a step runs into; it is logged and rescheduled
                log.failure("step_failed", attempt=step.attempt)
                await self._after_failure(step)
            finally:
                beats.cancel()

    async def _handle(self, step: ClaimedStep, paid: PaidCall) -> None:
        await self._handlers[step.kind](step, paid)

    async def _hand_back(self, step: ClaimedStep) -> None:
        try:
            await hand_back(self._database, step)
        except Exception:  # noqa: BLE001 - the database is away: the reaper finds the step
            log.failure("hand_back_failed")
        else:
            log.info("step_handed_back")

    async def _beat(self, step: ClaimedStep, work: "asyncio.Future[None]") -> None:
        pause = self._lease_seconds / 3
        while True:
            await asyncio.sleep(pause)
            pause = self._lease_seconds / 3
            try:
                await heartbeat(self._database, step, lease_seconds=self._lease_seconds)
            except FenceLost:
                work.cancel()
                return
            except Exception:  # noqa: BLE001 - the database is away; the lease says how long we may go on
                log.failure("heartbeat_failed")
                pause = min(1.0, pause)  # when it is back, the reaper is too

    async def _after_failure(self, step: ClaimedStep) -> None:
        """Something broke that no rule foresaw. Try again later; at last give it to the reaper as lost work.

        That the bucket or the database is away says nothing against the step: it waits for them and counts nothing.
        """
        trouble = sys.exc_info()[1]
        away = _is_away(trouble)
        if step.attempt >= _PASSING_ATTEMPTS and not away:
            return  # the lease runs out, the crash counts, and the isolation lane ends it
        seconds = _AWAY_SECONDS if away else min(60.0, 2.0**step.attempt)
        seconds *= 0.75 + random.random() / 2  # noqa: S311 - spreads retries
        give_up = time.monotonic() + self._lease_seconds
        while True:
            try:
                await self._put_off(step, seconds, _trouble_code(trouble), counted=not away)
            except FenceLost:
                log.warning("fence_lost", fence=step.fence)
                return
            except Exception:  # noqa: BLE001 - the database is away: while the lease lasts, say it again
                log.failure("put_off_failed")
                if time.monotonic() > give_up:
                    return
                await asyncio.sleep(1.0)
            else:
                return

    async def _put_off(self, step: ClaimedStep, seconds: float, trouble: str, *, counted: bool) -> None:
        async with self._database.tenant(step.tenant_id) as session:
            if step.take_id is not None:
                await requeue_take(session, step, step.take_id)
            await put_off(session, step, seconds=seconds, trouble=trouble, counted=counted)

    def stop_claiming(self) -> None:
        self._draining = True

    async def drain(self, grace_seconds: float) -> None:
        """SIGTERM: hand back at once what isn't in a paid call; give paid calls a while to be recorded."""
        self.stop_claiming()
        paid = [task for task, (_, call) in self._running.items() if call.active]
        for task in list(self._running):
            if task not in paid:
                task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=grace_seconds if paid else 5)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running), timeout=5)


def _is_away(trouble: BaseException | None) -> bool:
    """Whether what broke is the bucket or the database being out of reach, not the work itself."""
    if isinstance(trouble, StorageFault):
        return trouble.kind == "unavailable"
    if isinstance(trouble, DBAPIError):
        state = str(getattr(trouble.orig, "sqlstate", None) or "")
        return trouble.connection_invalidated or state.startswith(_PASSING_SQLSTATES)
    return isinstance(trouble, ConnectionError | TimeoutError | gaierror | PoolTimeout)


def _trouble_code(trouble: BaseException | None) -> str:
    if isinstance(trouble, StorageFault):
        return f"storage_{trouble.kind}"
    if _is_away(trouble):
        return "database_away"
    if isinstance(trouble, ChildDied):
        return "child_died"
    if isinstance(trouble, ChildTimedOut):
        return "child_timed_out"
    return "unexpected"
