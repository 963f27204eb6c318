"""The provider over HTTP. One thread per request, none at rest."""

import hmac
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from services.embedded.sign_in.flow import CARRIED, BadRequest, Flow
from services.embedded.sign_in.pages import STYLE, login_page, refusal_page
from services.embedded.sign_in.people import Refused
from services.embedded.sign_in.tokens import LONGEST_SECONDS, TOKEN_SECONDS

_MOST_BYTES = 16 * 1024
_WRONG_PASSWORD_SECONDS = 0.5


def configuration(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 §3."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks.json",
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": ["sub", "name", "roles"],
        "authorization_response_iss_parameter_supported": True,
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds for a peer that stops talking
    server: "SignInServer"

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if place.path == "/.well-known/openid-configuration":
            self._json(HTTPStatus.OK, configuration(self.server.flow.minter.issuer))
        elif place.path == "/jwks.json":
            self._json(HTTPStatus.OK, self.server.flow.minter.key_set())
        elif place.path == "/style.css":
            self._send(HTTPStatus.OK, "text/css", STYLE.encode())
        elif place.path == "/authorize":
            self._authorize(_fields(place.query))
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "too_large"})
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        if self.path == "/authorize":
            self._log_in(_fields(body))
        elif self.path == "/token":
            self._token(_fields(body))
        elif self.path == "/_local/tokens":
            self._local(body)
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def do_OPTIONS(self) -> None:
        """A browser asks before it posts a code from the console's page."""
        self._send(HTTPStatus.NO_CONTENT, "text/plain", b"", _CORS if self.path == "/token" else {})

    def _authorize(self, asked: Mapping[str, str]) -> None:
        try:
            studio = self.server.flow.check(asked)
        except BadRequest as refusal:
            self._page(HTTPStatus.BAD_REQUEST, refusal_page(str(refusal)))
            return
        people = self.server.flow.people.of(studio)
        self._page(HTTPStatus.OK, login_page(studio, people, _carried(asked)), asked["redirect_uri"])

    def _log_in(self, form: Mapping[str, str]) -> None:
        asked = _carried(form)
        try:
            studio = self.server.flow.check(asked)
            place = self.server.flow.answer(asked, form.get("subject", ""), form.get("password", ""))
        except BadRequest as refusal:
            self._page(HTTPStatus.BAD_REQUEST, refusal_page(str(refusal)))
            return
        if place is None:
            time.sleep(_WRONG_PASSWORD_SECONDS)  # guessing is not to be quick
            people = self.server.flow.people.of(studio)
            page = login_page(studio, people, asked, wrong=True)
            self._page(HTTPStatus.OK, page, asked["redirect_uri"])
            return
        self._send(HTTPStatus.SEE_OTHER, "text/plain", b"", {"Location": place})

    def _token(self, form: Mapping[str, str]) -> None:
        tokens = self.server.flow.redeem(form)
        if tokens is None:
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}, _CORS)
        else:
            self._json(HTTPStatus.OK, tokens, _CORS)

    def _local(self, body: str) -> None:
        """Make a person and a token without a browser: for tests and the demo, who hold the stack's secret."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.server.secret.encode()):
            self._json(HTTPStatus.UNAUTHORIZED, {"error": "unauthorized"})
            return
        try:
            wanted = json.loads(body)
            person = self.server.flow.people.put(
                wanted["studio"], wanted["name"], wanted["roles"], wanted.get("subject")
            )
            seconds = min(int(wanted.get("seconds", TOKEN_SECONDS)), LONGEST_SECONDS)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            says = str(error) if isinstance(error, Refused) else "studio, name and roles are needed"
            self._json(HTTPStatus.BAD_REQUEST, {"error": "invalid_request", "error_description": says})
            return
        tokens = self.server.flow.minter.tokens(person, seconds=seconds)
        self._json(HTTPStatus.OK, {**tokens, "subject": person.subject})

    def _page(self, status: HTTPStatus, page: str, redirect: str | None = None) -> None:
        # a browser checks where a form's answer redirects to, too
        back = f" {_origin(redirect)}" if redirect else ""
        policy = f"default-src 'none'; style-src 'self'; form-action 'self'{back}; frame-ancestors 'none'"
        self._send(status, "text/html; charset=utf-8", page.encode(), {"Content-Security-Policy": policy})

    def _json(self, status: HTTPStatus, document: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(document).encode(), headers)

    def _send(
        self, status: HTTPStatus, media_type: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        always = {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Content-Type": media_type,
        }
        for name, value in {**always, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: a path carries codes and names."""


# a public client proves itself by PKCE, not by its origin, and no cookie is read
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type"}


def _fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=40))


def _carried(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in CARRIED if name in fields}


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


class SignInServer(ThreadingHTTPServer):
    """Binds at construction; run it with `serve_forever`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, flow: Flow, secret: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.flow = flow
        self.secret = secret
