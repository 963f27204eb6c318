"""What the tests of the offline model server share: it and an S3 server as real processes, called with plain boto3."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import cv2
import numpy as np
from botocore.config import Config

from services.embedded.home import KeyPair
from services.embedded.s3 import ACCOUNT_ID, REGION, find_python

REPOSITORY = Path(__file__).resolve().parents[2]
ADMIN_TOKEN = "operator-of-the-tests"
ROOT = KeyPair("AKIAROOTOFTHETESTS00", "the-root-secret-of-the-tests")
WORKER = KeyPair("AKIAWORKEROFTESTS000", "the-worker-secret-of-the-tests")

SD35 = "stability.sd3-5-large-v1:0"
OUTPAINT = "us.stability.stable-outpaint-v1:0"
ERASE = "us.stability.stable-image-erase-object-v1:0"
INPAINT = "us.stability.stable-image-inpaint-v1:0"
RAY2 = "luma.ray-v2:0"
FAST = "us.stability.stable-fast-upscale-v1:0"

_PATIENCE_SECONDS = 90.0

T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(probe: Callable[[], T | None], what: str) -> T:
    """Ask again and again until the answer isn't None."""
    pace, deadline = threading.Event(), time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = probe()
        if answer is not None:
            return answer
        pace.wait(0.05)
    raise AssertionError(what)


def _wait_until_up(process: "subprocess.Popen[bytes]", url: str) -> None:
    def up() -> bool | None:
        assert process.poll() is None, f"{url} ended at its start"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.read())
        return None

    eventually(up, f"{url} did not come up")


def ended(client: Any, arn: str) -> dict[str, Any]:
    """Poll an asynchronous invocation as a caller would, until it has ended."""

    def answer() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get_async_invoke(invocationArn=arn)
        return None if found["status"] == "InProgress" else found

    return eventually(answer, f"{arn} did not end")


@contextlib.contextmanager
def s3_server(directory: Path) -> Iterator[str]:
    """The embedded S3 server on its own port; two users: one who may do anything, one who may assume roles."""
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    assume = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}
    users = [
        {
            "name": name,
            "access_key_id": pair.access_key_id,
            "secret_access_key": pair.secret_access_key,
            "policy": {"Version": "2012-10-17", "Statement": [statement]},
        }
        for name, pair, statement in (("root", ROOT, anything), ("worker", WORKER, assume))
    ]
    seed = directory / "users.json"
    seed.write_text(json.dumps(users))
    port = free_port()
    env = {
        "PATH": os.defpath,
        "PYTHONPATH": str(REPOSITORY),
        "S3_PORT": str(port),
        "S3_DIR": str(directory),
        "S3_USERS": str(seed),
    }
    with (directory / "s3.log").open("wb") as log:
        process = subprocess.Popen(
            [find_python(), "-s", "-m", "services.embedded.s3_server"], env=env, stderr=log, stdout=log
        )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}/_health")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True)
class Session:
    """Temporary credentials of an assumed role."""

    access_key_id: str
    secret: str
    token: str


@dataclass
class Server:
    """One offline model server; it can be killed and started again on the same state."""

    s3_endpoint: str
    directory: Path
    options: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        keys = self.directory / "keys.json"
        keys.touch(mode=0o600)
        keys.write_text(
            json.dumps({WORKER.access_key_id: {"secret": WORKER.secret_access_key, "name": "worker"}})
        )
        env = {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path]),
            "CIRCLETAKE_BEDROCK_KEYS": str(keys),
            "CIRCLETAKE_BEDROCK_ADMIN_TOKEN": ADMIN_TOKEN,
        }
        command = [sys.executable, "-m", "services.bedrock", "--port", str(self.port)]
        command += ["--state-dir", str(self.directory / "state"), "--s3-endpoint", self.s3_endpoint]
        with (self.directory / "bedrock.log").open("ab") as log:
            self.process = subprocess.Popen([*command, *self.options], env=env, stderr=log, stdout=log)
        _wait_until_up(self.process, f"{self.url}/_offline/health")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)

    def client(self, session: Session, *, region: str = REGION, **config: Any) -> Any:
        """A plain boto3 client; one attempt, so that a test sees the first answer."""
        return _client(
            "bedrock-runtime",
            self.url,
            session.access_key_id,
            session.secret,
            session.token,
            region,
            retries={"total_max_attempts": 1},
            **config,
        )

    def sts(self, pair: KeyPair = WORKER) -> Any:
        return _client("sts", self.url, pair.access_key_id, pair.secret_access_key, None)

    def assume(self, role_arn: str, **arguments: Any) -> Session:
        issued = self.sts().assume_role(RoleArn=role_arn, RoleSessionName="tests", **arguments)["Credentials"]
        return Session(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])

    def offline(
        self, method: str, path: str, document: object = None, token: str = ADMIN_TOKEN
    ) -> tuple[int, Any]:
        """One of the server's own calls, as (status, JSON)."""
        request = urllib.request.Request(
            f"{self.url}/_offline/{path}",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
            headers={"Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                body = answer.read()
                return answer.status, json.loads(body) if body else None
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    @contextlib.contextmanager
    def control(self, name: str, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """An entry of one of the server's controls (drift, subjects, models), taken back afterwards."""
        status, answer = self.offline("POST", name, document)
        assert status == 201, answer
        try:
            yield answer
        finally:
            self.offline("DELETE", f"{name}/{answer['id']}")

    @contextlib.contextmanager
    def fault(self, kind: str, **rule: Any) -> Iterator[None]:
        status, answer = self.offline("POST", "faults", {"kind": kind, **rule})
        assert status == 201, answer
        try:
            yield
        finally:
            self.offline("DELETE", f"faults/{answer['id']}")

    def calls(self, after: int = 0) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.offline("GET", f"calls?after={after}")[1]["calls"]
        return rows

    def last_call_id(self) -> int:
        rows = self.calls()
        return int(rows[-1]["id"]) if rows else 0


@contextlib.contextmanager
def bedrock_server(s3_endpoint: str, directory: Path, *options: str) -> Iterator[Server]:
    server = Server(s3_endpoint, directory, options)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.stop()


def _client(
    service: str,
    endpoint: str,
    key_id: str,
    secret: str,
    token: str | None,
    region: str = REGION,
    **config: Any,
) -> Any:
    return boto3.Session().client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(proxies={}, s3={"addressing_style": "path"}, **config),
    )


def root_client(service: str, endpoint: str) -> Any:
    return _client(service, endpoint, ROOT.access_key_id, ROOT.secret_access_key, None)


def make_role(s3_endpoint: str, name: str, *statements: Mapping[str, Any]) -> str:
    """A role anyone here may assume; returns its ARN. Without statements it may do anything."""
    allowed = list(statements) or [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    iam = root_client("iam", s3_endpoint)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*allowed))
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def picture(
    width: int,
    height: int,
    *,
    kind: str = ".png",
    fill: Callable[[Any], None] | None = None,
    channels: int = 3,
) -> str:
    """A grey picture as base64; `fill` may paint on its (height, width, channels) BGR(A) array."""
    pixels = np.full((height, width, channels), 128, dtype=np.uint8)
    if fill is not None:
        fill(pixels)
    done, data = cv2.imencode(kind, pixels)
    assert done
    return base64.b64encode(data.tobytes()).decode()


def half_white(pixels: Any) -> None:
    """A mask: the left half is to change."""
    pixels[:] = 0
    pixels[:, : pixels.shape[1] // 2] = 255


def decode(answer: Mapping[str, Any]) -> Any:
    """The picture in a Stability answer, as a BGR array."""
    data = base64.b64decode(answer["images"][0])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def invoke(client: Any, model: str, document: object) -> dict[str, Any]:
    """InvokeModel with a JSON body; the answer's JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    answer: dict[str, Any] = json.loads(client.invoke_model(modelId=model, body=body)["body"].read())
    return answer
