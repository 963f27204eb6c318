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
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=above))
        self._lock = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


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
