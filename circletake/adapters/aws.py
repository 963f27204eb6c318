"""What every adapter that speaks to AWS shares: one boto3 session, bounded threads, clients kept per credentials.

boto3 blocks, so each call runs in a thread pool whose size is also the size of a client's connection pool: a
call never waits for a connection that another call of ours holds. Client factories of a boto3 session are not
thread-safe; clients are.
"""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from circletake.domain.tenants import TenantStorage
from circletake.kit import clock
from circletake.ports import SessionCredentials, StorageFault, TenantSessions

T = TypeVar("T")

_KEPT_CLIENTS = 128  # each holds up to `threads` open connections

# What S3, STS, KMS and Bedrock answer when they no longer know a session.
_REFUSED_SESSION = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True, slots=True)
class LongLivedCredentials:
    """A process's own key. Give none of it on AWS, where the machine's role answers for the process."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to connect and between two bytes of an answer; tries of one call, the first included."""

    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    attempts: int = 3


class AwsClients:
    """The process's boto3 session. Build one per process and hand it to every AWS adapter."""

    def __init__(self, *, threads: int, timeouts: Timeouts | None = None) -> None:
        times = timeouts or Timeouts()
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self._clients: OrderedDict[tuple[str | None, ...], tuple[datetime | None, Any]] = OrderedDict()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aws")
        self._config = Config(
            connect_timeout=times.connect_seconds,
            read_timeout=times.read_seconds,
            retries={"mode": "standard", "total_max_attempts": times.attempts},
            max_pool_connections=threads,
            tcp_keepalive=True,
        )

    def client(
        self,
        service: str,
        *,
        region: str,
        endpoint: str | None,
        credentials: SessionCredentials | LongLivedCredentials | None,
        config: Config | None = None,
        use: str = "",
    ) -> Any:
        """Return the client for these credentials, made on first use. `use` tells apart clients whose config differs."""
        key_id = credentials.access_key_id if credentials else None
        name = (service, region, endpoint, key_id, use)
        with self._lock:
            found = self._clients.get(name)
            if found is not None:
                self._clients.move_to_end(name)
                return found[1]
            made = self._session.client(  # type: ignore[call-overload]
                service,
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id=key_id,
                aws_secret_access_key=credentials.secret_access_key if credentials else None,
                aws_session_token=getattr(credentials, "session_token", None),
                config=self._config.merge(config) if config else self._config,
            )
            self._clients[name] = (getattr(credentials, "expires_at", None), made)
            self._drop_old()
            return made

    def _drop_old(self) -> None:
        """Let go of clients whose session has ended, and of the least used; a call under way still holds its own."""
        now = clock.now()
        for name in [each for each, (ends, _) in self._clients.items() if ends is not None and ends <= now]:
            del self._clients[name]
        while len(self._clients) > _KEPT_CLIENTS:
            self._clients.popitem(last=False)

    async def run(self, call: Callable[[], T]) -> T:
        """Run a blocking call in the pool. Cancelling the caller doesn't stop a call that has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def close(self) -> None:
        """Stop taking calls and close the connections; calls under way end by themselves."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for _, client in self._clients.values():
                client.close()
            self._clients.clear()


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def session_refused(error: ClientError) -> bool:
    """Say whether the server refused the session itself rather than what it asked.

    A HEAD's answer has no body, so botocore reports the bare status: there the session may be the reason.
    """
    return error_code(error) in _REFUSED_SESSION or (
        error.operation_name == "HeadObject" and error_code(error) in {"400", "403"}
    )


async def under_session(
    sessions: TenantSessions, tenant: TenantStorage, call: Callable[[SessionCredentials], Awaitable[T]]
) -> T:
    """Call with the tenant's session; when the server doesn't know it any more, once again with a new one."""
    credentials = await sessions.credentials(tenant)
    try:
        return await call(credentials)
    except ClientError as error:
        if not session_refused(error):
            raise
    sessions.forget(tenant, credentials)
    return await call(await sessions.credentials(tenant))


_KINDS: dict[str, str] = {
    **dict.fromkeys(("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "NotFound", "404"), "missing"),
    **dict.fromkeys(
        # a part that isn't there or isn't the one that was named is a change as well
        ("PreconditionFailed", "412", "ConditionalRequestConflict", "InvalidPart", "InvalidPartOrder"),
        "changed",
    ),
    **dict.fromkeys(
        (
            "403",
            "AccessDenied",
            "AccessDeniedException",
            "AllAccessDisabled",
            "AuthorizationHeaderMalformed",
            "KMS.DisabledException",
            "KMS.KMSInvalidStateException",
            "KMS.NotFoundException",
            "SignatureDoesNotMatch",
            *_REFUSED_SESSION,
        ),
        "denied",
    ),
    "NoSuchUpload": "no_upload",
}


def storage_fault(error: ClientError | BotoCoreError | Boto3Error, what: str) -> StorageFault:
    """Translate a boto3 error. The message names the operation and the code, never a URL or a body."""
    if isinstance(error, ClientError):
        code = error_code(error)
        return StorageFault(_KINDS.get(code, "unavailable"), f"{what}: {code}")  # type: ignore[arg-type]
    return StorageFault("unavailable", f"{what}: {type(error).__name__}")
