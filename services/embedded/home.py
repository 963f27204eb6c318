"""The folder of one stack: its ports and secrets, made once, and the files beside them."""

import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

PORTS = ("postgres", "valkey", "s3", "bedrock", "tsa", "sign_in", "api")
ROLES = ("owner", "app", "dispatcher", "operator")
PRINCIPALS = ("worker", "gateway", "provisioner")
_REPOSITORY = Path(__file__).resolve().parents[2]


class AlreadyUp(RuntimeError):
    """Another stack runs in this home."""


class HomeRefused(RuntimeError):
    """The home can't be made or belongs to another user."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a home decides at its first start and keeps."""

    ports: dict[str, int]
    superuser_password: str = field(repr=False)
    role_passwords: dict[str, str] = field(repr=False)
    redis_password: str = field(repr=False)
    admin_key: str = field(repr=False)
    cursor_secret: str = field(repr=False)
    bedrock_admin_token: str = field(repr=False)
    sign_in_secret: str = field(repr=False)
    principals: dict[str, KeyPair] = field(repr=False)


def default_home() -> Path:
    """Return `CIRCLETAKE_HOME`, or `.circletake` in the repository."""
    return Path(os.environ.get("CIRCLETAKE_HOME") or _REPOSITORY / ".circletake").absolute()  # noqa: TID251


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, mode 600."""
    fresh = path.with_name(path.name + ".tmp")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


class Home:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.logs = self.path / "logs"
        self.connection_file = self.path / "connection.json"
        self._facts_file = self.path / "stack.json"
        self._marks_file = self.path / "processes.json"
        self._lock_file = self.path / "lock"

    def create(self) -> None:
        """Make the folder, for its owner only. Raises HomeRefused when it can't be used."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise HomeRefused(
                f"{self.path} can't be used ({error.strerror}). Set CIRCLETAKE_HOME to a folder of your own."
            ) from None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Own this home. Raises AlreadyUp when another process does; a killed owner leaves nothing behind."""
        self.create()
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyUp(
                    f"A stack is already up in {self.path} (process {self.owner_pid() or 'unknown'}). "
                    "Stop it with Ctrl-C there or `make down`, or give this one its own folder with --home."
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def owner_pid(self) -> int | None:
        """Return the process that owns this home now, or None. Raises HomeRefused when it is another user's."""
        try:
            file = self._lock_file.open()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HomeRefused(
                f"{self.path} can't be read ({error.strerror}): it is another user's."
            ) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
        return None

    def facts(self) -> Facts:
        """Return the stored ports and secrets; make and store them at the first call."""
        if self._facts_file.exists():
            stored = json.loads(self._facts_file.read_text())
            facts = _facts_of(_brought_up(stored))
            if asdict(facts) != stored:
                self.store(facts)
            return facts
        facts = _new_facts()
        self.store(facts)
        return facts

    def store(self, facts: Facts) -> None:
        write_private(self._facts_file, json.dumps(asdict(facts), indent=1))

    def marks(self) -> dict[str, tuple[int, float]]:
        """Return (pid, creation time) of the children last started here."""
        if not self._marks_file.exists():
            return {}
        found = json.loads(self._marks_file.read_text())
        return {name: (int(pid), float(created)) for name, (pid, created) in found.items()}

    def mark(self, marks: dict[str, tuple[int, float]]) -> None:
        write_private(self._marks_file, json.dumps(marks))

    def move_taken_ports(self, facts: Facts) -> tuple[Facts, list[str]]:
        """Give services whose stored port is taken another one; returns the new facts and what to tell."""
        taken = [name for name in PORTS if not _is_free(facts.ports[name])]
        if not taken:
            return facts, []
        fresh = dict(zip(taken, free_ports(len(taken)), strict=True))
        moved = replace(facts, ports=facts.ports | fresh)
        self.store(moved)
        return moved, [
            f"port {facts.ports[name]} of {name} is taken: it moves to {fresh[name]}" for name in taken
        ]


def _brought_up(stored: dict[str, Any]) -> dict[str, Any]:
    """Give a home of an earlier version what was added since, so that its data goes on."""
    missing = [name for name in PORTS if name not in stored["ports"]]
    ports = stored["ports"] | dict(zip(missing, free_ports(len(missing)), strict=True))
    return {"sign_in_secret": secrets.token_urlsafe(24), **stored, "ports": ports}


def _facts_of(stored: dict[str, object]) -> Facts:
    known = {item.name for item in fields(Facts)}
    if set(stored) != known:
        raise RuntimeError(
            "The stored stack settings are of another version: remove the home folder or use another."
        )
    facts = Facts(**stored)  # type: ignore[arg-type]
    principals = {
        name: pair if isinstance(pair, KeyPair) else KeyPair(**pair)
        for name, pair in facts.principals.items()
    }
    return replace(facts, principals=principals)


def _new_facts() -> Facts:
    return Facts(
        ports=dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
        superuser_password=secrets.token_urlsafe(24),
        role_passwords={role: secrets.token_urlsafe(24) for role in ROLES},
        redis_password=secrets.token_urlsafe(24),
        admin_key=secrets.token_urlsafe(32),
        cursor_secret=secrets.token_urlsafe(32),
        bedrock_admin_token=secrets.token_urlsafe(24),
        sign_in_secret=secrets.token_urlsafe(24),
        principals={
            name: KeyPair("AKIA" + secrets.token_hex(8).upper(), secrets.token_urlsafe(30))
            for name in PRINCIPALS
        },
    )


def free_ports(count: int) -> list[int]:
    """Return different free loopback ports. All are held until the last is found."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
