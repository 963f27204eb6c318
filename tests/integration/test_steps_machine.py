"""A step's life in any order: Hypothesis plays workers, dispatcher, reaper and a canceling user against Postgres."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from circletake.usecases.dispatch_steps import reap_steps, rering_steps
from circletake.usecases.steps import ClaimedStep, FenceLost, end_step, hand_back, heartbeat, put_off
from tests.integration.step_rows import Queue, Ring, queue_on, rings
from tests.stack import Database

RULES_PER_LIFE, LIVES = 50, 60


class Life(RuleBasedStateMachine):
    """`holder` is who may write, by the rules; the database must agree after every move."""

    queue: Queue
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.tenant_id = self.run(self.queue.tenant())
        [self.step_id] = self.run(self.queue.steps(self.tenant_id))
        self.run(self.queue.worker(generate=1000, isolation=1000, inspect=1000))
        self.bells: list[Ring] = []
        self.claims: list[ClaimedStep] = []
        self.holder: ClaimedStep | None = None
        self.end: str | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    # --- the dispatcher -----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.holder is None)
    @rule()
    def pick(self) -> None:
        self.hear(self.run(self.queue.pick()))

    @precondition(lambda self: self.bells)
    @rule()
    def ring_again(self) -> None:
        self.hear(rings(self.run(rering_steps(self.queue.desk, after_seconds=0, limit=1000))))

    def hear(self, heard: list[Ring]) -> None:
        mine = [ring for ring in heard if ring.step_id == self.step_id]
        assert not mine or (self.holder is None and self.end is None)
        assert all(ring.ring_no > old.ring_no for ring in mine for old in self.bells)
        self.bells += mine

    @precondition(lambda self: self.claims)
    @rule()
    def lease_runs_out(self) -> None:
        self.run(self.queue.expire(self.step_id))
        self.run(reap_steps(self.queue.desk))
        row = self.row()
        if self.holder is not None:
            self.holder = None
            assert row["state"] in {"ready", "dead"}
            self.end = "dead" if row["state"] == "dead" else None

    # --- workers ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.bells)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Any bell that was ever rung, in any order; the newest as a rule."""
        ring = data.draw(st.sampled_from([self.bells[-1], self.bells[-1], *self.bells]))
        may = self.row()["state"] == "rung" and ring is self.bells[-1]
        step = self.run(self.queue.claim(ring))
        assert (step is not None) == may
        if step is not None:
            assert all(step.fence > old.fence for old in self.claims)
            self.claims.append(step)
            self.holder = step

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(),
        what=st.sampled_from(["beat", "put off", "give back attempt", "hand back", "beat", "end"]),
    )
    def write(self, data: st.DataObject, what: str) -> None:
        """Any worker that ever claimed it, alive or long replaced."""
        step = data.draw(st.sampled_from(self.claims))
        mine = step is self.holder
        if what == "hand back":
            self.run(hand_back(self.queue.app, step))
        else:
            assert self.run(self.tries(step, what)) == mine
        if mine and what != "beat":
            self.holder = None
            self.end = "done" if what == "end" else None

    async def tries(self, step: ClaimedStep, what: str) -> bool:
        try:
            if what == "beat":
                await heartbeat(self.queue.app, step, lease_seconds=60)
                return True
            async with self.queue.app.tenant(self.tenant_id) as session:
                if what == "end":
                    await end_step(session, step)
                else:
                    await put_off(session, step, seconds=0, counted=what == "put off")
        except FenceLost:
            return False
        return True

    @precondition(lambda self: len(self.claims) > 1)  # a life that ends at once has nothing to show
    @rule()
    def cancel(self) -> None:
        """What a cancel does to a step that waits."""
        done = self.run(
            self.queue.connection.execute(
                "update steps set state = 'done' where id = $1 and state = 'ready'", self.step_id
            )
        )
        if done == "UPDATE 1":
            assert self.holder is None
            assert self.end is None
            self.end = "done"

    # --- what always holds --------------------------------------------------------------------------------------------

    @invariant()
    def the_database_agrees(self) -> None:
        row, leases = self.row(), self.run(self.queue.leases(self.step_id))
        if self.end is not None:
            assert row["state"] == self.end
        assert (row["state"] == "running") == (self.holder is not None)
        assert leases == ([self.holder.fence] if self.holder else [])
        assert row["fence"] == max((step.fence for step in self.claims), default=0)
        assert row["attempt"] >= 0
        assert row["crashes_alone"] <= min(row["crashes"], 2)

    def row(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run(self.queue.row(self.step_id))
        return found


def test_a_step_ends_once_whatever_happens_in_whichever_order(database: Database) -> None:
    """One terminal state, fences that only grow, one lease at most, and only its holder may write."""
    with asyncio.Runner() as runner:
        opened = queue_on(database)
        queue = runner.run(_enter(opened))
        life = type("LifeHere", (Life,), {"queue": queue, "runner": runner})
        try:
            run_state_machine_as_test(
                life,
                settings=settings(
                    max_examples=LIVES,
                    stateful_step_count=RULES_PER_LIFE,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],  # against a real database, shrinking takes minutes
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
        finally:
            runner.run(_leave(opened))


async def _enter(opened: Any) -> Queue:
    queue: Queue = await opened.__aenter__()
    return queue


async def _leave(opened: Any) -> None:
    await opened.__aexit__(None, None, None)
