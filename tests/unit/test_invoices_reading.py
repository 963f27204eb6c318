"""Cost exports as AWS writes them, and as it never would: read whole, or refused with the line."""

import gzip
import io
import json
from datetime import date
from decimal import Decimal

import pytest

from circletake.adapters.invoices.aws_cur import AwsCostExports
from circletake.domain.money.invoices import InvoiceLine
from circletake.ports.invoices import InvoiceUnreadable
from tests.unit.invoice_files import BEDROCK, COLUMNS, MARKETPLACE, SESSION, export

# the report before CUR 2.0: a column for each tag and each of a product's facts
LEGACY = {
    "lineItem/UsageAccountId": "111122223333",
    "bill/BillingEntity": "AWS Marketplace",
    "bill/BillingPeriodStartDate": "2026-11-01T00:00:00Z",
    "lineItem/LineItemType": "Usage",
    "lineItem/ProductCode": "8c2n0jzq7e1yb5xk3m4wv6tdp",
    "lineItem/UsageType": "USW2-MP:USW2_Video-Units",
    "lineItem/UsageStartDate": "2026-11-03T10:00:00Z",
    "lineItem/UnblendedCost": "7.5",
    "lineItem/CurrencyCode": "USD",
    "product/ProductName": "Luma Ray2 (Amazon Bedrock Edition)",
    "resourceTags/user:tenant": "acme",
}


def lines(data: bytes) -> list[InvoiceLine]:
    return list(AwsCostExports().open(io.BytesIO(data)))


def refused(data: bytes) -> InvoiceUnreadable:
    with pytest.raises(InvoiceUnreadable) as caught:
        lines(data)
    return caught.value


def test_a_line_of_cur_2_says_what_it_bills_and_who_called() -> None:
    """Day, units, amount to the last digit, the product's name out of its map column, the caller's ARN."""
    [line] = lines(export(BEDROCK))
    assert (line.number, line.day, line.last_day, line.billed_from) == (
        2, date(2026, 11, 3), date(2026, 11, 3), date(2026, 11, 1),
    )  # fmt: skip
    assert (line.units, line.unit, line.usd) == (Decimal("2.5"), "1K tokens", Decimal("0.0001500000"))
    assert (line.service, line.usage_type, line.principal) == (
        "Amazon Bedrock", "USW2-NovaLite-input-tokens", SESSION,
    )  # fmt: skip


def test_a_marketplace_line_has_the_products_name() -> None:
    """Its code is a random word; the name of the model is the product's."""
    [line] = lines(export(MARKETPLACE))
    assert (line.billing_entity, line.seller, line.service) == (
        "AWS Marketplace", "Stability AI Ltd", "Stable Diffusion 3.5 Large (Amazon Bedrock Edition)",
    )  # fmt: skip


def test_the_report_before_cur_2_is_read_by_its_own_names() -> None:
    """Slashes and capitals instead of underscores, a column for each tag."""
    opened = AwsCostExports().open(io.BytesIO(export(LEGACY, columns=LEGACY)))
    [line] = list(opened)
    assert (opened.form, line.service, line.usd, line.tenant_tag) == (
        "cur", "Luma Ray2 (Amazon Bedrock Edition)", Decimal("7.5"), "acme",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "tenant"),
    [
        ({"iamPrincipal/tenant": "of-the-session", "resourceTags/tenant": "of-a-resource"}, "of-the-session"),
        ({"resourceTags/tenant": "of-a-resource"}, "of-a-resource"),
        ({"costCategory/team": "x"}, ""),
    ],
)
def test_the_tag_of_the_session_that_called_comes_first(tags: dict[str, str], tenant: str) -> None:
    """A session's tag is set by us with each call; a resource's may be anybody's."""
    [line] = lines(export({**BEDROCK, "tags": json.dumps(tags)}))
    assert line.tenant_tag == tenant


def test_a_gzipped_export_is_the_same_export() -> None:
    """As Data Exports delivers it."""
    assert lines(gzip.compress(export(BEDROCK, MARKETPLACE))) == lines(export(BEDROCK, MARKETPLACE))


def test_a_byte_order_mark_and_a_text_with_line_breaks_are_no_trouble() -> None:
    """Lines are numbered as an editor numbers them."""
    told = export({**BEDROCK, "line_item_line_item_description": "two\nlines"}, BEDROCK)
    assert [line.number for line in lines(b"\xef\xbb\xbf" + told)] == [3, 4]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("line_item_unblended_cost", "", "amount"),
        ("line_item_unblended_cost", "NaN", "amount"),
        ("line_item_unblended_cost", "1e99", "amount"),
        ("line_item_unblended_cost", "=1+1", "amount"),
        ("line_item_usage_amount", "many", "amount"),
        ("line_item_currency_code", "EUR", "currency"),
        ("line_item_usage_start_date", "yesterday", "date"),
        ("line_item_usage_start_date", "0001-01-01T00:00:00Z", "date"),
        ("product", "[1]", "map"),
        ("tags", "{", "map"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(column: str, value: str, code: str) -> None:
    """The third line is wrong: the answer says so, and what is the matter."""
    found = refused(export(BEDROCK, {**BEDROCK, column: value}))
    assert (found.line, found.code) == (3, code)


def test_a_half_written_line_is_told_from_a_whole_file() -> None:
    """The export was cut off in the middle of its last line."""
    data = export(BEDROCK, BEDROCK)
    found = refused(data[: data.rindex(b"AmazonBedrock")])
    assert (found.line, found.code) == (3, "truncated")


def test_a_cut_off_quotation_is_told_too() -> None:
    """The file ends within quotes."""
    data = export(BEDROCK)
    assert refused(data[: data.rindex(b'""product_name')]).code == "truncated"


def test_a_cut_off_gzip_file_is_told() -> None:
    """Its end is missing, though lines could be read."""
    data = gzip.compress(export(*[BEDROCK] * 200))
    assert refused(data[:-40]).code == "truncated"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "columns"),
        (b"PAR1\x15\x04", "media_type"),
        (b"PK\x03\x04", "media_type"),
        (b"id,amount\n1,2\n", "columns"),
        (b"\x1f\x8b\x08\x00nonsense", "truncated"),
        (export(BEDROCK).replace(b"AmazonBedrock", b"\xff\xfe"), "unreadable"),
        (export(BEDROCK, columns=[*COLUMNS, "tags"]), "columns"),
    ],
)
def test_what_is_no_export_is_refused(data: bytes, code: str) -> None:
    """Parquet, archives, other tables, other encodings: each says what to send instead."""
    assert refused(data).code == code


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read no further than the bound."""
    monkeypatch.setattr("circletake.adapters.invoices.aws_cur.MAX_UNPACKED", 10_000)
    assert refused(gzip.compress(export(*[BEDROCK] * 5_000))).code == "too_large"
