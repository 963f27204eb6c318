"""The S3 server as a child of the stack."""

import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from services.embedded.home import KeyPair, write_private
from services.embedded.process import Program, StartFailed, minimal_env
from services.embedded.users import ACCOUNT_ID, REGION, principal_arn, users

__all__ = ["ACCOUNT_ID", "REGION", "find_python", "principal_arn", "program", "users"]

_REPOSITORY = Path(__file__).resolve().parents[2]
_PYTHON_VARIABLE = "CIRCLETAKE_S3_PYTHON"


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
