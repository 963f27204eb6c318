"""What a model service can do wrong, in every shape that Bedrock documents, and what becomes of the takes."""

from decimal import Decimal

import pytest

from tests.faults.rig import RAY2, SD35, Rig
from tests.gateway import Client


@pytest.mark.parametrize("kind", ["throttle", "overloaded"])
async def test_throttling_lowers_the_cap_and_fails_nobody(rig: Rig, kind: str) -> None:
    """Takes wait and succeed, no attempt is counted, and fewer calls go to that model at once."""
    await rig.fault(kind, operation="InvokeModel", count=4)
    generation = await rig.generate(takes=5)
    await rig.until("select cap < max_running from model_quotas where model_id = $1", SD35)
    await rig.finished(generation)
    assert [take["state"] for take in await rig.takes(generation)] == ["succeeded"] * 5
    outcomes = [(row["outcome"], row["billed"]) for row in await rig.mine("invocations")]
    assert sorted(outcomes) == [("answered", "true")] * 5 + [("throttled", "false")] * 4
    assert {row["attempt"] for row in await rig.mine("steps", "kind = 'generate'")} == {1}
    await rig.check_books()


async def test_a_passing_error_is_tried_again(rig: Rig) -> None:
    """Two 503 and a 500: the third try of each makes the take, and only the answered call is paid."""
    await rig.fault("error_503", operation="InvokeModel", count=1)
    await rig.fault("error_500", operation="InvokeModel", count=1)
    generation = await rig.generate()
    await rig.finished(generation)
    assert (await rig.take(generation))["state"] == "succeeded"
    assert [call["billed"] for call in await rig.calls()] == ["no", "no", "yes"]
    await rig.check_books()


async def test_an_error_that_stays_ends_the_take_unpaid(rig: Rig) -> None:
    """After four tries the take says that the service was unavailable, and costs nothing."""
    await rig.fault("error_503", operation="InvokeModel")
    generation = await rig.generate()
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", "model_unavailable", "false")
    assert take["cost_usd"] == 0
    assert len(await rig.calls()) == 4
    await rig.check_books()


@pytest.mark.parametrize(
    ("kind", "code", "billed"),
    [
        ("filter_prompt", "filtered_prompt", "unknown"),
        ("filter_output_image", "filtered_output_image", "unknown"),
        ("filter_guardrail", "filtered_guardrail", "unknown"),
        ("filter_validation", "filtered_prompt", "false"),
    ],
)
async def test_a_safety_filter_is_no_success_and_no_failure(
    rig: Rig, kind: str, code: str, billed: str
) -> None:
    """In whichever shape it comes, the take is `filtered`, called once, and says at which stage."""
    await rig.fault(kind, operation="InvokeModel", count=1)
    generation = await rig.generate()
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("filtered", code, billed)
    assert len(await rig.calls()) == 1
    await rig.check_books()


@pytest.mark.parametrize(
    ("kind", "code", "billed"),
    [
        ("quota", "model_quota", "false"),
        ("access_denied", "model_access_denied", "false"),
        ("validation", "model_invalid_request", "false"),
        ("garbage", "no_usable_answer", "unknown"),
        ("inference_error", "no_usable_answer", "unknown"),
    ],
)
async def test_what_no_repeat_can_mend_is_not_repeated(rig: Rig, kind: str, code: str, billed: str) -> None:
    """One call, and the failure's code says whom to ask."""
    await rig.fault(kind, operation="InvokeModel", count=1)
    generation = await rig.generate()
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", code, billed)
    assert len(await rig.calls()) == 1
    await rig.check_books()


@pytest.mark.parametrize("kind", ["die", "timeout"])
async def test_a_call_whose_answer_was_lost_is_not_paid_twice(rig: Rig, kind: str) -> None:
    """The take fails as unknown and perhaps paid; whether to call again is a person's decision."""
    await rig.fault(kind, operation="InvokeModel", count=1)
    generation = await rig.generate()
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", "outcome_unknown", "unknown")
    assert len(await rig.calls()) == 1
    retried = await rig.studio.post(f"/v1/takes/{take['id']}/retry")
    assert retried.status == 202
    await rig.until("select state = 'succeeded' from takes where retry_of = $1", take["id"])
    await rig.quiet()
    assert len(await rig.mine("events", "type = 'generation.finished'")) == 2
    await rig.check_budgets()


async def test_a_bill_that_nobody_knew_is_settled_once_by_the_invoice(rig: Rig) -> None:
    """Until then it counts whole; then it is what the operator read, and the same again changes nothing."""
    await rig.fault("die", operation="InvokeModel", count=1)
    generation = await rig.generate(shot_id=rig.shot_id)
    await rig.finished(generation)
    take = await rig.take(generation)
    operator = Client(rig.studio.http, rig.stack.api_url, rig.stack.facts.admin_key)
    path = f"/admin/v1/tenants/{rig.studio.tenant_id}/takes/{take['id']}/settlement"
    budget = (await rig.studio.get(f"/v1/budgets/shots/{rig.shot_id}")).json
    assert (budget["spent_usd"], budget["unknown_usd"]) == ("0.000000", "0.080000")
    said = {"billed": True, "evidence": "Invoice 2026-11, line 12"}
    first, again = [await operator.post(path, said) for _ in range(2)]
    assert (first.status, first.json["amount_usd"]) == (200, "0.080000")
    assert again.json == first.json
    other = await operator.post(path, {**said, "billed": False})
    assert (other.status, other.json["code"]) == (409, "settled_otherwise")
    shown = (await rig.studio.get(f"/v1/takes/{take['id']}")).json
    assert (shown["billed"], Decimal(shown["cost_usd"])) == ("true", Decimal("0.08"))
    budget = (await rig.studio.get(f"/v1/budgets/shots/{rig.shot_id}")).json
    assert (budget["spent_usd"], budget["unknown_usd"]) == ("0.080000", "0.000000")
    [entry] = await rig.mine("ledger_entries", "kind = 'take.settled'")
    assert entry["subject_id"] == take["id"]
    await rig.check_books()


async def test_a_start_whose_answer_was_lost_finds_its_invocation_again(rig: Rig) -> None:
    """The same token and the same bytes are sent again: one invocation, paid once."""
    await rig.fault("die", operation="StartAsyncInvoke", count=1)
    generation = await rig.generate("previs_shot")
    await rig.finished(generation)
    assert (await rig.take(generation))["state"] == "succeeded"
    calls = await rig.calls("StartAsyncInvoke")
    assert len(calls) >= 2
    assert len({(call["token"], call["request_sha256"], call["invocation_arn"]) for call in calls}) == 1
    await rig.check_books()


@pytest.mark.parametrize(
    ("kind", "state", "code"),
    [
        ("fail_async", "failed", "no_usable_answer"),
        ("filter_async", "filtered", "filtered_output_image"),
    ],
)
async def test_an_invocation_that_fails_ends_the_take(rig: Rig, kind: str, state: str, code: str) -> None:
    """It was accepted, so nobody knows whether it was paid; it isn't started again."""
    await rig.fault(kind, operation="StartAsyncInvoke", count=1)
    generation = await rig.generate("previs_shot")
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == (state, code, "unknown")
    assert len(await rig.calls("StartAsyncInvoke")) == 1


async def test_looking_may_fail_for_a_while(rig: Rig) -> None:
    """Throttled or broken looks say nothing of the invocation under way: the clip is taken when it is there."""
    await rig.fault("throttle", operation="GetAsyncInvoke", count=6)
    await rig.fault("error_500", operation="GetAsyncInvoke", count=6)
    generation = await rig.generate("previs_shot")
    await rig.finished(generation)
    assert (await rig.take(generation))["state"] == "succeeded"
    await rig.check_books()


async def test_an_invocation_that_nobody_knows_any_more_ends_the_take(rig: Rig) -> None:
    """Without an end to the looking, the take would run for ever and hold its place at the model."""
    await rig.fault("validation", operation="GetAsyncInvoke")
    generation = await rig.generate("previs_shot")
    await rig.finished(generation)
    take = await rig.take(generation)
    assert (take["state"], take["failure_code"], take["billed"]) == ("failed", "invocation_lost", "unknown")
    in_flight = (
        "select not exists (select 1 from steps where capped_by = $1 and state not in ('done', 'dead'))"
    )
    await rig.until(in_flight, RAY2)


async def test_a_picture_of_another_size_says_its_own_size(rig: Rig) -> None:
    """Concept art has no plate that it must fit: it is published as it came, with the size it has."""
    await rig.fault("wrong_size", operation="InvokeModel", count=1)
    odd = await rig.generate()
    await rig.finished(odd)
    plain = await rig.generate()
    await rig.finished(plain)
    assert (await rig.take(odd))["state"] == "succeeded"
    sizes = {(row["width"], row["height"]) for row in await rig.mine("media_files", "role = 'take'")}
    assert len(sizes) == 2
    await rig.check_books()
