"""Try to reach one studio's things with another studio's credentials."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from services.embedded.demo.studio import Studio
from services.embedded.s3 import REGION
from services.embedded.stack import Stack

NOT_FOUND = 404
_ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
_PATH_STYLE = Config(
    signature_version="s3v4",
    s3={"addressing_style": "path"},
    retries={"total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=20,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try and how it ended: an HTTP status or an AWS error code."""

    what: str
    ended: str


async def ask_over_http(stranger: Studio, paths: Mapping[str, tuple[str, str]]) -> list[Attempt]:
    """Ask for a stranger's things; `paths`: what it is to method and path."""
    attempts = []
    for what, (method, path) in paths.items():
        reply = await stranger.call(method, path)
        attempts.append(Attempt(what, str(reply.status)))
    return attempts


def storage_of(stack: Stack, tenant: Mapping[str, Any]) -> Any:
    """Return an S3 client with a session of this tenant's working role: the most that its workers ever hold.

    Without a session policy on top, so that the role's own walls are what is tried.
    """
    worker = stack.key_pair("worker")
    sts = boto3.client(
        "sts",
        region_name=REGION,
        endpoint_url=stack.bedrock_url,
        aws_access_key_id=worker.access_key_id,
        aws_secret_access_key=worker.secret_access_key,
        config=_ONCE,
    )
    issued = sts.assume_role(
        RoleArn=tenant["work_role_arn"],
        RoleSessionName="circletake-demo",
        ExternalId=tenant["id"],
        Tags=[{"Key": "tenant", "Value": tenant["id"]}],
    )["Credentials"]
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=stack.s3_endpoint,
        aws_access_key_id=issued["AccessKeyId"],
        aws_secret_access_key=issued["SecretAccessKey"],
        aws_session_token=issued["SessionToken"],
        config=_PATH_STYLE,
    )


def try_bucket(client: Any, bucket: str, key: str) -> list[Attempt]:
    """Read, list and write in a bucket. Objects: `key`, and `media/demo-stranger`, which is only written."""
    tries: dict[str, Callable[[], object]] = {
        "GetObject": lambda: client.get_object(Bucket=bucket, Key=key),
        "ListObjects": lambda: client.list_objects_v2(Bucket=bucket, Prefix="media/"),
        "PutObject": lambda: client.put_object(Bucket=bucket, Key="media/demo-stranger", Body=b"x"),
    }
    return [Attempt(what, _ending(attempt)) for what, attempt in tries.items()]


def _ending(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error.response.get("Error", {}).get("Code", "unknown error"))
    return "allowed"


def unlike(attempts: list[Attempt], wanted: str) -> str | None:
    """Say which attempts did not end as they had to."""
    others = [f"{attempt.what} {attempt.ended}" for attempt in attempts if attempt.ended != wanted]
    return f"expected {wanted}, got: {', '.join(others)}" if others or not attempts else None
