"""A studio becomes a tenant on real S3, KMS, IAM and STS, also when something fails half-way."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from circletake.adapters.kms.vault import KmsVault
from circletake.adapters.sts.provisioning import AwsTenantProvisioner, ProvisioningPlace
from circletake.domain.api_keys import parse
from circletake.domain.errors import Conflict, Unavailable
from circletake.kit import clock
from circletake.records.session import Database
from circletake.usecases.keep_keys import KeyWish, list_keys
from circletake.usecases.keep_tenants import get_tenant, list_tenants
from circletake.usecases.provision_tenant import NewTenant, Provisioned, create_tenant, finish_provisioning
from services.embedded import s3 as embedded
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of
from tests.stack import Database as Migrated

NOWHERE = "http://127.0.0.1:9"
KEY = KeyWish("pipeline")


@pytest.fixture
async def operator_database(database: Migrated) -> AsyncIterator[Database]:
    opened = Database(database.url("operator"), pool_size=2)
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def storage(stack: Stack) -> Storage:
    return storage_of(stack.s3_endpoint, stack.facts.principals)


def place_of(storage: Storage) -> ProvisioningPlace:
    return ProvisioningPlace(
        account_id=embedded.ACCOUNT_ID,
        region=embedded.REGION,
        worker_principal_arn=embedded.principal_arn("worker"),
        gateway_principal_arn=embedded.principal_arn("gateway"),
        credentials=storage.key_of("provisioner"),
        s3_endpoint=storage.endpoint,
        kms_endpoint=storage.endpoint,
        iam_endpoint=storage.endpoint,
    )


async def create(
    database: Database,
    storage: Storage,
    slug: str,
    *,
    provisioner: AwsTenantProvisioner | None = None,
    vault: KmsVault | None = None,
) -> Provisioned:
    return await create_tenant(
        database,
        provisioner or storage.provisioner(),
        vault or storage.vault("grants"),
        NewTenant(slug, "A studio", embedded.REGION),
        KEY,
        now=clock.now(),
        role_waits=(0.0,),
    )


async def test_a_tenant_gets_key_bucket_roles_and_a_data_key_that_opens(
    operator_database: Database, storage: Storage
) -> None:
    """What comes back is whole: its seal closes and opens text under the tenant's own session."""
    made = await create(operator_database, storage, "whole")
    assert made.tenant.state == "active"
    seal = await storage.vault("grants").seal(made.tenant.storage, made.tenant.wrapped_data_key or b"")
    assert seal.open(seal.close("a prompt", place="here"), place="here") == b"a prompt"


async def test_the_first_key_is_stored_as_a_hash_only(operator_database: Database, storage: Storage) -> None:
    """Whoever reads the table can't call as the studio."""
    made = await create(operator_database, storage, "hashed")
    parsed = parse(made.first_key.text)
    [stored] = await list_keys(operator_database, made.tenant.id, limit=10)
    assert parsed == (stored.key_id, stored.secret_hash)
    secret = made.first_key.text.rsplit("_", 1)[1][:43]
    assert not [name for name, value in vars(stored).items() if secret in str(value)]


async def test_a_failure_half_way_is_told_and_the_same_request_goes_on(
    operator_database: Database, storage: Storage
) -> None:
    """IAM is down: key and bucket are kept, and the repeat makes the rest, not another key."""
    broken = AwsTenantProvisioner(storage.clients, replace(place_of(storage), iam_endpoint=NOWHERE))
    with pytest.raises(Unavailable) as caught:
        await create(operator_database, storage, "halfway", provisioner=broken)
    assert caught.value.code == "provisioning_incomplete"
    assert caught.value.extra["done"] == ["kms_key", "bucket"]
    assert caught.value.extra["missing"] == ["roles", "data_key"]
    [half] = await list_tenants(operator_database, limit=10)
    made = await create(operator_database, storage, "halfway")
    assert (made.tenant.id, made.tenant.kms_key_arn, made.tenant.bucket) == (
        half.id,
        half.kms_key_arn,
        half.bucket,
    )
    assert made.tenant.state == "active"


async def test_a_role_that_can_not_be_assumed_yet_leaves_the_tenant_resumable(
    operator_database: Database, storage: Storage
) -> None:
    """Denied after every wait: the operator is told that the data key is missing, and resumes by id."""
    stranger = KmsVault(
        storage.clients, storage.sessions("grants", principal="worker"), endpoint=storage.endpoint
    )
    with pytest.raises(Unavailable) as caught:
        await create(operator_database, storage, "early", vault=stranger)
    assert caught.value.extra["missing"] == ["data_key"]
    assert caught.value.extra["reason"] == "denied"
    [half] = await list_tenants(operator_database, limit=10)
    made = await finish_provisioning(
        operator_database,
        storage.provisioner(),
        storage.vault("grants"),
        half.id,
        KEY,
        now=clock.now(),
        role_waits=(),
    )
    assert made.tenant.state == "active"


async def test_no_key_exists_before_the_tenant_is_whole(
    operator_database: Database, storage: Storage
) -> None:
    """A half-made tenant can't be called for: its first key comes last."""
    broken = AwsTenantProvisioner(storage.clients, replace(place_of(storage), s3_endpoint=NOWHERE))
    with pytest.raises(Unavailable):
        await create(operator_database, storage, "keyless", provisioner=broken)
    [half] = await list_tenants(operator_database, limit=10)
    assert half.state == "provisioning"
    assert await list_keys(operator_database, half.id, limit=10) == []


async def test_two_requests_at_once_make_one_tenant(operator_database: Database, storage: Storage) -> None:
    """One of them answers with the key, the other is told; the data key is one."""
    answers = await asyncio.gather(
        *(create(operator_database, storage, "twice") for _ in range(2)), return_exceptions=True
    )
    made = [each for each in answers if isinstance(each, Provisioned)]
    refused = [each for each in answers if not isinstance(each, Provisioned)]
    assert len(made) == 1
    assert all(isinstance(each, Conflict) for each in refused), refused
    assert len(await list_keys(operator_database, made[0].tenant.id, limit=10)) == 1
    kept = await get_tenant(operator_database, made[0].tenant.id)
    assert kept.wrapped_data_key == made[0].tenant.wrapped_data_key
