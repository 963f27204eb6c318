"""The helpers without film words."""

import asyncio
import io
import json
import logging
import os
import signal
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.kit import backoff, hashing, ids, logs
from circletake.kit.children import ChildDied, ChildPool, ChildTimedOut
from circletake.kit.paging import BadCursor, Cursors


def test_ids_are_version_7_and_in_order_of_time() -> None:
    """Ids made later sort later, to the millisecond."""
    made = [ids.new_id() for _ in range(50)]
    assert all(each.version == 7 and each.variant == UUID(int=made[0].int).variant for each in made)
    assert [each.int >> 80 for each in made] == sorted(each.int >> 80 for each in made)


@given(st.integers(min_value=1, max_value=5000), st.floats(min_value=0, max_value=1))
def test_backoff_stays_in_its_bounds(attempt: int, jitter: float) -> None:
    """A wait is never longer than the most and never less than half of it once it has grown."""
    wait = backoff.exponential(attempt, first=1, most=60, jitter=jitter)
    assert 0.5 <= wait <= 60


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none(), max_size=5))
def test_canonical_json_ignores_the_order_of_keys(document: dict[str, object]) -> None:
    """The same content gives the same bytes, however it was put together."""
    turned = dict(reversed(list(document.items())))
    assert hashing.canonical_json(document) == hashing.canonical_json(turned)


def test_canonical_json_refuses_floats() -> None:
    """A commitment must be reproducible anywhere, and floats are not."""
    with pytest.raises(TypeError):
        hashing.canonical_json({"a": [{"b": 1.5}]})


def test_a_cursor_leads_back_to_its_position() -> None:
    """What was written is what is read."""
    cursors = Cursors(b"secret")
    assert cursors.read("takes", cursors.write("takes", "2026-11-22", "é/?")) == ["2026-11-22", "é/?"]


@given(st.text(max_size=60))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    """A client can't write its own positions."""
    with pytest.raises(BadCursor):
        Cursors(b"secret").read("takes", text)


def test_a_cursor_of_another_list_is_refused() -> None:
    """A cursor belongs to one list."""
    cursors = Cursors(b"secret")
    with pytest.raises(BadCursor):
        cursors.read("shots", cursors.write("takes", "a"))


def _log_line(**fields: object) -> dict[str, object]:
    stream = io.StringIO()
    logs.configure(service="test", style="json", level="INFO")
    root = logging.getLogger()
    root.handlers[0].stream = stream  # type: ignore[attr-defined]
    logs.logger("somewhere").info("something_happened", **fields)
    line: dict[str, object] = json.loads(stream.getvalue())
    return line


def test_a_prompt_does_not_get_into_a_log() -> None:
    """Only named fields are written; what isn't on the list is dropped."""
    line = _log_line(prompt="a secret scene", body="x", take_id="42")
    assert line["take_id"] == "42"
    assert "secret" not in json.dumps(line)


def test_the_support_id_is_on_every_line() -> None:
    """What is bound to a request is on all of its lines."""
    with logs.bound(support_id="abc123"):
        assert _log_line()["support_id"] == "abc123"


def test_an_error_is_logged_without_its_text() -> None:
    """An exception may quote what somebody sent: its type and place are logged, its text is not."""
    stream = io.StringIO()
    logs.configure(service="test", style="json", level="INFO")
    logging.getLogger().handlers[0].stream = stream  # type: ignore[attr-defined]
    try:
        raise ValueError("a secret scene")
    except ValueError:
        logs.logger("somewhere").failure("it_broke")
    line = json.loads(stream.getvalue())
    assert line["exception_type"] == "ValueError"
    assert "secret" not in stream.getvalue()


async def test_a_child_that_dies_takes_only_its_own_call_along() -> None:
    """The neighbour's answer still comes, and the pool works on."""
    pool = ChildPool(2)
    try:
        neighbour = asyncio.create_task(pool.run(partial(pow, 2, 10)))
        with pytest.raises(ChildDied):
            await pool.run(partial(os._exit, 3))
        assert await neighbour == 1024
        assert await pool.run(partial(pow, 3, 2)) == 9
    finally:
        pool.close()


async def test_a_child_that_hangs_is_ended() -> None:
    """A call that takes too long is cut off, and its slot is free again."""
    pool = ChildPool(1)
    try:
        with pytest.raises(ChildTimedOut):
            await pool.run(signal.pause, timeout_seconds=3)
        assert await pool.run(partial(pow, 3, 2)) == 9
    finally:
        pool.close()


async def test_an_error_in_a_child_is_the_callers() -> None:
    """What the function raised comes back as it was."""
    pool = ChildPool(1)
    try:
        with pytest.raises(ZeroDivisionError):
            await pool.run(partial(divmod, 1, 0))
    finally:
        pool.close()
