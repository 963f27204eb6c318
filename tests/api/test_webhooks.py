"""Webhook endpoints over HTTP, with the gateway, dispatcher and workers running and a receiver on loopback."""

from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook

from tests.gateway import http_session, onboard
from tests.receiver import Receiver, listening, status

NOWHERE = "0190a5b0-0000-7000-8000-000000000000"
ENDPOINTS = "/v1/webhook-endpoints"
WAIT = {"Prefer": "wait=20"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as server:
        yield server


async def register(studio, receiver, *, headers=WAIT, **more):
    made = await studio.post(ENDPOINTS, {"url": receiver.url, **more}, headers=headers)
    assert made.status in {200, 202}, made.body
    return made


async def active(studio, receiver, **more):
    made = await register(studio, receiver, **more)
    assert made.json["state"] == "active", made.body
    return made.json


async def settled(studio, delivery_id, receiver):
    """Read a delivery once it has ended; the receiver had its last message before."""
    for _ in range(200):
        read = await studio.get(f"/v1/webhook-deliveries/{delivery_id}")
        if read.json["state"] != "pending":
            break
    return read.json


async def test_an_endpoint_is_registered_challenged_and_active(studio, receiver):
    """With `Prefer: wait` the answer says that the challenge went well, and shows the secret that verifies it."""
    made = await register(studio, receiver, description="dailies")
    assert made.status == 200
    assert made.json["state"] == "active"
    assert made.headers["Preference-Applied"] == "wait=20"
    assert made.headers["Location"] == f"{ENDPOINTS}/{made.json['id']}"
    assert made.json["event_types"] == [
        "batch.completed",
        "consistency_check.finished",
        "consistency_enforcement.finished",
        "generation.finished",
        "generation.held",
        "golden_run.finished",
        "hold.opened",
        "inbox.digest",
        "model.ending",
        "take.failed",
        "take.filtered",
    ]
    [challenge] = receiver.messages
    Webhook(made.json["secret"]).verify(challenge.body.decode(), challenge.headers)
    assert challenge.proved_by(made.json["public_keys"][0]["public_key"])
    read = await studio.get(made.headers["Location"])
    assert read.json == {name: value for name, value in made.json.items() if name != "secret"}
    assert read.headers["ETag"] == '"1"'


async def test_a_failed_challenge_is_told_to_who_waits(studio, receiver):
    """The answer comes with the first failed challenge, not when the time is over, and names the reason."""
    receiver.challenge = status(200, "hello")
    made = await register(studio, receiver)
    assert (made.status, made.json["state"]) == (200, "unverified")
    assert "doesn't repeat the challenge" in made.json["last_error"]


async def test_without_waiting_the_answer_is_202_and_unverified(studio, receiver):
    """The challenge goes out later, by a worker."""
    made = await register(studio, receiver, headers={})
    assert (made.status, made.json["state"]) == (202, "unverified")
    await receiver.next("endpoint.challenge")


@pytest.mark.parametrize(
    ("url", "about"),
    [
        ("http://example.com/hook", "https"),
        ("https://10.0.0.7/hook", "public internet"),
        ("https://169.254.169.254/latest/meta-data", "public internet"),
        ("https://example.com:8443/hook", "port"),
        ("https://user:pass@example.com/hook", "user name"),
        ("ftp://example.com/hook", "https://"),
        ("nonsense", "https://"),
    ],
)
async def test_a_url_that_may_not_be_called_is_refused(studio, url, about):
    """The problem points at /url and says what to change."""
    refused = await studio.post(ENDPOINTS, {"url": url})
    assert refused.status == 422
    [error] = refused.json["errors"]
    assert error["pointer"] == "/url"
    assert about in error["message"]


@pytest.mark.parametrize("event_type", ["take.lost", "endpoint.challenge", "endpoint.test"])
async def test_an_unknown_event_type_is_pointed_at(studio, receiver, event_type):
    """Nothing asked for is dropped silently."""
    refused = await studio.post(ENDPOINTS, {"url": receiver.url, "event_types": ["take.failed", event_type]})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "/event_types/1"


async def test_a_repeated_request_makes_one_endpoint_and_shows_the_same_secret(studio, receiver):
    """A client that lost the answer gets it again with its Idempotency-Key."""
    headers = {"Idempotency-Key": "hook-once-1"}
    one = await register(studio, receiver, headers=headers)
    two = await register(studio, receiver, headers=headers)
    assert two.headers["Idempotent-Replayed"] == "true"
    assert (one.json["id"], one.json["secret"]) == (two.json["id"], two.json["secret"])


async def test_a_test_event_arrives_and_is_in_the_log(studio, receiver):
    """The delivery is read with its attempt; the event can be read by the webhook-id."""
    made = await active(studio, receiver)
    queued = await studio.post(f"{ENDPOINTS}/{made['id']}/test")
    assert queued.status == 202, queued.body
    message = await receiver.next("endpoint.test")
    Webhook(made["secret"]).verify(message.body.decode(), message.headers)
    assert message.id == queued.json["event_id"]
    delivery = await settled(studio, queued.json["id"], receiver)
    assert (delivery["state"], delivery["attempts"], delivery["event_type"]) == (
        "delivered",
        1,
        "endpoint.test",
    )
    [attempt] = delivery["log"]
    assert (attempt["number"], attempt["status"], attempt["error"]) == (1, 204, None)
    listed = await studio.get(f"{ENDPOINTS}/{made['id']}/deliveries", params={"state": "delivered"})
    assert [each["id"] for each in listed.json["data"]] == [queued.json["id"]]
    event = await studio.get(message.json["data"]["links"]["event"])
    assert event.status == 200
    assert event.json["data"] == message.json["data"]


async def test_a_failed_delivery_is_repeated_by_itself(studio, receiver):
    """500 first, then 204: the receiver sees one id twice and nobody had to do anything."""
    made = await active(studio, receiver)
    receiver.script.append(status(500))
    await studio.post(f"{ENDPOINTS}/{made['id']}/test")
    first = await receiver.next("endpoint.test")
    again = await receiver.next("endpoint.test")
    assert first.id == again.id


async def test_a_delivery_is_sent_again_on_request(studio, receiver):
    """Redelivery makes a new delivery of the same event."""
    made = await active(studio, receiver)
    queued = await studio.post(f"{ENDPOINTS}/{made['id']}/test")
    first = await receiver.next("endpoint.test")
    again = await studio.post(f"/v1/webhook-deliveries/{queued.json['id']}/redeliver")
    assert again.status == 202, again.body
    assert again.json["id"] != queued.json["id"]
    assert (await receiver.next("endpoint.test")).id == first.id


async def test_pages_of_deliveries_hold_each_once(studio, receiver):
    """The log is paged with cursors, newest first."""
    made = await active(studio, receiver)
    queued = [(await studio.post(f"{ENDPOINTS}/{made['id']}/test")).json["id"] for _ in range(3)]
    path = f"{ENDPOINTS}/{made['id']}/deliveries"
    first = await studio.get(path, params={"limit": 2})
    rest = await studio.get(path, params={"limit": 2, "cursor": first.json["next_cursor"]})
    assert [each["id"] for page in (first, rest) for each in page.json["data"]] == queued[::-1]
    assert rest.json["next_cursor"] is None


async def test_an_edit_needs_the_etag_and_a_new_url_a_challenge(studio, receiver):
    """An edit of an old version is refused; the description changes at once; another URL is unverified again."""
    made = await active(studio, receiver)
    path = f"{ENDPOINTS}/{made['id']}"
    assert (await studio.call("PATCH", path, json={"description": "x"})).status == 428
    edited = await studio.call(
        "PATCH", path, json={"description": "x", "event_types": ["take.circled"]}, headers={"If-Match": '"1"'}
    )
    assert (edited.status, edited.json["description"], edited.json["state"]) == (200, "x", "active")
    assert edited.json["event_types"] == ["take.circled"]
    stale = await studio.call("PATCH", path, json={"description": "y"}, headers={"If-Match": '"1"'})
    assert stale.status == 412
    async with listening() as moved:
        edited = await studio.call(
            "PATCH", path, json={"url": moved.url}, headers={"If-Match": edited.headers["ETag"]}
        )
        assert (edited.status, edited.json["state"]) == (200, "unverified")
        await moved.next("endpoint.challenge")


async def test_rotation_shows_the_new_secret_and_both_sign(studio, receiver):
    """Old and new secret verify the same message during the overlap."""
    made = await active(studio, receiver)
    rotated = await studio.post(f"{ENDPOINTS}/{made['id']}/rotate-secret", {"overlap_seconds": 3600})
    assert rotated.status == 200, rotated.body
    assert rotated.json["secret"] != made["secret"]
    assert [key["expires_at"] is None for key in rotated.json["public_keys"]] == [True, False]
    await studio.post(f"{ENDPOINTS}/{made['id']}/test")
    message = await receiver.next("endpoint.test")
    for secret in (made["secret"], rotated.json["secret"]):
        Webhook(secret).verify(message.body.decode(), message.headers)
    for key in rotated.json["public_keys"]:
        assert message.proved_by(key["public_key"])


async def test_a_disabled_endpoint_says_so_and_can_be_enabled(studio, receiver):
    """Disabled, it takes no test; enabled, it is challenged and active again."""
    made = await active(studio, receiver)
    path = f"{ENDPOINTS}/{made['id']}"
    disabled = await studio.post(f"{path}/disable")
    assert (disabled.json["state"], disabled.json["disabled_reason"]) == ("disabled", "by_request")
    refused = await studio.post(f"{path}/test")
    assert (refused.status, refused.json["code"]) == (409, "endpoint_not_active")
    enabled = await studio.post(f"{path}/enable", headers=WAIT)
    assert (enabled.status, enabled.json["state"]) == (202, "active")


async def test_a_deleted_endpoint_is_gone(studio, receiver):
    """It answers 404 and is in no list."""
    made = await active(studio, receiver)
    path = f"{ENDPOINTS}/{made['id']}"
    assert (await studio.call("DELETE", path)).status == 204
    assert (await studio.get(path)).status == 404
    listed = await studio.get(ENDPOINTS)
    assert made["id"] not in [each["id"] for each in listed.json["data"]]


async def test_recovery_refuses_a_moment_it_cannot_reach(studio, receiver):
    """Thirty days back is the most; the future is nothing to recover."""
    made = await active(studio, receiver)
    for since in ("2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"):
        refused = await studio.post(f"{ENDPOINTS}/{made['id']}/recover", {"since": since})
        assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/since")


async def test_another_studio_finds_none_of_it(studio, other_studio, receiver):
    """Endpoints, deliveries and events of one studio are unknown to another."""
    made = await active(studio, receiver)
    queued = await studio.post(f"{ENDPOINTS}/{made['id']}/test")
    await receiver.next("endpoint.test")
    for method, path in (
        ("GET", f"{ENDPOINTS}/{made['id']}"),
        ("DELETE", f"{ENDPOINTS}/{made['id']}"),
        ("POST", f"{ENDPOINTS}/{made['id']}/rotate-secret"),
        ("POST", f"{ENDPOINTS}/{made['id']}/test"),
        ("GET", f"{ENDPOINTS}/{made['id']}/deliveries"),
        ("GET", f"/v1/webhook-deliveries/{queued.json['id']}"),
        ("POST", f"/v1/webhook-deliveries/{queued.json['id']}/redeliver"),
        ("GET", f"/v1/events/{queued.json['event_id']}"),
    ):
        foreign = await other_studio.call(method, path)
        unknown = await other_studio.call(
            method, path.replace(made["id"], NOWHERE).replace(queued.json["id"], NOWHERE)
        )
        assert (foreign.status, foreign.json["code"]) == (404, "not_found"), path
        if "events" not in path:
            assert foreign.json["detail"] == unknown.json["detail"]


async def test_events_are_read_in_pages_and_none_twice(running, receiver):
    """Reading on with `after` gives what is new and nothing again; at the end `after` stays usable."""
    async with http_session() as http:
        own = await onboard(http, running)
        nothing = await own.get("/v1/events")
        assert nothing.json == {"data": [], "after": None, "more": False}
        made = await active(own, receiver)
        ids = [(await own.post(f"{ENDPOINTS}/{made['id']}/test")).json["event_id"] for _ in range(3)]
        for _ in ids:
            await receiver.next("endpoint.test")
        first = await own.get("/v1/events", params={"limit": 2})
        assert first.json["more"] is True
        rest = await own.get("/v1/events", params={"limit": 2, "after": first.json["after"]})
        assert rest.json["more"] is False
        assert [each["id"] for page in (first, rest) for each in page.json["data"]] == ids
        end = await own.get("/v1/events", params={"after": rest.json["after"]})
        assert end.json == {"data": [], "after": rest.json["after"], "more": False}
        forged = await own.get("/v1/events", params={"after": first.json["after"][:-2] + "AA"})
        assert forged.status == 422
