"""Presigned grants and uploads in parts, as a partner's script uses them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from circletake.adapters.s3.store import S3ObjectStore, S3Place, content_disposition
from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.ports import Part, StorageFault
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, send, storage_of

MIB = 1024 * 1024


@dataclass
class Gateway:
    storage: Storage
    tenant: TenantStorage
    store: S3ObjectStore


@pytest.fixture(scope="module")
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    yield Gateway(storage, await storage.new_tenant("grants"), storage.store("grants"))
    storage.clients.close()


async def upload_grant(gateway: Gateway, key: str) -> str:
    return await gateway.store.presign_put(gateway.tenant, key, seconds=600, media_type="image/png", size=5)


async def test_an_upload_grant_takes_exactly_what_was_announced(gateway: Gateway) -> None:
    """The announced type and size are accepted and arrive as announced."""
    reply = send("PUT", await upload_grant(gateway, "incoming/g1"), b"12345", Content_Type="image/png")
    assert reply.status == 200
    head = await gateway.store.head(gateway.tenant, "incoming/g1")
    assert (head.size, head.media_type) == (5, "image/png")


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(b"123456", "image/png"), (b"1234", "image/png"), (b"12345", "image/svg+xml")],
    ids=["longer", "shorter", "other type"],
)
async def test_an_upload_grant_takes_nothing_else(gateway: Gateway, body: bytes, media_type: str) -> None:
    """Another size or type is refused by S3 itself, before anything is stored."""
    reply = send("PUT", await upload_grant(gateway, "incoming/g2"), body, Content_Type=media_type)
    assert reply.status == 403
    with pytest.raises(StorageFault) as fault:
        await gateway.store.head(gateway.tenant, "incoming/g2")
    assert fault.value.kind == "missing"


async def test_a_grant_is_for_one_object_and_one_verb(gateway: Gateway) -> None:
    """A changed key or verb breaks the signature."""
    grant = await upload_grant(gateway, "incoming/g3")
    assert send("PUT", grant.replace("/g3", "/g4"), b"12345", Content_Type="image/png").status == 403
    assert send("GET", grant).status == 403


async def test_a_grant_outside_the_gateways_part_of_the_bucket_is_worthless(gateway: Gateway) -> None:
    """Even a grant signed by mistake for a raw result opens nothing: the session itself may not."""
    await gateway.storage.store().put(gateway.tenant, "staging/p/g/t/raw", b"raw", "image/png")
    grant = await gateway.store.presign_get(gateway.tenant, "staging/p/g/t/raw", seconds=60)
    assert send("GET", grant).status == 403


async def test_a_download_grant_offers_the_files_own_name(gateway: Gateway) -> None:
    """The browser saves under the partner's name, and a name can't break out of its header."""
    await gateway.store.put(gateway.tenant, "media/g5", b"take", "image/png")
    name = 'AGM_104 "hero"\r\nSet-Cookie: x/é.png'
    grant = await gateway.store.presign_get(gateway.tenant, "media/g5", seconds=60, filename=name)
    reply = send("GET", grant)
    assert (reply.status, reply.body) == (200, b"take")
    assert "Set-Cookie" not in reply.headers
    assert reply.headers["Content-Disposition"] == content_disposition(name)


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("plate.exr", "attachment; filename=\"plate.exr\"; filename*=UTF-8''plate.exr"),
        ("../../etc/passwd", "attachment; filename=\"_.._etc_passwd\"; filename*=UTF-8''_.._etc_passwd"),
        ("é.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png"),
        ("...", "attachment; filename=\"file\"; filename*=UTF-8''file"),
    ],
)
def test_file_names_are_made_safe(filename: str, header: str) -> None:
    """No path, quote or control character of a file's name reaches the header."""
    assert content_disposition(filename) == header


async def test_a_grant_lives_at_most_fifteen_minutes(gateway: Gateway) -> None:
    """Asking for a day gives fifteen minutes."""
    grant = await gateway.store.presign_get(gateway.tenant, "media/x", seconds=86_400)
    assert parse_qs(urlsplit(grant).query)["X-Amz-Expires"] == ["900"]


async def test_a_grant_does_not_outlive_its_session(gateway: Gateway) -> None:
    """What a session that ends in minutes signs says so, instead of failing early on the partner's side."""
    sessions = gateway.storage.sessions("grants", now=lambda: clock.now() - timedelta(minutes=50))
    store = S3ObjectStore(gateway.storage.clients, sessions, S3Place(gateway.storage.endpoint))
    real = await sessions.credentials(gateway.tenant)
    grant = await store.presign_get(gateway.tenant, "media/x", seconds=900)
    assert (
        int(parse_qs(urlsplit(grant).query)["X-Amz-Expires"][0])
        <= (real.expires_at - clock.now()).total_seconds() + 1
    )


async def test_grants_name_the_endpoint_partners_reach(gateway: Gateway) -> None:
    """Behind another public name, that name is in the grant and is signed."""
    place = S3Place(gateway.storage.endpoint, public_endpoint="https://media.example.com")
    store = S3ObjectStore(gateway.storage.clients, gateway.storage.sessions("grants"), place)
    grant = await store.presign_get(gateway.tenant, "media/x", seconds=60)
    assert grant.startswith(f"https://media.example.com/{gateway.tenant.bucket}/media/x?")


async def test_a_broken_upload_goes_on_where_it_stopped(gateway: Gateway) -> None:
    """After a break the parts that arrived are listed, the missing one is sent, and the file is whole."""
    store, tenant, key = gateway.store, gateway.tenant, "incoming/parts"
    first, second = b"a" * 5 * MIB, b"tail"
    upload = await store.start_multipart(tenant, key, "video/mp4")
    assert send("PUT", await store.presign_part(tenant, key, upload, 1, seconds=60), first).status == 200

    arrived = await store.list_parts(tenant, key, upload)
    assert [(part.number, part.size) for part in arrived] == [(1, len(first))]
    assert send("PUT", await store.presign_part(tenant, key, upload, 2, seconds=60), second).status == 200

    finished = await store.finish_multipart(tenant, key, upload, await store.list_parts(tenant, key, upload))
    assert (finished.size, finished.media_type) == (len(first) + len(second), "video/mp4")
    assert await store.get(tenant, key) == first + second


async def test_a_part_that_is_not_the_one_named_does_not_join(gateway: Gateway) -> None:
    """Finishing with another part's ETag is refused and the upload stays open."""
    store, tenant, key = gateway.store, gateway.tenant, "incoming/wrong"
    upload = await store.start_multipart(tenant, key, "video/mp4")
    send("PUT", await store.presign_part(tenant, key, upload, 1, seconds=60), b"tail")
    with pytest.raises(StorageFault) as fault:
        await store.finish_multipart(tenant, key, upload, [Part(1, "0" * 32, 4)])
    assert fault.value.kind == "changed"
    assert len(await store.list_parts(tenant, key, upload)) == 1


async def test_an_upload_that_is_no_more_is_said_to_be(gateway: Gateway) -> None:
    """After an abort the kind is `no_upload`, so that the client starts again; aborting twice is no error."""
    store, tenant, key = gateway.store, gateway.tenant, "incoming/aborted"
    upload = await store.start_multipart(tenant, key, "video/mp4")
    send("PUT", await store.presign_part(tenant, key, upload, 1, seconds=60), b"tail")
    await store.abort_multipart(tenant, key, upload)
    await store.abort_multipart(tenant, key, upload)
    for call in (
        store.list_parts(tenant, key, upload),
        store.finish_multipart(tenant, key, upload, [Part(1, "0" * 32, 4)]),
    ):
        with pytest.raises(StorageFault) as fault:
            await call
        assert fault.value.kind == "no_upload"
