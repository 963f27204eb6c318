"""Budgets in real Postgres: many at once, killed halfway, made while others spend. To the cent, always."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import event, insert, select, text, update

from circletake.adapters.kms.seal import AesSeal
from circletake.domain.costs import cost_of_take
from circletake.domain.kinds import Billed
from circletake.domain.money.budgets import Amounts, Thresholds
from circletake.domain.people import PLATFORM
from circletake.kit.ids import new_id
from circletake.records.context import Production, Shot
from circletake.records.events import Event, LedgerEntry
from circletake.records.generations import Generation, Take
from circletake.records.money import Budget
from circletake.records.session import Database as Connections
from circletake.usecases.money.budgets import budget_room, reserve, settle
from circletake.usecases.money.keep_budgets import BudgetPlace, get_budget, set_budget
from circletake.usecases.money.sums import check_budgets
from tests.stack import Database

EIGHT_CENTS = Decimal("0.08")
CONNECTIONS = 16


class Books:
    """A studio with a production and a shot, and takes that cost money."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self.tenant_id, self.production_id, self.shot_id, self.generation_id = (new_id() for _ in range(4))
        self.seal = AesSeal(bytes(32), self.tenant_id)

    @property
    def where(self) -> dict[str, Any]:
        return {"tenant_id": self.tenant_id, "production_id": self.production_id, "shot_id": self.shot_id}

    async def begin(self, superuser_url: str) -> None:
        connection = await asyncpg.connect(superuser_url.replace("+asyncpg", ""))
        await connection.execute(
            "insert into tenants (id, slug, name, state, region, weight, max_running)"
            " values ($1, $2, 'A studio', 'active', 'us-west-2', 1, 10)",
            self.tenant_id,
            self.tenant_id.hex,
        )
        await connection.close()
        own = {"tenant_id": self.tenant_id}
        async with self.connections.tenant(self.tenant_id) as session:
            await session.execute(
                insert(Production).values(id=self.production_id, code="P", title="P", **own)
            )
            await session.execute(
                insert(Shot).values(id=self.shot_id, production_id=self.production_id, code="S", **own)
            )
            await session.execute(
                insert(Generation).values(
                    id=self.generation_id, kind="concept_art", model_id="m", state="queued",
                    production_id=self.production_id, shot_id=self.shot_id, ledger_entry_id=new_id(), **own,
                )
            )  # fmt: skip

    async def budget(self, place: BudgetPlace, hard: str | None, soft: str | None = None) -> None:
        thresholds = Thresholds(Decimal(soft) if soft else None, Decimal(hard) if hard else None)
        await set_budget(
            self.connections, self.seal, place=place, thresholds=thresholds, note=None, actor=PLATFORM,
            expect=lambda _: None,
        )  # fmt: skip

    async def ask(self, number: int, usd: Decimal, *, lose: bool = False) -> UUID | None:
        """Request one take, as T1 does. `lose`: the process dies before the commit."""
        take_id = new_id()
        async with self.connections.tenant(self.tenant_id) as session:
            answer = await reserve(session, amount=usd, **self.where)
            await session.execute(
                insert(Take).values(
                    id=take_id, tenant_id=self.tenant_id, generation_id=self.generation_id, number=number,
                    state="queued" if answer.room else "held", estimate_usd=usd,
                    reserved_usd=usd if answer.room else Decimal(0),
                )
            )  # fmt: skip
            if lose:
                raise asyncio.CancelledError
        return take_id if answer.room else None

    async def end(self, take_id: UUID, billed: Billed, *, lose: bool = False) -> None:
        async with self.connections.tenant(self.tenant_id) as session:
            take = await session.get_one(Take, take_id, with_for_update=True)
            cost = cost_of_take(take.estimate_usd, billed)
            await settle(
                session, reserved=take.reserved_usd, spent=cost.charged, unknown=cost.at_most - cost.charged,
                **self.where,
            )  # fmt: skip
            take.state, take.billed, take.cost_usd = "succeeded", billed.value, cost.charged
            take.unknown_usd = cost.at_most - cost.charged
            take.reserved_usd = Decimal(0)
            await session.flush()
            if lose:
                raise asyncio.CancelledError

    async def amounts(self, place: BudgetPlace) -> Amounts:
        budget = (await get_budget(self.connections, self.seal, place)).budget
        return Amounts(budget.spent_usd, budget.unknown_usd, budget.reserved_usd)

    async def wrong(self) -> list[str]:
        async with self.connections.tenant(self.tenant_id) as session:
            return await check_budgets(session, self.tenant_id)

    async def told(self) -> list[str]:
        async with self.connections.tenant(self.tenant_id) as session:
            return list(await session.scalars(select(Event.type).order_by(Event.created_at)))

    @property
    def tenant(self) -> BudgetPlace:
        return BudgetPlace(self.tenant_id)

    @property
    def production(self) -> BudgetPlace:
        return BudgetPlace(self.tenant_id, self.production_id)

    @property
    def shot(self) -> BudgetPlace:
        return BudgetPlace(self.tenant_id, None, self.shot_id)


@pytest.fixture
async def books(database: Database) -> AsyncIterator[Books]:
    connections = Connections(database.url("app"), pool_size=CONNECTIONS)
    made = Books(connections)
    await made.begin(database.superuser_url)
    yield made
    await connections.close()


async def test_two_hundred_requests_race_for_the_last_ten_dollars(books: Books) -> None:
    """Half of them die before they commit, some takes end meanwhile: never a cent more than there is, none lost."""
    ten = Decimal(10)
    await books.budget(books.production, "10")
    await books.budget(books.tenant, None, soft="5")
    draw = random.Random(7)
    over: list[Amounts] = []

    async def one(number: int) -> bool:
        usd = Decimal(draw.randrange(5, 40)) / 100
        try:
            take_id = await books.ask(number, usd, lose=number % 2 == 0)
            if take_id is not None and number % 3 == 0:
                billed = draw.choice([Billed.TRUE, Billed.UNKNOWN])
                await books.end(take_id, billed, lose=number % 9 == 0)
        except asyncio.CancelledError:
            return False
        now = await books.amounts(books.production)
        if now.used > ten:
            over.append(now)
        return take_id is not None

    processes = asyncio.Semaphore(CONNECTIONS)  # as many at once as there are connections

    async def turn(number: int) -> bool:
        async with processes:
            return await one(number)

    ran = await asyncio.gather(*(turn(number) for number in range(1, 201)))
    assert over == []
    assert await books.wrong() == []
    used = (await books.amounts(books.production)).used
    assert ten - Decimal("0.40") < used <= ten  # as many ran as there was room for
    assert 0 < sum(ran) < 100
    told = await books.told()
    assert (told.count("budget.soft"), told.count("budget.hard")) == (1, 1)


async def test_a_connection_that_is_cut_leaves_the_books_right(books: Books, database: Database) -> None:
    """A process that is killed with the budget's lock in its hand leaves neither a reservation nor a lock."""
    await books.budget(books.shot, "10")
    locked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def dies() -> None:
        async with books.connections.tenant(books.tenant_id) as session:
            await reserve(session, amount=EIGHT_CENTS, **books.where)
            locked.set_result(await session.scalar(text("select pg_backend_pid()")) or 0)
            await asyncio.Event().wait()

    dying = asyncio.create_task(dies())
    pid = await locked
    waiting = asyncio.create_task(books.ask(1, EIGHT_CENTS))
    killer = await asyncpg.connect(database.superuser_url.replace("+asyncpg", ""))
    await killer.execute("select pg_terminate_backend($1)", pid)
    await killer.close()
    assert await waiting is not None
    assert await books.amounts(books.shot) == Amounts(reserved=EIGHT_CENTS)
    assert await books.wrong() == []
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)


async def test_a_budget_made_while_others_spend_counts_each_take_once(books: Books) -> None:
    """It counts what was there and misses nothing of what was under way."""
    takes = [await books.ask(number, EIGHT_CENTS) for number in range(1, 9)]

    async def spend(number: int) -> None:
        await books.ask(number, EIGHT_CENTS)
        if number < 18:
            await books.end(takes[number - 10] or new_id(), Billed.TRUE)

    await asyncio.gather(
        *(spend(number) for number in range(10, 40)),
        books.budget(books.tenant, "100"),
        books.budget(books.shot, "100"),
        books.budget(books.production, "100"),
    )
    assert await books.wrong() == []
    assert await books.amounts(books.shot) == Amounts(spent=8 * EIGHT_CENTS, reserved=30 * EIGHT_CENTS)


async def test_without_room_in_one_budget_nothing_is_reserved_in_any(books: Books) -> None:
    """The line names the budget that is short, with what is left of it; an unknown bill counts whole."""
    await books.budget(books.tenant, "100")
    await books.budget(books.shot, "0.20")
    first = await books.ask(1, EIGHT_CENTS)
    assert first is not None
    await books.end(first, Billed.UNKNOWN)
    async with books.connections.tenant(books.tenant_id) as session:
        answer = await reserve(session, amount=Decimal("0.16"), **books.where)
        dry = await budget_room(session, amount=Decimal("0.12"), **books.where)
    assert [line.rule for line in answer.lines] == ["budget.shot"]
    assert "$0.16, and of the shot's budget of $0.20 $0.12 is left" in answer.lines[0].says
    assert dry.room
    assert await books.amounts(books.tenant) == Amounts(unknown=EIGHT_CENTS)


async def test_a_change_counts_anew_and_stands_on_the_ledger(books: Books) -> None:
    """Whatever put a counter wrong ends with the next change of the budget."""
    await books.budget(books.tenant, "1")
    await books.ask(1, EIGHT_CENTS)
    async with books.connections.tenant(books.tenant_id) as session:
        await session.execute(update(Budget).values(spent_usd=Decimal(7)))
    assert len(await books.wrong()) == 1
    await books.budget(books.tenant, "2")
    assert await books.wrong() == []
    async with books.connections.tenant(books.tenant_id) as session:
        assert list(await session.scalars(select(LedgerEntry.kind))) == ["budget.set"] * 2


async def test_a_studio_without_budgets_is_asked_once(books: Books) -> None:
    """Where nobody keeps a budget, reserving costs one query and writes nothing."""
    asked: list[str] = []
    event.listen(
        books.connections.engine.sync_engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, *_: asked.append(statement),
    )
    async with books.connections.tenant(books.tenant_id) as session:
        assert (await reserve(session, amount=EIGHT_CENTS, **books.where)).room
    assert len(asked) == 1
