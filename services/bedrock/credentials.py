"""Whose signature is it: the long-lived keys that may assume roles, and the sessions issued through this server.

A SigV4 signature never carries the secret, so a server can only verify what it knows: hence AssumeRole goes
through here, and what STS issued is kept (mode 0600) until it expires.
"""

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from services.bedrock import clock


class KeysFileUnusable(Exception):
    """The file of long-lived keys is unreadable, not of the expected shape, or readable by others."""


@dataclass(frozen=True, slots=True)
class LongLivedKey:
    access_key_id: str
    secret: str = field(repr=False)
    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """Temporary credentials that STS issued through this server."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires_at: datetime
    role_arn: str
    session_name: str
    assumed_role_arn: str
    policy: str | None
    tags: Mapping[str, str]


class KeyRing:
    """The long-lived keys; the file is read again when it changes, so that a key can be added or withdrawn."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._keys: dict[str, LongLivedKey] = {}
        self._reload()

    def get(self, access_key_id: str) -> LongLivedKey | None:
        self._reload()
        return self._keys.get(access_key_id)

    def _reload(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            if status.st_mode & 0o077:
                self._keys, self._stamp = {}, None
                raise KeysFileUnusable(f"{self._path} is readable by others: chmod 600")
            content = json.loads(self._path.read_text())
            self._keys = {
                key_id: LongLivedKey(key_id, entry["secret"], entry.get("name", key_id))
                for key_id, entry in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            # a withdrawn or half-written file must not leave old keys valid
            self._keys, self._stamp = {}, None
            raise KeysFileUnusable(f"{self._path}: {type(error).__name__}") from None
        self._stamp = stamp


class SessionStore:
    """What STS issued, in one 0600 file, dropped at expiry."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}
        if path.exists():
            for entry in json.loads(path.read_text()):
                session = Session(**{**entry, "expires_at": datetime.fromisoformat(entry["expires_at"])})
                self._sessions[session.access_key_id] = session

    def get(self, access_key_id: str) -> Session | None:
        """The session, also when it has just expired (the caller tells that apart); None when it is unknown."""
        return self._sessions.get(access_key_id)

    def keep(self, session: Session) -> None:
        with self._lock:
            moment = clock.now()
            live = {key: kept for key, kept in self._sessions.items() if kept.expires_at > moment}
            live[session.access_key_id] = session
            self._write(list(live.values()))
            self._sessions = live

    def drop_expired(self) -> None:
        with self._lock:
            moment = clock.now()
            live = {key: kept for key, kept in self._sessions.items() if kept.expires_at > moment}
            if len(live) != len(self._sessions):
                self._write(list(live.values()))
                self._sessions = live

    def _write(self, sessions: list[Session]) -> None:
        entries: list[dict[str, Any]] = [
            {**asdict(session), "expires_at": session.expires_at.isoformat()} for session in sessions
        ]
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".sessions-")  # mkstemp makes it 0600
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(entries, file)
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
