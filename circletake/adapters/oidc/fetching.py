"""Fetches a provider's small public documents over https, and lets no connection go inside our own network.

A document's address may come from the provider itself (`jwks_uri`), so it is judged like a webhook's: by its text
before, and by the address of the socket when it opens. Redirects aren't followed. `http.client` in a few threads is
enough for one document every ten minutes; the gateway has no other client to the outside.
"""

import http.client
import json
import socket
import ssl
import time
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from circletake.domain.webhooks import is_loopback_address, is_public_address, names_loopback, url_problem

MOST_BYTES = 256 * 1024
WHOLE_SECONDS = 5.0
_OK = 200
_CHUNK = 16 * 1024


class FetchFailed(Exception):
    """The document can't be had now, or isn't what it has to be. The text names no address but the host."""


class DocumentFetcher:
    """`allow_loopback` adds plain http to this machine, for URLs that spell it, and nothing else."""

    def __init__(self, *, allow_loopback: bool = False, ssl_context: ssl.SSLContext | None = None) -> None:
        self._allow_loopback = allow_loopback
        self._given_context = ssl_context

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext:
        return self._given_context or ssl.create_default_context()

    def problem(self, url: str) -> str | None:
        """Return why this URL can never be fetched, or None."""
        port = _port(url)
        return url_problem(
            url,
            allow_loopback=self._allow_loopback,
            allowed_ports={port} if port else (),  # an identity server may listen anywhere
        )

    def fetch(self, url: str) -> dict[str, Any]:
        """Return a JSON object. Blocks for at most about five seconds. Raises FetchFailed."""
        if problem := self.problem(url):
            raise FetchFailed(problem)
        end = time.monotonic() + WHOLE_SECONDS
        connection = self._connection(url)
        try:
            parts = urlsplit(url)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status != _OK:
                raise FetchFailed(f"The provider answered {answer.status}.")
            body = _read(answer, end)
        except (OSError, http.client.HTTPException) as error:
            raise FetchFailed(f"The provider can't be reached: {type(error).__name__}.") from None
        finally:
            connection.close()
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise FetchFailed("The provider's document isn't JSON.") from None
        if not isinstance(document, dict):
            raise FetchFailed("The provider's document isn't a JSON object.")
        return document

    def _connection(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        loopback = self._allow_loopback and names_loopback(url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return _PlainConnection(host, parts.port or 80, loopback=loopback)
        return _CheckedConnection(host, parts.port or 443, loopback=loopback, context=self._ssl_context)


class _PlainConnection(http.client.HTTPConnection):
    def __init__(self, host: str, port: int, *, loopback: bool) -> None:
        super().__init__(host, port, timeout=WHOLE_SECONDS)
        self._loopback = loopback

    def connect(self) -> None:
        self.sock = _open(self.host, self.port, loopback=self._loopback)


class _CheckedConnection(_PlainConnection):
    def __init__(self, host: str, port: int, *, loopback: bool, context: ssl.SSLContext) -> None:
        super().__init__(host, port, loopback=loopback)
        self._context = context

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def _open(host: str, port: int, *, loopback: bool) -> socket.socket:
    """Connect to the first address that may be reached; none that may not is even tried."""
    allowed = is_loopback_address if loopback else is_public_address
    trouble: OSError = OSError("no address of it may be reached")
    for family, kind, proto, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not allowed(str(address[0])):
            continue
        sock = socket.socket(family, kind, proto)
        try:
            sock.settimeout(WHOLE_SECONDS / 2)
            sock.connect(address)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            return sock
    raise trouble


def _read(answer: http.client.HTTPResponse, end: float) -> bytes:
    body = bytearray()
    while chunk := answer.read1(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            raise FetchFailed("The provider's document is too large.")
        if time.monotonic() > end:
            raise FetchFailed("The provider's document takes too long.")
    return bytes(body)


def _port(url: str) -> int | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return port or (443 if parts.scheme == "https" else None)
