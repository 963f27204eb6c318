"""The S3 server as a child of the stack, and the three long-lived IAM users that exist in it."""

import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.embedded.home import KeyPair, write_private
from services.embedded.process import Program, StartFailed, minimal_env

ACCOUNT_ID = "000000000000"
REGION = "us-west-2"
_REPOSITORY = Path(__file__).resolve().parents[2]
_PYTHON_VARIABLE = "CIRCLETAKE_S3_PYTHON"


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


def find_python() -> Path:
    """Return the interpreter of the S3 server's own environment."""
    named = os.environ.get(_PYTHON_VARIABLE)  # noqa: TID251 - the supervisor is a composition root
    python = Path(named) if named else _REPOSITORY / ".venv-s3" / "bin" / "python"
    if not python.exists():
        raise StartFailed(
            f"The S3 server's environment is missing ({python}): run `make up`, which installs it."
        )
    return python


def program(home: Path, port: int, principals: Mapping[str, KeyPair]) -> Program:
    data = home / "s3"
    data.mkdir(exist_ok=True, mode=0o700)
    seed = data / "users.json"
    write_private(seed, json.dumps(users(principals)))

    def ready() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_health", timeout=2) as answer:
            answer.read()

    return Program(
        name="s3",
        argv=[find_python(), "-s", "-m", "services.embedded.s3_server"],
        env=minimal_env(
            PYTHONPATH=str(_REPOSITORY),
            PYTHONUNBUFFERED="1",
            S3_PORT=str(port),
            S3_DIR=str(data),
            S3_USERS=str(seed),
        ),
        ready=ready,
    )
