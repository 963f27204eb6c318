"""The least that could be called accepting work: a FastAPI route that validates a body and commits one row.

`python -m benchmarks.bare_route PORT`, with the database's URL in BENCH_DATABASE_URL. Served as the gateway is.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Text, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Record(DeclarativeBase):
    """The tables of this process."""


class Request(Record):
    __tablename__ = "requests"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    production_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(Text)
    prompt: Mapped[str] = mapped_column(Text)
    takes: Mapped[int]
    controls: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Body(BaseModel):
    production_id: UUID
    kind: str
    prompt: str
    takes: int = 1
    controls: dict[str, Any] = {}


class Accepted(BaseModel):
    id: UUID
    state: str


def build(url: str) -> FastAPI:
    engine = create_async_engine(url, pool_size=8, max_overflow=4)
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Record.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/requests", status_code=202)
    async def accept(body: Body) -> Accepted:
        request_id = uuid4()
        async with sessions.begin() as session:
            await session.execute(insert(Request).values(id=request_id, **body.model_dump()))
        return Accepted(id=request_id, state="queued")

    return app


def main() -> None:
    url = os.environ["BENCH_DATABASE_URL"]  # noqa: TID251 - a process of the benchmark's own
    uvicorn.run(
        build(url),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="on",
    )


if __name__ == "__main__":
    main()
