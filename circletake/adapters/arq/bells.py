"""What a bell looks like in Redis: one ARQ job in JSON that carries three ids and nothing else."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from arq.jobs import serialize_job
from arq.utils import timestamp_ms

FUNCTION = "bell"
LIFETIME_SECONDS = (
    600  # the dispatcher rings again long before; an older bell would only wake somebody for nothing
)

_LONGEST = 512  # bytes; ours have about 150
_JOB_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,18}")
_LATEST_MS = 10**14  # the year 5138: a number beyond it would break ARQ's own dates


@dataclass(frozen=True, slots=True)
class Bell:
    """A bell for one step. Its text shows nothing, because ARQ logs the arguments of every job."""

    tenant_id: UUID = field(repr=False)
    step_id: UUID = field(repr=False)
    ring_no: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class OddBell:
    """Something in the queue that isn't a bell of ours."""

    reason: str


def queue_name(lane: str) -> str:
    """Return the sorted set that holds the lane's bells."""
    return f"circletake:{lane}"


def channel_name(lane: str) -> str:
    """Return the channel on which the lane's workers are woken."""
    return f"circletake:{lane}:bell"


def job_id(step_id: UUID, ring_no: int) -> str:
    """Return the ARQ job id: the same ring of the same step is the same job."""
    return f"{step_id}:{ring_no}"


def is_job_id(raw: bytes) -> bool:
    """Say whether a member of the queue can be a bell of ours."""
    return _JOB_ID.fullmatch(raw) is not None


def pack(bell: Bell) -> bytes:
    """Return the job in ARQ's own format, as JSON."""
    args = (str(bell.tenant_id), str(bell.step_id), str(bell.ring_no))
    return serialize_job(FUNCTION, args, {}, None, timestamp_ms(), serializer=_to_json)


def unpack(raw: bytes) -> dict[str, Any]:
    """Deserialise a job for ARQ. Whatever was in Redis, the result calls our one function, with a Bell or an OddBell.

    Never raises: ARQ would log the failure with a traceback for every odd job.
    """
    try:
        bell, enqueued = _read(raw)
    except _Odd as odd:
        return _job(OddBell(str(odd)), 0)
    return _job(bell, enqueued)


def no_result(_: dict[str, Any]) -> bytes:
    """Serialise a job's result for ARQ: results are never kept, so there is nothing to write."""
    return b"{}"


class _Odd(ValueError):
    pass


def _to_json(job: dict[str, Any]) -> bytes:
    return json.dumps(job, separators=(",", ":")).encode()


def _job(argument: Bell | OddBell, enqueued: int) -> dict[str, Any]:
    return {"t": None, "f": FUNCTION, "a": (argument,), "k": {}, "et": enqueued}


def _read(raw: bytes) -> tuple[Bell, int]:
    if len(raw) > _LONGEST:
        raise _Odd("too long")
    try:
        job = json.loads(raw)
    except (ValueError, RecursionError):
        raise _Odd("not JSON") from None
    if not isinstance(job, dict) or set(job) != {"t", "f", "a", "k", "et"}:
        raise _Odd("not a job")
    if job["f"] != FUNCTION or job["t"] is not None or job["k"] != {}:
        raise _Odd("another function")
    enqueued = job["et"]
    if type(enqueued) is not int or not 0 <= enqueued < _LATEST_MS:
        raise _Odd("no enqueue time")
    return _bell(job["a"]), enqueued


def _bell(args: object) -> Bell:
    match args:
        case [str(tenant), str(step), str(ring)] if ring.isascii() and ring.isdigit():
            try:
                bell = Bell(UUID(tenant), UUID(step), int(ring))
            except ValueError:
                raise _Odd("no ids") from None
            if (str(bell.tenant_id), str(bell.step_id), str(bell.ring_no)) != (tenant, step, ring):
                raise _Odd("ids in another spelling")
            return bell
        case _:
            raise _Odd("other arguments")
