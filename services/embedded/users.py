"""The long-lived IAM users of the embedded S3 server and what each may do. The standard library is enough to read it."""

from collections.abc import Mapping
from typing import Any

from services.embedded.home import KeyPair

ACCOUNT_ID = "000000000000"
REGION = "us-west-2"


def principal_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:user/circletake-{name}"


def _may_assume(suffix: str) -> list[dict[str, Any]]:
    roles = f"arn:aws:iam::{ACCOUNT_ID}:role/circletake-*-{suffix}"
    return [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": roles}]


def _may_provision() -> list[dict[str, Any]]:
    return [
        {
            "Effect": "Allow",  # a bucket and its settings; no action here reads or writes an object
            "Action": [
                *("s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket", "s3:GetBucket*", "s3:PutBucket*"),
                *("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"),
                *("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
            ],
            "Resource": "arn:aws:s3:::circletake-*",
        },
        {
            "Effect": "Allow",
            "Action": ["iam:*Role", "iam:*RolePolicy", "iam:ListRolePolicies", "iam:UpdateAssumeRolePolicy"],
            "Resource": f"arn:aws:iam::{ACCOUNT_ID}:role/circletake-*",
        },
        {
            "Effect": "Allow",
            "Action": [
                *(
                    "kms:CreateKey",
                    "kms:CreateAlias",
                    "kms:DescribeKey",
                    "kms:EnableKeyRotation",
                    "kms:GetKeyPolicy",
                ),
                *("kms:ListAliases", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"),
                *("kms:CancelKeyDeletion", "kms:TagResource"),
            ],
            "Resource": [
                f"arn:aws:kms:*:{ACCOUNT_ID}:key/*",
                f"arn:aws:kms:*:{ACCOUNT_ID}:alias/circletake-*",
            ],
        },
        # CreateAlias is judged here by no resource at all; AWS judges it by the alias and the key
        {
            "Effect": "Allow",
            "Action": ["kms:CreateAlias", "kms:CreateKey", "kms:ListAliases"],
            "Resource": "*",
        },
    ]


def users(principals: Mapping[str, KeyPair]) -> list[dict[str, Any]]:
    """Return the IAM users to exist. None may read an object: that takes a tenant's role."""
    statements = {
        "worker": _may_assume("work"),
        "gateway": _may_assume("grants"),
        "provisioner": _may_provision(),
    }
    return [
        {
            "name": f"circletake-{name}",
            "access_key_id": principals[name].access_key_id,
            "secret_access_key": principals[name].secret_access_key,
            "policy": {"Version": "2012-10-17", "Statement": allowed},
        }
        for name, allowed in statements.items()
    ]
