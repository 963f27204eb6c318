"""Calls that were on record before they had prices: what was charged stays charged, call by call."""

import importlib.util
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from tests.stack import Database

MIGRATION = Path(__file__).resolve().parents[2] / "migrations" / "versions" / "0018_invoices.py"

# as an earlier version left them: what a take came to, and its calls, oldest first, None where the end isn't on record
CASES = {
    "answered after a lost call": ("succeeded", "true", ["unknown", "true"]),
    "canceled with its call open": ("canceled", "unknown", [None]),
    "settled as not billed": ("failed", "false", ["unknown"]),
    "throttled to the end": ("failed", "false", ["false", "false"]),
    "still at it": ("running", None, ["unknown", None]),
}
_ROWS = """
    insert into takes (id, tenant_id, generation_id, number, state, billed, cost_usd, estimate_usd, finished_at,
                       circled, rejected, cancel_requested)
    values (md5('{name}')::uuid, gen_random_uuid(), gen_random_uuid(), 1, '{state}', {billed}, {cost}, 0.08, {ended},
            false, false, false)
"""
_CALL = """
    insert into invocations (id, tenant_id, take_id, step_id, model_id, operation, token, request_hash, body,
                             call_started_at, ended_at, billed)
    select overlay(t.id::text placing '0{number}' from 35)::uuid, t.tenant_id, t.id, gen_random_uuid(), 'm', 'invoke', '{name}{number}', 'h', '',
           now(), {ended}, {billed} from takes t where t.id = md5('{name}')::uuid
"""


def quoted(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"


@pytest.fixture
async def books(database: Database) -> dict[str, Any]:
    """The takes and their calls after the migration's backfill, run as the owner."""
    own = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    try:
        await own.execute("set session_replication_role = replica")
        for name, (state, billed, calls) in CASES.items():
            cost = "null" if billed is None else "0.08" if billed == "true" else "0"
            ended = "now()" if billed else "null"
            await own.execute(
                _ROWS.format(name=name, state=state, billed=quoted(billed), cost=cost, ended=ended)
            )
            for number, each in enumerate(calls):
                row = {"name": name, "number": number, "billed": quoted(each)}
                await own.execute(_CALL.format(ended="now()" if each else "null", **row))
        owner = await asyncpg.connect(database.url("owner").replace("+asyncpg", ""))
        for statement in migration().BACKFILL:
            await owner.execute(statement)
        await owner.close()
        found = {}
        for name in CASES:
            take = await own.fetchrow("select * from takes where id = md5($1)::uuid", name)
            calls = await own.fetch("select * from invocations where take_id = $1 order by token", take["id"])
            found[name] = (take, [(row["billed"], row["estimate_usd"], row["cost_usd"]) for row in calls])
        return found
    finally:
        await own.close()


def migration() -> ModuleType:
    spec = importlib.util.spec_from_file_location("invoices", MIGRATION)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_takes_of_before_cost_what_the_ledger_says(books: dict[str, Any]) -> None:
    """One call has the amount, whatever their number; of an unknown bill one call has it; under way each has."""
    price, nothing = Decimal("0.08"), Decimal(0)
    assert {name: calls for name, (_, calls) in books.items()} == {
        "answered after a lost call": [("unknown", None, None), ("true", price, price)],
        "canceled with its call open": [("unknown", price, nothing)],
        "settled as not billed": [("false", price, nothing)],
        "throttled to the end": [("false", None, None), ("false", price, nothing)],
        "still at it": [("unknown", price, nothing), (None, price, None)],
    }
    for name, (take, calls) in books.items():
        if take["finished_at"] is None:
            continue
        owed = sum(cost or 0 for billed, _, cost in calls if billed == "true")
        perhaps = sum(estimate or 0 for billed, estimate, _ in calls if billed == "unknown")
        assert (take["cost_usd"], take["unknown_usd"]) == (owed, perhaps), name
