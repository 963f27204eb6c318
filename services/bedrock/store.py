"""One SQLite file for the call log and the asynchronous invocations; every use of it runs on one thread."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    operation TEXT NOT NULL,
    model_id TEXT NOT NULL,
    token TEXT,
    access_key_id TEXT NOT NULL,
    role_arn TEXT NOT NULL,
    session_name TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    request_id TEXT NOT NULL,
    sdk_attempt TEXT,
    outcome TEXT NOT NULL,
    http_status INTEGER,
    error_code TEXT,
    billed TEXT NOT NULL CHECK (billed IN ('yes', 'no', 'unknown')),
    units REAL NOT NULL DEFAULT 0,
    unit TEXT,
    invocation_arn TEXT,
    base_model_id TEXT NOT NULL DEFAULT '',
    tokens_in REAL,
    tokens_out REAL,
    resolution TEXT
);
CREATE TABLE IF NOT EXISTS invocations (
    id TEXT PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    request_sha256 TEXT NOT NULL,
    model_id TEXT NOT NULL,
    model_input TEXT,
    output TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('InProgress', 'Completed', 'Failed')),
    failure_message TEXT,
    submitted_at TEXT NOT NULL,
    modified_at TEXT NOT NULL,
    ended_at TEXT,
    access_key_id TEXT NOT NULL,
    seed INTEGER NOT NULL,
    min_seconds REAL NOT NULL,
    fault TEXT,
    call_id INTEGER NOT NULL,
    subjects TEXT
);
CREATE INDEX IF NOT EXISTS invocations_by_time ON invocations (submitted_at, id);
"""

_LATER = (
    ("invocations", "subjects", "TEXT"),
    ("calls", "base_model_id", "TEXT NOT NULL DEFAULT ''"),
    ("calls", "tokens_in", "REAL"),
    ("calls", "tokens_out", "REAL"),
    ("calls", "resolution", "TEXT"),
)


class Store:
    """Opens (and makes, mode 0600) the database. A commit survives a kill of the process, not a power cut."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._connection = self._thread.submit(self._open, path).result()

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        for table, column, kind in _LATER:  # a state directory of an earlier version
            known = {row["name"] for row in connection.execute(f"PRAGMA table_info({table})")}
            if column not in known:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
        return connection

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in one transaction: committed when it returns, rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._connection:
            return work(self._connection)

    def close(self) -> None:
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()
