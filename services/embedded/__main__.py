"""`python -m services.embedded`: the whole stack on one machine, without Docker."""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.catalogue.places import CatalogueFault
from services.embedded import people_command
from services.embedded.connection import read_connection
from services.embedded.home import AlreadyUp, Home, HomeRefused, default_home
from services.embedded.own import Options
from services.embedded.process import StartFailed, stop_with_parent
from services.embedded.stack import Stack

_WATCH_SECONDS = 0.3
_QUICK_DEATH_SECONDS = 10.0
_QUICK_DEATHS = 3
_DOWN_SECONDS = 90.0

_DESCRIPTION = """\
Postgres, Valkey, an S3 server with IAM, STS and KMS, the offline model server, a timestamp authority, a small sign-in
for people, the API, the dispatcher and the workers: on loopback, on free ports chosen at the first start, with everything they keep in one
folder. It survives restarts and kill -9. Remove the folder to start from nothing.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services.embedded",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--home",
        type=Path,
        default=default_home(),
        help="the stack's folder (default: CIRCLETAKE_HOME, or .circletake in the repository: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[shared], help="start everything and stay in the foreground")
    up.add_argument(
        "--workers", type=int, default=2, metavar="N", help="worker processes (default: %(default)s)"
    )
    up.add_argument(
        "--instant", action="store_true", help="the offline model server answers with flat pictures"
    )
    up.add_argument(
        "--async-seconds", type=float, metavar="S", help="how long an offline video takes at least"
    )
    up.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="models of your own beside the shipped ones: docs/models.md",
    )
    up.add_argument(
        "--stop-with-parent", action="store_true", help="stop when the process that started this one ends"
    )
    commands.add_parser("down", parents=[shared], help="stop the stack of this folder and wait for its end")
    commands.add_parser("status", parents=[shared], help="say what runs; exit code 3 when nothing does")
    commands.add_parser("paths", parents=[shared], help="print where data, logs and connection.json are")
    people = commands.add_parser("people", help="say who can sign in here: people add, people list")
    people_command.describe(people, shared)
    arguments = parser.parse_args()
    home = Home(arguments.home)
    if arguments.command == "up":
        if arguments.stop_with_parent:
            stop_with_parent()
        try:
            own = _own_catalogue(arguments.catalogue)
        except CatalogueFault as fault:
            print(fault, file=sys.stderr)
            return 1
        return _up(home, Options(arguments.workers, own, arguments.instant, arguments.async_seconds))
    if arguments.command in _SHORT:
        try:
            return _SHORT[arguments.command](home, arguments)
        except HomeRefused as refusal:
            print(refusal, file=sys.stderr)
            return 1
    for name, path in (("home", home.path), ("logs", home.logs), ("connection", home.connection_file)):
        print(f"{name:10} {path}")
    return 0


def _own_catalogue(path: Path | None) -> dict[str, str]:
    """Return the setting that names the file, once it was read: a fault in it is told here and not in three logs."""
    if path is None:
        return {}
    load_catalogue(path)
    return {"CIRCLETAKE_CATALOGUE__OVERRIDE_PATH": str(path.absolute())}


def _up(home: Home, options: Options) -> int:
    begun = time.monotonic()

    def say(line: str) -> None:
        # one write: lines come from several threads
        sys.stdout.write(f"[{time.monotonic() - begun:6.1f} s] {line}\n")
        sys.stdout.flush()

    asked_to_stop = threading.Event()
    stack = Stack(home.path, options, say)

    def on_signal(_number: int, _frame: object) -> None:
        if asked_to_stop.is_set():
            _kill_now(stack)
        asked_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    say(f"Starting in {home.path}")
    try:
        stack.start()
        stack.connection.write(stack.home)
        _greet(stack)
        healthy = _watch(stack, asked_to_stop, say)
    except (AlreadyUp, HomeRefused, StartFailed) as refusal:
        print(f"\n{refusal}", file=sys.stderr)
        return 1
    finally:
        if stack.pids():
            say("Stopping; press Ctrl-C again to stop without waiting for running work")
        stack.stop()
    say("Stopped. The data stays; `make up` comes back to it." if healthy else "Stopped.")
    return 0 if healthy else 1


def _kill_now(stack: Stack) -> None:
    for pid in stack.pids().values():
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _greet(stack: Stack) -> None:
    connection = stack.connection
    lines = {
        "Console": connection.api_url + "/",
        "API": connection.api_url + "/v1",
        "Admin": connection.admin_url,
        "Sign-in": connection.sign_in_url + "  (people: python -m services.embedded people list)",
        "S3": connection.s3_endpoint,
        "Models": connection.bedrock_url,
        "Connection": str(stack.home.connection_file) + "  (URLs and keys, mode 600)",
        "Logs": str(stack.home.logs),
    }
    print("\nCircletake is up. Press Ctrl-C to stop.\n")
    for name, value in lines.items():
        print(f"  {name:11} {value}")
    print(flush=True)


def _watch(stack: Stack, asked_to_stop: threading.Event, say: Callable[[str], None]) -> bool:
    """Bring back what ends by itself, until asked to stop. Returns False when something keeps ending."""
    started: dict[str, float] = {}
    quick: dict[str, int] = {}
    while not asked_to_stop.wait(_WATCH_SECONDS):
        for child in stack.ended():
            lived = time.monotonic() - started.get(child.name, 0.0)
            quick[child.name] = quick.get(child.name, 0) + 1 if lived < _QUICK_DEATH_SECONDS else 0
            say(f"{child.name} ended with code {child.returncode}; its log is {child.log}")
            if quick[child.name] >= _QUICK_DEATHS:
                say(f"{child.name} ended {_QUICK_DEATHS} times in a row: giving up")
                return False
            started[child.name] = time.monotonic()
            stack.restart(child.name)
    return True


def _down(home: Home) -> int:
    pid = home.owner_pid()
    if pid is None:
        print(f"Nothing is up in {home.path}.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_SECONDS
    while home.owner_pid() is not None:
        if time.monotonic() > deadline:
            print(f"Process {pid} has not stopped within {_DOWN_SECONDS:.0f} s.", file=sys.stderr)
            return 1
        time.sleep(0.1)
    print("Stopped.")
    return 0


def _status(home: Home) -> int:
    pid = home.owner_pid()
    if pid is None:
        print(f"Nothing is up in {home.path}.")
        return 3
    print(f"Up in {home.path}, supervised by process {pid}.")
    for name, (child, _created) in home.marks().items():
        print(f"  {name:17} process {child}")
    if home.connection_file.exists():
        connection = read_connection(home)
        print(f"  API {connection.api_url}   S3 {connection.s3_endpoint}   models {connection.bedrock_url}")
    return 0


_SHORT: dict[str, Callable[[Home, argparse.Namespace], int]] = {
    "down": lambda home, _: _down(home),
    "status": lambda home, _: _status(home),
    "people": lambda home, arguments: people_command.run(arguments, home),
}


if __name__ == "__main__":
    sys.exit(main())
