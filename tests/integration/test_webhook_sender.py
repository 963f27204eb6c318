"""The webhook sender against real servers on this machine: what arrives, and what never does."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from circletake.adapters.webhooks.resolver import OwnThreadsResolver
from circletake.adapters.webhooks.sender import AiohttpWebhookSender
from circletake.ports import SigningSecret, WebhookBlocked, WebhookReply, WebhookUnreachable
from circletake.usecases.webhook_secrets import new_hmac_secret

BODY = b'{"type":"generation.finished","data":{"id":"0197"}}'
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Receiver:
    """A bare TCP server: what it was sent, and how it answers, byte for byte."""

    answer: bytes | Answer = OK
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            self.requests.append(
                Request(head[0], headers, await reader.readexactly(int(headers["content-length"])))
            )
            if callable(self.answer):
                await self.answer(writer)
            else:
                writer.write(self.answer)
            await writer.drain()
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


@asynccontextmanager
async def receiving(
    answer: bytes | Answer = OK, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, host, 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


class Answers(AbstractResolver):
    """A name server under an attacker's hand: each lookup gets the next answer, the last one for ever."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.lookups = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers[min(self.lookups, len(self.answers) - 1)]
        self.lookups += 1
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        pass


SECRET = SigningSecret(new_hmac_secret())


async def post(sender: AiohttpWebhookSender, url: str, timeout_seconds: float = 20.0) -> WebhookReply:
    return await sender.post(
        url, message_id="msg_1", body=BODY, secrets=[SECRET], timeout_seconds=timeout_seconds
    )


@pytest.fixture
async def sender() -> AsyncIterator[AiohttpWebhookSender]:
    made = AiohttpWebhookSender(allow_loopback=True)
    yield made
    await made.close()


async def test_a_receiver_gets_the_exact_body_and_a_signature_it_can_verify(
    sender: AiohttpWebhookSender,
) -> None:
    """What arrives verifies with the standardwebhooks package, and the reply comes back."""
    async with receiving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/hook?tool=tracker")
    (request,) = receiver.requests
    assert request.line == "POST /hook?tool=tracker HTTP/1.1"
    assert request.body == BODY
    assert Webhook(SECRET.value).verify(request.body.decode(), request.headers)
    assert (reply.status, reply.excerpt, reply.retry_after_seconds) == (200, b"ok", None)
    assert reply.seconds > 0


async def test_only_our_own_headers_are_sent(sender: AiohttpWebhookSender) -> None:
    """A receiver sees the webhook headers, type, length, host and our name, and nothing of a browser."""
    async with receiving() as receiver:
        await post(sender, f"http://localhost:{receiver.port}/")
    headers = receiver.requests[0].headers
    assert set(headers) - {"connection"} == {
        "host",
        "content-type",
        "content-length",
        "user-agent",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert headers["user-agent"] == "Circletake-Webhooks/1"
    assert headers["content-type"] == "application/json"


async def test_a_redirect_is_an_answer_and_is_not_followed(sender: AiohttpWebhookSender) -> None:
    """A 302 to another address is reported as 302, and that address is never called."""
    async with receiving() as inside:
        location = f"http://127.0.0.1:{inside.port}/admin".encode()
        redirect = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
        async with receiving(redirect) as receiver:
            reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
    assert reply.status == 302
    assert inside.connections == 0


async def test_cookies_are_not_kept(sender: AiohttpWebhookSender) -> None:
    """A cookie that a receiver sets doesn't come back with the next webhook."""
    async with receiving(b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; Path=/\r\n\r\n") as receiver:
        await post(sender, f"http://localhost:{receiver.port}/")
        await post(sender, f"http://localhost:{receiver.port}/")
    assert [("cookie" in request.headers) for request in receiver.requests] == [False, False]


async def test_proxies_of_the_environment_are_ignored(
    sender: AiohttpWebhookSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy variable left in the environment doesn't see webhooks."""
    async with receiving() as proxy, receiving() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        await post(sender, f"http://localhost:{receiver.port}/")
    assert (proxy.connections, receiver.connections) == (0, 1)


SPELLINGS = [
    "http://localhost:{port}/",
    "http://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://[::]:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://224.0.0.1:{port}/",
    "http://user:pass@hooks.studio.example:{port}/",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inner_address_gets_through(spelling: str) -> None:
    """Whatever form an address of ours is written in, registering and posting are refused, and nobody connects."""
    async with receiving() as inside:
        url = spelling.format(port=inside.port)
        # Every rule that could refuse it for another reason is opened, so that the address alone decides.
        strict = AiohttpWebhookSender(https_only=False, allowed_ports={inside.port})
        with pytest.raises(WebhookBlocked):
            strict.check_url(url)
        with pytest.raises(WebhookBlocked):
            await post(strict, url)
        await strict.close()
    assert inside.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "10.0.0.7",
        "169.254.169.254",
        "fd00:ec2::254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "224.0.0.1",
        "100.64.0.1",
        "fe80::1",
    ],
)
@pytest.mark.parametrize("allow_loopback", [False, True])
async def test_a_public_name_that_leads_inside_is_stopped_at_the_socket(
    address: str, allow_loopback: bool
) -> None:
    """A name that looks fine at registration but resolves to an inner address is blocked, also in loopback mode."""
    async with receiving() as inside:
        sender = AiohttpWebhookSender(
            allow_loopback=allow_loopback,
            https_only=False,
            allowed_ports={inside.port},
            resolver=Answers(address),
        )
        url = f"http://hooks.studio.example:{inside.port}/"
        sender.check_url(url)
        with pytest.raises(WebhookBlocked) as blocked:
            await post(sender, url)
    assert inside.connections == 0
    assert address not in str(blocked.value)


async def test_a_name_that_changes_its_answer_is_checked_every_time() -> None:
    """DNS rebinding: the second post asks again, and is refused when the name has moved to an inner address."""
    names = Answers("127.0.0.1", "10.0.0.7", "127.0.0.1")
    sender = AiohttpWebhookSender(allow_loopback=True, resolver=names)
    async with receiving() as receiver:
        url = f"http://localhost:{receiver.port}/"
        assert (await post(sender, url)).status == 204
        with pytest.raises(WebhookBlocked):
            await post(sender, url)
        assert (await post(sender, url)).status == 204
    assert (names.lookups, receiver.connections) == (3, 2)


async def test_loopback_mode_never_sends_plain_http_elsewhere() -> None:
    """In loopback mode `localhost` that resolves to a public address is blocked: http is for this machine only."""
    sender = AiohttpWebhookSender(allow_loopback=True, resolver=Answers("93.184.215.14"))
    with pytest.raises(WebhookBlocked):
        await post(sender, "http://localhost:80/")


@pytest.mark.parametrize(
    "url",
    ["http://hooks.studio.example/", "https://hooks.studio.example:8443/", "https://hooks.studio.example/#a"],
)
async def test_other_doors_are_shut(url: str) -> None:
    """Plain http, another port or a fragment is refused before any name is looked up."""
    names = Answers("127.0.0.1")
    sender = AiohttpWebhookSender(resolver=names)
    with pytest.raises(WebhookBlocked):
        sender.check_url(url)
    with pytest.raises(WebhookBlocked):
        await post(sender, url)
    assert names.lookups == 0


async def test_a_huge_answer_is_cut(sender: AiohttpWebhookSender) -> None:
    """An endless body costs us 16 KiB at most; the status counts and the first KiB is kept."""
    cut = asyncio.Event()

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()
        finally:
            cut.set()

    async with receiving(flood) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
        await asyncio.wait_for(cut.wait(), 10)
    assert (reply.status, reply.excerpt) == (500, b"x" * 1024)


async def test_a_packed_answer_is_not_unpacked(sender: AiohttpWebhookSender) -> None:
    """A compressed body is kept as it came, so it can't swell in our memory."""
    async with receiving(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bzz"
    ) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
    assert reply.excerpt == b"\x1f\x8bzz"


async def test_a_dripping_body_keeps_its_status() -> None:
    """A receiver that says 200 and then drips its body counts as answered, without holding us for long."""
    sender = AiohttpWebhookSender(allow_loopback=True, body_seconds=0.2)
    let_go = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ntha")
        await writer.drain()
        await let_go.wait()

    async with receiving(drip) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
        let_go.set()
    assert (reply.status, reply.excerpt) == (200, b"tha")


async def test_the_total_timeout_bounds_a_dripping_body(sender: AiohttpWebhookSender) -> None:
    """The total timeout also ends the reading of a body, before the body's own limit does."""
    let_go = asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000\r\n\r\na")
        await writer.drain()
        await let_go.wait()

    async with receiving(drip) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/", timeout_seconds=0.3)
        let_go.set()
    assert (reply.status, reply.excerpt) == (500, b"a")


async def test_silence_is_unreachable(sender: AiohttpWebhookSender) -> None:
    """A receiver that accepts and never answers is reported after the timeout, as such."""
    let_go = asyncio.Event()

    async def wait(_: asyncio.StreamWriter) -> None:
        await let_go.wait()

    async with receiving(wait) as receiver:
        with pytest.raises(WebhookUnreachable, match="in time"):
            await post(sender, f"http://127.0.0.1:{receiver.port}/", timeout_seconds=0.2)
        let_go.set()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"", "closed"), (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "valid HTTP"), (b"HTTP/1.1 200", "closed")],
)
async def test_what_is_not_an_answer_is_unreachable(
    sender: AiohttpWebhookSender, answer: bytes, reason: str
) -> None:
    """A server that hangs up or speaks something else is reported without quoting it."""
    async with receiving(answer) as receiver:
        with pytest.raises(WebhookUnreachable, match=reason) as fault:
            await post(sender, f"http://127.0.0.1:{receiver.port}/")
    assert "SSH" not in str(fault.value)
    assert "127.0.0.1" not in str(fault.value)


async def test_a_closed_port_is_unreachable(sender: AiohttpWebhookSender) -> None:
    """Nobody listening is told as a refused connection."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening
        with pytest.raises(WebhookUnreachable, match="refused"):
            await post(sender, f"http://127.0.0.1:{held.getsockname()[1]}/")


async def test_an_unknown_name_is_unreachable() -> None:
    """A name that doesn't resolve is told as such."""

    class Nobody(Answers):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(socket.EAI_NONAME, "Name or service not known")

    sender = AiohttpWebhookSender(resolver=Nobody())
    with pytest.raises(WebhookUnreachable, match="resolved"):
        await post(sender, "https://hooks.studio.example/")


@pytest.mark.parametrize(("header", "seconds"), [(b"37", 37.0), (b"soon", None)])
async def test_retry_after_comes_back(
    sender: AiohttpWebhookSender, header: bytes, seconds: float | None
) -> None:
    """A 429 brings the wait that the receiver asked for; nonsense counts as none."""
    answer = b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\nRetry-After: " + header + b"\r\n\r\n"
    async with receiving(answer) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
    assert (reply.status, reply.retry_after_seconds) == (429, seconds)


async def test_retry_after_as_a_date_comes_back(sender: AiohttpWebhookSender) -> None:
    """A wait given as an HTTP date is turned into seconds from now."""
    later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
    answer = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\nRetry-After: " + later + b"\r\n\r\n"
    async with receiving(answer) as receiver:
        reply = await post(sender, f"http://127.0.0.1:{receiver.port}/")
    assert reply.retry_after_seconds == pytest.approx(3600, abs=60)


def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a self-signed certificate for localhost: (the server's context, a client's that trusts only it)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "pair.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + pem
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "pair.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


async def test_tls_is_verified(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A certificate that isn't trusted, or is for another name, is refused; a trusted one is delivered to."""
    server, client = certificate(tmp_path_factory)
    trusting = AiohttpWebhookSender(allow_loopback=True, ssl_context=client)
    async with receiving(tls=server) as receiver:
        with pytest.raises(WebhookUnreachable, match="certificate"):
            await post(AiohttpWebhookSender(allow_loopback=True), f"https://localhost:{receiver.port}/")
        with pytest.raises(WebhookUnreachable, match="certificate"):
            await post(trusting, f"https://127.0.0.1:{receiver.port}/")
        assert receiver.requests == []
        assert (await post(trusting, f"https://localhost:{receiver.port}/")).status == 204


async def test_the_systems_names_resolve_in_threads_of_their_own() -> None:
    """The resolver that is used by default finds what the system finds."""
    resolver = OwnThreadsResolver(threads=1)
    found = await resolver.resolve("localhost", 443, socket.AF_UNSPEC)
    await resolver.close()
    assert found
    assert all(ipaddress.ip_address(answer["host"]).is_loopback for answer in found)
    assert {answer["port"] for answer in found} == {443}
