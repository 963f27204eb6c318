"""The cohort report: what people thought of takes, by model and kind, over all studios. Numbers only.

The operator's database role reads no take and no feedback. It may call one function of the database, which gives out
sums over at least five feedbacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import text

from circletake.records.session import Database

_REPORT = text("select * from cohort_report(:since, :until)")


@dataclass(frozen=True, slots=True)
class Cell:
    """One model and kind. Of a suppressed one, which has fewer than five feedbacks, nothing else is told.

    `rating` and `cost_usd` are means, the cost of the takes that were rated; `would_use_in_cut` is a share;
    `minutes_saved` is a median, of those who said it.
    """

    model: str
    kind: str
    suppressed: bool
    studios: int | None
    feedbacks: int | None
    takes: int | None
    rating: Decimal | None
    would_use_in_cut: Decimal | None
    minutes_saved: Decimal | None
    cost_usd: Decimal | None
    reasons: Mapping[str, int] | None


async def cohort_report(database: Database, *, since: date, until: date) -> Sequence[Cell]:
    """Report what was said from the day `since` to the day `until`, both included, UTC."""
    values = {
        "since": datetime.combine(since, time(), UTC),
        "until": datetime.combine(until, time(), UTC) + timedelta(days=1),
    }
    async with database.role() as session:
        rows = await session.execute(_REPORT, values)
        return [Cell(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name
