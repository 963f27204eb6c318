"""The infrastructure tests run against: real Postgres, Valkey, S3 with IAM, STS and KMS, and the offline models."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import boto3
from botocore.config import Config

from services.embedded.home import KeyPair
from services.embedded.own import Options
from services.embedded.s3 import REGION
from services.embedded.stack import INFRASTRUCTURE, Stack

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import CredentialsTypeDef


TEMPLATE = "circletake_template"


@contextlib.contextmanager
def infrastructure(home: Path) -> Iterator[Stack]:
    """Run everything but our own processes, without fsync, and remove it at the end."""
    # thousands of generated calls come with one key: they are to be answered, not counted
    env = {"CIRCLETAKE_API__REQUESTS_PER_MINUTE": "100000"}
    # a second worker costs its start and its children's, and finds no third core; fault tests have one
    stack = Stack(home, Options(workers=1, durable=False, env=env))
    try:
        stack.start(INFRASTRUCTURE, migrate=False)
        yield stack
    finally:
        stack.discard()


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database of one test's own."""

    name: str
    stack: Stack

    def url(self, role: str) -> str:
        """Return the asyncpg URL of `owner`, `app`, `dispatcher` or `operator`."""
        return self.stack.database_url(role, self.name)

    @property
    def superuser_url(self) -> str:
        return self.stack.superuser_url(self.name)


async def run_as_superuser(stack: Stack, *statements: str) -> None:
    connection = await asyncpg.connect(stack.superuser_url(driver="postgresql"))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def keep_template(stack: Stack) -> None:
    """Copy the migrated database aside: a template may have no connections while it is copied."""
    await run_as_superuser(
        stack, f"CREATE DATABASE {TEMPLATE} TEMPLATE circletake OWNER circletake_owner STRATEGY file_copy"
    )


@contextlib.asynccontextmanager
async def copied_database(stack: Stack) -> AsyncIterator[Database]:
    """Copy the template (`keep_template` must have run) and drop the copy at the end."""
    name = f"test_{secrets.token_hex(6)}"
    await run_as_superuser(
        stack, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER circletake_owner STRATEGY file_copy"
    )
    try:
        yield Database(name, stack)
    finally:
        await run_as_superuser(stack, f"DROP DATABASE {name} WITH (FORCE)")


def aws_client(
    service: str, endpoint: str, keys: "KeyPair | CredentialsTypeDef", *, attempts: int = 1
) -> Any:
    """Return a boto3 client with a long-lived key pair or with what AssumeRole answered."""
    token = None
    if isinstance(keys, KeyPair):
        key_id, secret = keys.access_key_id, keys.secret_access_key
    else:
        key_id, secret, token = keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]
    signature = {"signature_version": "s3v4", "s3": {"addressing_style": "path"}} if service == "s3" else {}
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": attempts}, **signature),
    )
