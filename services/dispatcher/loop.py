"""What the leading dispatcher does: pick and ring when woken, look every second, repair now and then."""

import asyncio
import time

from prometheus_client import Counter, Gauge

from circletake.kit import logs
from circletake.ports import Doorbell, ModelCatalogue
from circletake.records.session import Database
from circletake.settings import DispatcherSettings
from circletake.usecases.dispatch_steps import (
    Bells,
    keep_house,
    pick_steps,
    reap_steps,
    rering_steps,
    seed_quotas,
)
from circletake.usecases.steps import beat

log = logs.logger(__name__)

LOOK_SECONDS = 1.0  # the truth, should a NOTIFY be lost
KEEP_HOUSE_SECONDS = 600.0

BELLS = Counter("circletake_bells_total", "Bells rung", ["lane"])
RERINGS = Counter("circletake_rerings_total", "Bells rung again because nobody answered", ["lane"])
LEASES_EXPIRED = Counter("circletake_leases_expired_total", "Steps whose worker was lost")
DEAD = Counter("circletake_dead_letters_total", "Steps given up")
LEADING = Gauge("circletake_dispatcher_leading", "1 while this dispatcher leads")


class Dispatcher:
    def __init__(
        self,
        *,
        database: Database,
        doorbell: Doorbell,
        catalogue: ModelCatalogue,
        settings: DispatcherSettings,
        endpoint_cap: int,
        name: str,
        lease_seconds: float,
    ) -> None:
        self.wake = asyncio.Event()
        self._database, self._doorbell, self._catalogue = database, doorbell, catalogue
        self._settings, self._endpoint_cap, self._name = settings, endpoint_cap, name
        self._lease_seconds = lease_seconds
        self._repair_at = self._reap_at = self._house_at = 0.0

    async def run(self) -> None:
        """Lead until cancelled.

        The database may have been away until now, and nobody could extend a lease: every worker gets the time to
        beat once before a lease is held against it.
        """
        self._reap_at = time.monotonic() + self._lease_seconds / 2
        await seed_quotas(self._database, self._catalogue)
        LEADING.set(1)
        try:
            while True:
                self.wake.clear()
                more = await self._turn()
                if not more:
                    try:
                        await asyncio.wait_for(self.wake.wait(), LOOK_SECONDS)
                    except TimeoutError:
                        continue
        finally:
            LEADING.set(0)

    async def _turn(self) -> bool:
        """Pick and ring once; return whether there may be more at once."""
        try:
            picked = await pick_steps(
                self._database, limit=self._settings.pick_limit, endpoint_cap=self._endpoint_cap
            )
            await self._ring(picked, BELLS)
            if time.monotonic() >= self._repair_at:
                self._repair_at = time.monotonic() + self._settings.reap_every_seconds
                await self._repair()
        except Exception:  # noqa: BLE001 - Postgres or Redis may be away: every row is still there afterwards
            log.failure("turn_failed")
            await asyncio.sleep(LOOK_SECONDS)
            return False
        return sum(len(bells) for bells in picked.values()) >= self._settings.pick_limit

    async def _repair(self) -> None:
        if time.monotonic() >= self._reap_at:
            await self._reap()
        again = await rering_steps(
            self._database, after_seconds=self._settings.rering_after_seconds, limit=500
        )
        await self._ring(again, RERINGS)
        await beat(self._database, worker=self._name, slots={"dispatcher": 0})
        if time.monotonic() >= self._house_at:
            self._house_at = time.monotonic() + KEEP_HOUSE_SECONDS
            await keep_house(self._database, self._catalogue)

    async def _reap(self) -> None:
        reaped = await reap_steps(self._database)
        if reaped.lost:
            LEASES_EXPIRED.inc(reaped.lost)
            DEAD.inc(reaped.dead)
            log.warning("leases_expired", count=reaped.lost)
            self.wake.set()

    async def _ring(self, bells: Bells, counter: Counter) -> None:
        """Ring what has been committed. A bell that can't be rung now is rung again by the repair."""
        for lane, some in bells.items():
            counter.labels(lane).inc(len(some))
            try:
                await self._doorbell.ring(lane, some)
            except ConnectionError:
                log.warning("doorbell_unreachable", lane=lane, count=len(some))
