"""The front page and the consoles."""

import hashlib
import re
from pathlib import Path

import pytest

import services.api.console
from tests.gateway import Client, Studio

VENDORED = Path(services.api.console.__file__).parent / "static" / "swagger-ui"
PAGES = ["/", "/console", "/console/models", "/console/sign-in", "/admin/console"]


def policy_of(headers: dict[str, str]) -> dict[str, list[str]]:
    parts = [part.split() for part in headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in parts}


@pytest.fixture
def nobody(operator: Client) -> Client:
    """A browser: it has no key yet."""
    return Client(operator.http, operator.base, "")


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_needs_nothing_from_elsewhere(nobody: Client, page: str) -> None:
    """It works with no internet: every address in it is on this server and answers."""
    shown = await nobody.get(page)
    assert shown.status == 200
    text = shown.body.decode()
    assert "//" not in text.replace("<!doctype html>", "")
    for address in re.findall(r'(?:src|href|data-document)="([^"]+)"', text):
        answer = await nobody.get(address)
        # readiness may say 503 while workers start: it answers all the same
        assert answer.status in ({200, 503} if address == "/readyz" else {200}), address


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_runs_its_own_files_only(nobody: Client, page: str) -> None:
    """No inline script or style, no frame around it, no form, nowhere to send a key to."""
    shown = await nobody.get(page)
    policy = policy_of(shown.headers)
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == ["'none'"]
    text = shown.body.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", text)


@pytest.mark.parametrize(
    ("page", "document", "path"),
    [
        ("/console", "/v1/openapi.json", "/v1/generations"),
        ("/admin/console", "/admin/v1/openapi.json", "/admin/v1/tenants"),
    ],
)
async def test_a_console_opens_its_own_document_with_a_way_to_authorise(
    nobody: Client, page: str, document: str, path: str
) -> None:
    """The studio's and the operator's document don't mix, and both say how to send the key."""
    assert f'data-document="{document}"' in (await nobody.get(page)).body.decode()
    opened = (await nobody.get(document)).json
    assert path in opened["paths"]
    other = "/v1/" if page.startswith("/admin") else "/admin/"
    assert not [each for each in opened["paths"] if each.startswith(other)]
    schemes = opened["components"]["securitySchemes"].values()
    assert {(each["type"], each["scheme"]) for each in schemes} == {("http", "bearer")}


async def test_health_is_documented_and_metrics_are_not(nobody: Client) -> None:
    """Who operates the gateway finds its probes in the document."""
    paths = (await nobody.get("/v1/openapi.json")).json["paths"]
    assert {"/healthz", "/readyz"} <= paths.keys()
    assert "/metrics" not in paths


async def test_only_the_consoles_files_are_served(nobody: Client) -> None:
    """No way out of the folder, and no file that a page doesn't use."""
    for name in ("VERSION", "..%2fpages.py", "%2e%2e/pages.py", "swagger-ui%2fLICENSE"):
        assert (await nobody.get(f"/console/static/{name}")).status == 404


def test_the_vendored_files_are_the_published_ones() -> None:
    """What is shipped is what VERSION names, with its licences."""
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (VENDORED / "VERSION").read_text(), re.MULTILINE)
    assert {name for _, name in listed} == {each.name for each in VENDORED.iterdir()} - {"VERSION"}
    for digest, name in listed:
        assert hashlib.sha256((VENDORED / name).read_bytes()).hexdigest() == digest


async def test_the_catalogues_tables_are_for_studios(nobody: Client, studio: Studio) -> None:
    """The page is open and empty; prices come with a key or a person's token, every model in them, escaped and bare of
    anything that runs."""
    assert b"stability" not in (await nobody.get("/console/models")).body
    refused = await nobody.get("/console/models/tables")
    assert (refused.status, refused.json["code"]) == (401, "unauthenticated")
    shown = await studio.get("/console/models/tables")
    assert shown.status == 200
    text = shown.body.decode()
    for model in (await studio.get("/v1/models")).json["data"]:
        assert model["id"] in text
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?:", text)
