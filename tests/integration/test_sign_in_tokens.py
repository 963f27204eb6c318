"""People's tokens: what is taken, and everything that is refused. Real keys and a real provider on loopback."""

import asyncio
import base64
import json
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from circletake.adapters.oidc.fetching import MOST_BYTES, DocumentFetcher, FetchFailed
from circletake.adapters.oidc.key_sets import AGAIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, KeySets
from circletake.adapters.oidc.verifier import LEEWAY_SECONDS, LONGEST_SECONDS, JoseTokenVerifier
from circletake.domain.people import Role, roles_in, scopes_of
from circletake.ports import Issuer, SignInDown, TokenRefused
from circletake.usecases.people.meet_person import name_in

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
T = int(NOW.timestamp())
AUDIENCE = "circletake:northlight"
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the library warns of it, too
    WEAK = RSAKey.generate_key(1024, {"kid": "weak"})
STRANGER = ECKey.generate_key("P-256", {"kid": "ec"})
LATER = ECKey.generate_key("P-256", {"kid": "later"})


@dataclass
class Provider:
    """A studio's provider: its documents as they are now, and how often each was asked for."""

    url: str = ""
    keys: list[Any] = field(default_factory=lambda: [EC, RSA, ED, WEAK])
    documents: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        if self.down:
            return 503, b"", {}
        if path in self.documents:
            found = self.documents[path]
            return found if isinstance(found, tuple) else (200, json.dumps(found).encode(), {})
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps({"issuer": self.url, "jwks_uri": self.url + "/keys"}).encode(), {}
        keys = {"keys": [key.as_dict(private=False) for key in self.keys]}
        return (200, json.dumps(keys).encode(), {}) if path == "/keys" else (404, b"", {})

    @property
    def issuer(self) -> Issuer:
        return Issuer(self.url, AUDIENCE)


@pytest.fixture
def provider() -> Iterator[Provider]:
    own = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = own.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        own.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield own
        server.shutdown()
        thread.join()


@dataclass
class Watch:
    """The monotonic clock that the key sets go by."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def verifier(watch: Watch) -> AsyncIterator[JoseTokenVerifier]:
    own = JoseTokenVerifier(KeySets(DocumentFetcher(allow_loopback=True), now=watch))
    yield own
    own.close()


def claims_of(provider: Provider, **changed: Any) -> dict[str, Any]:
    whole = {"iss": provider.url, "aud": AUDIENCE, "sub": "ada", "iat": T, "exp": T + 900, **changed}
    return {name: value for name, value in whole.items() if value is not ...}


def signed(claims: dict[str, Any], key: Any = EC, alg: str = "ES256", **header: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EdDSA has a new name, which providers don't use yet
        # ASCII, so that it can also say what no other encoding can
        body = json.dumps(claims).encode()
        return jws.serialize_compact({"alg": alg, "kid": key.kid, **header}, body, key, algorithms=[alg])


def raw(header: Any, claims: Any, signature: bytes = b"x") -> str:
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (*parts, signature))


async def verify(verifier: JoseTokenVerifier, provider: Provider, token: str) -> dict[str, Any]:
    """As the gateway does: look who it would be from, then check."""
    verifier.look(token)
    return dict(await verifier.verify(token, provider.issuer, now=NOW))


async def refusal(verifier: JoseTokenVerifier, provider: Provider, token: str) -> str:
    with pytest.raises(TokenRefused) as refused:
        await verify(verifier, provider, token)
    assert token[-20:] not in refused.value.says
    return refused.value.code


@pytest.mark.parametrize(
    ("key", "alg"),
    [(EC, "ES256"), (RSA, "RS256"), (ED, "EdDSA"), (ED, "Ed25519")],
    ids=["ES256", "RS256", "EdDSA", "Ed25519"],
)
async def test_a_token_of_the_studios_provider_is_taken(
    verifier: JoseTokenVerifier, provider: Provider, key: Any, alg: str
) -> None:
    """Signed with any of the three kinds of keys, for this audience among others."""
    token = signed(claims_of(provider, aud=["another", AUDIENCE], roles=["approver"]), key, alg)
    assert verifier.look(token) == (provider.url, ("another", AUDIENCE))
    assert (await verify(verifier, provider, token))["sub"] == "ada"


PUBLIC_PEM = RSA.public_key.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def _with_public_key_as_secret(claims: dict[str, Any]) -> str:
    secret = OctKey.import_key(base64.urlsafe_b64encode(PUBLIC_PEM).decode())
    return jwt.encode({"alg": "HS256", "kid": "rsa"}, claims, secret, algorithms=["HS256"])


def _tampered(claims: dict[str, Any]) -> str:
    header, _, signature = signed(claims).split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "grace"}).encode()).decode().rstrip("=")
    return f"{header}.{body}.{signature}"


FORGED: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "no algorithm": ("token_algorithm", lambda c: raw({"alg": "none", "kid": "ec"}, c, b"")),
    "no algorithm, in capitals": ("token_algorithm", lambda c: raw({"alg": "NONE"}, c, b"")),
    "no header of an algorithm": ("token_algorithm", lambda c: raw({"kid": "ec"}, c)),
    "an algorithm that is a list": ("token_algorithm", lambda c: raw({"alg": ["ES256"]}, c)),
    "the public key as a shared secret": ("token_algorithm", _with_public_key_as_secret),
    "PS256": ("token_algorithm", lambda c: signed(c, RSA, "PS256")),
    "an unknown critical extension": (
        "token_algorithm",
        lambda c: raw({"alg": "ES256", "kid": "ec", "crit": ["b64"], "b64": False}, c),
    ),
    "another's key under a known id": ("token_signature", lambda c: signed(c, STRANGER)),
    "another's key in the header": (
        "token_signature",
        lambda c: signed(c, STRANGER, jwk=STRANGER.as_dict(private=False)),
    ),
    "changed claims": ("token_signature", _tampered),
    "no signature": ("token_signature", lambda c: raw({"alg": "ES256", "kid": "ec"}, c, b"")),
    "an RSA token with a key of curves": ("token_key_unknown", lambda c: signed(c, RSA, "RS256", kid="ec")),
    "a key too short to trust": ("token_key_unknown", lambda c: signed(c, WEAK, "RS256")),
    "a key id nobody knows": ("token_key_unknown", lambda c: signed(c, LATER)),
    "no key id, and another's key": (
        "token_signature",
        lambda c: jwt.encode({"alg": "ES256"}, c, STRANGER),
    ),
    "a key id that is a path": ("token_key_unknown", lambda c: signed(c, EC, kid="../../dev/null")),
    "a key id that is a number": ("token_malformed", lambda c: raw({"alg": "ES256", "kid": 7}, c)),
    "claims that are a list": ("token_malformed", lambda _: raw({"alg": "ES256", "kid": "ec"}, ["a"])),
    "claims nested past every depth": (
        "token_malformed",
        lambda _: raw({"alg": "ES256", "kid": "ec"}, b"[" * 5000),
    ),
    "a token of megabytes": ("token_too_large", lambda c: signed({**c, "x": "y" * 2_000_000})),
    "five parts, as an encrypted one has": ("token_malformed", lambda c: signed(c) + ".a.b"),
    "letters that are no ASCII": ("token_malformed", lambda _: "é.é.é"),
    "nothing but dots": ("token_malformed", lambda _: ".."),
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_token_is_refused(
    verifier: JoseTokenVerifier, provider: Provider, forged: str
) -> None:
    """Nobody's claim is believed that the provider didn't sign, and the reason is told without quoting it."""
    code, make = FORGED[forged]
    assert await refusal(verifier, provider, make(claims_of(provider))) == code


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "another studio's audience": ("token_audience", {"aud": "circletake:southlight"}),
    "an audience that begins like ours": ("token_audience", {"aud": AUDIENCE + "-2"}),
    "no audience": ("token_malformed", {"aud": ...}),
    "an empty audience": ("token_malformed", {"aud": []}),
    "an audience that is an object": ("token_malformed", {"aud": {AUDIENCE: True}}),
    "a hundred audiences": ("token_malformed", {"aud": [AUDIENCE, *map(str, range(100))]}),
    "an audience with a NUL in it": ("token_malformed", {"aud": [AUDIENCE, "a\0"]}),
    "an audience of half a character": ("token_malformed", {"aud": [AUDIENCE, "\ud800"]}),
    "an issuer with a NUL in it": ("token_malformed", {"iss": "https://a\0"}),
    "a subject of half a character": ("token_malformed", {"sub": "\ud800"}),
    "a subject with a NUL in it": ("token_malformed", {"sub": "ada\0"}),
    "another issuer": ("token_issuer", {"iss": "https://login.elsewhere.example"}),
    "an issuer with a slash more": ("token_issuer", {"iss": "SLASH"}),
    "no issuer": ("token_malformed", {"iss": ...}),
    "expired": ("token_expired", {"iat": T - 1000, "exp": T - LEEWAY_SECONDS}),
    "no end": ("token_malformed", {"exp": ...}),
    "an end without number": ("token_malformed", {"exp": "tomorrow"}),
    "an end in infinity": ("token_malformed", {"exp": float("inf")}),
    "an end that is not a number": ("token_malformed", {"exp": float("nan")}),
    "no beginning": ("token_malformed", {"iat": ...}),
    "issued in the future": ("token_not_yet_valid", {"iat": T + 61, "exp": T + 900}),
    "not valid yet": ("token_not_yet_valid", {"nbf": T + 61}),
    "a life of years": ("token_lifetime", {"exp": T + LONGEST_SECONDS + 1}),
    "an end before its beginning": ("token_lifetime", {"iat": T + 30, "exp": T - 30}),
    "no subject": ("token_malformed", {"sub": ...}),
    "an empty subject": ("token_malformed", {"sub": ""}),
    "a subject that is a number": ("token_malformed", {"sub": 7}),
    "a subject of pages": ("token_malformed", {"sub": "a" * 256}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_signed_token_that_says_the_wrong_thing_is_refused(
    verifier: JoseTokenVerifier, provider: Provider, wrong: str
) -> None:
    """The provider's signature alone isn't enough: it has to be for this studio, now, about somebody."""
    code, changed = WRONG[wrong]
    if changed.get("iss") == "SLASH":
        changed = {"iss": provider.url + "/"}
    assert await refusal(verifier, provider, signed(claims_of(provider, **changed))) == code


@pytest.mark.parametrize("changed", [{"iat": T + 59, "exp": T + 900}, {"iat": T - 900, "exp": T - 59}])
async def test_clocks_may_differ_by_a_minute(
    verifier: JoseTokenVerifier, provider: Provider, changed: dict[str, Any]
) -> None:
    """A studio's clock that is a little off shuts nobody out."""
    assert await verify(verifier, provider, signed(claims_of(provider, **changed)))


# --- the provider's keys ----------------------------------------------------------------------------------------------


async def test_keys_are_fetched_once_for_many_tokens(verifier: JoseTokenVerifier, provider: Provider) -> None:
    """A hundred people who sign in at once cost the provider one look."""
    tokens = [signed(claims_of(provider, sub=str(number))) for number in range(100)]
    await asyncio.gather(*(verify(verifier, provider, token) for token in tokens))
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_flood_of_unknown_key_ids_costs_the_provider_one_look(
    verifier: JoseTokenVerifier, provider: Provider, watch: Watch
) -> None:
    """Whoever invents key ids is refused, and the provider isn't asked for each of them."""
    forged = [signed(claims_of(provider), STRANGER, kid=f"k{number}") for number in range(50)]
    for token in forged:
        assert await refusal(verifier, provider, token) == "token_key_unknown"
    assert provider.asked.count("/keys") == 1
    watch.seconds += AGAIN_SECONDS
    await refusal(verifier, provider, forged[0])
    assert provider.asked.count("/keys") == 2


async def test_a_new_key_is_found_when_a_token_needs_it(
    verifier: JoseTokenVerifier, provider: Provider, watch: Watch
) -> None:
    """The provider rotates: the next token with the new key works, without a restart."""
    await verify(verifier, provider, signed(claims_of(provider)))
    provider.keys = [LATER]
    watch.seconds += AGAIN_SECONDS
    assert await verify(verifier, provider, signed(claims_of(provider), LATER))
    assert await refusal(verifier, provider, signed(claims_of(provider))) == "token_key_unknown"


async def test_a_withdrawn_key_stops_within_minutes(
    verifier: JoseTokenVerifier, provider: Provider, watch: Watch
) -> None:
    """A key that the provider no longer publishes isn't believed for ever, also when no new one is seen."""
    await verify(verifier, provider, signed(claims_of(provider)))
    provider.keys = [RSA]
    watch.seconds += FRESH_SECONDS
    assert await refusal(verifier, provider, signed(claims_of(provider))) == "token_key_unknown"


async def test_a_provider_that_is_down_is_never_a_pass(
    verifier: JoseTokenVerifier, provider: Provider, watch: Watch
) -> None:
    """Unknown keys can't be judged then; the known ones go on working, for a day."""
    provider.down = True
    token = signed(claims_of(provider))
    with pytest.raises(SignInDown):
        await verify(verifier, provider, token)
    provider.down = False
    with pytest.raises(SignInDown):  # asked again only a little later
        await verify(verifier, provider, token)
    watch.seconds += AGAIN_SECONDS
    assert await verify(verifier, provider, token)
    provider.down = True
    watch.seconds += FRESH_SECONDS
    assert await verify(verifier, provider, token)
    with pytest.raises(SignInDown):
        await verify(verifier, provider, signed(claims_of(provider), LATER))
    watch.seconds += STALE_SECONDS
    with pytest.raises(SignInDown):
        await verify(verifier, provider, token)


@pytest.mark.parametrize(
    "documents",
    [
        {"/.well-known/openid-configuration": {"issuer": "https://elsewhere.example", "jwks_uri": "KEYS"}},
        {"/.well-known/openid-configuration": {"issuer": "OWN", "jwks_uri": "http://169.254.169.254/keys"}},
        {"/.well-known/openid-configuration": {"issuer": "OWN", "jwks_uri": "file:///etc/passwd"}},
        {"/.well-known/openid-configuration": {"issuer": "OWN"}},
        {"/keys": (302, b"", {"Location": "http://127.0.0.1:9/"})},
        {"/keys": (200, b" " * (MOST_BYTES + 1), {})},
        {"/keys": (200, b"[" * 50_000, {})},
        {"/keys": ["no", "object"]},
        {"/keys": {"keys": "none"}},
    ],
    ids=["other issuer", "metadata", "file", "none", "redirect", "huge", "deep", "list", "text"],
)
async def test_what_is_no_key_set_is_no_key_set(
    verifier: JoseTokenVerifier, provider: Provider, documents: dict[str, Any]
) -> None:
    """A provider that answers nonsense, or points elsewhere, is as good as down."""
    text = json.dumps({path: each for path, each in documents.items() if not isinstance(each, tuple)})
    own = json.loads(text.replace("KEYS", provider.url + "/keys").replace("OWN", provider.url))
    provider.documents = {**documents, **own}
    with pytest.raises(SignInDown):
        await verify(verifier, provider, signed(claims_of(provider)))


async def test_keys_that_are_no_use_here_are_passed_over(
    verifier: JoseTokenVerifier, provider: Provider
) -> None:
    """Secrets, keys for encryption, unknown and broken ones stand beside the one that signs."""
    shared = {"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 4}
    broken = [{"kty": "EC", "crv": "P-256", "kid": "b", "x": "!", "y": "!"}, {"kty": "AKP"}, 7, {}]
    other = {**EC.as_dict(private=False), "kid": "enc", "use": "enc"}
    provider.documents["/keys"] = {"keys": [shared, *broken, other, EC.as_dict(private=False)]}
    assert await verify(verifier, provider, signed(claims_of(provider)))
    secret = OctKey.import_key(shared)
    token = jwt.encode({"alg": "HS256", "kid": "shared"}, claims_of(provider), secret, algorithms=["HS256"])
    assert await refusal(verifier, provider, token) == "token_algorithm"


@pytest.mark.parametrize(
    "url",
    [
        "http://login.studio.example",
        "http://127.0.0.1:8080",
        "https://127.0.0.1",
        "https://10.0.0.7/realms/studio",
        "https://[::1]/",
        "https://localhost:8443",
        "https://login.studio.internal",
        "https://user:secret@login.studio.example",
    ],
)
def test_outside_the_embedded_stack_a_provider_is_asked_over_https_on_the_internet(url: str) -> None:
    """No address inside our own network is asked, whoever names it."""
    fetcher = DocumentFetcher()
    assert fetcher.problem(url)
    with pytest.raises(FetchFailed):
        fetcher.fetch(url)
    assert fetcher.problem("https://login.studio.example:8443/realms/studio") is None


# --- what a token says of a person --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "name", "mapping", "roles"),
    [
        ({"roles": ["approver", "janitor"]}, "roles", {}, {"approver"}),
        ({"roles": "reviewer requester"}, "roles", {}, {"reviewer", "requester"}),
        ({"groups": ["vfx-sup", "it"]}, "groups", {"vfx-sup": "reviewer"}, {"reviewer"}),
        ({"groups": ["approver"]}, "groups", {"vfx-sup": "reviewer"}, set()),
        ({"realm_access": {"roles": ["approver"]}}, "realm_access.roles", {}, {"approver"}),
        ({"https://s.example/roles": ["approver"]}, "https://s.example/roles", {}, {"approver"}),
        ({"roles": {"approver": True}}, "roles", {}, set()),
        ({"roles": [["approver"], 7, None]}, "roles", {}, set()),
        ({}, "realm_access.roles", {}, set()),
    ],
)
def test_roles_are_read_from_the_claim_that_the_operator_named(
    claims: dict[str, Any], name: str, mapping: dict[str, str], roles: set[str]
) -> None:
    """Words that mean nothing here give nothing, and a mapping leaves no way round it."""
    assert roles_in(claims, name, mapping) == roles


def test_nobody_without_a_role_may_do_anything() -> None:
    """Signing in alone opens nothing; roles add up."""
    assert scopes_of([]) == frozenset()
    assert scopes_of([Role.REVIEWER, Role.REQUESTER]) == {"read", "write", "generate", "review"}


def test_a_name_is_one_line_of_text() -> None:
    """A name from outside is shown to people: it brings no line breaks, and is short."""
    assert name_in({"name": " Ada\n\x00Lovelace "}, "name") == "Ada Lovelace"
    assert name_in({"preferred_username": "ada"}, "display") == "ada"
    assert len(name_in({"name": "a" * 9999}, "name")) == 200
    assert name_in({"name": 7}, "name") == ""
