"""Starting, waiting for and ending one child process."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

LAUNCHER = Path(__file__).with_name("launch.py")
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02
_LOG_TAIL_CHARACTERS = 1500


class StartFailed(RuntimeError):
    """A process of the stack did not come up; the message says which, why and where its log is."""


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a child runs: itself, inside a user namespace, or as another user."""

    user_namespace: bool = False
    uid: int | None = None
    gid: int | None = None

    def plan(self) -> dict[str, int | bool]:
        plan: dict[str, int | bool] = {"user_namespace": self.user_namespace}
        if self.uid is not None and self.gid is not None:
            plan |= {"uid": self.uid, "gid": self.gid}
        return plan


SELF = Identity()


@dataclass(frozen=True, slots=True)
class Program:
    """What a child is. `ready` raises until the child serves; None: running is enough."""

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str] = field(repr=False)
    ready: Callable[[], None] | None = None
    identity: Identity = SELF
    stop_signal: signal.Signals = signal.SIGTERM
    parent_death_signal: signal.Signals = signal.SIGKILL
    ready_seconds: float = 60.0
    stop_seconds: float = 10.0


def launch_argv(
    argv: Sequence[str | Path],
    identity: Identity = SELF,
    parent_death_signal: signal.Signals = signal.SIGKILL,
) -> list[str]:
    """Return the command that runs `argv` through the launcher, for the calling process as parent."""
    plan = identity.plan() | {"parent": os.getpid(), "signal": int(parent_death_signal)}
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(plan), *map(str, argv)]


class Spawner:
    """One thread that starts every child.

    The kernel sends the parent-death signal when the *thread* that forked ends, so children must not be forked by
    the short-lived threads of a parallel start.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def start(self, program: Program, log: Path) -> "Child":
        return self._thread.submit(_spawn, program, log).result()

    def run(self, argv: Sequence[str | Path], env: Mapping[str, str], identity: Identity = SELF) -> None:
        """Run a short program to its end; raises CalledProcessError with its output."""
        self._thread.submit(_run, argv, env, identity).result()

    def close(self) -> None:
        self._thread.shutdown(wait=False)


def _run(argv: Sequence[str | Path], env: Mapping[str, str], identity: Identity) -> None:
    subprocess.run(
        launch_argv(argv, identity), env=dict(env), cwd="/", check=True, capture_output=True, text=True
    )


def _spawn(program: Program, log: Path) -> "Child":
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
        popen = subprocess.Popen(
            launch_argv(program.argv, program.identity, program.parent_death_signal),
            env=dict(program.env),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd="/",
            start_new_session=True,  # Ctrl-C is the supervisor's to answer, in order
        )
    return Child(program, popen, log)


class Child:
    def __init__(self, program: Program, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.program = program
        self.log = log
        self._popen = popen

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self._popen.pid

    def mark(self) -> tuple[int, float] | None:
        """Return (pid, creation time), which names this process for ever; None when it is gone."""
        try:
            return self.pid, float(psutil.Process(self.pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._popen.poll()

    def wait_until_ready(self) -> None:
        """Return when `ready` passes. Raises StartFailed when the child ends or takes too long."""
        if self.program.ready is None:
            return
        deadline = time.monotonic() + self.program.ready_seconds
        while True:
            try:
                self.program.ready()
            except Exception as error:  # noqa: BLE001 - anything that is not an answer yet
                reason = error
            else:
                return
            if self.returncode is not None:
                raise StartFailed(f"{self.name} ended with code {self.returncode}.\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise StartFailed(f"{self.name} is not ready ({reason!r}).\n{self._log_tail()}")
            time.sleep(_POLL_SECONDS)

    def _log_tail(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"Its log, {self.log}, ends with:\n{text[-_LOG_TAIL_CHARACTERS:].strip()}"

    def send(self, number: signal.Signals) -> None:
        """Signal the child alone; nothing happens when it is gone."""
        if self.returncode is None:
            self._popen.send_signal(number)

    def kill_tree(self) -> None:
        """End the child and everything it started, at once."""
        for process in _tree(self.pid):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._popen.wait()

    def stop(self) -> bool:
        """Ask it to stop; end it by force after `stop_seconds`. Returns whether it stopped by itself."""
        family = _tree(self.pid)
        self.send(self.program.stop_signal)
        try:
            self._popen.wait(self.program.stop_seconds)
            stopped = True
        except subprocess.TimeoutExpired:
            self.kill_tree()
            stopped = False
        _, left = psutil.wait_procs(family, timeout=1.0)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended in this moment
                process.kill()
        return stopped


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return []


def end_leftovers(marks: Mapping[str, tuple[int, float]], patience_seconds: float = 10.0) -> list[str]:
    """Wait for children of a killed supervisor to end, then end them by force; returns the names of those.

    `marks` maps a name to (pid, creation time), so that a pid that was given away again is left alone.
    """
    alive: dict[int, str] = {}
    processes = []
    for name, (pid, created) in marks.items():
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1.0:
                alive[pid] = name
                processes += [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            continue
    _, left = psutil.wait_procs(processes, timeout=patience_seconds)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5.0)
    return [alive[process.pid] for process in left if process.pid in alive]


def stop_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends: killing `make` then leaves no supervisor behind."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def minimal_env(**extra: str) -> dict[str, str]:
    """Return the whole environment of a child: nothing of the caller's AWS_* or CIRCLETAKE_* gets in."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(Path("~").expanduser()),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **extra,
    }
