"""Invoices and their differences on the operator's wire, as JSON and as CSV."""

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, PlainSerializer

from circletake.domain.money.invoices import Apart, Finding, Suggests
from circletake.records.invoices import Invoice
from circletake.usecases.money.compare_invoice import ApartSum, InvoiceReport, ModelDifference
from services.api.schemas.common import Reply

# as the invoice says it, to its last digit, never with an exponent
Exact = Annotated[Decimal, PlainSerializer(lambda value: f"{value:f}", return_type=str)]
_EXACT = Context(prec=80)


class InvoiceReply(Reply):
    """An export of the provider's that was read whole."""

    id: UUID
    sha256: str = Field(description="Of the file as it was sent: the same file is the same invoice")
    form: Literal["cur2", "cur"] = Field(description="Its columns: of CUR 2.0, or of the report before it")
    currency: Literal["USD"]
    period_from: date = Field(description="UTC, as all days here")
    period_to: date = Field(description="The last day it says anything of; included")
    lines: int
    total_usd: Exact = Field(description="The sum of all its lines, unblended, to the last digit")
    accounts: list[str] = Field(description="Ids of the AWS accounts that it bills")
    created_at: datetime

    @classmethod
    def of(cls, invoice: Invoice) -> "InvoiceReply":
        return cls.model_validate(invoice)


class InvoicedUnits(Reply):
    unit: str = Field(description="As the provider counts; empty where the export doesn't say it")
    units: Exact


class UnknownBill(Reply):
    """A call whose bill nobody knows, and what the invoice lets one think of it. A person settles it:
    `POST /admin/v1/tenants/{tenant_id}/calls/{call_id}/settlement`."""

    call_id: UUID
    kind: Literal["take", "judging", "language"]
    take_id: UUID | None
    at: datetime
    estimate_usd: Exact
    suggests: Suggests


class ModelDifferenceReply(Reply):
    """One studio's calls to one model."""

    model: str
    lines: int
    invoiced: list[InvoicedUnits]
    invoiced_usd: Exact
    charged_usd: Exact = Field(description="What our books say is owed for certain, for calls of these days")
    charged_calls: int
    unknown_usd: Exact = Field(description="What may be owed beside: calls whose bill nobody knows")
    difference_usd: Exact = Field(
        description="invoiced_usd less charged_usd; below zero the invoice shows less"
    )
    finding: Finding = Field(
        description="agrees; explained: it is just what some of the unknown calls cost; differs: something else"
    )
    billed_calls: int | None = Field(
        description="How many of the unknown calls it must be, where it can't be said which"
    )
    unknown_calls: list[UnknownBill]

    @classmethod
    def of(cls, found: ModelDifference) -> "ModelDifferenceReply":
        explained = found.explained()
        return cls(
            model=found.model,
            lines=found.lines,
            invoiced=[InvoicedUnits(unit=unit, units=found.units[unit]) for unit in sorted(found.units)],
            invoiced_usd=found.invoiced_usd,
            charged_usd=found.charged_usd,
            charged_calls=found.calls,
            unknown_usd=found.unknown_usd,
            difference_usd=found.difference,
            finding=explained.finding,
            billed_calls=explained.billed_calls,
            unknown_calls=[
                UnknownBill.model_validate(
                    {
                        "call_id": each.id,
                        "kind": each.kind,
                        "take_id": each.take_id,
                        "at": each.at,
                        "estimate_usd": each.estimate,
                        "suggests": explained.suggests[each.id],
                    }
                )
                for each in found.unknown
            ],
        )


class StudioDifference(Reply):
    """One studio: the sums of its models."""

    tenant_id: UUID
    slug: str
    invoiced_usd: Exact
    charged_usd: Exact
    unknown_usd: Exact
    difference_usd: Exact
    models: list[ModelDifferenceReply]


class ApartLines(Reply):
    """Lines that aren't compared, and why. They count in the invoice's total."""

    reason: Apart
    tenant_id: UUID | None
    model: str | None
    service: str = Field(description="The product's name; its code where the export has no names")
    usage_type: str
    line_type: str
    account_id: str
    unit: str
    lines: int
    units: Exact
    usd: Exact


class InvoiceReportReply(InvoiceReply):
    """An invoice beside our books as they are now: a bill that is settled meanwhile counts as settled.

    `compared_usd` and `apart_usd` together are `total_usd`, to the last digit."""

    compared_usd: Exact
    apart_usd: Exact
    overlapping: list[UUID] = Field(
        description="Other invoices of some of the same days: they say the same again, and none is added to another"
    )
    studios: list[StudioDifference]
    apart: list[ApartLines]

    @classmethod
    def of_report(cls, report: InvoiceReport) -> "InvoiceReportReply":
        studios: dict[UUID, list[ModelDifference]] = {}
        for each in report.differences:
            studios.setdefault(each.tenant_id, []).append(each)
        return cls(
            **InvoiceReply.of(report.invoice).model_dump(),
            compared_usd=_total([each.invoiced_usd for each in report.differences]),
            apart_usd=_total([each.usd for each in report.apart]),
            overlapping=list(report.overlapping),
            studios=[_studio(found) for found in studios.values()],
            apart=[_apart(each) for each in report.apart],
        )

    def csv(self) -> str:
        """A line for each studio and model, then one for each sum of lines that aren't compared."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for studio in self.studios:
            for each in studio.models:
                writer.writerow(
                    [
                        each.finding.value, studio.tenant_id, studio.slug, each.model, "", "", "", "", each.lines,
                        f"{each.invoiced_usd:f}", f"{each.charged_usd:f}", f"{each.unknown_usd:f}",
                        f"{each.difference_usd:f}", each.charged_calls, len(each.unknown_calls),
                        "" if each.billed_calls is None else each.billed_calls,
                        " ".join(str(call.call_id) for call in each.unknown_calls if call.suggests == Suggests.BILLED),
                    ]
                )  # fmt: skip
        for line in self.apart:
            writer.writerow(
                [
                    line.reason.value, line.tenant_id or "", "", line.model or "", _cell(line.service),
                    _cell(line.usage_type), _cell(line.line_type), _cell(line.account_id), line.lines, f"{line.usd:f}",
                    *[""] * 7,
                ]
            )  # fmt: skip
        return text.getvalue()


_COLUMNS = (
    "finding", "tenant_id", "studio", "model", "service", "usage_type", "line_type", "account_id", "lines",
    "invoiced_usd", "charged_usd", "unknown_usd", "difference_usd", "charged_calls", "unknown_calls", "billed_calls",
    "suggested_billed",
)  # fmt: skip


def _studio(found: Sequence[ModelDifference]) -> StudioDifference:
    return StudioDifference(
        tenant_id=found[0].tenant_id,
        slug=found[0].slug,
        invoiced_usd=_total([each.invoiced_usd for each in found]),
        charged_usd=_total([each.charged_usd for each in found]),
        unknown_usd=_total([each.unknown_usd for each in found]),
        difference_usd=_total([each.difference for each in found]),
        models=[ModelDifferenceReply.of(each) for each in found],
    )


def _apart(found: ApartSum) -> ApartLines:
    return ApartLines.model_validate(found)


def _total(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for each in amounts:
        total = _EXACT.add(total, each)
    return total


def _cell(text: str) -> str:
    """Words of the file, which a spreadsheet must not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
