"""One tenant never reaches another's bucket or key, not even where one wall is missing."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from circletake.adapters.aws import error_code
from circletake.adapters.sts.policies import RoleKind
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import SealBroken, SessionCredentials, StorageFault
from services.embedded import s3 as embedded
from services.embedded.stack import Stack
from tests.integration.storage_tenants import Storage, storage_of

SECRET = b"the other studio's plate"


@dataclass
class Two:
    storage: Storage
    ours: TenantStorage
    theirs: TenantStorage
    theirs_key: str = "media/p/s/f/plate.exr"


@pytest.fixture(scope="module")
async def two(stack: Stack) -> AsyncIterator[Two]:
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


async def test_the_gateway_does_not_see_raw_results(two: Two) -> None:
    """The grant role has uploads and published media; raw results are the worker's."""
    await two.storage.store().put(two.ours, "staging/p/g/t/raw.png", b"raw", "image/png")
    with pytest.raises(StorageFault) as refused:
        await two.storage.store("grants").get(two.ours, "staging/p/g/t/raw.png")
    assert refused.value.kind == "denied"


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
    opened = two.storage.raw("kms", session).decrypt(
        CiphertextBlob=wrapped, EncryptionContext={"tenant": str(two.ours.tenant_id)}
    )
    assert len(opened["Plaintext"]) == 32


async def test_an_allmighty_role_of_the_account_gets_no_content(two: Two) -> None:
    """A role that may do everything, made by hand, reads no object and opens no key: bucket and key deny it."""
    iam = two.storage.raw("iam", two.storage.key_of("provisioner"))
    name = f"circletake-{new_id().hex[-8:]}-work"
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": embedded.principal_arn("worker")},
        "Action": "sts:AssumeRole",
    }
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.put_role_policy(
        RoleName=name,
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    sts = two.storage.raw("sts", two.storage.key_of("worker"))
    issued = sts.assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="intruder")["Credentials"]
    intruder = SessionCredentials(
        issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], issued["Expiration"]
    )
    assert two.storage.raw("s3", intruder).list_objects_v2(Bucket=two.theirs.bucket)["KeyCount"] >= 1
    for attempt in ("get", "put", "delete"):
        with pytest.raises(ClientError) as refused:
            ATTEMPTS[attempt](two.storage.raw("s3", intruder), two)
        assert error_code(refused.value) == "AccessDenied"
    wrapped = await two.storage.vault().create_data_key(two.theirs)
    with pytest.raises(ClientError) as refused:
        two.storage.raw("kms", intruder).decrypt(
            CiphertextBlob=wrapped, EncryptionContext={"tenant": str(two.theirs.tenant_id)}
        )
    assert error_code(refused.value) == "AccessDeniedException"


@pytest.mark.parametrize(
    "model", ["stability.sd3-5-large-v1:0", "us.stability.stable-image-erase-object-v1:0"]
)
async def test_the_gateways_session_calls_no_model(two: Two, stack: Stack, model: str) -> None:
    """Bedrock refuses the grant role's session; the work role's gets as far as having its request read."""

    async def refusal(role: RoleKind, principal: str) -> str:
        place = StsPlace(embedded.REGION, stack.bedrock_url, two.storage.key_of(principal))
        session = await StsTenantSessions(two.storage.clients, place, role=role).credentials(two.ours)
        bedrock = two.storage.clients.client(
            "bedrock-runtime", region=embedded.REGION, endpoint=stack.bedrock_url, credentials=session
        )
        with pytest.raises(ClientError) as refused:
            bedrock.invoke_model(modelId=model, body=b"{}")
        return error_code(refused.value)

    assert await refusal("grants", "gateway") == "AccessDeniedException"
    assert await refusal("work", "worker") == "ValidationException"
