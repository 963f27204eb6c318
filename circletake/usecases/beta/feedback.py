"""What people think of takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert

from circletake.domain.beta.programme import FeedbackReason
from circletake.domain.errors import Conflict
from circletake.domain.people import Person
from circletake.domain.takes import TakeState
from circletake.kit.ids import new_id
from circletake.ports import Seal
from circletake.records.beta import TakeFeedback
from circletake.records.session import Database
from circletake.usecases.find_generations import find_take
from circletake.usecases.sealed_text import open_text


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """`rating` is 1 (useless) to 5 (as wished); `minutes_saved` against doing it without, negative where it cost time."""

    rating: int
    reasons: Sequence[FeedbackReason]
    would_use_in_cut: bool
    minutes_saved: int | None = None
    comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FeedbackView:
    """A feedback with its comment opened."""

    feedback: TakeFeedback
    comment: str | None = field(repr=False)


async def give_feedback(
    database: Database,
    seal: Seal,
    *,
    tenant_id: UUID,
    person: Person,
    take_id: UUID,
    new: NewFeedback,
    now: datetime,
) -> FeedbackView:
    """Keep what a person thinks of a take; it replaces what they said of it before. Raises NotFound, or Conflict for a
    take that didn't succeed."""
    async with database.tenant(tenant_id) as session:
        take = await find_take(session, tenant_id, take_id)
        if take.state != TakeState.SUCCEEDED:
            raise Conflict(
                f"This take is {take.state}; only what can be looked at can be rated.",
                code="take_not_succeeded",
            )
        # sealed to who said it of what: the same place whichever row holds it
        comment = None if new.comment is None else seal.close(new.comment, place=_place(take_id, person.id))
        said = {
            "rating": new.rating,
            "reasons": sorted({reason.value for reason in new.reasons}),
            "would_use_in_cut": new.would_use_in_cut,
            "minutes_saved": new.minutes_saved,
            "comment": comment,
            "said_at": now,
        }
        row = (
            await session.scalars(
                upsert(TakeFeedback)
                .values(
                    id=new_id(),
                    tenant_id=tenant_id,
                    take_id=take_id,
                    person_id=person.id,
                    created_at=now,
                    **said,
                )
                .on_conflict_do_update(index_elements=["tenant_id", "take_id", "person_id"], set_=said)
                .returning(TakeFeedback)
            )
        ).one()
        return FeedbackView(row, new.comment)


async def list_feedback(
    database: Database,
    seal: Seal,
    tenant_id: UUID,
    take_id: UUID,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[FeedbackView]:
    """Return at most `limit` feedbacks of a take, newest first. Raises NotFound."""
    query = select(TakeFeedback).where(TakeFeedback.tenant_id == tenant_id, TakeFeedback.take_id == take_id)
    if before is not None:
        query = query.where(tuple_(TakeFeedback.created_at, TakeFeedback.id) < before)
    query = query.order_by(TakeFeedback.created_at.desc(), TakeFeedback.id.desc()).limit(limit)
    async with database.tenant(tenant_id) as session:
        await find_take(session, tenant_id, take_id)
        return [
            FeedbackView(row, open_text(seal, row.comment, _place(row.take_id, row.person_id)))
            for row in await session.scalars(query)
        ]


def _place(take_id: UUID, person_id: UUID) -> str:
    return f"take_feedback.comment:{take_id}:{person_id}"
