"""The embedded stack's own provider, as a browser uses it."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from services.embedded.sign_in.people import PeopleFile, audience_of
from services.embedded.stack import Stack
from tests.gateway import Client, Studio, onboard

VERIFIER = "v" * 64


@pytest.fixture(scope="module")
async def own(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A studio whose people sign in here."""
    return await onboard(http, running)


def caller(studio: Studio, presented: str) -> Client:
    return Client(studio.http, studio.base, presented)


@pytest.fixture(scope="module")
async def person(own: Studio, running: Stack) -> Any:
    await own.person("reviewer", name="Ada <Marsh>", subject="browser")
    return PeopleFile(running.home.path).find(own.slug, "browser")


def asked_by(own: Studio) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    return {
        "response_type": "code",
        "client_id": audience_of(own.slug),
        "redirect_uri": own.base + "/console/sign-in",
        "state": f"x.{own.slug}",
        "code_challenge": challenge.decode().rstrip("="),
        "code_challenge_method": "S256",
    }


async def code_of(own: Studio, person: Any, password: str | None = None) -> str | None:
    form = {**asked_by(own), "subject": person.subject, "password": password or person.password}
    async with own.http.post(own.issuer + "/authorize", data=form, allow_redirects=False) as answer:
        place = answer.headers.get("Location")
    return parse_qs(urlsplit(place).query)["code"][0] if place else None


async def redeemed(own: Studio, code: str, **changed: str) -> tuple[int, Any]:
    asked = asked_by(own)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": VERIFIER,
        "client_id": asked["client_id"],
        "redirect_uri": asked["redirect_uri"],
        **changed,
    }
    async with own.http.post(own.issuer + "/token", data=form) as answer:
        return answer.status, await answer.json()


async def test_a_person_signs_in_with_a_code(own: Studio, person: Any) -> None:
    """The right password gives a code, the code gives a token, once; and the gateway takes it."""
    async with own.http.get(own.issuer + "/authorize", params=asked_by(own)) as answer:
        page = await answer.text()
    assert "Ada &lt;Marsh&gt;" in page
    assert person.password not in page
    assert await code_of(own, person, "wrong") is None
    code = await code_of(own, person)
    assert code is not None
    status, tokens = await redeemed(own, code)
    assert status == 200
    me = (await caller(own, tokens["access_token"]).get("/v1/me")).json
    assert (me["name"], me["roles"], me["studio"]) == ("Ada <Marsh>", ["reviewer"], own.slug)
    assert (await redeemed(own, code))[0] == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "w" * 64},
        {"client_id": "circletake:another"},
        {"redirect_uri": "http://127.0.0.1/"},
    ],
    ids=["verifier", "client", "place"],
)
async def test_a_stolen_code_is_no_use(own: Studio, person: Any, changed: dict[str, str]) -> None:
    """Without what the browser kept to itself, a code that was seen in an address gives nothing."""
    code = await code_of(own, person)
    assert code is not None
    assert (await redeemed(own, code, **changed))[0] == 400
    assert (await redeemed(own, code))[0] == 400


async def test_people_are_sent_back_to_this_machine_only(own: Studio) -> None:
    """A link that would send a code elsewhere is refused on the spot."""
    for uri in (
        "https://elsewhere.example/",
        "http://127.0.0.1.elsewhere.example/",
        "javascript:alert(1)",
    ):
        asked = {**asked_by(own), "redirect_uri": uri}
        async with own.http.get(own.issuer + "/authorize", params=asked) as answer:
            assert answer.status == 400


async def test_the_console_leads_to_the_studios_own_provider(own: Studio) -> None:
    """The page may speak to that provider and to nobody else; an unknown studio has none."""
    shown = await caller(own, "").get(f"/console/sign-in?studio={own.slug}")
    policy = shown.headers["Content-Security-Policy"]
    assert f"connect-src 'self' {own.issuer};" in policy
    assert re.search(rf'data-authorize="{re.escape(own.issuer)}/authorize"', shown.body.decode())
    for unknown in ("nobody-here", "%3Cscript%3E", "a" * 500):
        answer = await caller(own, "").get(f"/console/sign-in?studio={unknown}")
        assert (answer.status, b"data-authorize" in answer.body) == (404, False)
        assert b"<script>" not in answer.body
