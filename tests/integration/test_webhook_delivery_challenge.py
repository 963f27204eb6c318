"""Challenges: an endpoint hears of nothing until its owner has shown that it is theirs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from circletake.domain.errors import Conflict, NotFound, TooManyRequests
from circletake.kit.ids import new_id
from circletake.usecases import keep_endpoints
from tests.integration.webhook_studio import RULES, WebhookStudio, provisioned, webhook_studio
from tests.receiver import Answer, Receiver, echo, listening, status
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


async def edit_url(studio: WebhookStudio, endpoint_id, url: str) -> None:
    await keep_endpoints.edit_endpoint(
        studio.database,
        tenant_id=studio.tenant_id,
        endpoint_id=endpoint_id,
        values={"url": url},
        rules=RULES,
        expect=lambda _: None,
    )


@pytest.mark.parametrize(
    "answer",
    [
        echo,
        lambda message: web.json_response({"challenge": message.json["data"]["challenge"]}),
        lambda message: web.Response(text=message.json["data"]["challenge"] + "\n", status=202),
    ],
    ids=["text", "json", "newline"],
)
async def test_the_echo_makes_an_endpoint_active(
    studio: WebhookStudio, receiver: Receiver, answer: Answer
) -> None:
    """A signed challenge, repeated with any 2xx as text or JSON, opens the endpoint for events."""
    receiver.challenge = answer
    made = await studio.endpoint(receiver)
    [challenge] = receiver.messages
    Webhook(made.secret).verify(challenge.body.decode(), challenge.headers)
    assert challenge.proved_by(made.public_key)
    await studio.happen()
    await studio.work()
    assert len(receiver.events) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (status(204), "doesn't repeat the challenge"),
        (status(200, "ok"), "doesn't repeat the challenge"),
        (status(200, "[" * 1_000), "doesn't repeat the challenge"),
        (lambda message: web.Response(text=message.json["data"]["challenge"], status=404), "answered 404"),
        (status(302, Location="https://example.com"), "answered 302"),
    ],
    ids=["empty", "other", "nested", "not-found", "redirect"],
)
async def test_anything_else_leaves_it_closed_and_says_why(
    studio: WebhookStudio, receiver: Receiver, answer: Answer, says: str
) -> None:
    """Without the echo the endpoint stays unverified, its owner reads the reason, and no event is sent."""
    receiver.challenge = answer
    made = await studio.endpoint(receiver, active=False)
    await studio.work()
    view = await studio.look(made.id)
    assert view.endpoint.state == "unverified"
    assert says in (view.endpoint.last_error or "")
    await studio.happen()
    assert await studio.work() == 0
    assert receiver.events == []


async def test_a_challenge_is_repeated_a_few_times_with_a_new_value(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """A receiver that is deployed a minute later still passes; after four tries we stop asking."""
    receiver.challenge = status(503)
    made = await studio.endpoint(receiver, active=False)
    for _ in range(6):
        await studio.work()
        await studio.later(minutes=10)
    values = [each.json["data"]["challenge"] for each in receiver.messages]
    assert len(values) == len(set(values)) == 4
    receiver.challenge = echo
    await keep_endpoints.challenge_again(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    await studio.work()
    view = await studio.look(made.id)
    assert (view.endpoint.state, view.endpoint.last_error) == ("active", None)


async def test_challenges_keep_their_distance(studio: WebhookStudio, receiver: Receiver) -> None:
    """However often it is asked for, a URL that nobody has proved to own is not flooded."""
    receiver.challenge = status(500)
    made = await studio.endpoint(receiver, active=False)
    for _ in range(5):
        await keep_endpoints.challenge_again(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    await studio.work()
    for _ in range(5):
        await keep_endpoints.challenge_again(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
        assert await studio.work() == 0
    assert len(receiver.messages) == 1


async def test_a_new_url_is_challenged_and_gets_what_was_waiting(
    studio: WebhookStudio, receiver: Receiver, second: Receiver
) -> None:
    """After an edit nothing goes to the old URL, and to the new one only when it has repeated its challenge."""
    made = await studio.endpoint(receiver)
    receiver.script.append(status(500))
    await studio.happen()
    await studio.work()
    second.challenge = status(500)
    await edit_url(studio, made.id, second.url)
    await studio.later(seconds=10)
    await studio.work()
    assert (await studio.look(made.id)).endpoint.state == "unverified"
    assert second.events == []
    second.challenge = echo
    await studio.later(seconds=10)
    while await studio.work():
        pass
    assert len(receiver.events) == 1
    assert [each.id for each in second.events] == [receiver.events[0].id]
    assert (await studio.delivery(made.id)).state == "delivered"


async def test_an_enabled_endpoint_is_challenged_again(studio: WebhookStudio, receiver: Receiver) -> None:
    """Disabling abandons what waits; enabling asks the receiver once more before it sends anything."""
    made = await studio.endpoint(receiver)
    await studio.happen()
    await keep_endpoints.disable_by_owner(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    assert (await studio.delivery(made.id)).state == "abandoned"
    await keep_endpoints.enable_endpoint(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    assert (await studio.look(made.id)).endpoint.state == "unverified"
    await studio.later(seconds=10)
    await studio.work()
    assert (await studio.look(made.id)).endpoint.state == "active"
    assert receiver.events == []


async def test_a_deleted_endpoint_is_gone_and_its_log_stays(
    studio: WebhookStudio, receiver: Receiver
) -> None:
    """It isn't found or listed any more and gets nothing, but its deliveries can be read by their ids."""
    made = await studio.endpoint(receiver)
    await studio.happen()
    await studio.work()
    delivery = await studio.delivery(made.id)
    await keep_endpoints.delete_endpoint(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    with pytest.raises(NotFound):
        await studio.look(made.id)
    assert await keep_endpoints.list_endpoints(studio.database, studio.tenant_id, limit=10) == []
    await studio.happen()
    await studio.work()
    assert len(receiver.events) == 1
    view, attempts = await studio.log(delivery.id)
    assert (view.delivery.state, len(attempts)) == ("delivered", 1)


async def test_a_studio_keeps_twenty_endpoints(studio: WebhookStudio, receiver: Receiver) -> None:
    """The twenty-first is refused; a deleted one makes room."""
    made = [await studio.endpoint(receiver, active=False) for _ in range(20)]
    with pytest.raises(Conflict):
        await studio.endpoint(receiver, active=False)
    await keep_endpoints.delete_endpoint(studio.database, tenant_id=studio.tenant_id, endpoint_id=made[0].id)
    await studio.endpoint(receiver, active=False)


async def test_endpoints_are_not_made_in_a_loop(studio: WebhookStudio, receiver: Receiver) -> None:
    """Each new endpoint is a post to an unproved address: after sixty in an hour it is too many."""
    for _ in range(60):
        made = await studio.endpoint(receiver, active=False)
        await keep_endpoints.delete_endpoint(studio.database, tenant_id=studio.tenant_id, endpoint_id=made.id)
    with pytest.raises(TooManyRequests):
        await studio.endpoint(receiver, active=False)
