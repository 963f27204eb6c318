"""Where the calls go: the offline servers of the embedded stack, or an AWS account."""

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from circletake.adapters.aws import AwsClients, LongLivedCredentials
from circletake.adapters.sts.provisioning import AwsTenantProvisioner, ProvisioningPlace
from circletake.kit.ids import new_id
from conformance.observation import Scrubber
from services.embedded.home import KeyPair
from services.embedded.own import Options
from services.embedded.s3 import ACCOUNT_ID, REGION, principal_arn
from services.embedded.stack import Stack

READ_SECONDS = 300
LONGEST_WAIT = 1200.0  # of an asynchronous invocation, in seconds


class NotThere(RuntimeError):
    """The account or the bucket can't be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    access_key_id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False, default=None)

    @property
    def forged(self) -> "Keys":
        """The same identity with a secret that isn't its own."""
        return Keys(self.access_key_id, self.secret[::-1] + "x", self.token)


@dataclass(frozen=True, slots=True)
class Role:
    """A role to be assumed, by whom, and with what its trust policy asks for."""

    arn: str
    caller: Keys
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Everything a case needs. No client of it ever sends a call twice."""

    name: str
    region: str
    account_id: str
    bucket: str
    keys: Keys
    role: Role | None
    endpoints: Mapping[str, str]
    poll_seconds: float
    tokens: dict[str, str] = field(default_factory=dict)  # of asynchronous invocations, by model
    started: dict[str, str] = field(default_factory=dict)  # models by invocation ARN
    prefix: str = field(default_factory=lambda: f"staging/conform-{secrets.token_hex(6)}/")

    def client(self, service: str, keys: Keys | None = None, *, unsigned: bool = False) -> Any:
        used = keys or self.keys
        config = Config(
            retries={"total_max_attempts": 1},
            read_timeout=READ_SECONDS,
            proxies=None if self.name == "aws" else {},
            s3={"addressing_style": "path" if self.endpoints else "virtual"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        if unsigned:
            config = config.merge(Config(signature_version=UNSIGNED))
        elif service == "s3":
            config = config.merge(Config(signature_version="s3v4"))
        return boto3.Session().client(
            service,  # type: ignore[call-overload]
            region_name=self.region,
            endpoint_url=self.endpoints.get(service),
            aws_access_key_id=used.access_key_id,
            aws_secret_access_key=used.secret,
            aws_session_token=used.token,
            config=config,
        )

    @property
    def scrubber(self) -> Scrubber:
        role = self.role.arn.rsplit("/", 1)[-1] if self.role else ""
        return Scrubber(
            {"bucket": self.bucket, "prefix": self.prefix, "role": role, "account": self.account_id}
        )


def finished(place: Place, arn: str) -> dict[str, Any]:
    """Poll as a worker does and return the last answer; after LONGEST_WAIT it may still say InProgress."""
    client, until = place.client("bedrock-runtime"), time.monotonic() + LONGEST_WAIT
    while True:
        found: dict[str, Any] = client.get_async_invoke(invocationArn=arn)
        if found["status"] != "InProgress" or time.monotonic() > until:
            return found
        time.sleep(place.poll_seconds)


def assume(role: Role, client: Any, **arguments: Any) -> Keys:
    issued = client.assume_role(
        RoleArn=role.arn, RoleSessionName="circletake-conform", **role.arguments, **arguments
    )["Credentials"]
    return Keys(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])


@contextlib.contextmanager
def offline() -> Iterator[Place]:
    """The embedded S3 and model servers with one tenant, in a home that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="circletake-conform-") as parent:
        stack = Stack(
            Path(parent) / "home", Options(durable=False, bedrock_instant=True, bedrock_async_seconds=0)
        )
        try:
            stack.start(("s3", "bedrock"), migrate=False)
            yield asyncio.run(_tenant(stack))
        finally:
            stack.discard()


async def _tenant(stack: Stack) -> Place:
    clients, tenant_id = AwsClients(threads=2), new_id()
    pair = stack.key_pair("provisioner")
    where = ProvisioningPlace(
        account_id=ACCOUNT_ID,
        region=REGION,
        worker_principal_arn=principal_arn("worker"),
        gateway_principal_arn=principal_arn("gateway"),
        credentials=LongLivedCredentials(pair.access_key_id, pair.secret_access_key),
        s3_endpoint=stack.s3_endpoint,
        kms_endpoint=stack.s3_endpoint,
        iam_endpoint=stack.s3_endpoint,
    )
    try:
        maker = AwsTenantProvisioner(clients, where)
        key = await maker.ensure_key("conform", tenant_id)
        bucket = await maker.ensure_bucket("conform", tenant_id, key)
        work, _ = await maker.ensure_roles("conform", tenant_id, bucket, key)
    finally:
        clients.close()
    asked = {"ExternalId": str(tenant_id), "Tags": [{"Key": "tenant", "Value": str(tenant_id)}]}
    role = Role(work, _keys(stack.key_pair("worker")), asked)
    endpoints = {"s3": stack.s3_endpoint, "sts": stack.bedrock_url, "bedrock-runtime": stack.bedrock_url}
    before = Place("offline", REGION, ACCOUNT_ID, bucket, role.caller, role, endpoints, poll_seconds=0.2)
    session = assume(role, before.client("sts"))
    return Place("offline", REGION, ACCOUNT_ID, bucket, session, role, endpoints, poll_seconds=0.2)


def _keys(pair: KeyPair) -> Keys:
    return Keys(pair.access_key_id, pair.secret_access_key)


@contextlib.contextmanager
def aws(
    profile: str | None, region: str, *, bucket: str | None, role_arn: str | None, external_id: str | None
) -> Iterator[Place]:
    """An account. Without `bucket` one is made and removed; in a given one only our own prefix is touched.

    Raises NotThere.
    """
    keys, account = identity(profile, region)
    asked = {"ExternalId": external_id} if external_id else {}
    role = Role(role_arn, keys, asked) if role_arn else None
    name = bucket or f"circletake-conform-{secrets.token_hex(6)}"
    place = Place("aws", region, account, name, keys, role, {}, poll_seconds=10.0)
    s3 = place.client("s3")
    try:
        if bucket is None:
            where = (
                {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            )
            s3.create_bucket(Bucket=name, **where)
        else:
            s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise NotThere(
            f"The bucket {name} can't be used in {region}: {code}. Give one with --bucket."
        ) from None
    try:
        yield place
    finally:
        _clear(s3, place, whole=bucket is None)


def identity(profile: str | None, region: str) -> tuple[Keys, str]:
    """Return the profile's keys and account number. Raises NotThere."""
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        found = session.get_credentials()
        if found is None:
            raise NotThere(
                "No AWS credentials: name a profile that has them with --profile, or use --offline-only."
            )
        frozen = found.get_frozen_credentials()
        caller = session.client("sts", config=Config(retries={"total_max_attempts": 1})).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise NotThere(
            f"AWS doesn't know this caller ({type(error).__name__}): sign in, or name another --profile."
        ) from None
    return Keys(str(frozen.access_key), str(frozen.secret_key), frozen.token), caller["Account"]


def _clear(s3: Any, place: Place, *, whole: bool) -> None:
    for arn in place.started:
        with contextlib.suppress(BotoCoreError, ClientError):
            finished(place, arn)  # what still runs would write into a bucket that is gone
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=place.bucket, Prefix=place.prefix):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=place.bucket, Key=each["Key"], VersionId=each["VersionId"])
    if whole:
        s3.delete_bucket(Bucket=place.bucket)
