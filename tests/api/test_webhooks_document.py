"""The `webhooks` section of the OpenAPI document agrees with what is really sent."""

from collections.abc import AsyncIterator

import pytest
from jsonschema import Draft202012Validator

from circletake.domain.webhooks import EVENT_TYPES
from tests.receiver import Receiver, listening


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as server:
        yield server


async def document(studio):
    return (await studio.get("/v1/openapi.json")).json


def sent(described, event_type):
    """A validator for the body of one event type."""
    body = described["webhooks"][event_type]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**body, "components": described["components"]})


async def test_every_event_type_is_described(studio):
    """A client generator finds one operation per event type, and no other."""
    described = await document(studio)
    assert set(described["webhooks"]) == set(EVENT_TYPES)
    names = {
        each["name"]
        for operation in described["webhooks"].values()
        for each in operation["post"]["parameters"]
    }
    assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}


async def test_what_arrives_is_what_the_document_says(studio, receiver):
    """Challenge and test messages fit their schemas."""
    described = await document(studio)
    made = await studio.post("/v1/webhook-endpoints", {"url": receiver.url}, headers={"Prefer": "wait=20"})
    await studio.post(f"/v1/webhook-endpoints/{made.json['id']}/test")
    await receiver.next("endpoint.test")
    assert {each.json["type"] for each in receiver.messages} == {"endpoint.challenge", "endpoint.test"}
    for message in receiver.messages:
        sent(described, message.json["type"]).validate(message.json)
