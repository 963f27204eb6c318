"""One tenant never reaches another's bucket or key, not even where one wall is missing."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from circletake.adapters.aws import error_code
from circletake.adapters.sts.policies import RoleKind, session_policy
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import SealBroken, StorageFault
from tests.integration.storage_tenants import Storage, storage_of

SECRET = b"the other studio's plate"


@dataclass
class Two:
    storage: Storage
    ours: TenantStorage
    theirs: TenantStorage
    theirs_key: str = "media/p/s/f/plate.exr"


@pytest.fixture(scope="module")
async def two(stack: Any) -> AsyncIterator[Two]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    both = Two(storage, await storage.new_tenant("ours"), await storage.new_tenant("theirs"))
    await storage.store().put(both.theirs, both.theirs_key, SECRET, "image/x-exr")
    yield both
    storage.clients.close()


Attempt = Callable[[Any, Two], object]
ATTEMPTS: dict[str, Attempt] = {
    "get": lambda s3, two: s3.get_object(Bucket=two.theirs.bucket, Key=two.theirs_key),
    "put": lambda s3, two: s3.put_object(Bucket=two.theirs.bucket, Key="media/x", Body=b"x"),
    "delete": lambda s3, two: s3.delete_object(Bucket=two.theirs.bucket, Key=two.theirs_key),
    "list": lambda s3, two: s3.list_objects_v2(Bucket=two.theirs.bucket),
    "list versions": lambda s3, two: s3.list_object_versions(Bucket=two.theirs.bucket),
    "copy from": lambda s3, two: s3.copy_object(
        Bucket=two.ours.bucket, Key="media/x", CopySource={"Bucket": two.theirs.bucket, "Key": two.theirs_key}
    ),
    "copy to": lambda s3, two: s3.copy_object(
        Bucket=two.theirs.bucket, Key="media/x", CopySource={"Bucket": two.ours.bucket, "Key": "media/own"}
    ),
    "start upload": lambda s3, two: s3.create_multipart_upload(Bucket=two.theirs.bucket, Key="media/x"),
    "list buckets": lambda s3, _: s3.list_buckets(),
    "read policy": lambda s3, two: s3.get_bucket_policy(Bucket=two.ours.bucket),
    "open the bucket": lambda s3, two: s3.delete_bucket_policy(Bucket=two.ours.bucket),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("role", ["work", "grants"])
async def test_a_session_does_nothing_outside_its_tenant(two: Two, role: RoleKind, attempt: str) -> None:
    """Neither the worker's nor the gateway's session of one tenant touches another's bucket or its own settings."""
    await two.storage.store().put(two.ours, "media/own", b"ours", "text/plain")
    session = await two.storage.sessions(role).credentials(two.ours)
    with pytest.raises(ClientError) as refused:
        ATTEMPTS[attempt](two.storage.raw("s3", session), two)
    assert error_code(refused.value) == "AccessDenied"
    assert await two.storage.store().get(two.theirs, two.theirs_key) == SECRET


@pytest.mark.parametrize("role", ["work", "grants"])
async def test_a_wrong_bucket_in_our_own_tables_opens_nothing(two: Two, role: RoleKind) -> None:
    """If a bug paired our role with their bucket, S3 still refuses: the role's own policy knows one bucket."""
    mixed = replace(two.ours, bucket=two.theirs.bucket)
    with pytest.raises(StorageFault) as refused:
        await two.storage.store(role).get(mixed, two.theirs_key)
    assert refused.value.kind == "denied"


async def test_a_widened_role_still_reaches_one_tenant(two: Two) -> None:
    """Somebody gives our role everything by hand: the session policy keeps its sessions where they were."""
    iam = two.storage.raw("iam", two.storage.key_of("provisioner"))
    tenant = await two.storage.new_tenant("widened")
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(
        RoleName=tenant.work_role_arn.rpartition("/")[2],
        PolicyName="by-hand",
        PolicyDocument=json.dumps(everything),
    )
    session = await two.storage.sessions("work").credentials(tenant)
    with pytest.raises(ClientError) as refused:
        ATTEMPTS["list"](two.storage.raw("s3", session), two)
    assert error_code(refused.value) == "AccessDenied"


@pytest.mark.parametrize("attempt", ["get", "put", "delete"])
async def test_who_made_the_bucket_reads_nothing_in_it(two: Two, attempt: str) -> None:
    """The provisioner may do all of S3 by its own policy; the bucket denies it the objects."""
    with pytest.raises(ClientError) as refused:
        ATTEMPTS[attempt](two.storage.raw("s3", two.storage.key_of("provisioner")), two)
    assert error_code(refused.value) == "AccessDenied"


async def test_a_role_is_assumed_in_its_own_tenants_name_only(two: Two) -> None:
    """Another tenant's role with our id is refused, so a mixed-up row gives no session at all."""
    mixed = replace(two.theirs, tenant_id=two.ours.tenant_id)
    with pytest.raises(StorageFault) as refused:
        await two.storage.sessions("work").credentials(mixed)
    assert refused.value.kind == "denied"


@pytest.mark.parametrize(("role", "principal"), [("work", "gateway"), ("grants", "worker")])
async def test_gateway_and_worker_hold_separate_roles(two: Two, role: RoleKind, principal: str) -> None:
    """The gateway can't take the role that calls models, nor the worker the one that signs grants."""
    with pytest.raises(StorageFault) as refused:
        await two.storage.sessions(role, principal=principal).credentials(two.ours)
    assert refused.value.kind == "denied"


async def test_the_gateway_sees_neither_staging_nor_models(two: Two) -> None:
    """The grant role has uploads and published media; raw results and models are the worker's."""
    await two.storage.store().put(two.ours, "staging/p/g/t/raw.png", b"raw", "image/png")
    with pytest.raises(StorageFault) as refused:
        await two.storage.store("grants").get(two.ours, "staging/p/g/t/raw.png")
    assert refused.value.kind == "denied"
    allowed = json.loads(session_policy("grants", two.ours))["Statement"]
    assert {action.split(":")[0] for each in allowed for action in each["Action"]} == {"s3", "kms"}


async def test_a_session_cannot_use_another_tenants_key(two: Two) -> None:
    """Our session makes no data key under their KMS key."""
    session = await two.storage.sessions("work").credentials(two.ours)
    with pytest.raises(ClientError) as refused:
        two.storage.raw("kms", session).generate_data_key(KeyId=two.theirs.kms_key_arn, KeySpec="AES_256")
    assert error_code(refused.value) == "AccessDeniedException"


async def test_who_made_the_key_cannot_open_content(two: Two) -> None:
    """The provisioner administers the key and can't decrypt with it."""
    wrapped = await two.storage.vault().create_data_key(two.ours)
    with pytest.raises(ClientError) as refused:
        two.storage.raw("kms", two.storage.key_of("provisioner")).decrypt(
            CiphertextBlob=wrapped, EncryptionContext={"tenant": str(two.ours.tenant_id)}
        )
    assert error_code(refused.value) == "AccessDeniedException"


async def test_a_data_key_opens_for_its_tenant_only(two: Two) -> None:
    """A wrapped key stored in another tenant's row is SealBroken, and so is one under another id."""
    wrapped = await two.storage.vault().create_data_key(two.ours)
    with pytest.raises(SealBroken):
        await two.storage.vault().seal(two.theirs, wrapped)


async def test_a_wrapped_key_is_bound_to_the_tenants_id(two: Two) -> None:
    """Even under the right KMS key and role, KMS refuses the key for any other tenant id."""
    wrapped = await two.storage.vault().create_data_key(two.ours)
    session = await two.storage.sessions("work").credentials(two.ours)
    with pytest.raises(ClientError) as refused:
        two.storage.raw("kms", session).decrypt(
            CiphertextBlob=wrapped, EncryptionContext={"tenant": str(new_id())}
        )
    assert error_code(refused.value) == "InvalidCiphertextException"
