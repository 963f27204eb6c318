"""The operator's tenants and keys over HTTP."""

import asyncio
import secrets

import aiohttp
import pytest

from services.embedded.stack import Stack
from tests.gateway import Client, Studio, onboard

POLL_SECONDS = 0.3


@pytest.fixture
async def own(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A studio that this test may suspend."""
    return await onboard(http, running)


def keys_of(studio: Studio) -> str:
    return f"/admin/v1/tenants/{studio.tenant_id}/keys"


async def issue(operator: Client, studio: Studio, **body: object) -> dict[str, object]:
    made = await operator.post(keys_of(studio), {"name": f"k{secrets.token_hex(3)}", **body})
    assert made.status == 201, made.body
    return made.json


def caller(studio: Studio, key: dict[str, object]) -> Client:
    return Client(studio.http, studio.base, str(key["text"]))


async def refused_in_time(client: Client, status: int) -> bool:
    """Ask as a caller would until the answer is the refusal, at most for the promised five seconds."""
    try:
        async with asyncio.timeout(5):
            while (await client.get("/v1/models")).status != status:  # noqa: ASYNC110 - a caller can only ask again
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


async def test_a_new_studio_can_call_at_once(own: Studio) -> None:
    """The first key works as soon as the tenant is answered."""
    assert (await own.get("/v1/models")).status == 200


async def test_a_taken_slug_is_a_conflict(operator: Client) -> None:
    """A second studio of one name is refused, not merged."""
    body = {"slug": f"s-{secrets.token_hex(4)}", "name": "A", "key": {"name": "pipeline"}}
    assert (await operator.post("/admin/v1/tenants", body)).status == 201
    again = await operator.post("/admin/v1/tenants", body)
    assert (again.status, again.json["code"]) == (409, "slug_taken")


@pytest.mark.parametrize("slug", ["-a", "A", "a", "a_b", "é1", "a" * 41, "a-"])
async def test_a_slug_that_can_not_name_a_bucket_is_refused(operator: Client, slug: str) -> None:
    """The slug is part of the bucket's and the roles' names, for good."""
    refused = await operator.post("/admin/v1/tenants", {"slug": slug, "name": "A", "key": {"name": "k"}})
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == "/slug"


async def test_a_studios_key_does_not_open_the_operators_side(own: Studio) -> None:
    """An API key is nobody here, and neither is no key."""
    for key in (own.key, "wrong", ""):
        stranger = Client(own.http, own.base, key)
        for path in ("/admin/v1/tenants", "/admin/v1/queue", "/admin/v1/models", keys_of(own)):
            assert (await stranger.get(path)).status == 401


async def test_a_keys_text_is_shown_once(operator: Client, own: Studio) -> None:
    """No list and no later answer holds a key's text or its hash."""
    made = await issue(operator, own)
    listed = await operator.get(keys_of(own))
    assert str(made["text"]).encode() not in listed.body
    assert b"secret_hash" not in listed.body
    assert made["key_id"] in [each["key_id"] for each in listed.json["data"]]


async def test_suspending_a_studio_refuses_its_keys_and_resuming_lets_them_in(
    operator: Client, own: Studio
) -> None:
    """Also a key that was in use a moment ago is refused within seconds; resuming needs no new key."""
    assert (await own.get("/v1/models")).status == 200
    place = f"/admin/v1/tenants/{own.tenant_id}"
    suspended = await operator.post(f"{place}/suspend")
    assert suspended.json["state"] == "suspended"
    assert await refused_in_time(own, 403)
    assert (await own.get("/v1/models")).json["code"] == "tenant_suspended"
    assert (await operator.post(f"{place}/resume")).json["state"] == "active"
    assert await refused_in_time(own, 200)


async def test_a_revoked_key_stops_within_five_seconds_for_good(operator: Client, own: Studio) -> None:
    """A key in use is remembered for less than the promise; revoking again is no error."""
    made = await issue(operator, own)
    client = caller(own, made)
    assert (await client.get("/v1/models")).status == 200
    for _ in range(2):
        assert (await operator.call("DELETE", f"{keys_of(own)}/{made['id']}")).status == 204
    assert await refused_in_time(client, 401)
    assert (await own.get("/v1/models")).status == 200


async def test_rotation_has_two_live_keys_and_no_third(operator: Client, own: Studio) -> None:
    """Both work while clients change over; the new one has the old one's scopes."""
    old = await issue(operator, own, scopes=["read"])
    new = await operator.post(f"{keys_of(own)}/{old['id']}/rotate", {"overlap_hours": 1})
    assert new.status == 201
    assert (new.json["name"], new.json["scopes"]) == (old["name"], ["read"])
    for key in (old, new.json):
        assert (await caller(own, key).get("/v1/models")).status == 200
    listed = {each["id"]: each for each in (await operator.get(keys_of(own))).json["data"]}
    assert listed[old["id"]]["expires_at"] < str(old["expires_at"])
    third = await operator.post(f"{keys_of(own)}/{new.json['id']}/rotate")
    assert (third.status, third.json["code"]) == (409, "two_live_keys")


async def test_rotation_without_overlap_ends_the_old_key(operator: Client, own: Studio) -> None:
    """After a leak the old key must not live on."""
    old = await issue(operator, own)
    await operator.post(f"{keys_of(own)}/{old['id']}/rotate", {"overlap_hours": 0})
    assert (await caller(own, old).get("/v1/models")).status == 401


async def test_a_key_without_the_scope_is_refused(operator: Client, own: Studio) -> None:
    """A key for reading can't circle or ask for takes."""
    client = caller(own, await issue(operator, own, scopes=["read"]))
    refused = await client.post("/v1/generations", {"production_id": own.tenant_id, "kind": "concept_art"})
    assert (refused.status, refused.json["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "k", "expires_in_days": 367}, "/expires_in_days"),
        ({"name": "k", "scopes": ["root"]}, "/scopes/0"),
        ({"name": "k", "scopes": []}, "/scopes"),
    ],
)
async def test_a_key_that_may_not_be_is_refused(
    operator: Client, own: Studio, body: dict[str, object], pointer: str
) -> None:
    """Longer than a leap year, of unknown scope, of none."""
    refused = await operator.post(keys_of(own), body)
    assert refused.status == 422
    assert refused.json["errors"][0]["pointer"] == pointer


async def test_a_keys_last_use_is_shown(operator: Client, own: Studio) -> None:
    """A key that nobody uses can be found and revoked."""
    unused, used = await issue(operator, own), await issue(operator, own)
    await caller(own, used).get("/v1/models")
    listed = {each["id"]: each for each in (await operator.get(keys_of(own))).json["data"]}
    assert listed[used["id"]]["last_used_at"] is not None
    assert listed[unused["id"]]["last_used_at"] is None


async def test_a_key_of_one_tenant_is_not_found_under_another(
    operator: Client, own: Studio, other_studio: Studio
) -> None:
    """A mixed-up path must not revoke somebody else's key."""
    made = await issue(operator, own)
    wrong = await operator.call("DELETE", f"{keys_of(other_studio)}/{made['id']}")
    assert wrong.status == 404
    assert (await caller(own, made).get("/v1/models")).status == 200


async def test_a_tenants_share_is_changed_on_what_was_read(operator: Client, own: Studio) -> None:
    """An edit without the ETag, or on an old one, is refused."""
    place = f"/admin/v1/tenants/{own.tenant_id}"
    read = await operator.get(place)
    edit = {"weight": 3, "max_running": 7}
    assert (await operator.call("PATCH", place, json=edit)).status == 428
    etag = {"If-Match": read.headers["ETag"]}
    changed = await operator.call("PATCH", place, json=edit, headers=etag)
    assert (changed.json["weight"], changed.json["max_running"]) == (3, 7)
    assert (await operator.call("PATCH", place, json={"weight": 1}, headers=etag)).status == 412


async def test_tenants_are_listed_page_by_page(operator: Client, own: Studio, other_studio: Studio) -> None:
    """Every tenant comes once, newest first."""
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await operator.get(f"/admin/v1/tenants?limit=1{f'&cursor={cursor}' if cursor else ''}")).json
        seen += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
    assert len(seen) == len(set(seen))
    assert {own.tenant_id, other_studio.tenant_id} <= set(seen)
