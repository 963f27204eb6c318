"""Our own processes as children of the stack: what they are called, and exactly the settings each is given."""

import json
import signal
import socket
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from circletake.adapters.vision.likeness.weights import WeightsFault, check_weights
from services.embedded import s3
from services.embedded.home import ROLES, Facts, Home, write_private
from services.embedded.pki import PkiPaths
from services.embedded.postgres import Cluster
from services.embedded.process import Program, StartFailed, minimal_env

REPOSITORY = Path(__file__).resolve().parents[2]
_ALEMBIC = REPOSITORY / "migrations" / "alembic.ini"
_WEIGHTS = REPOSITORY / ".tools" / "weights"
_WEIGHTS_SETTING = "CIRCLETAKE_WORKER__WEIGHTS_DIR"
LANES = "generate,async,finish,judge,notify,inspect"
_GRACE_SECONDS = 40.0  # a worker may finish a paid call: its own grace is 30


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller may choose. `env` is added to every process of ours, over its own settings."""

    workers: int = 2
    env: Mapping[str, str] = field(default_factory=dict)
    bedrock_instant: bool = False
    bedrock_async_seconds: float | None = None
    durable: bool = True


class Own:
    """Builds the programs of one home. A service whose `__main__` is not there is None."""

    def __init__(self, home: Home, facts: Facts, cluster: Cluster, options: Options, pki: PkiPaths) -> None:
        self._home = home
        self._facts = facts
        self._cluster = cluster
        self._options = options
        self._pki = pki

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._facts.ports[service]}"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self._facts.redis_password}@127.0.0.1:{self._facts.ports['valkey']}/0"

    def database_url(self, role: str) -> str:
        return self._cluster.url(f"circletake_{role}", self._facts.role_passwords[role])

    def database_env(self, *roles: str) -> dict[str, str]:
        return {f"CIRCLETAKE_DATABASE__{role.upper()}_URL": self.database_url(role) for role in roles}

    def _python_env(self, **extra: str) -> dict[str, str]:
        return minimal_env(PYTHONPATH=str(REPOSITORY), PYTHONUNBUFFERED="1", **extra)

    def _aws_env(self, principal: str) -> dict[str, str]:
        pair = self._facts.principals[principal]
        return {
            "CIRCLETAKE_AWS__REGION": s3.REGION,
            "CIRCLETAKE_AWS__ACCOUNT_ID": s3.ACCOUNT_ID,
            "CIRCLETAKE_AWS__S3_ENDPOINT": self.url("s3"),
            "CIRCLETAKE_AWS__KMS_ENDPOINT": self.url("s3"),
            "CIRCLETAKE_AWS__IAM_ENDPOINT": self.url("s3"),
            "CIRCLETAKE_AWS__STS_ENDPOINT": self.url(
                "bedrock"
            ),  # it must know a session to verify its signature
            "CIRCLETAKE_AWS__BEDROCK_ENDPOINT": self.url("bedrock"),
            "CIRCLETAKE_AWS__ACCESS_KEY_ID": pair.access_key_id,
            "CIRCLETAKE_AWS__SECRET_ACCESS_KEY": pair.secret_access_key,
            "CIRCLETAKE_AWS__WORKER_PRINCIPAL_ARN": s3.principal_arn("worker"),
            "CIRCLETAKE_AWS__GATEWAY_PRINCIPAL_ARN": s3.principal_arn("gateway"),
        }

    def _common_env(self) -> dict[str, str]:
        return self._python_env(
            CIRCLETAKE_REDIS__URL=self.redis_url,
            CIRCLETAKE_WEBHOOKS__ALLOW_LOOPBACK="true",
            CIRCLETAKE_SIGN_IN__ALLOW_LOOPBACK="true",
            CIRCLETAKE_CATALOGUE__OFFLINE="true",
            CIRCLETAKE_LOG__FORMAT="console",
            CIRCLETAKE_METRICS__PORT="0",
        )

    def api_env(self) -> dict[str, str]:
        provisioner = self._facts.principals["provisioner"]
        return {
            **self._common_env(),
            **self.database_env("app", "operator"),
            **self._aws_env("gateway"),
            "CIRCLETAKE_AWS__PROVISIONER_ACCESS_KEY_ID": provisioner.access_key_id,
            "CIRCLETAKE_AWS__PROVISIONER_SECRET_ACCESS_KEY": provisioner.secret_access_key,
            "CIRCLETAKE_API__HOST": "127.0.0.1",
            "CIRCLETAKE_API__PORT": str(self._facts.ports["api"]),
            "CIRCLETAKE_API__PUBLIC_URL": self.url("api"),
            "CIRCLETAKE_API__ADMIN_KEY": self._facts.admin_key,
            "CIRCLETAKE_API__CURSOR_SECRET": self._facts.cursor_secret,
            **self._options.env,
        }

    def dispatcher_env(self) -> dict[str, str]:
        return {**self._common_env(), **self.database_env("dispatcher"), **self._options.env}

    def worker_env(self) -> dict[str, str]:
        return {
            **self._common_env(),
            **self.database_env("app"),
            **self._aws_env("worker"),
            "CIRCLETAKE_API__PUBLIC_URL": self.url("api"),
            _WEIGHTS_SETTING: str(_WEIGHTS),
            "CIRCLETAKE_SIGNING__CHAIN_PATH": str(self._pki.chain),
            "CIRCLETAKE_SIGNING__KEY_PATH": str(self._pki.key),
            "CIRCLETAKE_SIGNING__ROOTS_PATH": str(self._pki.roots),
            "CIRCLETAKE_SIGNING__TSA_URL": self.url("tsa"),
            "CIRCLETAKE_SIGNING__TSA_ROOTS_PATH": str(self._pki.tsa_roots),
            **self._options.env,
        }

    def check_weights(self) -> None:
        """Raise StartFailed unless the networks that see faces are there: a worker ends at once without them."""
        try:
            check_weights(Path(self.worker_env()[_WEIGHTS_SETTING]))
        except WeightsFault as fault:
            raise StartFailed(f"The networks that see faces: {fault}") from None

    def migration_env(self) -> dict[str, str]:
        return self._python_env(**self.database_env("owner"))

    def operator_env(self) -> dict[str, str]:
        """Return what migrations, tests and tools run with: every database role, no AWS key."""
        return {**self._common_env(), **self.database_env(*ROLES)}

    def bedrock(self) -> Program | None:
        keys = self._home.path / "bedrock-keys.json"
        pairs = {name: self._facts.principals[name] for name in ("worker", "gateway")}
        known = {
            pair.access_key_id: {"secret": pair.secret_access_key, "name": f"circletake-{name}"}
            for name, pair in pairs.items()
        }
        write_private(keys, json.dumps(known))
        place = ["--host", "127.0.0.1", "--port", str(self._facts.ports["bedrock"])]
        place += ["--state-dir", str(self._home.path / "bedrock"), "--s3-endpoint", self.url("s3")]
        place += ["--region", s3.REGION, "--account", s3.ACCOUNT_ID]
        if self._options.bedrock_instant:
            place += ["--instant"]
        if self._options.bedrock_async_seconds is not None:
            place += ["--async-seconds", str(self._options.bedrock_async_seconds)]
        env = self._python_env(
            CIRCLETAKE_BEDROCK_ADMIN_TOKEN=self._facts.bedrock_admin_token, CIRCLETAKE_BEDROCK_KEYS=str(keys)
        )
        ready = _http_ready(self.url("bedrock") + "/_offline/health")
        return self._module("bedrock", "services.bedrock", place, env, ready)

    def tsa(self) -> Program | None:
        port = self._facts.ports["tsa"]
        arguments = ["--port", str(port), "--pki", str(self._home.path / "pki")]
        env = self._python_env()
        return self._module("tsa", "services.embedded.timestamp_authority", arguments, env, _listening(port))

    def sign_in(self) -> Program | None:
        port = self._facts.ports["sign_in"]
        arguments = ["--port", str(port), "--home", str(self._home.path)]
        env = self._python_env(CIRCLETAKE_SIGN_IN_SECRET=self._facts.sign_in_secret)
        return self._module("sign_in", "services.embedded.sign_in", arguments, env, _listening(port))

    def api(self) -> Program | None:
        ready = _http_ready(self.url("api") + "/healthz")
        return self._module("api", "services.api", [], self.api_env(), ready)

    def dispatcher(self) -> Program | None:
        return self._module("dispatcher", "services.dispatcher", [], self.dispatcher_env(), None)

    def worker(self, number: int) -> Program | None:
        arguments = ["--lanes", LANES, "--name", f"worker-{number}"]
        return self._module(f"worker-{number}", "services.worker", arguments, self.worker_env(), None)

    def isolation_worker(self) -> Program | None:
        arguments = ["--lanes", "isolation", "--name", "isolation"]
        return self._module("worker-isolation", "services.worker", arguments, self.worker_env(), None)

    def _module(
        self,
        name: str,
        module: str,
        arguments: list[str],
        env: dict[str, str],
        ready: Callable[[], None] | None,
    ) -> Program | None:
        if not _is_there(module):
            return None
        return Program(
            name=name,
            argv=[sys.executable, "-m", module, *arguments],
            env=env,
            ready=ready,
            stop_signal=signal.SIGTERM,
            stop_seconds=_GRACE_SECONDS if name.startswith("worker") else 10.0,
        )


def _is_there(module: str) -> bool:
    path = REPOSITORY.joinpath(*module.split("."))
    return (path / "__main__.py").exists() or path.with_suffix(".py").exists()


def has_migrations() -> bool:
    return _ALEMBIC.exists()


def migration_argv() -> list[str]:
    return [sys.executable, "-m", "alembic", "-c", str(_ALEMBIC), "upgrade", "head"]


def _http_ready(url: str) -> Callable[[], None]:
    def ready() -> None:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback URL
            answer.read()

    return ready


def _listening(port: int) -> Callable[[], None]:
    def ready() -> None:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()

    return ready
