"""Both OpenAPI documents, read by people and programs that never saw the code: they are valid, complete and true."""

import json
import os
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.meta import CoverageScenario
from schemathesis.specs.openapi import checks

from circletake.domain.webhooks import EVENT_TYPES
from services.embedded.stack import Stack
from tests.consenting import character as character_played
from tests.consenting import consent, performer, portrayal
from tests.gateway import Client, Studio, onboard

EXAMPLES = int(os.environ.get("CIRCLETAKE_SCHEMATHESIS_EXAMPLES", "5"))

# Not among them: positive_data_acceptance (rights, prices and files decide, not the schema alone), use_after_free
# and ensure_resource_availability (nothing is deleted for good here).
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.allow_header_conformance,
    checks.ignored_auth,
]
A_CALL = 30.0
A_DOCUMENT = 120.0
NOWHERE = "http://127.0.0.1:9/hook"
SHARED = {"limit", "cursor"}  # read by the same code wherever they are taken
SHARED_PLACES = 4
SPARED = {
    (name, "DELETE")
    for name in (
        "endpoint_id",
        "media_id",
        "api_key_id",
        "character_id",
        "look_id",
        "reference_id",
        "profile_id",
        "performer_id",
    )
}
PACK = b"""\
pack: house
version: 1
dated: 2026-11-22
title: House rules
sources: {memo: {title: A memo, document: memo 4, date: 2026-11, seen: read}}
rules:
  - {id: finals, says: Ask first., outcome: notify, when: always, source: memo}
"""
OPEN = {"/healthz", "/readyz"}


# --- every call a stranger could make -------------------------------------------------------------------------------


@dataclass
class Guide:
    """Leads three in four of the well-formed calls to things that exist, so that not everything ends in 404 or 422."""

    base: str
    key: str
    known: dict[str, Any] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)
    turn: int = 0
    mistyped: int = 0
    places: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SHARED})

    def __post_init__(self) -> None:
        self.session.trust_env = False  # proxies would be looked for before each of thousands of calls

    def call(self, case: schemathesis.Case) -> None:
        if self._tried_enough(case):
            return
        if case.meta is None or case.meta.generation.mode.is_positive:
            self._aim(case)
        answer = case.call_and_validate(
            base_url=self.base,
            session=self.session,
            headers={"Authorization": f"Bearer {self.key}"},
            checks=CHECKS,
            excluded_checks=[schemathesis.checks.not_a_server_error] if case.path == "/readyz" else None,
            timeout=A_CALL,
        )
        assert answer.status_code != 429, "the limit hides what the call would have been answered"

    def _tried_enough(self, case: schemathesis.Case) -> bool:
        """Whether the same parser has said the same often enough: all types of all fields are thousands of calls.

        Every second of the wrong types is sent, so each field gets some; a parameter that the lists share is tried
        on the first of them.
        """
        tried = case.meta.phase.data if case.meta is not None else None
        name = getattr(tried, "parameter", None)
        if name in SHARED:
            places = self.places[name]
            if len(places) < SHARED_PLACES:
                places.add(case.operation.label)
            return case.operation.label not in places
        if getattr(tried, "scenario", None) is CoverageScenario.INCORRECT_TYPE:
            self.mistyped += 1
            return self.mistyped % 2 == 0
        return False

    def _aim(self, case: schemathesis.Case) -> None:
        self.turn += 1
        body = case.body if isinstance(case.body, dict) else {}
        if self.turn % 4:
            self._lead(case.path_parameters, case.method)
            self._lead(body, case.method)
            if case.headers and "If-Match" in case.headers:
                case.headers["If-Match"] = "*"
        if isinstance(body.get("takes"), int):
            body["takes"] = min(body["takes"], 1)  # each one costs this machine a picture
        if case.path.endswith("/golden-runs"):
            body["max_usd"] = "0"  # nor is anything made again
        if body.get("url"):
            body["url"] = NOWHERE  # nobody else's machine is called

    def _lead(self, values: Any, method: str) -> None:
        for name in (values or {}).keys() & self.known.keys():
            if (name, method) not in SPARED:
                values[name] = self.known[name]


def _schema(url: str) -> Any:
    config = SchemathesisConfig.from_dict(
        {
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "no-shrink": True,
                "with-security-parameters": False,  # every call carries the key; ignored_auth takes it away
            },
            # one router refuses them all
            "phases": {"coverage": {"unexpected-methods": ["DELETE", "PUT", "TRACE"]}},
        }
    )
    requests.get(
        url, timeout=A_DOCUMENT
    )  # made for whoever asks first, which takes longer than the next line waits
    return schemathesis.openapi.from_url(url, config=config)


@pytest.fixture(scope="module")
async def guest(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A studio of these tests' own, with something in every list."""
    return await onboard(http, running)


@pytest.fixture(scope="module")
async def studio_guide(guest: Studio) -> Guide:
    production = await guest.production()
    place = f"/v1/productions/{production['id']}"
    episode = await guest.post(f"{place}/episodes", {"code": "101", "title": "Pilot"})
    sequence = await guest.post(f"{place}/sequences", {"code": "TCC"})
    wanted = {"production_id": production["id"], "kind": "concept_art", "prompt": "a lighthouse at night"}
    made = await guest.post("/v1/generations", wanted, headers={"Prefer": "wait=30"})
    assert made.status == 200, made.body  # its events end then, so following them doesn't wait
    take = made.json["takes"][0]
    verified = await guest.post("/v1/verify", {"take_id": take["id"]})
    endpoint = await guest.post("/v1/webhook-endpoints", {"url": NOWHERE})
    events = await guest.get("/v1/events")
    character = await guest.post(f"{place}/characters", {"kind": "human", "script_name": "MARA"})
    look = await guest.post(f"/v1/characters/{character.json['id']}/looks", {"name": "storm"})
    references = await guest.post(f"/v1/looks/{look.json['id']}/reference-sets")
    set_place = f"/v1/reference-sets/{references.json['id']}/references"
    reference = await guest.post(set_place, {"media_id": take["media_id"]})
    profile = await guest.post(f"{place}/consistency-profiles", {"statistic": "minimum"})
    everybody = await guest.everybody()
    await everybody.post(f"/v1/takes/{take['id']}/circle")
    version = await everybody.post(f"/v1/takes/{take['id']}/versions")
    said = {"production_id": production["id"], "role": "director", "name": "Jo", "held_on": "2026-11-01"}
    consultation = await everybody.post("/v1/consultations", said)
    pack = await guest.call(
        "POST", "/v1/policy-packs", data=PACK, headers={"Content-Type": "application/yaml"}
    )
    signed = await (await guest.everybody()).post("/v1/policy-packs/house/signatures", {"version": 1})
    cut = await guest.post(f"{place}/cuts", {})
    limited = await everybody.post(
        f"{place}/exposure-limits", {"metric": "screen_time", "value": "1", "action": "warn"}
    )
    disclosed = await guest.post(
        "/v1/disclosures",
        {
            "production_id": production["id"],
            "take_id": take["id"],
            "role": "writer",
            "name": "x",
            "disclosed_at": "2026-11-20T10:00:00Z",
        },
    )
    performed = await performer(guest)
    ghost = await character_played(guest, production)
    agreed = await consent(guest, performed["id"], production)
    known = {
        "performer_id": performed["id"],
        "portrayal_id": (await portrayal(guest, ghost, performed["id"]))["id"],
        "consent_id": agreed["id"],
        "pack_id": pack.json["pack_id"],
        "signature_id": signed.json["id"],
        "disclosure_id": disclosed.json["id"],
        "cut_id": cut.json["id"],
        "limit_id": limited.json["id"],
        "character_id": character.json["id"],
        "look_id": look.json["id"],
        "reference_set_id": references.json["id"],
        "reference_id": reference.json["id"],
        "profile_id": profile.json["id"],
        "production_id": production["id"],
        "shot_id": (await guest.shot(production["id"]))["id"],
        "episode_id": episode.json["id"],
        "sequence_id": sequence.json["id"],
        "generation_id": made.json["id"],
        "take_id": take["id"],
        "media_id": take["media_id"],
        "verification_id": verified.json["id"],
        "endpoint_id": endpoint.json["id"],
        "event_id": events.json["data"][0]["id"],
        "version_id": version.json["id"],
        "consultation_id": consultation.json["id"],
        "person_id": (await (await guest.person("reviewer")).get("/v1/me")).json["person_id"],
        "model_id": made.json["model"],
        **{name: wanted[name] for name in ("kind", "prompt")},
        "model": None,
        "negative_prompt": None,
        "inputs": {},
        "controls": {},
        "seed": 7,
        "deadline": "2099-01-01T00:00:00Z",
        "metadata": {"node": "comp_v12"},
    }
    # a person with every role, so that nothing ends at who calls
    return Guide(guest.base, (await guest.everybody()).key, known)


@pytest.fixture(scope="module")
async def operator_guide(running: Stack, operator: Client, http: aiohttp.ClientSession) -> Guide:
    other = await onboard(http, running)  # may be suspended and lose its keys
    keys = await operator.get(f"/admin/v1/tenants/{other.tenant_id}/keys")
    invitation = {"tenant_id": other.tenant_id, "nda_version": "1", "expires_at": "2099-01-01T00:00:00Z"}
    invited = await operator.post("/admin/v1/invitations", invitation)
    known = {
        "tenant_id": other.tenant_id,
        "api_key_id": keys.json["data"][0]["id"],
        "invitation_id": invited.json["id"],
        "model_id": "amazon.titan-image-generator-v2:0",  # an ended one: its ceiling moves nobody's work
    }
    return Guide(operator.base, operator.key, known)


@pytest.fixture(scope="module")
def studio_schema(studio_guide: Guide) -> Any:
    return _schema(studio_guide.base + "/v1/openapi.json")


@pytest.fixture(scope="module")
def operator_schema(operator_guide: Guide) -> Any:
    return _schema(operator_guide.base + "/admin/v1/openapi.json")


studio_calls = schemathesis.pytest.from_fixture("studio_schema")
operator_calls = schemathesis.pytest.from_fixture("operator_schema")
unhurried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


@pytest.fixture(autouse=True)
def node_id(request: pytest.FixtureRequest) -> None:
    """Schemathesis 4.32 reads and sets a private name that pytest 9.2 no longer has."""
    request.node._nodeid = request.node.nodeid


@pytest.mark.timeout(600)
@studio_calls.parametrize()
@unhurried
def test_studio_calls_answer_as_declared(case: schemathesis.Case, studio_guide: Guide) -> None:
    """No call to `/v1` ends in a 5xx or in an answer that the document doesn't declare."""
    studio_guide.call(case)


@pytest.mark.timeout(600)
@operator_calls.parametrize()
@unhurried
def test_operator_calls_answer_as_declared(case: schemathesis.Case, operator_guide: Guide) -> None:
    """No call to `/admin/v1` ends in a 5xx or in an answer that the document doesn't declare."""
    operator_guide.call(case)


# --- what the documents themselves promise --------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def documents(running: Stack, http: aiohttp.ClientSession) -> dict[str, Any]:
    found = {}
    for name, path in (("studio", "/v1/openapi.json"), ("operator", "/admin/v1/openapi.json")):
        async with http.get(running.api_url + path) as answer:
            found[name] = await answer.json()
    return found


def operations(document: dict[str, Any], section: str = "paths") -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in document[section].items()
        for method, operation in item.items()
    ]


both = pytest.mark.parametrize("name", ["studio", "operator"])


@both
def test_a_document_is_valid_openapi(documents: dict[str, Any], name: str) -> None:
    """A strict validator of OpenAPI 3.1 has nothing to say, about examples and defaults neither."""
    assert documents[name]["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(documents[name]).iter_errors()] == []


@both
def test_every_operation_can_be_found_and_understood(documents: dict[str, Any], name: str) -> None:
    """Each has an id of its own, one tag, a line that says what it does, and a description."""
    found = operations(documents[name]) + operations({"webhooks": {}, **documents[name]}, "webhooks")
    ids = [operation["operationId"] for _, operation in found]
    assert len(set(ids)) == len(ids)
    for label, operation in found:
        assert len(operation["tags"]) == 1, label
        assert len(operation["summary"].split()) > 1, label
    assert [
        label for label, operation in operations(documents[name]) if not operation.get("description")
    ] == []


@both
def test_every_operation_but_health_needs_a_key(documents: dict[str, Any], name: str) -> None:
    """What the document calls open is what a load balancer asks, and nothing else."""
    schemes = documents[name]["components"]["securitySchemes"]
    for label, operation in operations(documents[name]):
        if label.split()[1] in OPEN:
            assert "security" not in operation, label
        else:
            (needed,) = operation["security"]
            assert needed.keys() <= schemes.keys(), label
            assert operation["responses"].keys() >= {"401", "403", "429"}, label


@both
def test_headers_that_refuse_have_their_answers_declared(documents: dict[str, Any], name: str) -> None:
    """Who may send Idempotency-Key is told of 409 and 422, who must send If-Match of 412 and 428."""
    needed = {"idempotency-key": {"409", "422"}, "if-match": {"412", "428"}}
    for label, operation in operations(documents[name]):
        for parameter in operation.get("parameters", []):
            missing = needed.get(parameter["name"].lower(), set()) - operation["responses"].keys()
            assert not missing, label


@both
def test_every_refusal_is_a_problem(documents: dict[str, Any], name: str) -> None:
    """Every 4xx of every operation is declared as the same problem document."""
    for label, operation in operations(documents[name]):
        for status, answer in operation["responses"].items():
            if status.startswith("4"):
                (media_type,) = answer["content"]
                assert media_type == "application/problem+json", (label, status)


def test_webhooks_are_described_and_carry_no_content(documents: dict[str, Any]) -> None:
    """Every event type has its schema, and no message can hold a prompt."""
    document = documents["studio"]
    assert document["webhooks"].keys() == set(EVENT_TYPES)
    for event_type, item in document["webhooks"].items():
        assert item["post"]["requestBody"]["content"]["application/json"]["schema"], event_type
        text = json.dumps(_resolved(document, item["post"]))
        assert '"event_id"' in text or '"challenge"' in text, event_type
        assert not [word for word in ("prompt", "negative_prompt", "metadata") if f'"{word}":' in text]


def _resolved(document: dict[str, Any], part: Any, seen: tuple[str, ...] = ()) -> Any:
    """A part of the document with everything that it refers to."""
    if isinstance(part, list):
        return [_resolved(document, each, seen) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part and part["$ref"] not in seen:
        target = document["components"]["schemas"][part["$ref"].rsplit("/", 1)[-1]]
        return _resolved(document, target, (*seen, part["$ref"]))
    return {name: _resolved(document, each, seen) for name, each in part.items()}
