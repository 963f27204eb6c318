import base64
import http.client
import json
import resource
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from services.embedded.home import KeyPair
from services.embedded.stack import Stack
from tests.stack import aws_client

WORKER = "arn:aws:iam::000000000000:user/circletake-worker"


@dataclass(frozen=True)
class Tenant:
    bucket: str
    key: str
    role: str
    endpoint: str
    worker: KeyPair

    @property
    def policy(self) -> str:
        return policy_of(self.bucket, self.key)

    def client(self, service: str, session_policy: str | None = None) -> Any:
        """A client under this tenant's work role, narrowed by a session policy."""
        sts = aws_client("sts", self.endpoint, self.worker)
        answer = sts.assume_role(
            RoleArn=self.role, RoleSessionName="test", Policy=session_policy or self.policy
        )
        return aws_client(service, self.endpoint, answer["Credentials"])


def policy_of(bucket: str, key: str) -> str:
    objects = [
        *("s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    ]
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": objects, "Resource": f"arn:aws:s3:::{bucket}/*"},
                {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
                {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key},
            ],
        }
    )


def trust(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def make_tenant(stack: Stack) -> Callable[[], Tenant]:
    def make() -> Tenant:
        name = f"circletake-{secrets.token_hex(4)}"
        pair = stack.key_pair("provisioner")
        location = {"LocationConstraint": "us-west-2"}
        aws_client("s3", stack.s3_endpoint, pair).create_bucket(
            Bucket=name, CreateBucketConfiguration=location
        )
        key = aws_client("kms", stack.s3_endpoint, pair).create_key()["KeyMetadata"]["Arn"]
        iam = aws_client("iam", stack.s3_endpoint, pair)
        role = iam.create_role(RoleName=f"{name}-work", AssumeRolePolicyDocument=trust(WORKER))["Role"]["Arn"]
        iam.put_role_policy(RoleName=f"{name}-work", PolicyName="tenant", PolicyDocument=policy_of(name, key))
        return Tenant(name, key, role, stack.s3_endpoint, stack.key_pair("worker"))

    return make


def refusal(call: Callable[[], object]) -> tuple[str, int]:
    """The error code and status of a call that must not succeed."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def send(method: str, url: str, body: bytes | None = None, **headers: str) -> int:
    """The status of one plain HTTP request, as a studio's tool or a browser would send it."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_one_tenants_session_reaches_nothing_of_another(make_tenant: Callable[[], Tenant]) -> None:
    """Reading, listing, writing, deleting, copying from and opening secrets of another tenant are all denied."""
    one, other = make_tenant(), make_tenant()
    theirs = other.client("s3")
    theirs.put_object(Bucket=other.bucket, Key="media/take", Body=b"theirs")
    secret = other.client("kms").generate_data_key(KeyId=other.key, KeySpec="AES_256")["CiphertextBlob"]
    s3, kms = one.client("s3"), one.client("kms")
    s3.put_object(Bucket=one.bucket, Key="media/take", Body=b"mine")
    upload = s3.create_multipart_upload(Bucket=one.bucket, Key="stolen")["UploadId"]
    source = f"{other.bucket}/media/take"
    attempts = [
        lambda: s3.get_object(Bucket=other.bucket, Key="media/take"),
        lambda: s3.list_objects_v2(Bucket=other.bucket),
        s3.list_buckets,
        lambda: s3.put_object(Bucket=other.bucket, Key="media/take", Body=b"mine"),
        lambda: s3.delete_object(Bucket=other.bucket, Key="media/take"),
        lambda: s3.copy_object(Bucket=one.bucket, Key="stolen", CopySource=source),
        lambda: s3.upload_part_copy(
            Bucket=one.bucket, Key="stolen", UploadId=upload, PartNumber=1, CopySource=source
        ),
        lambda: one.client("sts").assume_role(RoleArn=other.role, RoleSessionName="test"),
        lambda: kms.generate_data_key(KeyId=other.key, KeySpec="AES_256"),
        lambda: kms.decrypt(CiphertextBlob=secret),
    ]

    refusals = [refusal(attempt) for attempt in attempts]

    assert {status for _, status in refusals} == {403}
    assert theirs.get_object(Bucket=other.bucket, Key="media/take")["Body"].read() == b"theirs"
    assert s3.get_object(Bucket=one.bucket, Key="media/take")["Body"].read() == b"mine"


def test_a_session_policy_only_narrows(make_tenant: Callable[[], Tenant]) -> None:
    """A session gets what its role and its session policy both allow: another tenant's policy opens nothing."""
    one, other = make_tenant(), make_tenant()
    narrowed = one.client("s3", policy_of(one.bucket + "/incoming", one.key))
    confused = one.client("s3", other.policy)

    assert refusal(lambda: narrowed.put_object(Bucket=one.bucket, Key="media/x", Body=b""))[1] == 403
    narrowed.put_object(Bucket=one.bucket, Key="incoming/x", Body=b"")
    assert refusal(lambda: confused.get_object(Bucket=other.bucket, Key="x"))[1] == 403
    assert refusal(lambda: confused.get_object(Bucket=one.bucket, Key="incoming/x"))[1] == 403


def test_only_the_right_principal_assumes_a_role(make_tenant: Callable[[], Tenant], stack: Stack) -> None:
    """The gateway can't take a work role, the worker no untrusting or unknown role, and no key reads by itself."""
    tenant = make_tenant()
    iam = aws_client("iam", stack.s3_endpoint, stack.key_pair("provisioner"))
    closed = iam.create_role(
        RoleName=f"{tenant.bucket}-closed-work", AssumeRolePolicyDocument=trust(WORKER + "-of-somebody")
    )["Role"]["Arn"]
    unknown = tenant.role.replace("-work", "-nobody-work")

    def assume(principal: str, role: str) -> object:
        sts = aws_client("sts", stack.s3_endpoint, stack.key_pair(principal))
        return sts.assume_role(RoleArn=role, RoleSessionName="test")

    assert refusal(lambda: assume("gateway", tenant.role)) == ("AccessDenied", 403)
    assert refusal(lambda: assume("worker", closed)) == ("AccessDenied", 403)
    assert refusal(lambda: assume("worker", unknown)) == ("AccessDenied", 403)
    tenant.client("s3").put_object(Bucket=tenant.bucket, Key="x", Body=b"")
    for principal in ("worker", "gateway", "provisioner"):
        s3 = aws_client("s3", stack.s3_endpoint, stack.key_pair(principal))
        assert refusal(lambda s3=s3: s3.get_object(Bucket=tenant.bucket, Key="x")) == ("AccessDenied", 403)


def test_nobody_gets_in_without_a_known_key(make_tenant: Callable[[], Tenant], stack: Stack) -> None:
    """Anonymous requests, the emulator's own test keys, a wrong secret, foreign hosts and admin paths are refused."""
    tenant = make_tenant()
    worker = stack.key_pair("worker")
    url = f"{stack.s3_endpoint}/{tenant.bucket}/x"

    assert send("GET", url) == 403
    assert send("GET", stack.s3_endpoint + "/") == 403
    assert send("POST", stack.s3_endpoint + "/_ministack/reset", b"") == 404
    assert send("GET", url, Host="bucket.example.com") == 404
    for pair in (
        KeyPair("test", "test"),
        KeyPair("000000000000", "test"),
        KeyPair(worker.access_key_id, "wrong"),
    ):
        s3 = aws_client("s3", stack.s3_endpoint, pair)
        assert refusal(s3.list_buckets)[1] == 403


def test_a_presigned_put_takes_what_was_granted(make_tenant: Callable[[], Tenant]) -> None:
    """Its key, method, length and checksum are part of the grant; a chunked body can't hide its length."""
    tenant = make_tenant()
    s3 = tenant.client("s3")
    grant = {"Bucket": tenant.bucket, "Key": "incoming/plate", "ContentLength": 5}
    url = s3.generate_presigned_url("put_object", Params=grant, ExpiresIn=60)
    digest = "WZRHGrsBESr8wYFZ9sx0tPURuZgG2lmzyvWpwXPKz8U="  # of b"12345"
    checked = s3.generate_presigned_url("put_object", Params=grant | {"ChecksumSHA256": digest}, ExpiresIn=60)
    kind = {"Content-Type": "application/octet-stream"}

    assert send("PUT", url, b"12345", **kind) == 200
    assert send("PUT", url, b"123456", **kind) == 403
    assert send("PUT", url.replace("plate", "other"), b"12345", **kind) == 403
    assert send("GET", url) == 403
    assert send("PUT", checked, b"12345", **kind, **{"x-amz-checksum-sha256": digest}) == 200
    assert send("PUT", checked, b"54321", **kind, **{"x-amz-checksum-sha256": digest}) == 400
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    connection.request("PUT", f"{parts.path}?{parts.query}", iter([b"1234567"]), encode_chunked=True)
    assert connection.getresponse().status == 403
    connection.close()


def test_a_copy_refuses_a_source_that_changed(make_tenant: Callable[[], Tenant]) -> None:
    """What was checked is what gets published: a replayed upload changes the ETag and the copy is refused."""
    tenant = make_tenant()
    s3 = tenant.client("s3")
    pinned = s3.put_object(Bucket=tenant.bucket, Key="incoming/f", Body=b"checked")["ETag"]
    copy = {
        "Bucket": tenant.bucket,
        "Key": "media/f",
        "CopySource": {"Bucket": tenant.bucket, "Key": "incoming/f"},
        "CopySourceIfMatch": pinned,
    }
    s3.copy_object(**copy)
    s3.put_object(Bucket=tenant.bucket, Key="incoming/f", Body=b"replayed")

    assert refusal(lambda: s3.copy_object(**copy)) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=tenant.bucket, Key="media/f")["Body"].read() == b"checked"


def test_multipart_follows_the_rules_of_s3(make_tenant: Callable[[], Tenant]) -> None:
    """Presigned parts are listed with size and ETag, small parts in the middle and unknown ETags are refused."""
    tenant = make_tenant()
    s3 = tenant.client("s3")
    place = {"Bucket": tenant.bucket, "Key": "incoming/big"}
    upload = place | {"UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    sizes = {1: 5 * 1024 * 1024, 2: 10}
    for number, size in sizes.items():
        grant = upload | {"PartNumber": number, "ContentLength": size}
        url = s3.generate_presigned_url("upload_part", Params=grant, ExpiresIn=60)
        assert send("PUT", url, b"x" * size, **{"Content-Type": "application/octet-stream"}) == 200
    listed = s3.list_parts(**upload)["Parts"]
    named = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in listed]

    assert [part["Size"] for part in listed] == list(sizes.values())
    forged = [named[0] | {"ETag": '"00000000000000000000000000000000"'}, named[1]]
    complete = s3.complete_multipart_upload
    assert refusal(lambda: complete(**upload, MultipartUpload={"Parts": forged}))[0] == "InvalidPart"
    s3.upload_part(**upload, PartNumber=1, Body=b"too small")
    parts = s3.list_parts(**upload)["Parts"]
    small = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
    assert refusal(lambda: complete(**upload, MultipartUpload={"Parts": small}))[0] == "EntityTooSmall"
    s3.upload_part(**upload, PartNumber=1, Body=b"x" * sizes[1])
    assert complete(**upload, MultipartUpload={"Parts": named})["ETag"].endswith('-2"')


def test_a_wrapped_key_opens_only_as_it_was_wrapped(make_tenant: Callable[[], Tenant], stack: Stack) -> None:
    """A changed byte, another context, another key or a key about to be destroyed don't open it."""
    tenant, other = make_tenant(), make_tenant()
    kms = tenant.client("kms")
    context = {"tenant": "one"}
    made = kms.generate_data_key(KeyId=tenant.key, KeySpec="AES_256", EncryptionContext=context)
    blob = made["CiphertextBlob"]
    changed = blob[:-1] + bytes([blob[-1] ^ 1])

    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == made["Plaintext"]
    for attempt, code in (
        ({"CiphertextBlob": changed, "EncryptionContext": context}, "InvalidCiphertextException"),
        ({"CiphertextBlob": blob, "EncryptionContext": {"tenant": "two"}}, "InvalidCiphertextException"),
        ({"CiphertextBlob": blob}, "InvalidCiphertextException"),
    ):
        assert refusal(lambda attempt=attempt: kms.decrypt(**attempt))[0] == code
    foreign = other.client("kms").generate_data_key(KeyId=other.key, KeySpec="AES_256")["CiphertextBlob"]
    assert (
        refusal(lambda: kms.decrypt(KeyId=tenant.key, CiphertextBlob=foreign))[0] == "IncorrectKeyException"
    )
    provisioner = aws_client("kms", stack.s3_endpoint, stack.key_pair("provisioner"))
    provisioner.schedule_key_deletion(KeyId=tenant.key, PendingWindowInDays=7)
    gone = refusal(lambda: kms.decrypt(CiphertextBlob=blob, EncryptionContext=context))
    assert gone[0] == "KMSInvalidStateException"


def test_an_object_that_can_not_be_written_is_an_error(
    make_tenant: Callable[[], Tenant], stack: Stack
) -> None:
    """When the disk takes no more, the upload fails and the object is still what it was, not a phantom."""
    tenant = make_tenant()
    s3 = tenant.client("s3")
    s3.put_object(Bucket=tenant.bucket, Key="kept", Body=b"before")
    unlimited = resource.prlimit(stack.pids()["s3"], resource.RLIMIT_FSIZE)
    resource.prlimit(stack.pids()["s3"], resource.RLIMIT_FSIZE, (1_000_000, unlimited[1]))
    try:
        large = base64.b64encode(secrets.token_bytes(1_500_000))
        overwrite = refusal(lambda: s3.put_object(Bucket=tenant.bucket, Key="kept", Body=large))
        fresh = refusal(lambda: s3.put_object(Bucket=tenant.bucket, Key="fresh", Body=large))
    finally:
        resource.prlimit(stack.pids()["s3"], resource.RLIMIT_FSIZE, unlimited)

    assert overwrite == fresh == ("InternalError", 500)
    assert s3.get_object(Bucket=tenant.bucket, Key="kept")["Body"].read() == b"before"
    assert refusal(lambda: s3.get_object(Bucket=tenant.bucket, Key="fresh"))[0] == "NoSuchKey"
    s3.put_object(Bucket=tenant.bucket, Key="fresh", Body=large)
    assert s3.head_object(Bucket=tenant.bucket, Key="fresh")["ContentLength"] == len(large)
