"""Posts webhooks with aiohttp, and lets no connection go to an address that isn't the receiver's own.

Every post has its own session and connection: no cookies, no pooled connection and no cached name outlive it, so two
tenants share nothing and every attempt is checked against the address it really connects to.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Collection, Sequence

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from circletake.adapters.webhooks.resolver import OwnThreadsResolver
from circletake.adapters.webhooks.signing import sign
from circletake.domain.webhooks import (
    DEFAULT_PORTS,
    is_loopback_address,
    is_public_address,
    names_loopback,
    parse_retry_after,
    url_problem,
)
from circletake.kit import clock
from circletake.ports import SigningSecret, WebhookBlocked, WebhookReply, WebhookUnreachable

_USER_AGENT = "Circletake-Webhooks/1"
_READ_AT_MOST = 16 * 1024
_KEEP = 1024
_CONNECT_SECONDS = 5.0
_BODY_SECONDS = 5.0  # the status is the answer; its body is only an excerpt for the delivery log
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6})


class _AddressRefused(OSError):
    """The socket would have gone to an address that isn't allowed."""


class _Gate:
    """Makes the sockets of one post, and remembers whether one was refused."""

    def __init__(self, *, loopback: bool) -> None:
        self._allowed = is_loopback_address if loopback else is_public_address
        self.refused = False

    def __call__(self, info: "aiohttp.AddrInfoType") -> socket.socket:
        family, kind, proto, _, address = info
        if family not in _FAMILIES or not self._allowed(str(address[0])):
            self.refused = True
            raise _AddressRefused("address refused")
        return socket.socket(family, kind, proto)


class AiohttpWebhookSender:
    """The WebhookSender port over aiohttp. Holds no connection between posts; `close()` ends its resolver's threads.

    `allow_loopback` adds http to this machine at any port, for URLs that spell it (localhost, 127.0.0.1, ::1), and
    nothing else. `ssl_context` replaces the system's certificate store; `resolver` the system's name resolution: the
    address rules apply to its answers too.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        allowed_ports: Collection[int] = DEFAULT_PORTS,
        https_only: bool = True,
        connect_seconds: float = _CONNECT_SECONDS,
        body_seconds: float = _BODY_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._allowed_ports = frozenset(allowed_ports)
        self._https_only = https_only
        self._connect_seconds = connect_seconds
        self._body_seconds = body_seconds
        self._ssl_context = ssl_context or ssl.create_default_context()
        self._resolver = resolver or OwnThreadsResolver()

    async def close(self) -> None:
        """Give back the resolver's threads; posts that still run fail."""
        await self._resolver.close()

    def check_url(self, url: str) -> None:
        """Raise WebhookBlocked, with a sentence for the endpoint's owner, when this URL can never be called."""
        problem = url_problem(
            url,
            allow_loopback=self._allow_loopback,
            https_only=self._https_only,
            allowed_ports=self._allowed_ports,
        )
        if problem is not None:
            raise WebhookBlocked(problem)

    async def post(
        self,
        url: str,
        *,
        message_id: str,
        body: bytes,
        secrets: Sequence[SigningSecret],
        timeout_seconds: float = 20.0,
    ) -> WebhookReply:
        """Sign and post once. Any status is an answer, a redirect too; it is never followed.

        Raises WebhookBlocked when the URL or the address behind it isn't allowed, WebhookUnreachable when no status
        came back in time, and ValueError for a secret or message id that can't be signed with.
        """
        self.check_url(url)
        timestamp = int(clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(message_id, timestamp, body, secrets),
        }
        gate = _Gate(loopback=self._allow_loopback and names_loopback(url))
        timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=self._connect_seconds)
        started = time.perf_counter()
        try:
            async with self._session(gate, timeout) as session:
                return await self._exchange(session, url, headers, body, started)
        except (aiohttp.ClientError, OSError) as fault:  # TimeoutError is an OSError
            if gate.refused:
                raise WebhookBlocked("The URL's host leads to an address that may not be called.") from None
            raise WebhookUnreachable(_reason(fault)) from fault

    def _session(self, gate: _Gate, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            socket_factory=gate,
            resolver=self._resolver,
            use_dns_cache=False,
            force_close=True,
            ssl=self._ssl_context,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            trust_env=False,
            auto_decompress=False,  # an excerpt needs no unpacking, and nothing can swell
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )

    async def _exchange(
        self, session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: bytes, started: float
    ) -> WebhookReply:
        async with session.post(
            URL(url, encoded=True), data=body, headers=headers, allow_redirects=False
        ) as answer:
            excerpt = await self._excerpt(answer)
            return WebhookReply(
                status=answer.status,
                excerpt=excerpt,
                retry_after_seconds=parse_retry_after(answer.headers.get("retry-after"), now=clock.now()),
                seconds=time.perf_counter() - started,
            )

    async def _excerpt(self, answer: aiohttp.ClientResponse) -> bytes:
        """Read at most 16 KiB for at most a few seconds; a body that drips or breaks off doesn't undo its status."""
        kept, read = bytearray(), 0
        try:
            async with asyncio.timeout(self._body_seconds):
                while read < _READ_AT_MOST and (chunk := await answer.content.readany()):
                    read += len(chunk)
                    kept += chunk[: _KEEP - len(kept)]
        except (aiohttp.ClientError, OSError):
            pass
        answer.close()
        return bytes(kept)


# Sentences for the endpoint's owner, the first that fits: no address, no content.
_REASONS = (
    (aiohttp.ConnectionTimeoutError, "The connection could not be opened in time."),
    (TimeoutError, "There was no answer in time."),
    (aiohttp.ClientConnectorDNSError, "The host name could not be resolved."),
    (aiohttp.ClientConnectorCertificateError, "The server's TLS certificate was not accepted."),
    (aiohttp.ClientSSLError, "The TLS handshake failed."),
    (aiohttp.ClientConnectorError, "The connection was refused or could not be made."),
    (aiohttp.ClientConnectionError, "The connection was closed before an answer came."),
)


def _reason(fault: Exception) -> str:
    fitting = (sentence for kind, sentence in _REASONS if isinstance(fault, kind))
    return next(fitting, "The answer was not valid HTTP.")
