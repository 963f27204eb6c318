"""A folder for the pictures at work, and an end to those that killed workers left: they hold a studio's content."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "circletake-worker-"
_LOCK = ".in-use"


class Scratch:
    """This process's own folder below `parent` (the system's place for temporary files when None).

    It is in use while its lock is held, and the kernel lets go of a lock with its process: that holds over containers
    that share the parent, where process ids mean nothing.
    """

    def __init__(self, parent: Path | None) -> None:
        above = parent or Path(tempfile.gettempdir())
        for left in above.glob(f"{PREFIX}*"):
            _remove_unused(left)
        self.path, self._lock = _made(above)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _made(above: Path) -> tuple[Path, int]:
    """Make a folder and lock it. Another process that starts now may take it for left over before it is locked."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
        try:
            lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (path / _LOCK).exists():  # nobody else makes one in a folder of ours
            return path, lock
        os.close(lock)


def _remove_unused(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # another user's, gone already, or just being made
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
