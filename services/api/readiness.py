"""What the gateway rests on, looked at: databases, S3, STS, KMS, the dispatcher, a worker in every lane."""

import asyncio
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import text

from circletake.adapters.aws import AwsClients, LongLivedCredentials
from circletake.kit import clock, logs
from circletake.records.session import Database
from circletake.usecases.watch_queue import LANES, view_queue

log = logs.logger(__name__)

LOOK_SECONDS = 1.8  # all looks at once: the answer comes within two seconds
KEPT_SECONDS = 1.0
_SERVER_ERROR = 500
# boto3 only names the endpoint: with a key, so that it looks for none
_NOBODY = LongLivedCredentials("nobody", "nothing")


@dataclass(frozen=True, slots=True)
class Dependency:
    """`detail` is a code: ok, timeout, unreachable, server_error, failed, not_seen, no_workers."""

    ok: bool
    detail: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Report:
    checked_at: str
    dependencies: Mapping[str, Dependency]

    @property
    def ready(self) -> bool:
        return all(each.ok for each in self.dependencies.values())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """AWS answers a bare GET with a redirect to a web page: that is an answer."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Readiness:
    """Looks at everything at once, bounded, and keeps what it saw for a second, however many ask."""

    def __init__(
        self,
        database: Database,
        operator_database: Database,
        aws: AwsClients,
        *,
        region: str,
        endpoints: Mapping[str, str | None],
    ) -> None:
        """`endpoints` by service (s3, sts, kms); None is AWS's own in the region."""
        self._database, self._operator_database = database, operator_database
        self._aws, self._region, self._endpoints = aws, region, endpoints
        self._kept: tuple[float, Report] | None = None
        self._looking = asyncio.Lock()

    async def report(self) -> Report:
        async with self._looking:
            if self._kept is None or self._kept[0] + KEPT_SECONDS < time.monotonic():
                report = await self._look()
                self._kept = (time.monotonic(), report)
            return self._kept[1]

    async def _look(self) -> Report:
        looks: dict[str, Callable[[], Awaitable[dict[str, str]]]] = {
            "postgres": lambda: self._postgres("postgres", self._database),
            "postgres_operator": lambda: self._postgres("postgres_operator", self._operator_database),
            "queue": self._queue,
            **{service: partial(self._endpoint, service) for service in self._endpoints},
        }
        found = await asyncio.gather(*(self._timed(name, look) for name, look in looks.items()))
        dependencies = {name: each for some in found for name, each in some.items()}
        troubled = [name for name, each in dependencies.items() if not each.ok]
        for name in troubled:
            log.warning("dependency_down", name=name, detail_code=dependencies[name].detail)
        return Report(clock.now().isoformat(timespec="milliseconds"), dependencies)

    async def _timed(self, name: str, look: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, Dependency]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                seen = await look()
        except TimeoutError:
            seen = self._all_of(name, "timeout")
        except Exception:  # noqa: BLE001 - whatever a look fails with is what it has to tell; the log has the rest
            log.failure("look_failed", name=name)
            seen = self._all_of(name, "failed")
        spent = round((time.perf_counter() - started) * 1000)
        return {each: Dependency(detail == "ok", detail, spent) for each, detail in seen.items()}

    @staticmethod
    def _all_of(name: str, detail: str) -> dict[str, str]:
        """The queue's look tells of the dispatcher and of every lane; without it none of them is known to live."""
        if name != "queue":
            return {name: detail}
        return dict.fromkeys(["dispatcher", *(f"workers_{lane}" for lane in LANES)], detail)

    @staticmethod
    async def _postgres(name: str, database: Database) -> dict[str, str]:
        async with database.role() as session:
            await session.execute(text("select 1"))
        return {name: "ok"}

    async def _queue(self) -> dict[str, str]:
        view = await view_queue(self._operator_database)
        seen = {"dispatcher": "ok" if view.dispatcher_alive else "not_seen"}
        slots = {lane.lane: lane.slots for lane in view.lanes}
        return seen | {f"workers_{lane}": "ok" if slots.get(lane) else "no_workers" for lane in LANES}

    async def _endpoint(self, service: str) -> dict[str, str]:
        return {service: await asyncio.to_thread(self._ask, service)}

    def _ask(self, service: str) -> str:
        endpoint = self._endpoints[service]
        if endpoint is None:
            client = self._aws.client(service, region=self._region, endpoint=None, credentials=_NOBODY)
            endpoint = client.meta.endpoint_url
        return _answers(endpoint)


def _answers(url: str) -> str:
    """Ask without a signature, which costs nothing and alarms nobody: any answer but a 5xx is one."""
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(url, timeout=LOOK_SECONDS) as answer:
            answer.read(1)
    except urllib.error.HTTPError as error:
        with error:
            return "server_error" if error.code >= _SERVER_ERROR else "ok"
    except (OSError, http.client.HTTPException):
        return "unreachable"
    return "ok"
