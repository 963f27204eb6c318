"""ministack's modules, imported once the environment it reads at import is set."""

# ruff: noqa: TID251 - ministack is configured by the environment

import os
from pathlib import Path
from typing import Any, NamedTuple

APIS = {"s3", "sts", "iam", "kms"}


def prepare_environment(port: int, directory: Path) -> None:
    """Set what ministack reads at import; nothing of the caller's AWS or Docker set-up may leak in."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    for part in ("objects", "state"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    os.environ.update(
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION="us-west-2",
        MINISTACK_ACCOUNT_ID="000000000000",
        S3_PERSIST="1",
        S3_DATA_DIR=str(directory / "objects"),
        PERSIST_STATE="1",
        STATE_DIR=str(directory / "state"),
        AUTH="true",
        SERVICES=",".join(sorted(APIS)),
        LOG_LEVEL="WARNING",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        DOCKER_HOST=f"unix://{directory}/no-docker",  # or it removes containers of the machine's Docker
    )


class Ministack(NamedTuple):
    """Its modules, imported after the environment is set."""

    app: Any
    persistence: Any
    evaluator: Any
    s3: Any
    iam: Any
    sts: Any
    kms: Any


def load_ministack() -> Ministack:
    import ministack.app
    from ministack.core import hypercorn_compat, iam_evaluator, persistence
    from ministack.services import iam, kms, s3, sts

    hypercorn_compat.install()
    return Ministack(ministack.app, persistence, iam_evaluator, s3, iam, sts, kms)
