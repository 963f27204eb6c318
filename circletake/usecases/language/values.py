"""A language request with its content opened: how it is kept, and how it is read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circletake.domain.errors import NotFound
from circletake.domain.kinds import Billed
from circletake.domain.language.breakdown import Breakdown
from circletake.domain.language.briefs import ProposedPrompt
from circletake.domain.language.words import LanguageTask
from circletake.kit.hashing import canonical_json
from circletake.ports import Seal
from circletake.records.language import LanguageCall, LanguageRequest
from circletake.records.session import TenantSession


@dataclass(frozen=True, slots=True)
class LanguageCost:
    """What the calls of a request came to. `billed` is None before the first; `at_most` counts unknown bills whole."""

    billed: Billed | None
    charged: Decimal
    at_most: Decimal
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class LanguageView:
    """A request, its content opened: `given` is what was sent in, `written` and `edited` are None until they exist."""

    row: LanguageRequest
    given: dict[str, Any] = field(repr=False)
    written: dict[str, Any] | None = field(repr=False)
    edited: dict[str, Any] | None = field(repr=False)
    cost: LanguageCost

    @property
    def breakdown(self) -> Breakdown | None:
        """The breakdown as it stands: as people edited it, or as the model wrote it."""
        stands = self.edited or self.written
        return Breakdown.from_json(stands) if stands else None

    @property
    def original(self) -> Breakdown | None:
        """The breakdown as the model wrote it."""
        return Breakdown.from_json(self.written) if self.written else None

    @property
    def proposal(self) -> ProposedPrompt | None:
        return ProposedPrompt(**self.written) if self.written else None


def place(column: str, request_id: UUID) -> str:
    return f"language_requests.{column}:{request_id}"


def close_json(seal: Seal, column: str, request_id: UUID, content: dict[str, Any]) -> bytes:
    return seal.close(canonical_json(content), place=place(column, request_id))


def open_json(seal: Seal, column: str, request_id: UUID, sealed: bytes | None) -> dict[str, Any] | None:
    if sealed is None:
        return None
    opened: dict[str, Any] = json.loads(seal.open(sealed, place=place(column, request_id)))
    return opened


def view_of(seal: Seal, row: LanguageRequest, calls: Sequence[LanguageCall]) -> LanguageView:
    return LanguageView(
        row=row,
        given=open_json(seal, "input", row.id, row.input) or {},
        written=open_json(seal, "result", row.id, row.result),
        edited=open_json(seal, "edited", row.id, row.edited),
        cost=cost_of(calls),
    )


def cost_of(calls: Sequence[LanguageCall]) -> LanguageCost:
    """Sum up what the calls cost. One unknown bill makes the whole unknown; one paid call makes it paid."""
    bills = {each.billed for each in calls}
    order = (Billed.UNKNOWN, Billed.TRUE, Billed.FALSE)
    billed = next((each for each in order if each.value in bills), None)
    charged = sum((each.cost_usd or Decimal(0) for each in calls if each.billed == "true"), Decimal(0))
    open_ = sum((each.cost_usd or Decimal(0) for each in calls if each.billed == "unknown"), Decimal(0))
    return LanguageCost(
        billed,
        charged,
        charged + open_,
        sum(each.tokens_in or 0 for each in calls),
        sum(each.tokens_out or 0 for each in calls),
    )


_NAMES = {LanguageTask.SCRIPT_BREAKDOWN: "script breakdown", LanguageTask.SHOT_PROMPT: "shot prompt"}


async def find_request(
    session: TenantSession, tenant_id: UUID, task: LanguageTask, request_id: UUID, *, lock: bool = False
) -> LanguageRequest:
    """Return one request of a task. Raises NotFound, also for one of another task."""
    query = select(LanguageRequest).where(
        LanguageRequest.tenant_id == tenant_id,
        LanguageRequest.id == request_id,
        LanguageRequest.task == task.value,
    )
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = await session.scalar(query)
    if row is None:
        raise NotFound(_NAMES[task])
    return row


async def calls_of(session: TenantSession, row: LanguageRequest) -> Sequence[LanguageCall]:
    calls = await session.scalars(
        select(LanguageCall).where(LanguageCall.tenant_id == row.tenant_id, LanguageCall.subject_id == row.id)
    )
    return calls.all()
