"""Structured logs: a static event name and fields from a list of allowed names.

A field that isn't on the list is dropped, so that a prompt, a body or a presigned URL can't get into a log by
somebody's oversight; what is bound to the context (support id, tenant) is on every line.
"""

import contextvars
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

ALLOWED = frozenset(
    [
        "action",
        "api_key_id",
        "arn",
        "attempt",
        "attempts",
        "bells",
        "billed",
        "bytes",
        "cap",
        "code",
        "count",
        "delivery_id",
        "detail_code",
        "endpoint_id",
        "event_type",
        "exception",
        "fence",
        "generation_id",
        "host",
        "invocation_id",
        "kind",
        "lane",
        "lanes",
        "lease_seconds",
        "limit",
        "media_id",
        "media_type",
        "method",
        "model_id",
        "name",
        "number",
        "operation",
        "outcome",
        "path",
        "person_id",
        "pid",
        "port",
        "process",
        "production_id",
        "reason",
        "request_id",
        "ring_no",
        "role",
        "route",
        "seconds",
        "service",
        "shot_id",
        "signal",
        "size",
        "slots",
        "slug",
        "state",
        "status",
        "step_id",
        "support_id",
        "take_id",
        "tenant_id",
        "timestamped",
        "url_host",
        "version",
        "worker",
    ]
)

_context: contextvars.ContextVar[dict[str, object] | None] = contextvars.ContextVar(
    "log_context", default=None
)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Put fields on every line written inside."""
    token = _context.set({**(_context.get() or {}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def current() -> dict[str, object]:
    return dict(_context.get() or {})


class Logger:
    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._log(logging.ERROR, event, fields)

    def failure(self, event: str, error: BaseException | None = None, **fields: object) -> None:
        """Log the error being handled, or the one given, with its frames and none of its text."""
        self._logger.error(event, extra={"fields": fields}, exc_info=error or True)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        self._logger.log(level, event, extra={"fields": fields})


def logger(name: str) -> Logger:
    return Logger(name)


class _Formatter(logging.Formatter):
    def __init__(self, style: Literal["json", "console"], service: str) -> None:
        super().__init__()
        self._layout, self._service = style, service

    def format(self, record: logging.LogRecord) -> str:
        given = {**(_context.get() or {}), **getattr(record, "fields", {})}
        fields = {name: value for name, value in given.items() if name in ALLOWED and value is not None}
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        trouble = self._trouble(record)
        if self._layout == "json":
            line = {"time": time, "level": record.levelname.lower(), "service": self._service}
            line |= {"event": record.getMessage(), "logger": record.name}
            return json.dumps({**line, **fields, **trouble}, default=str, ensure_ascii=False)
        shown = " ".join(f"{name}={value}" for name, value in fields.items())
        text = f"{time[11:23]} {record.levelname.lower():7} {record.getMessage():28} {shown}".rstrip()
        return text + (f"\n{trouble['exception_type']}\n{trouble['frames']}" if trouble else "")

    @staticmethod
    def _trouble(record: logging.LogRecord) -> dict[str, str]:
        # an exception's text may quote what a client or a provider sent: its type and frames are enough
        if not record.exc_info or record.exc_info[0] is None:
            return {}
        kind, _, trace = record.exc_info
        frames: list[str] = []
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
            trace = trace.tb_next
        told = [frame for frame in frames[:-2] if "site-packages" not in frame] + frames[-2:]
        trouble = {"exception_type": kind.__name__, "frames": " < ".join(reversed(told))}
        sqlstate = getattr(getattr(record.exc_info[1], "orig", None), "sqlstate", None)
        return {**trouble, "sqlstate": sqlstate} if sqlstate else trouble


def configure(*, service: str, style: Literal["json", "console"], level: str) -> None:
    """Send every logger of the process to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(style, service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in (
        "arq",
        "botocore",
        "boto3",
        "urllib3",
        "asyncio",
        "sqlalchemy",
        "aiohttp.access",
        "uvicorn.access",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for own in ("uvicorn", "uvicorn.error"):
        logging.getLogger(own).handlers[:] = []
        logging.getLogger(own).propagate = True
