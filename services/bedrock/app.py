"""The ASGI application: routing on the raw path, and everything the server is made of."""

import asyncio
import logging
import os
import traceback
from pathlib import Path
from urllib.parse import unquote

from services.bedrock import admin as admin_calls
from services.bedrock import sts as sts_calls
from services.bedrock.admin import Admin
from services.bedrock.async_api import AsyncApi
from services.bedrock.async_runs import AsyncRuns
from services.bedrock.aws import Clients
from services.bedrock.calls import CallLog
from services.bedrock.controls import Controls
from services.bedrock.converse_api import ConverseApi
from services.bedrock.credentials import KeyRing, SessionStore
from services.bedrock.drift import DriftBook
from services.bedrock.errors import BedrockFault, internal, unknown_operation
from services.bedrock.faults import FaultBook
from services.bedrock.gate import Gate
from services.bedrock.http import (
    Answer,
    ClientGone,
    Receive,
    Request,
    Scope,
    Send,
    fault_answer,
    read_request,
    send_answer,
)
from services.bedrock.invocations import Invocations
from services.bedrock.models import BroughtModels
from services.bedrock.pool import DrawingPool
from services.bedrock.settings import Settings
from services.bedrock.store import Store
from services.bedrock.sts import Sts
from services.bedrock.subjects import SubjectBook
from services.bedrock.sync_api import SyncApi, strike
from services.bedrock.versions import VersionBook

log = logging.getLogger(__name__)

_NOT_SERVED = ("invoke-with-response-stream", "converse-stream", "count-tokens")

_SWEEP_SECONDS = 60


class StateUnusable(Exception):
    """The state directory belongs to somebody else."""


def _claim(directory: Path) -> None:
    """Make it, or take it over if it is ours; a directory another user could have laid out is refused."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != os.getuid():
        raise StateUnusable(f"{directory} belongs to another user: choose another --state-dir")
    directory.chmod(0o700)


class OfflineBedrock:
    """The server. Opens its state at once; runs resume when the ASGI lifespan starts."""

    def __init__(self, settings: Settings) -> None:
        _claim(settings.state_dir)
        self._sessions = SessionStore(settings.state_dir / "sessions.json")
        self._gate = Gate(KeyRing(settings.keys_file), self._sessions, settings.region, settings.account)
        self._store = Store(settings.state_dir / "bedrock.sqlite")
        self._pool = DrawingPool(settings.picture_processes, settings.max_waiting)
        self._book = FaultBook()
        brought = BroughtModels(settings.account)
        controls = Controls(self._book, DriftBook(), SubjectBook(), brought, VersionBook())
        self._calls = CallLog(self._store)
        clients = Clients(settings.s3_endpoint, settings.region)
        invocations = Invocations(self._store)
        self._runs = AsyncRuns(
            invocations, self._sessions, clients, self._pool, self._calls, settings.account
        )
        self._sts = Sts(self._gate, self._sessions, clients)
        self._sync = SyncApi(settings, self._gate, controls, self._calls, self._pool)
        self._converse = ConverseApi(settings, self._gate, controls, self._calls, self._pool)
        self._async = AsyncApi(settings, self._gate, controls, self._calls, invocations, self._runs)
        self._admin = Admin(settings, controls, self._calls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                request = await read_request(scope, receive)
            except ClientGone:
                return
            await send_answer(send, await self._answer(request), request.request_id)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._calls.close_interrupted()
        await self._runs.resume()
        sweep = asyncio.create_task(self._sweep())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        sweep.cancel()
        await self._runs.stop()
        self._pool.close()
        self._store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _sweep(self) -> None:
        """Secrets of ended sessions don't lie about."""
        while True:
            await asyncio.to_thread(self._sessions.drop_expired)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _answer(self, request: Request) -> Answer:
        if request.path.startswith(admin_calls.PREFIX):
            return await self._admin.answer(request)
        is_sts = sts_calls.is_sts(request)
        try:
            return await (self._assume_role(request) if is_sts else self._route(request))
        except BedrockFault as fault:
            failed = fault
        except Exception as error:  # noqa: BLE001 - the border: no failure may leave the wire's own shape
            # messages and values can hold prompts: only where it happened is logged
            log.error(  # noqa: TRY400
                "%s: %s\n%s",
                request.request_id,
                type(error).__name__,
                "".join(traceback.format_tb(error.__traceback__)),
            )
            failed = internal()
        return sts_calls.error_answer(failed, request.request_id) if is_sts else fault_answer(failed)

    async def _assume_role(self, request: Request) -> Answer:
        await strike(self._book, "AssumeRole", frozenset(), "")
        return await self._sts.assume_role(request)

    async def _route(self, request: Request) -> Answer:
        """The path is split before it is decoded, so that an encoded `/` stays inside its identifier."""
        caller = self._gate.caller(request)
        method, path = request.method, request.path
        if method == "POST" and path.startswith("/model/"):
            identifier, _, operation = path.removeprefix("/model/").rpartition("/")
            if operation == "invoke" and identifier:
                return await self._sync.invoke_model(request, caller, unquote(identifier))
            if operation == "converse" and identifier:
                return await self._converse.converse(request, caller, unquote(identifier))
            if operation in _NOT_SERVED:
                raise unknown_operation(f"{operation} is not served by the offline model server")
        if method == "POST" and path == "/async-invoke":
            return await self._async.start(request, caller)
        if method == "GET" and path == "/async-invoke":
            return await self._async.list_all(request, caller)
        if method == "GET" and path.startswith("/async-invoke/"):
            return await self._async.get(caller, unquote(path.removeprefix("/async-invoke/")))
        raise unknown_operation()
