"""Asynchronous invocations under way: draw, wait as long as a run should take, write to S3 as the caller."""

import asyncio
import json
import logging
from functools import partial
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from services.bedrock import clock, faults
from services.bedrock.aws import Clients
from services.bedrock.calls import Billed, CallLog, Outcome
from services.bedrock.controls import read_cast
from services.bedrock.credentials import SessionStore
from services.bedrock.dialects import luma
from services.bedrock.invocations import Invocation, Invocations
from services.bedrock.orders import ClipOrder
from services.bedrock.pictures import UnreadablePicture
from services.bedrock.pool import DrawingDied, DrawingPool
from services.bedrock.work import render

log = logging.getLogger(__name__)

_MAX_MESSAGE = 2048
_WENT_WRONG = "Something went wrong on the server side."


class RunFailed(Exception):
    """Ends an invocation as Failed; the message is its failureMessage."""

    def __init__(self, message: str, billed: Billed) -> None:
        super().__init__(message)
        self.message = message
        self.billed = billed


class AsyncRuns:
    """One task per unfinished invocation. A stopped server leaves them InProgress and takes them up again."""

    def __init__(
        self,
        invocations: Invocations,
        sessions: SessionStore,
        clients: Clients,
        pool: DrawingPool,
        log_of_calls: CallLog,
        account: str,
    ) -> None:
        self._invocations = invocations
        self._sessions = sessions
        self._clients = clients
        self._pool = pool
        self._calls = log_of_calls
        self._account = account
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        for invocation in await self._invocations.unfinished():
            self.start(invocation)

    def start(self, invocation: Invocation) -> None:
        task = asyncio.create_task(self._run(invocation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, invocation: Invocation) -> None:
        failure: RunFailed | None = None
        seconds, resolution = 0, None
        try:
            order = luma.parse_ray2(json.loads(invocation.model_input or "null"), invocation.seed)
            seconds, resolution = order.seconds, order.resolution
            await self._produce(invocation, order)
        except RunFailed as failed:
            failure = failed
        except Exception as error:  # noqa: BLE001 - whatever it was, the invocation must end
            log.error("invocation %s: %s", invocation.id, type(error).__name__)  # noqa: TRY400 - no content in logs
            failure = RunFailed(_WENT_WRONG, "unknown")
        # the call first: a kill between the two repeats the run, never loses what it cost
        billed = "yes" if failure is None else failure.billed
        outcome = Outcome(
            "succeeded" if failure is None else "failed",
            billed,
            units=seconds or None,
            unit="second",
            resolution=resolution,
        )
        await self._calls.end(invocation.call_id, outcome)
        await self._invocations.finish(
            invocation.id, None if failure is None else failure.message[:_MAX_MESSAGE]
        )

    async def _produce(self, invocation: Invocation, order: ClipOrder) -> None:
        self._require_session(invocation)
        if invocation.fault in faults.ASYNC_FAILURES:
            await self._sit_out(invocation)
            billed: Billed = "unknown" if invocation.fault == "filter_async" else "no"
            raise RunFailed(faults.ASYNC_FAILURES[invocation.fault], billed)
        try:
            clip = await self._pool.run(
                partial(
                    render,
                    order,
                    wrong_size=invocation.fault == "wrong_size",
                    cast=read_cast(invocation.cast),
                ),
                patient=True,
            )
        except DrawingDied:
            raise RunFailed(_WENT_WRONG, "no") from None
        except UnreadablePicture:
            raise RunFailed("A keyframe is not a readable image.", "no") from None
        await self._sit_out(invocation)
        await asyncio.to_thread(self._write, invocation, clip)

    async def _sit_out(self, invocation: Invocation) -> None:
        passed = (clock.now() - invocation.submitted).total_seconds()
        await asyncio.sleep(max(0.0, invocation.min_seconds - passed))

    def _require_session(self, invocation: Invocation) -> None:
        session = self._sessions.get(invocation.access_key_id)
        if session is None or session.expires_at <= clock.now():
            raise RunFailed("The credentials of this invocation are no longer valid.", "no")

    def _write(self, invocation: Invocation, clip: bytes) -> None:
        """Put the clip at `{s3Uri}/{id}/output.mp4` with the caller's own session."""
        session = self._sessions.get(invocation.access_key_id)
        if session is None or session.expires_at <= clock.now():
            raise RunFailed(
                "The credentials of this invocation expired before its output was written.", "yes"
            )
        config = invocation.output_config
        target = urlsplit(config["s3Uri"])
        prefix = target.path.strip("/")
        key = f"{prefix}/{invocation.id}/output.mp4" if prefix else f"{invocation.id}/output.mp4"
        options: dict[str, str] = {}
        if "kmsKeyId" in config:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": config["kmsKeyId"]}
        if "bucketOwner" in config:
            options["ExpectedBucketOwner"] = config["bucketOwner"]
            # every bucket here is of the one account there is; the embedded S3 server doesn't look at the header
            if config["bucketOwner"] != self._account:
                raise RunFailed(_unwritten(target.netloc, key, "AccessDenied"), "yes")
        client = self._clients.s3(session.access_key_id, session.secret, session.token)
        try:
            client.put_object(Bucket=target.netloc, Key=key, Body=clip, ContentType="video/mp4", **options)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            raise RunFailed(_unwritten(target.netloc, key, code), "yes") from None
        except BotoCoreError as error:
            raise RunFailed(
                f"The output could not be written to s3://{target.netloc}/{key}: {type(error).__name__}",
                "yes",
            ) from None


def _unwritten(bucket: str, key: str, why: str) -> str:
    return f"The output could not be written to s3://{bucket}/{key}: {why}"
