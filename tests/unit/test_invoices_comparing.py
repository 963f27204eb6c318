"""Whose an invoice's lines are, which model's, and what a difference could be."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

import pytest

from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.invoices.aws_cur import AwsCostExports
from circletake.domain.money.invoices import (
    Apart,
    Compared,
    Finding,
    InvoiceLine,
    ModelNames,
    Studio,
    Studios,
    Suggests,
    UnknownCall,
    explain,
)
from circletake.kit.ids import new_id
from circletake.usecases.money.invoices import add_up
from tests.unit.invoice_files import BEDROCK, MARKETPLACE, ROLE, STUDIO, export

MON, TUE = date(2026, 11, 2), date(2026, 11, 3)
CENTS = Decimal("0.08")
STUDIOS = Studios([Studio(STUDIO, "acme", ROLE), Studio(new_id(), "other", None)])


@cache
def names() -> ModelNames:
    return ModelNames(load_catalogue().all())


def line(**columns: str) -> InvoiceLine:
    base = MARKETPLACE if columns.pop("marketplace", "") else BEDROCK
    [found] = AwsCostExports().open(io.BytesIO(export({**base, **columns})))
    return found


def product(name: str) -> dict[str, str]:
    return {"marketplace": "yes", "product": f'{{"product_name": "{name}"}}'}


def model(found: InvoiceLine) -> str:
    card = names().find(found)
    return card.value if isinstance(card, Apart) else card.id


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("Stable Diffusion 3.5 Large (Amazon Bedrock Edition)", "stability.sd3-5-large-v1:0"),
        ("Stable Image Ultra (Amazon Bedrock Edition)", "stability.stable-image-ultra-v1:1"),
        ("Stable Image Core 1.1 (Amazon Bedrock Edition)", "stability.stable-image-core-v1:1"),
        ("Stable Image Inpaint (Amazon Bedrock Edition)", "us.stability.stable-image-inpaint-v1:0"),
    ],
)
def test_a_marketplace_product_is_known_by_its_name(name: str, card: str) -> None:
    """The provider's product names the model, its usage type doesn't."""
    assert model(line(**product(name))) == card


def test_lumas_lines_are_known_under_lumas_name() -> None:
    """Luma sells through the Marketplace as well."""
    found = line(**product("Luma Ray2 (Amazon Bedrock Edition)"), line_item_legal_entity="Luma AI, Inc.")
    assert model(found) == "luma.ray-v2:0"


@pytest.mark.parametrize(
    ("usage_type", "card"),
    [
        ("USE2-NovaLite-input-tokens", "us.amazon.nova-lite-v1:0"),  # the Region's 2 is not Nova 2's
        ("USW2-Nova2Lite-output-tokens", "us.amazon.nova-2-lite-v1:0"),
        ("USE1-Claude4.5Haiku-input-tokens", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("USE1-SomethingNew-input-tokens", "unknown_model"),
    ],
)
def test_a_usage_type_is_read_whatever_way_it_is_written_together(usage_type: str, card: str) -> None:
    """Bedrock's own lines name the model in the usage type."""
    found = line(line_item_usage_type=usage_type, line_item_line_item_description="")
    assert model(found) == card


def test_another_service_is_no_model() -> None:
    """A whole export also bills storage and machines."""
    storage = line(line_item_product_code="AmazonS3", product="", line_item_usage_type="USW2-Requests-Tier1")
    assert model(storage) == "not_a_model"


def test_a_model_in_the_resource_is_certain() -> None:
    """An export with resource ids names the very model that was called."""
    arn = "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1"
    [found] = AwsCostExports().open(
        io.BytesIO(
            export({**BEDROCK, "line_item_resource_id": arn}, columns=[*BEDROCK, "line_item_resource_id"])
        )
    )
    assert model(found) == "stability.stable-image-core-v1:1"


@pytest.mark.parametrize(
    ("columns", "whose"),
    [
        ({}, STUDIO),  # by the role that called, whatever its path
        ({"line_item_iam_principal": "", "tags": f'{{"iamPrincipal/tenant": "{STUDIO}"}}'}, STUDIO),
        ({"line_item_iam_principal": "", "tags": '{"resourceTags/tenant": "ACME"}'}, STUDIO),
        ({"tags": '{"resourceTags/tenant": "other"}'}, STUDIO),  # the role decides
        ({"line_item_iam_principal": "arn:aws:iam::111122223333:user/alice"}, Apart.UNKNOWN_TENANT),
        ({"line_item_iam_principal": "", "tags": '{"iamPrincipal/tenant": "gone"}'}, Apart.UNKNOWN_TENANT),
        ({"line_item_iam_principal": ""}, Apart.UNATTRIBUTED),
    ],
)
def test_a_line_is_whose_role_or_tag_it_names(columns: dict[str, str], whose: UUID | Apart) -> None:
    """Nobody is charged for a line that doesn't name them."""
    assert STUDIOS.find(line(**columns)) == whose


def test_every_line_is_in_one_sum_and_the_sums_are_exact() -> None:
    """Compared or apart, taxes and strangers too: together they are the file's total, to the last digit."""
    tax = {**BEDROCK, "line_item_line_item_type": "Tax", "line_item_unblended_cost": "0.0000000001"}
    storage = {**BEDROCK, "line_item_product_code": "AmazonS3", "product": ""}
    nobody = {
        **MARKETPLACE,
        "line_item_iam_principal": "",
        "line_item_unblended_cost": "999999999.0000000001",
    }
    file = io.BytesIO(export(BEDROCK, BEDROCK, MARKETPLACE, tax, storage, nobody))
    found = add_up(AwsCostExports(), file, names(), STUDIOS)
    assert sum(each.lines for each in found.sums.values()) == found.total.lines == 6
    assert (
        found.total.usd
        == Decimal("1000000000.2404500002") - Decimal(1)
        == sum(each.usd for each in found.sums.values())
    )
    assert {key.reason for key in found.sums} == {None, "not_usage", "not_a_model", "unattributed"}
    assert (found.period_from, found.period_to) == (date(2026, 11, 1), date(2026, 11, 3))


def unknown(*days: date, usd: Decimal = CENTS) -> list[UnknownCall]:
    return [
        UnknownCall(
            new_id(), "take", None, datetime(each.year, each.month, each.day, 12, tzinfo=UTC), each, usd
        )
        for each in days
    ]


def test_an_invoice_that_shows_what_was_charged_says_that_no_unknown_call_was_billed() -> None:
    """It agrees, and suggests so for each of them."""
    calls = unknown(MON, TUE)
    found = explain(Compared({MON: CENTS}, {MON: CENTS}, 1, calls))
    assert (found.finding, set(found.suggests.values())) == (Finding.AGREES, {Suggests.NOT_BILLED})


def test_a_difference_of_all_unknown_calls_says_that_they_were_billed() -> None:
    """Even when a call near midnight stands under the next day."""
    found = explain(Compared({TUE: 3 * CENTS}, {MON: CENTS}, 1, unknown(MON, TUE)))
    assert (found.finding, set(found.suggests.values())) == (Finding.EXPLAINED, {Suggests.BILLED})


def test_days_tell_which_of_the_unknown_calls_were_billed() -> None:
    """Monday's was, Tuesday's wasn't."""
    monday, tuesday = calls = unknown(MON, TUE)
    found = explain(Compared({MON: 2 * CENTS, TUE: CENTS}, {MON: CENTS, TUE: CENTS}, 2, calls))
    assert found.finding is Finding.EXPLAINED
    assert found.suggests == {monday.id: Suggests.BILLED, tuesday.id: Suggests.NOT_BILLED}


def test_where_days_do_not_tell_the_number_does() -> None:
    """One of two calls on one day: which one, nobody can say."""
    found = explain(Compared({MON: CENTS}, {}, 0, unknown(MON, MON)))
    assert (found.finding, found.billed_calls) == (Finding.EXPLAINED, 1)
    assert set(found.suggests.values()) == {Suggests.UNDECIDED}


@pytest.mark.parametrize("invoiced", ["0.05", "0.50"])
def test_what_no_unknown_call_explains_differs(invoiced: str) -> None:
    """Too little or too much: somebody has to look."""
    found = explain(Compared({MON: Decimal(invoiced)}, {MON: CENTS}, 1, unknown(MON)))
    assert (found.finding, set(found.suggests.values())) == (Finding.DIFFERS, {Suggests.UNDECIDED})


def test_our_rounding_up_is_no_difference() -> None:
    """Each call is rounded up to a millionth of a dollar; the invoice adds up tokens first."""
    ours = Decimal("0.000300")
    assert explain(Compared({MON: Decimal("0.00029801")}, {MON: ours}, 3, [])).finding is Finding.AGREES
