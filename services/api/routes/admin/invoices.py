"""The provider's invoices, and what they say beside our books."""

import tempfile
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import PlainTextResponse

from circletake.domain.errors import Refused, invalid
from circletake.usecases.money.compare_invoice import compare_invoice
from circletake.usecases.money.invoices import list_invoices, take_invoice
from services.api.auth import operator
from services.api.bodies import spool
from services.api.paging import next_cursor, position
from services.api.problems import ALWAYS
from services.api.requests import Cursor, PageSize, link_next, wants_csv
from services.api.schemas.admin_invoices import InvoiceReply, InvoiceReportReply
from services.api.schemas.common import Page
from services.api.wiring import Gateway, gateway

router = APIRouter(
    prefix="/admin/v1/invoices", tags=["invoices"], dependencies=[Depends(operator)], responses=ALWAYS
)
Desk = Annotated[Gateway, Depends(gateway)]

MAX_INVOICE_BYTES = 32 * 1024 * 1024
CSV = "text/csv"
_FORMS = frozenset({CSV, "application/gzip", "application/x-gzip", "application/octet-stream"})
_FILE = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys(sorted(_FORMS), _FILE)}
}


class NotAnExport(Refused):
    status = 415
    code = "unsupported_media_type"
    title = "Not a cost export"


@router.post(
    "",
    status_code=201,
    openapi_extra=_CONTENT,
    responses={200: {"model": InvoiceReply, "description": "This very file was taken before"}},
)
async def take(http: Request, response: Response, desk: Desk) -> InvoiceReply:
    """Take a cost export of AWS, as it is: CUR 2.0 or the Cost and Usage Report before it, as CSV or gzipped CSV of up
    to 32 MiB (160 MiB unpacked), in US dollars. It is read whole or not at all; a line that is wrong is named. Kept are
    sums of its lines, by studio, model and day. The same file again is the same invoice."""
    given = http.headers.get("content-type", "").split(";")[0].strip().lower()
    if given not in _FORMS:
        raise NotAnExport("Send the export as text/csv or application/gzip.")
    with tempfile.TemporaryFile(prefix="circletake-invoice-") as kept:
        digest, size = await spool(http, kept, MAX_INVOICE_BYTES)
        if size == 0:
            raise invalid("/", "empty", "Send the file's bytes as the body.")
        kept.seek(0)
        invoice, made = await take_invoice(
            desk.operator_database, desk.invoices, desk.catalogue, kept, digest.hex()
        )
    response.status_code = 201 if made else 200
    response.headers["Location"] = f"/admin/v1/invoices/{invoice.id}"
    return InvoiceReply.of(invoice)


@router.get("", response_model=Page[InvoiceReply])
async def list_all(
    http: Request, response: Response, desk: Desk, limit: PageSize = 50, cursor: Cursor = None
) -> Any:
    """List invoices, newest first."""
    rows = await list_invoices(
        desk.operator_database, limit=limit + 1, before=position(desk.cursors, "invoices", cursor)
    )
    following = next_cursor(desk.cursors, "invoices", rows, limit)
    response.headers.update(link_next(http, following))
    return Page(data=[InvoiceReply.of(row) for row in rows[:limit]], next_cursor=following)


@router.get(
    "/{invoice_id}",
    response_model=InvoiceReportReply,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
async def get(
    invoice_id: UUID,
    desk: Desk,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Read what an invoice says beside our books: by studio and model what is invoiced, what we charged for calls of
    the same days, the difference, and which calls of unknown bill it could be. What isn't compared is listed with the
    reason. `Accept: text/csv` gives the same as a table."""
    found = InvoiceReportReply.of_report(await compare_invoice(desk.operator_database, invoice_id))
    if wants_csv(accept):
        name = f"invoice-{found.period_from}-{found.period_to}.csv"
        return PlainTextResponse(
            found.csv(),
            media_type=CSV,
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Vary": "Accept"},
        )
    return Response(found.model_dump_json(), media_type="application/json", headers={"Vary": "Accept"})
