"""The asynchronous invocations, as rows. The model input is content: it is kept only while the run needs it."""

import base64
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.bedrock import clock
from services.bedrock.errors import BedrockFault, validation
from services.bedrock.orders import ClipOrder
from services.bedrock.store import Store

_COLUMNS = (
    "id, token, request_sha256, model_id, model_input, output, status, failure_message, submitted_at, modified_at,"
    " ended_at, access_key_id, seed, min_seconds, fault, call_id, subjects"
)
_SELECT = f"SELECT {_COLUMNS} FROM invocations"  # noqa: S608 - a constant of this file


@dataclass(frozen=True, slots=True)
class Invocation:
    """`request_sha256` is of the canonical request: the same token must come with the same. Times are ISO 8601."""

    id: str
    token: str
    request_sha256: str
    model_id: str
    model_input: str | None = field(repr=False)
    output: str
    status: str
    failure_message: str | None
    submitted_at: str
    modified_at: str
    ended_at: str | None
    access_key_id: str
    seed: int
    min_seconds: float
    fault: str | None
    call_id: int
    cast: str | None = field(default=None, repr=False)  # who is in it and what goes wrong with them

    @property
    def output_config(self) -> Mapping[str, Any]:
        """The `s3OutputDataConfig` of the request."""
        config: Mapping[str, Any] = json.loads(self.output)
        return config

    @property
    def submitted(self) -> datetime:
        return datetime.fromisoformat(self.submitted_at)


@dataclass(frozen=True, slots=True)
class Page:
    """What ListAsyncInvokes asks for. `after` and `before` are ISO 8601 as `clock.iso` writes it."""

    after: str | None
    before: str | None
    status: str | None
    ascending: bool
    size: int
    token: str | None


class Invocations:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, new: Invocation, arn: str, order: ClipOrder) -> tuple[Invocation, bool]:
        """Keep it and mark its call as running with what it will cost, in one transaction; (invocation, whether new).

        A token that is known with the same request returns the invocation it made; with another request it is
        a ConflictException.
        """

        def insert(connection: sqlite3.Connection) -> tuple[Invocation, bool]:
            row = connection.execute(f"{_SELECT} WHERE token = ?", (new.token,)).fetchone()
            if row is not None:
                known = Invocation(*row)
                if known.request_sha256 != new.request_sha256:
                    raise BedrockFault(
                        400,
                        "ConflictException",
                        "The clientRequestToken was already used with different request parameters.",
                    )
                return known, False
            connection.execute(
                f"INSERT INTO invocations ({_COLUMNS}) VALUES ({', '.join('?' * 17)})",  # noqa: S608
                (
                    new.id, new.token, new.request_sha256, new.model_id, new.model_input, new.output, new.status,
                    new.failure_message, new.submitted_at, new.modified_at, new.ended_at, new.access_key_id,
                    new.seed, new.min_seconds, new.fault, new.call_id,
                    new.cast,
                ),
            )  # fmt: skip
            connection.execute(
                "UPDATE calls SET outcome = 'in_progress', http_status = 200, invocation_arn = ?, units = ?,"
                " unit = 'second', resolution = ? WHERE id = ?",
                (arn, order.seconds, order.resolution, new.call_id),
            )
            return new, True

        return await self._store.run(insert)

    async def get(self, invocation_id: str) -> Invocation | None:
        row = await self._store.run(
            lambda connection: connection.execute(f"{_SELECT} WHERE id = ?", (invocation_id,)).fetchone()
        )
        return None if row is None else Invocation(*row)

    async def set_cast(self, invocation: Invocation, cast: str) -> Invocation:
        await self._store.run(
            lambda connection: connection.execute(
                "UPDATE invocations SET subjects = ? WHERE id = ?", (cast, invocation.id)
            )
        )
        return replace(invocation, cast=cast)

    async def unfinished(self) -> list[Invocation]:
        rows = await self._store.run(
            lambda connection: connection.execute(
                f"{_SELECT} WHERE status = 'InProgress' ORDER BY submitted_at"
            ).fetchall()
        )
        return [Invocation(*row) for row in rows]

    async def finish(self, invocation_id: str, failure: str | None) -> None:
        """Completed, or Failed with this message; the model input goes."""
        moment = clock.iso(clock.now())
        await self._store.run(
            lambda connection: connection.execute(
                "UPDATE invocations SET status = ?, failure_message = ?, modified_at = ?, ended_at = ?,"
                " model_input = NULL, subjects = NULL WHERE id = ? AND status = 'InProgress'",
                ("Failed" if failure else "Completed", failure, moment, moment, invocation_id),
            )
        )

    async def page(self, page: Page) -> tuple[list[Invocation], str | None]:
        """The invocations of one page and the token of the next, if there is one."""
        conditions, values = ["1 = 1"], list[Any]()
        for condition, value in (
            ("submitted_at > ?", page.after),
            ("submitted_at < ?", page.before),
            ("status = ?", page.status),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        sign, order = (">", "ASC") if page.ascending else ("<", "DESC")
        if page.token is not None:
            conditions.append(f"(submitted_at, id) {sign} (?, ?)")
            values.extend(_read_token(page.token))
        query = (
            f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY submitted_at {order}, id {order} LIMIT ?"
        )
        rows = await self._store.run(
            lambda connection: connection.execute(query, (*values, page.size + 1)).fetchall()
        )
        found = [Invocation(*row) for row in rows[: page.size]]
        more = len(rows) > page.size
        return found, _write_token(found[-1]) if more else None


def _write_token(last: Invocation) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.submitted_at, last.id]).encode()).decode()


def _read_token(token: str) -> tuple[str, str]:
    try:
        submitted_at, invocation_id = json.loads(base64.urlsafe_b64decode(token))
        return str(submitted_at), str(invocation_id)
    except (ValueError, TypeError):
        raise validation("The provided nextToken is invalid.") from None
