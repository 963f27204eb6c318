"""A consistency check whose workers are lost or stopped: nothing is judged twice, nothing is left out, it ends."""

import asyncio
import contextlib
import json
import re
import signal
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.cast import character, closer, lit, png, portrait, retaken, upload
from tests.faults.rig import Rig

pytestmark = pytest.mark.timeout(300)


@dataclass(slots=True)
class Desk:
    """A studio with a character and some shots of her."""

    rig: Rig
    character: str
    media: list[str]

    async def ask(self, media: list[str] | None = None) -> str:
        body = {
            "production_id": self.rig.production_id,
            "subjects": [{"character_id": self.character}],
            "material": [{"media_id": each} for each in media or self.media],
        }
        made = await self.rig.studio.post("/v1/consistency-checks", body)
        assert made.status == 202, made.body
        return str(made.json["id"])

    async def ended(self, check: str, *, seconds: float = 90) -> dict[str, Any]:
        query = "select finished_at is not null from consistency_checks where id = $1"
        await self.rig.until(query, uuid.UUID(check), seconds=seconds)
        [row] = await self.rig.mine("consistency_checks", "id = $2", uuid.UUID(check))
        return dict(row)

    async def holder(self, check: str, kind: str, seconds: float = 60) -> str:
        """Wait until a worker holds a step of the check; return its name in the stack."""
        query = (
            "select l.worker from step_leases l join steps s on s.id = l.step_id where s.kind = $2"
            " and (s.subject_id = $1 or s.subject_id in (select id from check_materials where check_id = $1))"
            " and s.state = 'running' and l.lease_until > now() limit 1"
        )
        async with asyncio.timeout(seconds):
            found: list[Any] = []
            while not found:
                await asyncio.sleep(0.02)
                found = await self.rig.rows(query, uuid.UUID(check), kind)
        shown = re.sub(r"@.*", "", found[0]["worker"])
        return "worker-isolation" if shown == "isolation" else shown

    async def kill_whoever_has(self, check: str, kind: str) -> None:
        """Kill the worker that has the step, until it is given up: among others, and at the last alone."""
        its = "kind = $2 and (subject_id = $1 or subject_id in (select id from check_materials where check_id = $1))"
        crashes = f"select exists (select 1 from steps where {its} and crashes >= $3)"
        async with stuck(self.rig, check):
            if "worker-1" in {child.name for child in self.rig.stack.ended()}:
                await self.rig.restart("worker-1")
            for count, name in ((2, "worker-1"), (3, "worker-isolation")):
                assert await self.holder(check, kind) == name
                await self.rig.kill(name)
                if name == "worker-1":
                    await self.rig.nearly_given_up(its, uuid.UUID(check), kind)
                await self.rig.until(crashes, uuid.UUID(check), kind, count)
                await self.rig.restart(name)

    async def materials(self, check: str) -> list[Any]:
        rows = await self.rig.mine("check_materials", "check_id = $2", uuid.UUID(check))
        return sorted(rows, key=lambda row: row["position"])

    async def books(self, check: str) -> None:
        """Every file has its one result or its problem; each thing was told once; no object is left over."""
        materials = await self.materials(check)
        results = await self.rig.mine("check_results", "check_id = $2", uuid.UUID(check))
        judged = [row["id"] for row in materials if row["state"] == "judged"]
        assert sorted(row["material_id"] for row in results) == sorted(judged)
        assert all(row["problem_code"] for row in materials if row["state"] == "unreadable")
        told = [
            row["type"]
            for row in await self.rig.mine("events", "type like 'consistency_check.%'")
            if json.loads(row["data"])["check_id"] == check
        ]
        assert told.count("consistency_check.judged") <= 1
        assert told.count("consistency_check.finished") == 1
        await self.rig.check_books()


@pytest.fixture
async def desk(rig: Rig) -> Desk:
    own = portrait()
    made = await character(rig.studio, rig.production_id, [own, lit(own[:, ::-1], 0.85)])
    shots = [closer(retaken(own, seed), left=50, top=5) for seed in (1, 2, 3)]
    media = [await upload(rig.studio, rig.production_id, png(each)) for each in shots]
    return Desk(rig, made["character"], media)


@contextlib.asynccontextmanager
async def stuck(rig: Rig, check: str) -> AsyncIterator[None]:
    """Hold the check's row, so that whoever records something of it waits, with its lease kept up."""
    connection = await asyncpg.connect(rig.stack.superuser_url("circletake", driver="postgresql"))
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "select 1 from consistency_checks where id = $1 for update", uuid.UUID(check)
        )
        yield
    finally:
        await connection.close()


async def test_a_check_survives_the_loss_of_its_workers(rig: Rig, desk: Desk) -> None:
    """kill -9 while a file is judged and while the end is written: every file one result, one sheet, one end."""
    check = await desk.ask()
    async with stuck(rig, check):
        judging = await desk.holder(check, "judge")
        await rig.kill(judging)
    concluding = await desk.holder(check, "conclude")  # drawn and signed, this takes a while
    await rig.kill(concluding)
    for name in {judging, concluding}:
        await rig.restart(name)
    found = await desk.ended(check)
    assert (found["state"], found["verdict"]) == ("succeeded", "pass")
    assert found["sheet_media_id"]
    assert [row["state"] for row in await desk.materials(check)] == ["judged"] * 3
    await desk.books(check)


async def test_a_worker_that_is_stopped_hands_its_files_back(rig: Rig, desk: Desk) -> None:
    """SIGTERM while files are judged: others go on at once, and no step counts an attempt or a crash for it."""
    check = await desk.ask()
    async with stuck(rig, check):
        name = await desk.holder(check, "judge")
        await rig.kill(name, signal.SIGTERM)
        await rig.ended(name)
    await rig.restart(name)
    found = await desk.ended(check)
    assert (found["state"], found["verdict"]) == ("succeeded", "pass")
    steps = await rig.mine("steps", "kind in ('judge', 'conclude')")
    assert {(step["attempt"], step["crashes"]) for step in steps} == {(1, 0)}
    await desk.books(check)


async def test_a_file_that_kills_its_judges_is_told_and_stops_nothing(rig: Rig, desk: Desk) -> None:
    """Given up as unreadable; the check ends with what it knows, and a person has to look."""
    await rig.kill("worker-2")
    check = await desk.ask(desk.media[:1])
    await desk.kill_whoever_has(check, "judge")
    found = await desk.ended(check)
    [material] = await desk.materials(check)
    assert (material["state"], material["problem_code"]) == ("unreadable", "dead_letter")
    assert (found["state"], found["verdict"]) == ("succeeded", "needs_human")
    await desk.books(check)


async def test_an_end_that_kills_its_workers_fails_the_check(rig: Rig, desk: Desk) -> None:
    """Nobody waits for ever: it has failed, with a code and the event; what was judged stays readable."""
    await desk.ended(await desk.ask(desk.media[:1]))  # so that the next one has only its end to write
    for name in ("worker-1", "worker-2"):
        await rig.kill(name)
    check = await desk.ask(desk.media[:1])
    await desk.kill_whoever_has(check, "conclude")
    found = await desk.ended(check)
    assert (found["state"], found["failure_code"]) == ("failed", "dead_letter")
    page = await rig.studio.get(f"/v1/consistency-checks/{check}/results")
    assert page.json["data"][0]["results"][0]["verdict"] == "pass"
    await desk.books(check)


async def test_a_file_taken_back_before_it_was_judged_is_told(rig: Rig, desk: Desk) -> None:
    """The check goes on without it, says which file it was, and doesn't pass."""
    await rig.kill("dispatcher")  # so that nobody is told of it yet
    check = await desk.ask()
    taken = await rig.studio.call("DELETE", f"/v1/media/{desk.media[1]}")
    assert taken.status == 200, taken.body
    await rig.restart("dispatcher")
    found = await desk.ended(check)
    rows = await desk.materials(check)
    assert [row["state"] for row in rows] == ["judged", "unreadable", "judged"]
    assert rows[1]["problem_code"] == "file_withdrawn"
    assert found["verdict"] == "needs_human"
    await desk.books(check)


async def test_a_character_deleted_before_the_judging_leaves_nothing(rig: Rig, desk: Desk) -> None:
    """Nobody is left to be judged: the check ends and says that nothing can be said; no sheet shows her."""
    await rig.kill("dispatcher")  # so that nobody is told of it yet
    check = await desk.ask()
    gone = await rig.studio.call("DELETE", f"/v1/characters/{desk.character}", headers={"If-Match": "*"})
    assert gone.status == 200, gone.body
    await rig.restart("dispatcher")
    found = await desk.ended(check)
    assert (found["state"], found["verdict"]) == ("succeeded", "not_assessable")
    assert await rig.mine("judgements") == []
    assert await rig.mine("observations") == []
