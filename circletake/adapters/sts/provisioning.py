"""Makes a tenant's key, bucket and roles. Lives beside the sessions because both rest on the same policies."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from circletake.adapters.aws import AwsClients, LongLivedCredentials, error_code, storage_fault
from circletake.adapters.sts import policies
from circletake.kit import logs
from circletake.ports import StorageFault

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

log = logs.logger(__name__)

_TENANT_TAG = "tenant"
_POLICY_NAME = "tenant"
_ROLE_NAME_LIMIT = 64
_BUCKET_NAME_LIMIT = 63
_KEY_DELETION_DAYS = 7  # the shortest KMS takes
_DEFAULT_REGION = "us-east-1"  # the one region whose name CreateBucket refuses as a location


@dataclass(frozen=True, slots=True)
class ProvisioningPlace:
    """The account tenants live in. Endpoints are None on AWS; `credentials` None means the machine's own role.

    `worker_principal_arn` and `gateway_principal_arn` are who may assume the work and the grant roles.
    """

    account_id: str
    region: str
    worker_principal_arn: str
    gateway_principal_arn: str
    credentials: LongLivedCredentials | None = None
    s3_endpoint: str | None = None
    kms_endpoint: str | None = None
    iam_endpoint: str | None = None

    @property
    def partition(self) -> str:
        return self.worker_principal_arn.split(":")[1]


def tenant_name(slug: str, tenant_id: UUID, *, at_most: int) -> str:
    """Return `<slug>-<8 hex digits of the id>` in characters legal in bucket, role and alias names.

    The last eight digits: the first ones of a UUIDv7 are its time, the same for everybody of that minute.
    """
    mark = tenant_id.hex[-8:]
    legal = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")
    return f"{legal[: at_most - len(mark) - 1].rstrip('-')}-{mark}".lstrip("-")


T = TypeVar("T")


class AwsTenantProvisioner:
    """TenantProvisioner on KMS, S3 and IAM. Faults are StorageFaults; a repeat takes up where the last one ended.

    What bears another tenant's tag is never taken over: that is `denied`.
    """

    def __init__(self, clients: AwsClients, place: ProvisioningPlace) -> None:
        self._clients = clients
        self._place = place

    async def ensure_key(self, slug: str, tenant_id: UUID) -> str:
        return await self._run("make the tenant's key", partial(self._make_key, slug, tenant_id))

    async def ensure_bucket(self, slug: str, tenant_id: UUID, kms_key_arn: str) -> str:
        return await self._run(
            "make the tenant's bucket", partial(self._make_bucket, slug, tenant_id, kms_key_arn)
        )

    async def ensure_roles(
        self, slug: str, tenant_id: UUID, bucket: str, kms_key_arn: str
    ) -> tuple[str, str]:
        return await self._run(
            "make the tenant's roles", partial(self._make_roles, slug, tenant_id, bucket, kms_key_arn)
        )

    async def _run(self, what: str, call: Callable[[], T]) -> T:
        try:
            return await self._clients.run(call)
        except (ClientError, BotoCoreError) as error:
            raise storage_fault(error, what) from error

    def _client(self, service: str, endpoint: str | None, config: Config | None = None) -> Any:
        return self._clients.client(
            service,
            region=self._place.region,
            endpoint=endpoint,
            credentials=self._place.credentials,
            config=config,
        )

    def _role_names(self, slug: str, tenant_id: UUID) -> tuple[str, str]:
        name = tenant_name(slug, tenant_id, at_most=_ROLE_NAME_LIMIT - len("circletake--grants"))
        return f"circletake-{name}-work", f"circletake-{name}-grants"

    def _role_arns(self, slug: str, tenant_id: UUID) -> tuple[str, str]:
        work, grants = self._role_names(slug, tenant_id)
        stem = f"arn:{self._place.partition}:iam::{self._place.account_id}:role"
        return f"{stem}/{work}", f"{stem}/{grants}"

    # --- key ---------------------------------------------------------------------------------------------------

    def _make_key(self, slug: str, tenant_id: UUID) -> str:
        kms: KMSClient = self._client("kms", self._place.kms_endpoint)
        alias = f"alias/circletake-{tenant_name(slug, tenant_id, at_most=64)}"
        arn = self._find_key(kms, alias, tenant_id)
        if arn is None:
            made = kms.create_key(
                Description=f"Circletake tenant {tenant_id}",
                Policy=policies.compact(self._key_policy(slug, tenant_id)),
                Tags=[{"TagKey": _TENANT_TAG, "TagValue": str(tenant_id)}],
            )["KeyMetadata"]["Arn"]
            arn = self._name_key(kms, alias, made, tenant_id)
        kms.put_key_policy(
            KeyId=arn, PolicyName="default", Policy=policies.compact(self._key_policy(slug, tenant_id))
        )
        kms.enable_key_rotation(KeyId=arn)
        return arn

    def _name_key(self, kms: "KMSClient", alias: str, arn: str, tenant_id: UUID) -> str:
        # a crash before this leaves a key without a name: this line in the log is how it is found
        log.info("tenant_key_created", tenant_id=str(tenant_id), arn=arn)
        try:
            kms.create_alias(AliasName=alias, TargetKeyId=arn)
        except kms.exceptions.AlreadyExistsException:
            kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=_KEY_DELETION_DAYS)
            other = self._find_key(kms, alias, tenant_id)
            if other is None:
                raise
            return other
        return arn

    def _find_key(self, kms: "KMSClient", alias: str, tenant_id: UUID) -> str | None:
        try:
            found = kms.describe_key(KeyId=alias)["KeyMetadata"]
        except kms.exceptions.NotFoundException:
            return None
        arn = found["Arn"]
        tags = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=arn)["Tags"]}
        self._refuse_foreign(tags, tenant_id, alias)
        if found.get("KeyState") != "Enabled":
            raise StorageFault("denied", f"the tenant's key is {found.get('KeyState')}: {alias}")
        return arn

    def _key_policy(self, slug: str, tenant_id: UUID) -> dict[str, Any]:
        return policies.key_policy(
            partition=self._place.partition,
            account_id=self._place.account_id,
            role_arns=self._role_arns(slug, tenant_id),
        )

    # --- bucket ------------------------------------------------------------------------------------------------

    def _make_bucket(self, slug: str, tenant_id: UUID, kms_key_arn: str) -> str:
        place = self._place
        s3: S3Client = self._client(
            "s3",
            place.s3_endpoint,
            Config(
                s3={"addressing_style": "path" if place.s3_endpoint else "virtual"},
                request_checksum_calculation="when_required",
            ),
        )
        stem = f"circletake-{place.account_id}-"
        bucket = stem + tenant_name(slug, tenant_id, at_most=_BUCKET_NAME_LIMIT - len(stem))
        self._create_bucket(s3, bucket, tenant_id)
        for step, settings in self._bucket_settings(bucket, slug, tenant_id, kms_key_arn):
            self._apply(step, tenant_id, partial(getattr(s3, step), Bucket=bucket, **settings))
        return bucket

    def _create_bucket(self, s3: "S3Client", bucket: str, tenant_id: UUID) -> None:
        wanted: dict[str, Any] = {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
        if self._place.region != _DEFAULT_REGION:
            wanted["CreateBucketConfiguration"] = {"LocationConstraint": self._place.region}
        try:
            s3.create_bucket(**wanted)
        except s3.exceptions.BucketAlreadyOwnedByYou:
            pass
        except s3.exceptions.BucketAlreadyExists as error:
            raise StorageFault(
                "denied", f"the bucket's name is taken by another account: {bucket}"
            ) from error
        try:
            tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
        except ClientError as error:
            if error_code(error) != "NoSuchTagSet":
                raise
            tags = {}
        if (
            tags
        ):  # no tag yet: the last try ended right after the bucket was made, under a name with this id in it
            self._refuse_foreign(tags, tenant_id, bucket)

    def _bucket_settings(
        self, bucket: str, slug: str, tenant_id: UUID, kms_key_arn: str
    ) -> list[tuple[str, dict[str, Any]]]:
        """S3 operations in the order they are applied, each one a whole and repeatable replacement."""
        encryption = {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key_arn},
            "BucketKeyEnabled": True,
        }
        closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        policy = policies.bucket_policy(
            partition=self._place.partition,
            bucket=bucket,
            kms_key_arn=kms_key_arn,
            role_arns=self._role_arns(slug, tenant_id),
            tls_only=not (self._place.s3_endpoint or "").startswith("http://"),
        )
        return [
            ("put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": _TENANT_TAG, "Value": str(tenant_id)}]}}),
            ("put_public_access_block", {"PublicAccessBlockConfiguration": dict.fromkeys(closed, True)}),
            (
                "put_bucket_ownership_controls",
                {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            ),
            ("put_bucket_encryption", {"ServerSideEncryptionConfiguration": {"Rules": [encryption]}}),
            ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
            ("put_bucket_lifecycle_configuration", {"LifecycleConfiguration": policies.lifecycle()}),
            ("put_bucket_policy", {"Policy": policies.compact(policy)}),
        ]

    def _apply(self, step: str, tenant_id: UUID, call: Callable[[], object]) -> None:
        """Apply a setting; a server that says it has no such feature is left without it, and the log says so."""
        try:
            call()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if error_code(error) != "NotImplemented" and status != 501:  # noqa: PLR2004 - Not Implemented
                raise
            log.warning("bucket_setting_unsupported", operation=step, tenant_id=str(tenant_id))

    # --- roles -------------------------------------------------------------------------------------------------

    def _make_roles(self, slug: str, tenant_id: UUID, bucket: str, kms_key_arn: str) -> tuple[str, str]:
        iam: IAMClient = self._client("iam", self._place.iam_endpoint)
        work, grants = self._role_names(slug, tenant_id)
        arns: list[str] = []
        wanted: tuple[tuple[str, policies.RoleKind, str], ...] = (
            (work, "work", self._place.worker_principal_arn),
            (grants, "grants", self._place.gateway_principal_arn),
        )
        for name, kind, principal in wanted:
            trust = policies.compact(policies.trust_policy(principal, tenant_id))
            arn = self._ensure_role(iam, name, trust, tenant_id)
            policy = policies.tenant_policy(kind, role_arn=arn, bucket=bucket, kms_key_arn=kms_key_arn)
            iam.put_role_policy(
                RoleName=name, PolicyName=_POLICY_NAME, PolicyDocument=policies.compact(policy)
            )
            arns.append(arn)
        return arns[0], arns[1]

    def _ensure_role(self, iam: "IAMClient", name: str, trust: str, tenant_id: UUID) -> str:
        try:
            return iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=trust,
                Tags=[{"Key": _TENANT_TAG, "Value": str(tenant_id)}],
            )["Role"]["Arn"]
        except iam.exceptions.EntityAlreadyExistsException:
            found = iam.get_role(RoleName=name)["Role"]
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        self._refuse_foreign(tags, tenant_id, name)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
        return found["Arn"]

    def _refuse_foreign(self, tags: dict[str, str], tenant_id: UUID, name: str) -> None:
        if tags.get(_TENANT_TAG) != str(tenant_id):
            raise StorageFault("denied", f"{name} exists and isn't this tenant's")
