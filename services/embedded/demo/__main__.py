"""`python -m services.embedded.demo`: the whole way once, in a stack of its own."""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
from aiohttp import ClientError as HttpError
from botocore.exceptions import ClientError

from services.embedded.demo import pages, plates
from services.embedded.demo.outcome import Outcome
from services.embedded.demo.plates import Material
from services.embedded.demo.show import Show, Untrue
from services.embedded.demo.story import Story
from services.embedded.home import HomeRefused, default_home
from services.embedded.own import Options
from services.embedded.process import StartFailed
from services.embedded.stack import Stack

_INTERRUPTED = 130  # 128 + SIGINT, as shells say it
_REGISTER_LINES = 3
_WIDTH = 100
_DESCRIPTION = """\
Plays a partner studio's way through Circletake, on a stack of its own that ends with it: onboarding, upload, set
extension, cleanup, element, concept panel and previs shot; a character, a sequence in which one take was altered, the
check that finds it and takes made until one passes; review, webhooks, provenance, isolation and register.
Every claim is checked while you look on; the exit code is 0 only when all of them were true.

The pictures come from the offline model server, which works by classical means. It is not a generative model, and
every output says so.
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    output: Path
    plate: Path | None
    matte: Path | None
    takes: int
    keep: bool


def main() -> int:
    wishes = _wishes(os.environ)  # noqa: TID251 - a composition root
    show = Show(sys.stdout)
    # it would warn of every TIFF tag that it doesn't know, the manifest's among them
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    try:
        pages.clear(wishes.output)
        before = {path.name for path in wishes.output.iterdir()}
        material = _material(wishes)
        home = _fresh_home()
    except (Untrue, HomeRefused, OSError) as refusal:
        print(refusal, file=sys.stderr)
        return 2
    try:
        return _play(wishes, material, home, show)
    finally:
        pages.remember(wishes.output, before)


def _wishes(environment: Mapping[str, str]) -> Wishes:
    parser = argparse.ArgumentParser(
        prog="python -m services.embedded.demo",
        description=_DESCRIPTION,
        epilog="From make: make demo PLATE=… MATTE=… OUTPUT=… KEEP=1, or in the environment.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

    def path(name: str) -> Path | None:
        return Path(environment[name]) if environment.get(name) else None

    parser.add_argument(
        "--plate", type=Path, default=path("PLATE"), help="a picture of yours (PNG, TIFF, JPEG or WebP)"
    )
    parser.add_argument(
        "--matte",
        type=Path,
        default=path("MATTE"),
        help="white where your plate may change; of the plate's size, PNG or TIFF",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=path("OUTPUT") or Path("demo-output"),
        help="where pictures, contact sheets and the register are put (default: %(default)s)",
    )
    parser.add_argument(
        "--takes",
        type=int,
        default=4,
        choices=range(1, 9),
        metavar="1-8",
        help="takes of each kind (default: 4)",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        default=environment.get("KEEP", "") not in {"", "0"},
        help="keep the stack's data, so that `make up` can go on with it",
    )
    chosen = parser.parse_args()
    if chosen.matte is not None and chosen.plate is None:
        parser.error("a matte needs its plate: give both")
    for given in (chosen.plate, chosen.matte):
        if given is not None and not given.is_file():
            parser.error(f"there is no file {given}")
    return Wishes(chosen.output.absolute(), chosen.plate, chosen.matte, chosen.takes, chosen.keep)


def _material(wishes: Wishes) -> Material:
    if wishes.plate is None:
        return plates.bundled(wishes.output)
    return plates.given(wishes.plate.absolute(), wishes.matte and wishes.matte.absolute(), wishes.output)


def _fresh_home() -> Path:
    """Return a new folder inside that of `make up`: several demos, and a stack, may run at the same time."""
    parent = default_home() / "demo"
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix="", dir=parent))
    except OSError as error:
        raise HomeRefused(
            f"{parent} can't be used ({error.strerror}). Set CIRCLETAKE_HOME to a folder of your own."
        ) from None


class _Interrupts:
    """Ctrl-C and SIGTERM: end the story; while the stack starts, note it; a second one ends all processes at once."""

    def __init__(self, stack: Stack, show: Show) -> None:
        self._stack = stack
        self._show = show
        self.asked = False
        self.telling = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: object) -> None:
        first, self.asked = not self.asked, True
        if not first:
            _kill(self._stack)
        elif self.telling:
            raise KeyboardInterrupt
        else:
            self._show.say("stop", "asked to stop; again to stop at once")


def _kill(stack: Stack) -> None:
    for pid in stack.pids().values():
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _play(wishes: Wishes, material: Material, home: Path, show: Show) -> int:
    # the previs shot is looked at every second, and an offline clip takes no longer than its drawing
    options = Options(
        env={"CIRCLETAKE_WORKER__POLL_SECONDS": "1"}, bedrock_async_seconds=2.0, durable=wishes.keep
    )
    stack = Stack(home, options)
    interrupts = _Interrupts(stack, show)
    outcome: Outcome | None = None
    show.say("plate", material.title)
    show.say("stack", f"starting in {home}")
    try:
        stack.start()
        show.say("stack", "up: Postgres, Valkey, S3, models, timestamps, API, dispatcher, workers")
        if not interrupts.asked:
            interrupts.telling = True
            outcome = asyncio.run(Story(stack, show, material, wishes.takes, wishes.output).tell())
    except (Untrue, StartFailed) as failure:
        show.check("demo", "everything that the rest needs is there", str(failure))
    except (ClientError, HttpError, TimeoutError) as failure:
        show.check(
            "demo", "the services answer", f"expected an answer, got {type(failure).__name__}: {failure}"
        )
    except KeyboardInterrupt:
        show.say("stop", "stopping")
    finally:
        interrupts.telling = False
        logs = None if outcome is not None and not show.failures else _saved_logs(wishes, stack)
        _take_down(wishes, stack, gently=outcome is not None)
    if interrupts.asked:
        show.say("stop", "stopped by you, before its end")
        return _INTERRUPTED
    if outcome is not None:
        _finish(wishes, material, outcome, show)
    return _verdict(wishes, home, logs, show)


def _saved_logs(wishes: Wishes, stack: Stack) -> Path | None:
    """Copy the logs to where they outlive the stack. None: there are none."""
    target = wishes.output / "logs"
    shutil.rmtree(target, ignore_errors=True)
    if not stack.home.logs.is_dir():
        return None
    shutil.copytree(stack.home.logs, target)
    return target


def _take_down(wishes: Wishes, stack: Stack, *, gently: bool) -> None:
    if wishes.keep:
        stack.stop()
        return
    if not gently:
        _kill(stack)
    stack.discard()
    with contextlib.suppress(OSError):  # another demo is in there
        stack.home.path.parent.rmdir()


def _finish(wishes: Wishes, material: Material, outcome: Outcome, show: Show) -> None:
    (wishes.output / "ai-register.csv").write_text(outcome.register, newline="")
    names = {still.path for still in (material.plate, material.cleanup_matte, material.element_matte)}
    inputs = sorted(path.name for path in names if path.parent == wishes.output)
    pages.write_index(wishes.output, outcome, material.title, inputs)
    show.plain()
    for line in pages.outcome_table(outcome):
        show.plain(line)
    show.plain()
    show.plain("Seconds: from a take's start to its signed file.")
    show.plain("US$: the catalogue's list prices; the offline models bill nothing.")
    show.plain()
    show.plain("ai-register.csv begins:")
    for line in outcome.register.splitlines()[:_REGISTER_LINES]:
        show.plain("  " + (line if len(line) < _WIDTH - 2 else line[: _WIDTH - 3] + "…"))
    show.plain()
    show.plain(f"Pictures, sheets and the register: {wishes.output}")
    show.plain(f"To look at them all: {wishes.output / 'index.html'}")


def _verdict(wishes: Wishes, home: Path, logs: Path | None, show: Show) -> int:
    if wishes.keep:
        show.plain(f"The stack's data stays: make up CIRCLETAKE_HOME={home}")
    show.plain()
    if not show.failures:
        show.bold(f"Every claim was true. {show.seconds:.0f} s.")
        return 0
    show.bold(f"{len(show.failures)} of the claims did not hold:")
    for failure in show.failures:
        show.plain(f"  ✗ {failure}")
    if logs is not None:
        show.plain(f"The logs are in {logs}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
