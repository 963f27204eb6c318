"""The call log: one row per paid operation that was asked for, to be reconciled with usage reports.

It holds ids and hashes, never a prompt. A row is written before the work begins, so that a killed server leaves
`interrupted`, billed `unknown`, rather than nothing.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.bedrock.store import Store

Billed = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Call:
    """What is known when a call arrives. `request_sha256` covers the body as it came over the wire.

    `at` is when its first bytes came in, to the microsecond: what came before it is the caller's delay, not ours.
    `model_id` is what it was called as, `base_model_id` which model that is. `units` is what it would be billed if
    nothing more were heard of it.
    """

    operation: str
    model_id: str
    access_key_id: str
    role_arn: str
    session_name: str
    request_sha256: str
    request_id: str
    sdk_attempt: str | None
    at: datetime
    token: str | None = None
    base_model_id: str = ""
    units: float = 0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `units` are images, seconds of video or tokens, whatever `unit` says: what is billed, or, where
    `billed` is unknown, what would be; None keeps what was expected. Tokens are also told apart; `resolution` is what seconds are priced by."""

    outcome: str
    billed: Billed
    http_status: int | None = None
    error_code: str | None = None
    units: float | None = None
    unit: str | None = None
    invocation_arn: str | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    resolution: str | None = None


class CallLog:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, call: Call) -> int:
        """Write the call down as started and return its row id."""

        def insert(connection: sqlite3.Connection) -> int:
            cursor = connection.execute(
                "INSERT INTO calls (at, operation, model_id, token, access_key_id, role_arn, session_name,"
                " request_sha256, request_id, sdk_attempt, base_model_id, units, unit, outcome, billed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'started', 'unknown')",
                (
                    call.at.isoformat(timespec="microseconds"), call.operation, call.model_id, call.token,
                    call.access_key_id, call.role_arn, call.session_name, call.request_sha256, call.request_id,
                    call.sdk_attempt, call.base_model_id, call.units, call.unit,
                ),
            )  # fmt: skip
            return int(cursor.lastrowid or 0)

        return await self._store.run(insert)

    async def end(self, call_id: int, outcome: Outcome) -> None:
        """Record how it ended; what an outcome leaves open keeps its earlier value."""
        await self._store.run(
            lambda connection: connection.execute(
                "UPDATE calls SET outcome = ?, billed = ?, http_status = coalesce(?, http_status), error_code = ?,"
                " units = CASE WHEN ? = 'no' THEN 0 ELSE coalesce(?, units) END, unit = coalesce(?, unit), invocation_arn = coalesce(?, invocation_arn), tokens_in = ?,"
                " tokens_out = ?, resolution = coalesce(?, resolution) WHERE id = ?",
                (
                    outcome.outcome,
                    outcome.billed,
                    outcome.http_status,
                    outcome.error_code,
                    outcome.billed,
                    outcome.units,
                    outcome.unit,
                    outcome.invocation_arn,
                    outcome.tokens_in,
                    outcome.tokens_out,
                    outcome.resolution,
                    call_id,
                ),
            )
        )

    async def name_token(self, call_id: int, token: str) -> None:
        await self._store.run(
            lambda connection: connection.execute("UPDATE calls SET token = ? WHERE id = ?", (token, call_id))
        )

    async def close_interrupted(self) -> None:
        """At start: what a former process left unfinished. Running asynchronous invocations are resumed instead."""
        await self._store.run(
            lambda connection: connection.execute(
                "UPDATE calls SET outcome = 'interrupted' WHERE outcome = 'started'"
            )
        )

    async def read(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Rows with an id above `after`, oldest first."""

        def select(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            rows = connection.execute("SELECT * FROM calls WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
            return [dict(row) for row in rows]

        return await self._store.run(select)
