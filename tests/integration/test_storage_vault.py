"""Data keys from KMS: opened for their tenant, kept briefly, and gone when the key is destroyed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from circletake.domain.tenants import TenantStorage
from circletake.ports import SealBroken
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of

PLACE = "generations.prompt:018f"


@dataclass
class One:
    storage: Storage
    tenant: TenantStorage

    def destroy_key(self, tenant: TenantStorage) -> None:
        kms = self.storage.raw("kms", self.storage.key_of("provisioner"))
        kms.schedule_key_deletion(KeyId=tenant.kms_key_arn, PendingWindowInDays=7)


class Seconds:
    """A monotonic clock the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
async def one(stack: Stack) -> AsyncIterator[One]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    yield One(storage, await storage.new_tenant("vault"))
    storage.clients.close()


async def test_what_the_gateway_seals_the_worker_opens(one: One) -> None:
    """One wrapped key serves both processes of a tenant, and a process that starts later."""
    wrapped = await one.storage.vault("grants").create_data_key(one.tenant)
    sealed = (await one.storage.vault("grants").seal(one.tenant, wrapped)).close("a storm", place=PLACE)
    assert (await one.storage.vault("work").seal(one.tenant, wrapped)).open(sealed, place=PLACE) == b"a storm"


async def test_every_data_key_is_another(one: One) -> None:
    """Two keys of one tenant don't open each other's content."""
    vault = one.storage.vault()
    first, second = [await vault.seal(one.tenant, await vault.create_data_key(one.tenant)) for _ in range(2)]
    with pytest.raises(SealBroken):
        second.open(first.close("a storm", place=PLACE), place=PLACE)


async def test_destroying_the_key_destroys_the_content(one: One) -> None:
    """Once the KMS key is scheduled for deletion, no process opens anything it hasn't already unwrapped."""
    tenant = await one.storage.new_tenant("leaving")
    wrapped = await one.storage.vault().create_data_key(tenant)
    one.destroy_key(tenant)
    with pytest.raises(SealBroken):
        await one.storage.vault().seal(tenant, wrapped)


async def test_an_unwrapped_key_is_kept_five_minutes_and_no_longer(one: One) -> None:
    """Within five minutes KMS isn't asked again; after them a destroyed key has closed everything."""
    tenant, seconds = await one.storage.new_tenant("cached"), Seconds()
    vault = one.storage.vault(kept_seconds=3600.0, monotonic=seconds)  # asking for an hour gives five minutes
    wrapped = await vault.create_data_key(tenant)
    sealed = (await vault.seal(tenant, wrapped)).close("a storm", place=PLACE)
    one.destroy_key(tenant)

    seconds.now += 299
    assert (await vault.seal(tenant, wrapped)).open(sealed, place=PLACE) == b"a storm"
    seconds.now += 2
    with pytest.raises(SealBroken):
        await vault.seal(tenant, wrapped)


async def test_forgetting_closes_at_once(one: One) -> None:
    """A process that is told of the destruction doesn't wait for the five minutes."""
    tenant = await one.storage.new_tenant("forgotten")
    vault = one.storage.vault()
    wrapped = await vault.create_data_key(tenant)
    await vault.seal(tenant, wrapped)
    one.destroy_key(tenant)
    vault.forget(tenant.tenant_id)
    with pytest.raises(SealBroken):
        await vault.seal(tenant, wrapped)


async def test_callers_at_the_same_time_share_one_unwrapping(one: One) -> None:
    """Twenty requests that need the tenant's seal at once get the same one."""
    vault = one.storage.vault()
    wrapped = await vault.create_data_key(one.tenant)
    seals = await asyncio.gather(*(vault.seal(one.tenant, wrapped) for _ in range(20)))
    assert len({id(seal) for seal in seals}) == 1


@pytest.mark.parametrize("wrapped", [b"", b"x", b"not a wrapped key at all" * 8])
async def test_a_wrapped_key_that_is_none_is_broken(one: One, wrapped: bytes) -> None:
    """Damaged key bytes are SealBroken, as every other content that can't be opened."""
    with pytest.raises(SealBroken):
        await one.storage.vault().seal(one.tenant, wrapped)
