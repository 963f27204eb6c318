"""Webhook deliveries to a receiver that really listens: what arrives, how often, and when we give up."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from circletake.domain.errors import Conflict, NotFound
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.usecases import keep_endpoints
from circletake.usecases.find_deliveries import get_delivery
from tests.integration.webhook_studio import WebhookStudio, provisioned, webhook_studio
from tests.receiver import Receiver, listening, status
from tests.stack import Database


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as server:
        yield server


@pytest.fixture
async def second() -> AsyncIterator[Receiver]:
    async with listening() as server:
        yield server


@pytest.fixture
async def studio(database: Database, tmp_path: Path) -> AsyncIterator[WebhookStudio]:
    storage, wrapped = await provisioned(database, f"hooks-{new_id().hex[-8:]}")
    async with webhook_studio(database, storage, wrapped, tmp_path) as desk:
        yield desk


async def test_an_event_arrives_signed_for_both_kinds_of_key(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """The standardwebhooks package accepts v1 with the secret, cryptography accepts v1a with the public key."""
    made = await studio.endpoint(receiver)
    event_id = await studio.happen(take_id=str(new_id()), external_ref="sg:7")
    await studio.work()
    [message] = receiver.events
    Webhook(made.secret).verify(message.body.decode(), message.headers)
    assert message.proved_by(made.public_key)
    assert message.id == str(event_id)
    delivery = await studio.delivery(made.id)
    assert (delivery.state, delivery.attempts, delivery.next_at) == ("delivered", 1, None)


async def test_the_payload_is_thin_and_says_where_to_look(studio: WebhookStudio, receiver: Receiver) -> None:
    """It carries type, time, ids, state, the tracker's reference and API paths, and nothing else."""
    await studio.endpoint(receiver)
    take_id, media_id = new_id(), new_id()
    event_id = await studio.happen(take_id=str(take_id), media_id=str(media_id), external_ref="sg:7")
    await studio.work()
    [message] = receiver.events
    assert set(message.json) == {"type", "timestamp", "data"}
    assert message.json["type"] == "take.succeeded"
    assert message.json["timestamp"].endswith("Z")
    assert message.json["data"] == {
        "event_id": str(event_id),
        "state": "succeeded",
        "take_id": str(take_id),
        "media_id": str(media_id),
        "external_ref": "sg:7",
        "links": {
            "event": f"/v1/events/{event_id}",
            "take": f"/v1/takes/{take_id}",
            "media": f"/v1/media/{media_id}",
        },
    }
    assert len(message.body) < 20_000


async def test_an_event_that_would_be_too_large_is_cut_to_its_ids(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """No body passes 20 kB, whatever somebody writes into an event."""
    await studio.endpoint(receiver)
    event_id = await studio.happen(take_id="t", extra="x" * 30_000)
    await studio.work()
    [message] = receiver.events
    assert len(message.body) < 20_000
    assert message.json["data"]["event_id"] == str(event_id)
    assert message.json["data"]["take_id"] == "t"


async def test_a_failed_attempt_is_repeated_with_the_same_id(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """A receiver that answers 500 and then 204 got the same message twice, and both tries are in the log."""
    made = await studio.endpoint(receiver)
    receiver.script.append(status(500, "boom \N{PILE OF POO}"))
    await studio.happen()
    await studio.work()
    waiting = await studio.delivery(made.id)
    assert (waiting.state, waiting.attempts) == ("pending", 1)
    assert waiting.next_at is not None
    assert await studio.work() == 0
    await studio.later(seconds=10)
    await studio.work()
    first, again = receiver.events
    assert first.id == again.id
    assert first.body == again.body
    view, attempts = await studio.log(waiting.id)
    assert (view.delivery.state, view.event_type) == ("delivered", "take.succeeded")
    assert [each.attempt.status for each in attempts] == [500, 204]
    assert attempts[0].reply == "boom \N{PILE OF POO}"
    assert (await studio.look(made.id)).endpoint.failures == 0


async def test_another_studio_does_not_find_a_delivery(studio: WebhookStudio, receiver: Receiver) -> None:
    """A foreign delivery's id is answered as an unknown one."""
    made = await studio.endpoint(receiver)
    await studio.happen()
    await studio.work()
    delivery = await studio.delivery(made.id)
    with pytest.raises(NotFound):
        await get_delivery(studio.database, studio.seal, new_id(), delivery.id)


async def test_an_answer_that_is_no_text_is_shown_all_the_same(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """Of a long or binary answer the log keeps the first KiB, with replacements for what is no character."""
    made = await studio.endpoint(receiver)
    receiver.script.append(lambda _: web.Response(status=500, body=b"\xff\x00" + b"x" * 5_000))
    await studio.happen()
    await studio.work()
    _, [attempt] = await studio.log((await studio.delivery(made.id)).id)
    assert attempt.reply == "\N{REPLACEMENT CHARACTER}\0" + "x" * 1_022


async def test_a_redirect_is_a_failure_and_not_followed(studio: WebhookStudio, receiver: Receiver) -> None:
    """Nothing is sent to where a receiver points; the try counts as failed."""
    made = await studio.endpoint(receiver)
    receiver.script.append(status(307, Location=receiver.url))
    await studio.happen()
    await studio.work()
    assert len(receiver.events) == 1
    _, [attempt] = await studio.log((await studio.delivery(made.id)).id)
    assert attempt.attempt.status == 307
    assert (await studio.delivery(made.id)).state == "pending"


async def test_410_disables_the_endpoint_and_the_others_are_told(
    studio: WebhookStudio, receiver: Receiver, second: Receiver
) -> None:
    """The endpoint gets nothing more, and another one that asked for it hears why."""
    gone = await studio.endpoint(receiver)
    await studio.endpoint(second, ["endpoint.disabled"])
    receiver.script.append(status(410))
    await studio.happen()
    await studio.work()
    view = await studio.look(gone.id)
    assert (view.endpoint.state, view.endpoint.disabled_reason) == ("disabled", "gone")
    assert (await studio.delivery(gone.id)).state == "failed"
    await studio.happen()
    await studio.work()
    assert len(receiver.events) == 1
    [told] = second.events
    assert told.json["type"] == "endpoint.disabled"
    assert told.json["data"]["endpoint_id"] == str(gone.id)
    assert told.json["data"]["reason"] == "gone"


async def test_an_endpoint_that_fails_for_days_is_disabled(studio: WebhookStudio, receiver: Receiver) -> None:
    """After 120 hours of nothing but failures we stop, and give up what was still to be sent."""
    made = await studio.endpoint(receiver)
    receiver.script.extend([status(500)] * 20)
    for _ in range(11):
        await studio.happen()
        await studio.later(hours=13)
        await studio.work(limit=1)
    view = await studio.look(made.id)
    assert (view.endpoint.state, view.endpoint.disabled_reason) == ("disabled", "failing")
    assert {each.state for each in await studio.deliveries(made.id)} <= {"failed", "abandoned"}
    sent = len(receiver.events)
    await studio.later(hours=48)
    await studio.work()
    assert len(receiver.events) == sent


async def test_a_few_failures_far_apart_do_not_disable(studio: WebhookStudio, receiver: Receiver) -> None:
    """Two failed tries a week apart are no lasting failure, though nothing succeeded in between."""
    made = await studio.endpoint(receiver)
    receiver.script.extend([status(500)] * 2)
    await studio.happen()
    await studio.work()
    await studio.later(hours=170)
    await studio.work()
    assert (await studio.look(made.id)).endpoint.state == "active"


async def test_a_delivery_ends_when_its_schedule_is_used_up(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """After ten tries it is failed and stays in the log with all of them."""
    made = await studio.endpoint(receiver)
    receiver.script.extend([status(500)] * 10)
    await studio.happen()
    for _ in range(10):
        await studio.later(hours=30)
        await studio.set_endpoint(made.id, failures=0, failing_since=None, paused_until=None)
        await studio.work()
    view, attempts = await studio.log((await studio.delivery(made.id)).id)
    assert view.delivery.state == "failed"
    assert [each.attempt.number for each in attempts] == list(range(1, 11))


async def test_a_try_that_fails_after_its_endpoint_was_disabled_stays_abandoned(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """Who disables an endpoint in the middle of a try finds the try in the log and the delivery abandoned."""
    made = await studio.endpoint(receiver)

    async def disable() -> None:
        await keep_endpoints.disable_by_owner(
            studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id
        )

    receiver.before_answering = disable
    receiver.script.append(status(500))
    await studio.happen()
    await studio.work()
    view, attempts = await studio.log((await studio.delivery(made.id)).id)
    assert (view.delivery.state, len(attempts)) == ("abandoned", 1)


async def test_a_dead_endpoint_gets_one_try_at_a_time(
    studio: WebhookStudio, receiver: Receiver, second: Receiver
) -> None:
    """After five failures in a row it is asked by one delivery only; the others wait, and none is lost."""
    dead = await studio.endpoint(receiver)
    alive = await studio.endpoint(second)
    receiver.script.extend([status(500)] * 6)
    for _ in range(8):
        await studio.happen()
    while await studio.work():
        pass
    assert len(receiver.events) == 5
    assert len(second.events) == 8
    await studio.later(seconds=22)
    await studio.work()
    assert len(receiver.events) == 6
    await studio.later(seconds=40)
    for _ in range(8):
        await studio.work()
        await studio.later(minutes=2)
    assert {each.state for each in await studio.deliveries(dead.id)} == {"delivered"}
    assert {each.state for each in await studio.deliveries(alive.id)} == {"delivered"}
    assert (await studio.look(dead.id)).endpoint.paused_until is None


async def test_a_receiver_that_asks_for_less_is_left_alone(studio: WebhookStudio, receiver: Receiver) -> None:
    """429 with Retry-After holds back every delivery to that endpoint, not only the one that was answered."""
    made = await studio.endpoint(receiver)
    receiver.script.append(status(429, Retry_After="120"))
    await studio.happen()
    await studio.work()
    await studio.happen()
    await studio.later(seconds=60)
    await studio.work()
    assert len(receiver.events) == 1
    await studio.later(seconds=90)
    await studio.work()
    await studio.work()
    assert {each.state for each in await studio.deliveries(made.id)} == {"delivered"}


async def test_one_endpoint_never_has_more_than_its_share_in_flight(
    studio: WebhookStudio, receiver: Receiver, second: Receiver
) -> None:
    """Of twenty deliveries to one endpoint five run at once; another endpoint's go beside them."""
    await studio.endpoint(receiver, ["take.succeeded"])
    await studio.endpoint(second, ["take.failed"])
    for _ in range(20):
        await studio.happen()
    await studio.happen("take.failed")
    assert await studio.picked() == 6


async def test_redelivery_repeats_the_event_as_a_new_delivery(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """The receiver sees the same id and body again; the log has two deliveries."""
    made = await studio.endpoint(receiver)
    await studio.happen()
    await studio.work()
    await studio.redeliver((await studio.delivery(made.id)).id)
    await studio.work()
    first, again = receiver.events
    assert (first.id, first.body) == (again.id, again.body)
    assert [each.state for each in await studio.deliveries(made.id)] == ["delivered", "delivered"]


async def test_redelivery_of_a_waiting_delivery_takes_its_place(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """Whoever has mended their receiver needn't wait for the schedule, and gets the event once, not twice."""
    made = await studio.endpoint(receiver)
    receiver.script.append(status(500))
    await studio.happen()
    await studio.work()
    await studio.redeliver((await studio.delivery(made.id)).id)
    await studio.work()
    await studio.later(hours=100)
    await studio.work()
    assert len(receiver.events) == 2
    assert [each.state for each in await studio.deliveries(made.id)] == ["abandoned", "delivered"]


async def test_nothing_is_sent_again_to_a_disabled_endpoint(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """Redelivery says that the endpoint isn't active."""
    made = await studio.endpoint(receiver)
    await studio.happen()
    await studio.work()
    await keep_endpoints.disable_by_owner(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    with pytest.raises(Conflict):
        await studio.redeliver((await studio.delivery(made.id)).id)


async def test_recovery_sends_what_failed_and_what_was_never_queued(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """After an outage every missed event comes once; what had arrived doesn't come again."""
    made = await studio.endpoint(receiver, ["take.succeeded"])
    began = clock.now() - timedelta(seconds=1)
    arrived = await studio.happen()
    await studio.work()
    receiver.script.append(status(500))
    lost = await studio.happen()
    await studio.work()
    await keep_endpoints.disable_by_owner(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    missed = await studio.happen()
    await studio.happen("take.failed")  # not asked for
    await keep_endpoints.enable_endpoint(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    await studio.later(seconds=10)
    while await studio.work():
        pass
    assert [each.id for each in receiver.events] == [str(arrived), str(lost)]
    found = await studio.recover(made.id, since=began, now=clock.now())
    assert (found.queued, found.more) == (2, False)
    await studio.work()
    assert sorted(each.id for each in receiver.events[2:]) == sorted([str(lost), str(missed)])
    again = await studio.recover(made.id, since=began, now=clock.now())
    assert again.queued == 0


async def test_both_secrets_sign_while_a_rotation_overlaps(studio: WebhookStudio, receiver: Receiver) -> None:
    """During the overlap old and new verify; after it only the new does."""
    old = await studio.endpoint(receiver)
    new = await studio.rotate(old.id, timedelta(hours=1))
    await studio.happen()
    await studio.work()
    await studio.later(hours=2)
    await studio.happen()
    await studio.work()
    during, after = receiver.events
    for each in (old, new):
        Webhook(each.secret).verify(during.body.decode(), during.headers)
        assert during.proved_by(each.public_key)
    assert len(during.signatures) == 4
    Webhook(new.secret).verify(after.body.decode(), after.headers)
    assert after.proved_by(new.public_key)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(after.body.decode(), after.headers)
    assert not after.proved_by(old.public_key)
    assert [key for key, _ in (await studio.look(old.id)).keys] == [new.public_key]


async def test_a_second_rotation_leaves_two_secrets(studio: WebhookStudio, receiver: Receiver) -> None:
    """The oldest goes at once, so that never more than two live."""
    first = await studio.endpoint(receiver)
    second = await studio.rotate(first.id, timedelta(hours=1))
    third = await studio.rotate(first.id, timedelta(hours=1))
    await studio.happen()
    await studio.work()
    [message] = receiver.events
    assert [message.proved_by(each.public_key) for each in (first, second, third)] == [False, True, True]


async def test_a_rotation_without_overlap_ends_the_old_secret(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """A leaked secret can be stopped at once."""
    old = await studio.endpoint(receiver)
    new = await studio.rotate(old.id, timedelta(0))
    await studio.happen()
    await studio.work()
    [message] = receiver.events
    assert (message.proved_by(old.public_key), message.proved_by(new.public_key)) == (False, True)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(message.body.decode(), message.headers)
