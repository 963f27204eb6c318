"""IAM documents of one tenant. Pure: from names to policy documents.

A role's own policy and the session policy are the same text, so the wall stands even where a role was widened by
hand: a session may do only what both allow.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from circletake.domain.tenants import TenantStorage

RoleKind = Literal["work", "grants"]
Statement = dict[str, Any]

SESSION_POLICY_LIMIT = 2048  # characters, STS AssumeRole

_KEY_USE = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext")

_KEY_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:Create*",
    "kms:DeleteAlias",
    "kms:Describe*",
    "kms:DisableKey*",
    "kms:EnableKey*",
    "kms:Get*",
    "kms:List*",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)


def compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _document(statements: Sequence[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def tenant_policy(kind: RoleKind, *, role_arn: str, bucket: str, kms_key_arn: str) -> dict[str, Any]:
    """Return what one tenant's role may do; also the policy of every session under it.

    `work` has the whole bucket and may call models. `grants` reads and writes uploads and published media only, and
    no models: the gateway must not be able to call one.
    """
    partition, account = role_arn.split(":")[1], role_arn.split(":")[4]
    place = f"arn:{partition}:s3:::{bucket}"
    objects: Statement = {
        "Effect": "Allow",
        "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
        "Resource": [f"{place}/incoming/*", f"{place}/media/*"],
    }
    # without s3:ListBucket a missing object answers 403, and nobody could tell "not uploaded" from "not allowed"
    listing: Statement = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": place}
    key: Statement = {"Effect": "Allow", "Action": list(_KEY_USE), "Resource": kms_key_arn}
    if kind == "grants":
        return _document([objects, listing, key])
    objects["Action"] += ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion"]
    objects["Resource"] = f"{place}/*"
    listing["Action"] += ["s3:ListBucketMultipartUploads", "s3:ListBucketVersions"]
    bedrock = f"arn:{partition}:bedrock"
    running = f"{bedrock}:*:{account}:async-invoke/*"
    models: Statement = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",  # Converse and StartAsyncInvoke are authorised by it as well
        "Resource": [
            f"{bedrock}:*::foundation-model/*",
            f"{bedrock}:*:{account}:inference-profile/*",
            # a studio's own, brought by ARN
            f"{bedrock}:*:{account}:application-inference-profile/*",
            f"{bedrock}:*:{account}:provisioned-model/*",
            f"{bedrock}:*:{account}:custom-model-deployment/*",
            f"{bedrock}:*:{account}:imported-model/*",
            running,
        ],
    }
    # no ListAsyncInvokes: it can't be narrowed to a tenant and would show every tenant's invocations
    polling: Statement = {"Effect": "Allow", "Action": "bedrock:GetAsyncInvoke", "Resource": running}
    return _document([objects, listing, key, models, polling])


def session_policy(kind: RoleKind, tenant: TenantStorage) -> str:
    """Return the session policy's text, at most 2048 characters."""
    role_arn = tenant.work_role_arn if kind == "work" else tenant.grant_role_arn
    text = compact(
        tenant_policy(kind, role_arn=role_arn, bucket=tenant.bucket, kms_key_arn=tenant.kms_key_arn)
    )
    if len(text) > SESSION_POLICY_LIMIT:
        raise ValueError(f"session policy of {len(text)} characters, STS takes {SESSION_POLICY_LIMIT}")
    return text


def trust_policy(principal_arn: str, tenant_id: UUID) -> dict[str, Any]:
    """Only this principal, only naming this tenant, may assume the role."""
    return _document(
        [
            {
                "Effect": "Allow",
                "Principal": {"AWS": principal_arn},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {
                        "sts:ExternalId": str(tenant_id),
                        "aws:RequestTag/tenant": str(tenant_id),
                    }
                },
            }
        ]
    )


def _who_acts_as(role_arns: Sequence[str]) -> list[str]:
    """Return what `aws:PrincipalArn` may be in a session of these roles: the role on AWS, on other servers the session."""
    sessions = [f"{arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/*" for arn in role_arns]
    return [*role_arns, *sessions]


def key_policy(*, partition: str, account_id: str, role_arns: Sequence[str]) -> dict[str, Any]:
    """The account administers the key; only the tenant's two roles may use it.

    The roles are named in a condition, not as principals: KMS refuses principals that don't exist yet, and the key
    comes before the roles.
    """
    account = {"AWS": f"arn:{partition}:iam::{account_id}:root"}
    return _document(
        [
            {
                "Sid": "AccountAdministers",
                "Effect": "Allow",
                "Principal": account,
                "Action": list(_KEY_ADMINISTRATION),
                "Resource": "*",
            },
            {
                "Sid": "TenantRolesUse",
                "Effect": "Allow",
                "Principal": account,
                "Action": [*_KEY_USE, "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {"ArnLike": {"aws:PrincipalArn": _who_acts_as(role_arns)}},
            },
        ]
    )


def bucket_policy(
    *, partition: str, bucket: str, kms_key_arn: str, role_arns: Sequence[str], tls_only: bool
) -> dict[str, Any]:
    """Denials only: who isn't one of the tenant's roles reads and writes no object, whatever else allows it.

    Administration of the bucket itself stays with the account, so that the policy can't lock everybody out.
    """
    place = f"arn:{partition}:s3:::{bucket}"
    encryption = "s3:x-amz-server-side-encryption"
    statements: list[Statement] = [
        {
            "Sid": "TenantRolesOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject*",
                "s3:GetObject*",
                "s3:ListMultipartUploadParts",
                "s3:PutObject*",
                "s3:RestoreObject",
            ],
            "Resource": f"{place}/*",
            "Condition": {"ArnNotLike": {"aws:PrincipalArn": _who_acts_as(role_arns)}},
        },
        {
            # a write that names no key gets the bucket's default, which is the tenant's
            "Sid": "NoOtherKey",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{place}/*",
            "Condition": {
                "Null": {f"{encryption}-aws-kms-key-id": "false"},
                "StringNotEquals": {f"{encryption}-aws-kms-key-id": kms_key_arn},
            },
        },
        {
            "Sid": "NoOtherEncryption",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{place}/*",
            "Condition": {"Null": {encryption: "false"}, "StringNotEquals": {encryption: "aws:kms"}},
        },
    ]
    if tls_only:
        statements.append(
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [place, f"{place}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        )
    return _document(statements)


def lifecycle() -> dict[str, Any]:
    """What nobody finished goes by itself: open uploads and `incoming/` after 7 days, `staging/` after 30."""

    def expire(prefix: str, days: int) -> dict[str, Any]:
        return {
            "ID": f"expire-{prefix}",
            "Status": "Enabled",
            "Filter": {"Prefix": f"{prefix}/"},
            "Expiration": {"Days": days},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},  # the bucket keeps versions
        }

    return {
        "Rules": [
            {
                "ID": "abort-open-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            expire("incoming", 7),
            expire("staging", 30),
        ]
    }
