"""A tenant's bucket: what is put comes back, what is deleted is gone, and faults say what to do."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from circletake.adapters.s3.store import S3ObjectStore
from circletake.domain.tenants import TenantStorage
from circletake.ports import StorageFault
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of

MIB = 1024 * 1024


@dataclass
class Bucket:
    storage: Storage
    tenant: TenantStorage
    store: S3ObjectStore


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.fixture(scope="module")
async def bucket(stack: Stack) -> AsyncIterator[Bucket]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    yield Bucket(storage, await storage.new_tenant("objects"), storage.store())
    storage.clients.close()


async def test_bytes_come_back_with_type_size_and_etag(bucket: Bucket) -> None:
    """What put answers is what head answers, and get returns the bytes."""
    put = await bucket.store.put(bucket.tenant, "media/p/s/f/a.png", b"pixels", "image/png")
    assert (put.size, put.media_type) == (6, "image/png")
    assert await bucket.store.head(bucket.tenant, "media/p/s/f/a.png") == put
    assert await bucket.store.get(bucket.tenant, "media/p/s/f/a.png") == b"pixels"


@pytest.mark.parametrize("size", [0, 3 * MIB, 70 * MIB + 1])
async def test_files_come_back_whole(bucket: Bucket, tmp_path: Path, size: int) -> None:
    """A file goes up and down unchanged, in one request or in parts."""
    source, target = tmp_path / "source.mov", tmp_path / "target.mov"
    source.write_bytes((b"frame" * (size // 5 + 1))[:size])
    put = await bucket.store.put_file(bucket.tenant, "media/p/s/f/clip.mov", source, "video/quicktime")
    assert (put.size, put.media_type) == (size, "video/quicktime")
    assert await bucket.store.head(bucket.tenant, put.key) == put
    assert await bucket.store.get_file(bucket.tenant, put.key, target) == size
    assert target.read_bytes() == source.read_bytes()


async def test_objects_are_encrypted_with_the_tenants_key(bucket: Bucket, tmp_path: Path) -> None:
    """Every way in records the tenant's KMS key on the object, a presigned upload's default included."""
    tenant = bucket.tenant
    (tmp_path / "f").write_bytes(b"x")
    put = await bucket.store.put(tenant, "media/k/1", b"x", "text/plain")
    await bucket.store.put_file(tenant, "media/k/2", tmp_path / "f", "text/plain")
    await bucket.store.copy(tenant, "media/k/1", "media/k/3", source_etag=put.etag)
    session = await bucket.storage.sessions("work").credentials(tenant)
    s3 = bucket.storage.raw("s3", session)
    s3.put_object(Bucket=tenant.bucket, Key="media/k/4", Body=b"x")
    heads = [s3.head_object(Bucket=tenant.bucket, Key=f"media/k/{number}") for number in (1, 2, 3, 4)]
    assert [(head["ServerSideEncryption"], head["SSEKMSKeyId"]) for head in heads] == [
        ("aws:kms", tenant.kms_key_arn)
    ] * 4


@pytest.mark.parametrize("role", ["work", "grants"])
async def test_what_is_not_there_is_missing_not_denied(bucket: Bucket, role: Any, tmp_path: Path) -> None:
    """A file that was never uploaded is told apart from one that may not be read."""
    store, tenant = bucket.storage.store(role), bucket.tenant
    for call in (
        store.head(tenant, "media/none"),
        store.get(tenant, "media/none"),
        store.get_file(tenant, "media/none", tmp_path / "none"),
        store.copy(tenant, "media/none", "media/x", source_etag="0" * 32),
    ):
        with pytest.raises(StorageFault) as fault:
            await call
        assert fault.value.kind == "missing"
    assert names_in(tmp_path) == []


async def test_more_than_expected_is_not_read(bucket: Bucket) -> None:
    """`max_bytes` holds: an object larger than agreed is refused, one that fits is returned."""
    await bucket.store.put(bucket.tenant, "staging/p/g/t/out", b"12345", "text/plain")
    assert await bucket.store.get(bucket.tenant, "staging/p/g/t/out", max_bytes=5) == b"12345"
    with pytest.raises(StorageFault) as fault:
        await bucket.store.get(bucket.tenant, "staging/p/g/t/out", max_bytes=4)
    assert fault.value.kind == "changed"


async def test_a_copy_takes_the_inspected_upload_or_nothing(bucket: Bucket) -> None:
    """A grant replayed after the ETag was pinned doesn't get its bytes published."""
    pinned = await bucket.store.put(bucket.tenant, "incoming/c", b"inspected", "image/png")
    copied = await bucket.store.copy(bucket.tenant, "incoming/c", "media/p/s/c/a", source_etag=pinned.etag)
    assert (copied.size, copied.media_type) == (9, "image/png")
    assert await bucket.store.head(bucket.tenant, "media/p/s/c/a") == copied

    await bucket.store.put(bucket.tenant, "incoming/c", b"something else", "image/png")
    with pytest.raises(StorageFault) as fault:
        await bucket.store.copy(bucket.tenant, "incoming/c", "media/p/s/c/b", source_etag=pinned.etag)
    assert fault.value.kind == "changed"
    assert [each.key for each in await bucket.store.list(bucket.tenant, "media/p/s/c/")] == ["media/p/s/c/a"]


async def test_delete_leaves_no_version(bucket: Bucket) -> None:
    """Deleting removes every earlier version and delete marker, and nothing whose key only begins alike."""
    store, tenant = bucket.store, bucket.tenant
    session = await bucket.storage.sessions("work").credentials(tenant)
    s3 = bucket.storage.raw("s3", session)
    for text in (b"one", b"two", b"three"):
        await store.put(tenant, "media/d/a", text, "text/plain")
    s3.delete_object(Bucket=tenant.bucket, Key="media/d/a")
    await store.put(tenant, "media/d/a", b"four", "text/plain")
    await store.put(tenant, "media/d/a/longer", b"stays", "text/plain")

    await store.delete(tenant, ["media/d/a", "media/d/never-there"])

    left = s3.list_object_versions(Bucket=tenant.bucket, Prefix="media/d/")
    assert [each["Key"] for each in left["Versions"]] == ["media/d/a/longer"]
    assert "DeleteMarkers" not in left
    assert await store.get(tenant, "media/d/a/longer") == b"stays"


async def test_a_list_goes_past_one_page(bucket: Bucket) -> None:
    """More objects than S3 names in one answer are all listed, those of other prefixes not."""
    wanted = [f"staging/l/{number:04}" for number in range(1001)]
    await asyncio.gather(*(bucket.store.put(bucket.tenant, key, b"", "text/plain") for key in wanted))
    await bucket.store.put(bucket.tenant, "staging/m/0", b"", "text/plain")
    assert [each.key for each in await bucket.store.list(bucket.tenant, "staging/l/")] == wanted


async def test_a_fault_names_ids_but_no_file_name(bucket: Bucket) -> None:
    """What may be logged of a fault doesn't carry the partner's own file name."""
    with pytest.raises(StorageFault) as fault:
        await bucket.store.get(bucket.tenant, "media/prod/shot/file/SECRET_PROJECT_plate.exr")
    assert "media/prod/shot/file" in str(fault.value)
    assert "SECRET" not in str(fault.value)
