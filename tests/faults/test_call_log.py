"""Every cent that the offline models' own call log says was spent is in the usage report, repeats included."""

import json
import uuid
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from tests.enforcing import CORE
from tests.faults.books import billed_by_log, price_in
from tests.faults.rig import Rig
from tests.faults.test_lost_processes import holder
from tests.gateway import Client
from tests.unit.invoice_files import MARKETPLACE, export

pytestmark = pytest.mark.timeout(240)
ON_THE_WIRE = (
    "select count(*) >= $2 from invocations i join takes t on t.id = i.take_id"
    " where t.generation_id = $1 and i.ended_at is null"
)


async def test_the_models_log_at_the_price_list_is_the_usage_report(rig: Rig) -> None:
    """A worker is killed in the middle of its calls: what was called again is paid twice, and nothing else is.
    Then the operator settles what nobody knew, call by call, and the two are equal to the cent; an invoice of these
    calls, as the provider would write it, says so too."""
    await rig.fault("stall", operation="InvokeModel", seconds=2, count=4)
    await rig.fault("error_503", operation="InvokeModel", count=1)
    await rig.fault("die", operation="StartAsyncInvoke", count=1)
    repeated = await rig.generate(takes=2, model=CORE)  # this stack calls it again when an answer was lost
    held = await rig.generate(takes=2)
    clip = await rig.generate("previs_shot")
    await rig.until(ON_THE_WIRE, uuid.UUID(repeated), 2)
    name = await holder(rig, repeated)
    await rig.kill(name)
    await rig.restart(name)
    await rig.finished(repeated, held, clip)
    await rig.check_books()

    calls = Counter(row["take_id"] for row in await rig.mine("invocations", "billed <> 'false'"))
    twice = [take for take in await rig.takes(repeated) if calls[take["id"]] > 1]
    assert twice, "no call was repeated"
    for take in twice:
        assert (take["state"], take["billed"]) == ("succeeded", "true")
        assert (take["cost_usd"], take["unknown_usd"]) == (Decimal("0.04"), Decimal("0.04"))
    assert {take["billed"] for take in await rig.takes(held)} <= {"true", "unknown"}

    await settle_from_the_log(rig)
    usage, pairs = await rig.usage(), await rig.pairs()
    assert usage["unknown_usd"] == 0
    assert usage["cost_usd"] == usage["total_usd"] == billed_by_log(rig.catalogue, pairs)
    assert usage["cost_usd"] == sum(
        price_in(rig.catalogue, call) for call, _ in pairs.both if call["billed"] == "yes"
    )
    await rig.check_books()
    own = await invoiced(rig)
    assert {model["finding"] for model in own["models"]} == {"agrees"}
    assert Decimal(own["invoiced_usd"]) == usage["cost_usd"]
    assert Decimal(own["difference_usd"]) == 0


async def invoiced(rig: Rig) -> Any:
    """Write the log as AWS bills it, post it, and return what the report says of this studio: Stability and Luma sell
    through the Marketplace, under their own names, and each call names the role that made it."""
    lines = []
    for call, _ in (await rig.pairs()).both:
        card = rig.catalogue.get(call["model_id"])
        if call["billed"] != "yes" or card is None:
            continue
        role = call["role_arn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        lines.append(
            {
                **MARKETPLACE,
                "bill_billing_period_start_date": call["at"][:10] + "T00:00:00Z",
                "line_item_legal_entity": card.provider,
                "line_item_usage_start_date": call["at"],
                "line_item_usage_end_date": "",
                "line_item_usage_amount": str(call["units"]),
                "line_item_unblended_cost": f"{price_in(rig.catalogue, call):f}0000",
                "line_item_iam_principal": f"{role}/{call['session_name']}",
                "product": json.dumps({"product_name": f"{card.name} (Amazon Bedrock Edition)"}),
            }
        )
    operator = Client(rig.studio.http, rig.stack.api_url, rig.stack.facts.admin_key)
    sent = await operator.call(
        "POST", "/admin/v1/invoices", data=export(*lines), headers={"Content-Type": "text/csv"}
    )
    assert sent.status == 201, sent.body
    report = (await operator.get(f"/admin/v1/invoices/{sent.json['id']}")).json
    assert report["apart"] == []
    [own] = [each for each in report["studios"] if each["tenant_id"] == rig.studio.tenant_id]
    return own


async def settle_from_the_log(rig: Rig) -> None:
    """Settle each unknown bill by what the server logged, as an operator does by the invoice."""
    operator = Client(rig.studio.http, rig.stack.api_url, rig.stack.facts.admin_key)
    pairs = await rig.pairs()
    logged = {our.id: call for call, our in pairs.both}
    unknown = [our for _, our in pairs.both if our.billed == "unknown"]
    for our in unknown + [each for each in pairs.only_ours if each.billed == "unknown"]:
        call = logged.get(our.id)
        billed = call is not None and call["billed"] == "yes"
        said = {"billed": billed, "evidence": f"call log, {call['id'] if call else 'nothing there'}"}
        answer = await operator.post(
            f"/admin/v1/tenants/{rig.studio.tenant_id}/calls/{our.id}/settlement", said
        )
        assert answer.status == 200, answer.body
        assert Decimal(answer.json["amount_usd"]) == (price_in(rig.catalogue, call) if billed and call else 0)


async def test_a_repeat_waits_where_the_budget_has_no_room_for_it(rig: Rig) -> None:
    """The lost call may be paid already: the take is held for the budget, and runs when there is room for both."""
    manager = await rig.studio.person("production_manager")
    path = f"/v1/budgets/productions/{rig.production_id}"
    made = await manager.call("PUT", path, json={"hard_usd": "0.07"})
    assert made.status == 201, made.body
    await rig.fault("die", operation="InvokeModel", count=1)
    generation = await rig.generate(model=CORE)
    await rig.until(
        "select state = 'held' and hold_reason = 'budget' from takes where generation_id = $1",
        uuid.UUID(generation),
    )
    assert len(await rig.calls()) == 1
    budget = await manager.call("GET", path)
    assert budget.json["left_usd"] == "0.030000"
    more = await manager.call(
        "PUT", path, json={"hard_usd": "0.08"}, headers={"If-Match": budget.headers["ETag"]}
    )
    assert more.status == 200, more.body
    [hold] = await rig.mine("holds", "state = 'open'")
    released = await manager.post(f"/v1/holds/{hold['id']}/release", {"note": "room for both"})
    assert released.status == 200, released.body
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["cost_usd"], take["unknown_usd"]) == (
        "succeeded", Decimal("0.04"), Decimal("0.04"),
    )  # fmt: skip
    await rig.check_books()
