"""A tenant's key, bucket and roles: made once, repaired by a repeat, never taken from another tenant."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from circletake.adapters.sts.provisioning import AwsTenantProvisioner, tenant_name
from circletake.kit import logs
from circletake.kit.ids import new_id
from circletake.ports import StorageFault
from services.embedded import s3 as embedded
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of


@dataclass
class Account:
    storage: Storage
    provisioner: AwsTenantProvisioner

    def raw(self, service: str) -> Any:
        return self.storage.raw(service, self.storage.key_of("provisioner"))


@pytest.fixture(scope="module")
async def account(stack: Stack) -> AsyncIterator[Account]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    yield Account(storage, storage.provisioner())
    storage.clients.close()


async def test_a_repeat_gives_the_same_tenant(account: Account) -> None:
    """Everything asked for twice is made once."""
    tenant_id = new_id()

    async def provision() -> tuple[str, str, tuple[str, str]]:
        key = await account.provisioner.ensure_key("twice", tenant_id)
        bucket = await account.provisioner.ensure_bucket("twice", tenant_id, key)
        return key, bucket, await account.provisioner.ensure_roles("twice", tenant_id, bucket, key)

    assert await provision() == await provision()


async def test_the_bucket_is_private_encrypted_and_versioned(account: Account) -> None:
    """What a security review asks of the bucket is what the server reports of it."""
    tenant = await account.storage.new_tenant("review")
    s3, bucket = account.raw("s3"), tenant.bucket
    blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    assert len(blocked) == 4
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["BucketKeyEnabled"] is True
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": tenant.kms_key_arn,
    }
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [
        {"Key": "tenant", "Value": str(tenant.tenant_id)}
    ]


async def test_what_nobody_finished_expires_and_media_does_not(account: Account) -> None:
    """Uploads and raw results go by themselves, older versions included; published media never does."""
    tenant = await account.storage.new_tenant("expiry")
    rules = account.raw("s3").get_bucket_lifecycle_configuration(Bucket=tenant.bucket)["Rules"]
    expiring = {
        rule["Filter"]["Prefix"]: (
            rule["Expiration"]["Days"],
            rule["NoncurrentVersionExpiration"]["NoncurrentDays"],
        )
        for rule in rules
        if "Expiration" in rule
    }
    assert expiring == {"incoming/": (7, 1), "staging/": (30, 1)}
    assert [rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for rule in rules[:1]] == [7]


async def test_a_repeat_finishes_a_bucket_that_was_left_bare(account: Account) -> None:
    """A crash right after the bucket was made leaves nothing unlocked once provisioning is repeated."""
    tenant_id = new_id()
    key = await account.provisioner.ensure_key("bare", tenant_id)
    name = f"circletake-{embedded.ACCOUNT_ID}-{tenant_name('bare', tenant_id, at_most=30)}"
    s3 = account.raw("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": embedded.REGION})
    assert await account.provisioner.ensure_bucket("bare", tenant_id, key) == name
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    denied = {each["Sid"] for each in json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"]}
    assert denied == {"TenantRolesOnly", "NoOtherKey", "NoOtherEncryption"}


async def test_a_repeat_repairs_a_role_that_was_left_half_made(account: Account) -> None:
    """A role without its policy, or whose trust was changed by hand, works as designed after a repeat."""
    tenant = await account.storage.new_tenant("repair")
    iam, name = account.raw("iam"), tenant.work_role_arn.rpartition("/")[2]
    iam.delete_role_policy(RoleName=name, PolicyName="tenant")
    anybody = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(anybody))

    await account.provisioner.ensure_roles(tenant.slug, tenant.tenant_id, tenant.bucket, tenant.kms_key_arn)

    with pytest.raises(StorageFault) as fault:
        await account.storage.sessions("work", principal="gateway").credentials(tenant)
    assert fault.value.kind == "denied"
    await account.storage.store().put(tenant, "media/a", b"x", "text/plain")


async def test_nothing_of_another_tenant_is_taken_over(account: Account) -> None:
    """If names ever collide, provisioning stops instead of giving two studios one bucket, key or role."""
    first = await account.storage.new_tenant("collide")
    other = UUID(int=(first.tenant_id.int ^ (1 << 127)))  # another id, the same last digits
    for call in (
        account.provisioner.ensure_key("collide", other),
        account.provisioner.ensure_bucket("collide", other, first.kms_key_arn),
        account.provisioner.ensure_roles("collide", other, first.bucket, first.kms_key_arn),
    ):
        with pytest.raises(StorageFault) as fault:
            await call
        assert fault.value.kind == "denied"
    await account.storage.store().put(first, "media/a", b"still ours", "text/plain")


async def test_a_destroyed_key_is_not_brought_back(account: Account) -> None:
    """Provisioning a tenant whose key was destroyed says so; it neither revives nor replaces the key."""
    tenant = await account.storage.new_tenant("gone")
    account.raw("kms").schedule_key_deletion(KeyId=tenant.kms_key_arn, PendingWindowInDays=7)
    with pytest.raises(StorageFault) as fault:
        await account.provisioner.ensure_key("gone", tenant.tenant_id)
    assert fault.value.kind == "denied"
    assert "PendingDeletion" in str(fault.value)


@pytest.mark.parametrize("slug", ["A Studio, Ltd.", "x" * 80, "tiny", "--odd--"])
async def test_any_slug_provisions(account: Account, slug: str) -> None:
    """Long and odd slugs give legal names, and the tenant works."""
    tenant = await account.storage.new_tenant(slug)
    assert len(tenant.bucket) <= 63
    await account.storage.store().put(tenant, "media/a", b"x", "text/plain")
    await account.storage.store("grants").head(tenant, "media/a")


def refusal(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutBucketOwnershipControls",
    )


@pytest.mark.parametrize(("code", "status"), [("NotImplemented", 501), ("501", 501)])
def test_a_feature_the_server_lacks_is_reported_and_passed_over(
    account: Account, code: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An S3 server without some setting can hold tenants, and the log says which setting is missing."""

    def setting() -> None:
        raise refusal(code, status)

    account.provisioner._apply("put_bucket_ownership_controls", new_id(), setting)
    line = logs._Formatter("console", "api").format(caplog.records[-1])
    assert "bucket_setting_unsupported" in line
    assert "operation=put_bucket_ownership_controls" in line


@pytest.mark.parametrize(
    ("code", "status"), [("AccessDenied", 403), ("InternalError", 500), ("SlowDown", 503)]
)
def test_a_setting_that_failed_is_never_passed_over(account: Account, code: str, status: int) -> None:
    """Everything but "no such feature" stops provisioning: no bucket is left more open than designed."""

    def setting() -> None:
        raise refusal(code, status)

    with pytest.raises(ClientError):
        account.provisioner._apply("put_public_access_block", new_id(), setting)


def test_tenants_of_the_same_minute_have_different_names() -> None:
    """Two ids made one after the other differ in their names, even under the same shortened slug."""
    assert len({tenant_name("x" * 80, new_id(), at_most=30) for _ in range(100)}) == 100
