"""The register of everything AI made in a production, streamed."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from circletake.domain.register import RegisterLine, csv_header, csv_lines, json_lines
from circletake.usecases.find_context import get_production
from circletake.usecases.read_register import read_register
from services.api.auth import Reader, seal_of
from services.api.keys import Principal
from services.api.problems import ALWAYS
from services.api.wiring import Gateway, gateway

router = APIRouter(prefix="/v1/productions", tags=["productions"], responses=ALWAYS)
Desk = Annotated[Gateway, Depends(gateway)]
Write = Callable[[Iterable[RegisterLine]], str]


class CsvStream(StreamingResponse):
    media_type = "text/csv"


class JsonLinesStream(StreamingResponse):
    media_type = "application/jsonl"


@router.get("/{production_id}/ai-register.csv", response_class=CsvStream)
async def get_ai_register_csv(production_id: UUID, who: Reader, desk: Desk) -> CsvStream:
    """Read the register of everything AI made, one line per take, oldest request first. A cell that a spreadsheet
    would run as a formula begins with an apostrophe."""
    production = await get_production(desk.database, who.tenant_id, production_id)
    stream = _stream(desk, who, production_id, csv_lines, csv_header())
    return CsvStream(stream, headers=_attachment(f"{production.code}-ai-register.csv"))


@router.get("/{production_id}/ai-register.jsonl", response_class=JsonLinesStream)
async def get_ai_register_jsonl(production_id: UUID, who: Reader, desk: Desk) -> JsonLinesStream:
    """Read the same register as JSON lines."""
    production = await get_production(desk.database, who.tenant_id, production_id)
    stream = _stream(desk, who, production_id, json_lines)
    return JsonLinesStream(stream, headers=_attachment(f"{production.code}-ai-register.jsonl"))


async def _stream(
    desk: Gateway, who: Principal, production_id: UUID, write: Write, header: str = ""
) -> AsyncIterator[str]:
    if header:
        yield header
    seal = await seal_of(desk, who)
    async for lines in read_register(desk.database, seal, who.tenant_id, production_id):
        yield write(lines)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
