"""People sign in with their studio's own provider: who they are, what they may do, and that keys can't do it."""

import asyncio
import secrets
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from joserfc import jwt

from circletake.kit import clock
from services.embedded.sign_in.people import audience_of
from services.embedded.sign_in.tokens import Minter
from services.embedded.stack import Stack
from tests.gateway import Client, Studio, onboard
from tests.logs import in_the_log

NOWHERE = str(uuid4())

# what decides: each is a person's to do, whatever a key may otherwise
ACTS = [
    ("POST", "/v1/takes/{id}/circle", {}),
    ("POST", "/v1/takes/{id}/uncircle", {}),
    ("POST", "/v1/takes/{id}/reject", {"reason": "no"}),
    ("POST", "/v1/takes/{id}/versions", {}),
    ("POST", "/v1/versions/{id}/status", {"status": "approved"}),
    ("POST", "/v1/reference-sets/{id}/approve", {}),
    ("POST", "/v1/holds/{id}/release", {}),
    ("POST", "/v1/holds/{id}/decline", {}),
    ("POST", "/v1/consents/{id}/grant", {}),
    ("POST", "/v1/consents/{id}/decline", {}),
    ("POST", "/v1/consents/{id}/revoke", {}),
    ("POST", "/v1/characters/{id}/exemptions", {}),
    ("POST", "/v1/policy-packs/{id}/signatures", {}),
    ("PUT", "/v1/productions/{id}/labour-action", {}),
    ("POST", "/v1/people/{id}/suspend", None),
]


@pytest.fixture(scope="module")
async def own(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A studio whose people and providers these tests may change."""
    return await onboard(http, running)


@pytest.fixture(scope="module")
def minter(running: Stack) -> Minter:
    """The provider's own key: signs whatever a test wants it to have said."""
    return Minter.of_home(running.home.path, running.sign_in_url)


def token(minter: Minter, **claims: Any) -> str:
    now = int(clock.now().timestamp())
    said = {"iss": minter.issuer, "sub": "ada", "iat": now, "exp": now + 900, **claims}
    return jwt.encode({"alg": "ES256", "kid": minter.key.kid}, said, minter.key)


def caller(studio: Studio, presented: str) -> Client:
    return Client(studio.http, studio.base, presented)


async def test_a_person_is_known_by_the_tokens_subject(studio: Studio) -> None:
    """The same subject is one person, with the name and the roles of the last token."""
    ada = await studio.person("reviewer", name="Ada", subject="ada-1")
    first = (await ada.get("/v1/me")).json
    again = await studio.person("approver", name="Ada Lovelace", subject="ada-1")
    second = (await again.get("/v1/me")).json
    assert (first["kind"], first["roles"]) == ("person", ["reviewer"])
    assert second["person_id"] == first["person_id"]
    assert (second["name"], second["roles"]) == ("Ada Lovelace", ["approver"])
    listed = (await studio.get("/v1/people?limit=200")).json["data"]
    assert [each["name"] for each in listed if each["id"] == first["person_id"]] == ["Ada Lovelace"]


async def test_a_key_is_nobody(studio: Studio) -> None:
    """A key has scopes and no role."""
    me = (await studio.get("/v1/me")).json
    assert (me["kind"], me["person_id"], me["roles"]) == ("key", None, [])


async def test_a_key_alone_decides_nothing(studio: Studio) -> None:
    """With every scope there is, a key is told that a person has to; before it learns whether anything is there."""
    assert set((await studio.get("/v1/me")).json["scopes"]) >= {"review", "write", "generate"}
    answers = [await studio.call(method, path.format(id=NOWHERE), json=body) for method, path, body in ACTS]
    assert [(each.status, each.json["code"]) for each in answers] == [(403, "person_required")] * len(ACTS)


async def test_roles_open_what_they_name_and_nothing_else(own: Studio) -> None:
    """Somebody without a role may ask who they are; a requester may not choose."""
    nobody = await own.person()
    assert (await nobody.get("/v1/me")).json["scopes"] == []
    assert (await nobody.get("/v1/productions")).json["code"] == "missing_scope"
    refused = await (await own.person("requester")).post(f"/v1/takes/{NOWHERE}/circle")
    assert (refused.status, refused.json["code"]) == (403, "missing_role")
    assert refused.json["roles"] == ["approver", "reviewer"]


async def test_nobody_can_say_in_a_body_who_they_are(own: Studio) -> None:
    """The person on the record is the token's subject: there is no field for another one."""
    reviewer = await own.person("reviewer")
    for field in ("person_id", "by", "actor"):
        answer = await reviewer.post(f"/v1/takes/{NOWHERE}/circle", {field: NOWHERE})
        assert (answer.status, answer.json["errors"][0]["code"]) == (422, "extra_forbidden")


async def test_tokens_that_are_not_this_studios_are_refused(
    own: Studio, other_studio: Studio, minter: Minter
) -> None:
    """For nobody here, for two studios at once, over, or of another issuer: 401 with the reason, never a guess."""
    now = int(clock.now().timestamp())
    both = [audience_of(own.slug), audience_of(other_studio.slug)]
    mine = audience_of(own.slug)
    presented = {
        "token_audience": [
            token(minter, aud="circletake:nobody-here"),
            token(minter, aud=both),
            token(minter, aud=mine, iss="https://login.elsewhere.example"),
        ],
        "token_expired": [token(minter, aud=mine, iat=now - 900, exp=now - 300)],
        "token_lifetime": [token(minter, aud=mine, exp=now + 10**9)],
        "token_malformed": [token(minter, aud=mine, sub=""), "a.b.c", "a.b", token(minter, aud="\0")],
        "token_too_large": [token(minter, aud=mine, more="x" * 9000)],
        "unauthenticated": ["ct_live_x.y.z", "nonsense"],
    }
    for code, tokens in presented.items():
        for each in tokens:
            answer = await caller(own, each).get("/v1/me")
            assert (answer.status, answer.json["code"]) == (401, code)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    # taken in one studio, it opens nothing in the other
    ada = caller(own, token(minter, aud=mine, roles=["approver"]))
    assert (await ada.get("/v1/me")).json["studio"] == own.slug


async def test_a_suspended_person_is_shut_out(own: Studio) -> None:
    """Within the promised seconds, whatever the provider says; nobody does it to themselves; and back in again."""
    leaver = await own.person("approver", subject="leaver")
    manager = await own.person("production_manager", subject="manager")
    person = f"/v1/people/{(await leaver.get('/v1/me')).json['person_id']}"
    me = f"/v1/people/{(await manager.get('/v1/me')).json['person_id']}"
    assert (await manager.post(f"{me}/suspend")).json["code"] == "own_suspension"
    assert (await leaver.post(f"{me}/suspend")).json["code"] == "missing_role"
    assert (await manager.post(f"{person}/suspend")).json["state"] == "suspended"
    assert await answered(leaver, 403) == "person_suspended"
    assert (await manager.post(f"{person}/resume")).json["state"] == "active"
    assert (await leaver.get("/v1/me")).status == 200


async def answered(client: Client, status: int) -> str | None:
    """Ask as a caller would until the answer has this status."""
    async with asyncio.timeout(60):  # five seconds are promised; a test machine may be busier than that
        while (answer := await client.get("/v1/me")).status != status:  # noqa: ASYNC110 - a caller can only ask again
            await asyncio.sleep(0.3)
    return str(answer.json["code"])


async def test_the_operator_says_who_vouches_for_a_studios_people(
    running: Stack, http: aiohttp.ClientSession, operator: Client, own: Studio
) -> None:
    """An issuer with an audience is one studio's, keeps its issuer, is on the internet, and ends when it is removed."""
    other = await onboard(http, running)
    place = f"/admin/v1/tenants/{other.tenant_id}/identity-providers"
    body = {"issuer": running.sign_in_url, "audience": audience_of(own.slug)}
    taken = await operator.call("PUT", f"{place}/second", json=body)
    assert (taken.status, taken.json["code"]) == (409, "audience_taken")
    moved = await operator.call("PUT", f"{place}/local", json={**body, "issuer": "https://login.s.example"})
    assert (moved.status, moved.json["code"]) == (409, "issuer_fixed")
    inside = await operator.call("PUT", f"{place}/second", json={**body, "issuer": "https://10.0.0.7"})
    assert (inside.status, inside.json["errors"][0]["pointer"]) == (422, "/issuer")
    mapped = {**body, "audience": audience_of(other.slug), "role_map": {"requester": "approver"}}
    assert (await operator.call("PUT", f"{place}/local", json=mapped)).status == 200
    ada = await other.person("requester")
    assert (await ada.get("/v1/me")).json["roles"] == ["approver"]
    assert [each["name"] for each in (await operator.get(place)).json["data"]] == ["local"]
    assert (await operator.call("DELETE", f"{place}/local")).status == 204
    assert await answered(ada, 401) == "token_audience"
    assert (await operator.get(f"{place}/local")).status == 404


async def test_the_log_has_ids_of_people_and_no_names(running: Stack, own: Studio) -> None:
    """Who called can be found by who may look, and nobody is named."""
    name = f"Zz{secrets.token_hex(6)}"
    person = await own.person("reviewer", name=name, subject=name)
    me = (await person.get("/v1/me")).json["person_id"]
    assert (await person.get("/v1/me")).json["name"] == name
    assert await in_the_log(running, f"person_id={me}")
    assert name not in (running.home.logs / "api.log").read_text()
