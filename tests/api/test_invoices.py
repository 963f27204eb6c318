"""The provider's invoices over HTTP: taken once, compared with a studio's own calls, refused with the line."""

import csv
import gzip
import io
import json
import secrets
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from circletake.kit.ids import new_id
from services.embedded.stack import Stack
from tests.gateway import Client, Studio
from tests.unit.invoice_files import MARKETPLACE, export

CORE = "stability.stable-image-core-v1:1"
INVOICES = "/admin/v1/invoices"
GZIP = {"Content-Type": "application/gzip"}
CSV = {"Content-Type": "text/csv"}
# days of calls that nobody else in these tests makes
PERIOD, MON, TUE = "2019-03-01", "2019-03-04", "2019-03-05"

# calls of two days: one that is paid, one whose bill nobody knows, and a judging one of which it isn't known either
_CALLS = """
    set session_replication_role = replica;
    insert into takes (id, tenant_id, generation_id, number, state, billed, cost_usd, unknown_usd, estimate_usd,
                       circled, rejected, cancel_requested)
    values ('{take}', '{tenant}', '{generation}', 900, 'failed', 'true', 0.04, 0.04, 0.04, false, false, false);
    insert into invocations (id, tenant_id, take_id, step_id, model_id, operation, token, request_hash, body,
                             call_started_at, ended_at, billed, estimate_usd, cost_usd)
    select id, '{tenant}', '{take}', gen_random_uuid(), '{model}', 'invoke', id::text, 'h', '', at, at, billed, 0.04,
           case billed when 'true' then 0.04 else 0 end
    from (values ('{paid}'::uuid, 'true', timestamptz '2019-03-04 10:00Z'),
                 ('{lost}', 'unknown', timestamptz '2019-03-05 10:00Z')) calls (id, billed, at);
    insert into evaluator_calls (id, tenant_id, created_at, media_id, production_id, model_id, evaluator, request_hash,
                                 estimate_usd, cost_usd, billed, ended_at)
    values ('{judged}', '{tenant}', '2019-03-05 11:00Z', gen_random_uuid(), '{production}',
            'us.amazon.nova-lite-v1:0', 'second_opinion@1', 'h', 0.01, 0.01, 'unknown', '2019-03-05 11:00Z');
"""


@pytest.fixture
async def ids(running: Stack, studio: Studio) -> dict[str, str]:
    """Calls of long ago, as if a worker had made them."""
    production = await studio.production()
    generation = await studio.post(
        "/v1/generations",
        {"production_id": production["id"], "kind": "concept_art", "prompt": "A lighthouse", "takes": 1},
    )
    names = ("take", "paid", "lost", "judged")
    found = {
        "tenant": studio.tenant_id,
        "production": production["id"],
        "generation": generation.json["id"],
        "model": CORE,
        **{name: str(new_id()) for name in names},
    }
    connection = await asyncpg.connect(running.superuser_url("circletake", driver="postgresql"))
    try:
        await connection.execute(_CALLS.format(**found))
    finally:
        await connection.close()
    return found


def line(studio: Studio, day: str, usd: str, name: str = "Stable Image Core", **more: str) -> dict[str, str]:
    return {
        **MARKETPLACE,
        "bill_billing_period_start_date": f"{PERIOD}T00:00:00Z",
        "line_item_usage_start_date": f"{day}T00:00:00Z",
        "line_item_usage_end_date": "",
        "line_item_iam_principal": "",
        "tags": json.dumps({"iamPrincipal/tenant": studio.tenant_id}),
        "product": json.dumps({"product_name": f"{name} (Amazon Bedrock Edition)"}),
        "line_item_usage_amount": "1",
        "line_item_unblended_cost": usd,
        "line_item_operation": secrets.token_hex(4),  # no two tests send the same file
        **more,
    }


async def sent(operator: Client, data: bytes, headers: dict[str, str] = CSV) -> Any:
    return await operator.call("POST", INVOICES, data=data, headers=headers)


async def test_an_invoice_shows_which_unknown_call_was_billed_until_it_is_settled(
    operator: Client, studio: Studio, ids: dict[str, str]
) -> None:
    """Marketplace lines of both days against one charge: the lost call was paid. Settled, they agree; a stranger's
    line, a tax and another service's stay apart, and everything adds up to the file's total."""
    data = gzip.compress(
        export(
            line(studio, MON, "0.0400000000"),
            line(studio, TUE, "0.0400000000"),
            line(studio, TUE, "0.0100000001", line_item_line_item_type="Tax"),
            line(studio, TUE, "1.5", tags=""),
            line(studio, TUE, "7", line_item_product_code="AmazonS3", bill_billing_entity="AWS", product=""),
        )
    )
    made, again = [await sent(operator, data, GZIP) for _ in range(2)]
    assert (made.status, again.status, again.json["id"]) == (201, 200, made.json["id"])
    assert (made.json["total_usd"], made.json["lines"]) == ("8.5900000001", 5)
    found = (await operator.get(f"{INVOICES}/{made.json['id']}")).json
    own, model = of(found, studio)
    assert Decimal(found["compared_usd"]) + Decimal(found["apart_usd"]) == Decimal(found["total_usd"])
    assert {each["reason"] for each in found["apart"]} == {"not_usage", "unattributed", "not_a_model"}
    assert [Decimal(model[name]) for name in ("invoiced_usd", "charged_usd", "unknown_usd", "difference_usd")] == [
        Decimal("0.08"), Decimal("0.04"), Decimal("0.04"), Decimal("0.04"),
    ]  # fmt: skip
    [bill] = model["unknown_calls"]
    assert (model["finding"], bill["call_id"], bill["suggests"]) == ("explained", ids["lost"], "billed")
    settled = await operator.post(
        f"/admin/v1/tenants/{studio.tenant_id}/calls/{bill['call_id']}/settlement",
        {"billed": True, "evidence": f"invoice {made.json['id']}"},
    )
    assert (settled.json["take_id"], settled.json["amount_usd"]) == (ids["take"], "0.040000")
    after = (await operator.get(f"{INVOICES}/{made.json['id']}")).json
    assert of(after, studio)[1]["finding"] == "agrees"
    table = await operator.get(f"{INVOICES}/{made.json['id']}", headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.body.decode())))
    assert sum(Decimal(row["invoiced_usd"]) for row in rows) == Decimal("8.5900000001")
    assert ["agrees", CORE] in [[row["finding"], row["model"]] for row in rows]
    assert own["slug"] == studio.slug


def of(report: Any, studio: Studio) -> tuple[Any, Any]:
    """The studio's own part of a report, and of that its one Stability model."""
    [own] = [each for each in report["studios"] if each["tenant_id"] == studio.tenant_id]
    [model] = [each for each in own["models"] if each["model"] == CORE]
    return own, model


async def test_a_judging_call_of_unknown_bill_is_settled_for_what_the_invoice_shows(
    operator: Client, studio: Studio, ids: dict[str, str]
) -> None:
    """It costs what was charged, not what it might have; the same again changes nothing, and a stranger has no such
    call."""
    path = f"/admin/v1/tenants/{studio.tenant_id}/calls/{ids['judged']}/settlement"
    said = {"billed": True, "amount_usd": "0.004", "evidence": "line 12"}
    first, again = [await operator.post(path, said) for _ in range(2)]
    assert (first.status, first.json["call_kind"], first.json["amount_usd"]) == (200, "judging", "0.004000")
    assert again.json == first.json
    other = await operator.post(path, {"billed": False, "evidence": "line 12"})
    assert (other.status, other.json["code"]) == (409, "settled_otherwise")
    usage = (await studio.get(f"/v1/usage?production_id={ids['production']}&to=2019-04-01T00:00:00Z")).json[
        "total"
    ]
    assert (Decimal(usage["judging_usd"]), Decimal(usage["unknown_usd"])) == (Decimal("0.004"), 0)
    nowhere = await operator.post(path.replace(ids["judged"], str(new_id())), said)
    assert nowhere.status == 404


async def test_of_a_wrong_export_nothing_is_kept_and_the_line_is_named(
    operator: Client, studio: Studio
) -> None:
    """Euros on the third line; the file's end is missing; no export at all; not even a CSV by its name."""
    before = (await operator.get(INVOICES)).json["data"]
    right = line(studio, MON, "0.04")
    euros = await sent(operator, export(right, {**right, "line_item_currency_code": "EUR"}))
    assert (euros.status, euros.json["code"], euros.json["errors"][0]["pointer"]) == (
        422, "invoice_unreadable", "/3",
    )  # fmt: skip
    cut = await sent(operator, export(right)[:-20])
    assert (cut.status, cut.json["errors"][0]["code"]) == (422, "truncated")
    assert (await sent(operator, b"")).status == 422
    assert (await sent(operator, b"{}", {"Content-Type": "application/json"})).status == 415
    assert (await operator.get(INVOICES)).json["data"] == before
    assert (await sent(Client(studio.http, studio.base, studio.key), export(right))).status in {401, 403}
