"""The whole stack of one home: started in parallel, stopped in order, usable from tests, demo and benchmarks."""

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from subprocess import CalledProcessError
from types import TracebackType
from typing import Self

from services.embedded import postgres, s3, valkey
from services.embedded.connection import Connection
from services.embedded.home import Facts, Home, KeyPair
from services.embedded.own import Options, Own, has_migrations, migration_argv
from services.embedded.pki import PkiPaths, ensure_pki
from services.embedded.process import Child, Program, Spawner, StartFailed, end_leftovers

INFRASTRUCTURE = ("postgres", "valkey", "s3", "bedrock", "tsa", "sign_in")
APPLICATION = ("api", "dispatcher", "worker")
EVERYTHING = INFRASTRUCTURE + APPLICATION
_STOP_ORDER = ("worker", "dispatcher", "api", "bedrock", "tsa", "sign_in", "s3", "valkey", "postgres")


def _quiet(_line: str) -> None:
    return


class Stack:
    """`start()` in any thread, `stop()` at the end; or use it as a context manager, which starts everything."""

    def __init__(
        self, home: Path, options: Options | None = None, say: Callable[[str], None] = _quiet
    ) -> None:
        self.home = Home(home)
        self.options = options or Options()
        self._say = say
        self._children: dict[str, Child] = {}
        self._guard = threading.Lock()
        self._spawner: Spawner | None = None
        self._held = contextlib.ExitStack()
        self._facts: Facts | None = None
        self._own: Own | None = None
        self._cluster: postgres.Cluster | None = None
        self._pki: PkiPaths | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- start and stop -------------------------------------------------------------------------------------------

    def start(self, services: Iterable[str] = EVERYTHING, *, migrate: bool = True) -> None:
        """Start what is asked for and not yet running, and return when it serves.

        Raises AlreadyUp when the home is in use, StartFailed when a process does not come up; nothing is left
        running then.
        """
        wanted = set(services)
        unknown = wanted - set(EVERYTHING)
        if unknown:
            raise ValueError(f"no such service: {', '.join(sorted(unknown))}")
        try:
            self._prepare()
            if "worker" in wanted:
                self._ready_own().check_weights()
            self._start_infrastructure(wanted, migrate=migrate)
            self._start_application(wanted)
        except BaseException:
            self.stop()
            raise

    def _prepare(self) -> None:
        if self._own is not None:
            return
        self._held.enter_context(self.home.held())
        for name in end_leftovers(self.home.marks()):
            self._say(f"{name}: ended what a killed stack had left running")
        facts, moved = self.home.move_taken_ports(self.home.facts())
        for line in moved:
            self._say(line)
        self._facts = facts
        self._spawner = Spawner()
        self._pki = ensure_pki(self.home.path / "pki")
        self._cluster = postgres.plan_cluster(
            self.home.path, facts.ports["postgres"], facts.superuser_password, self._spawner
        )
        if self._cluster.note:
            self._say(self._cluster.note)
        self._own = Own(self.home, facts, self._cluster, self.options, self._pki)

    def _start_infrastructure(self, wanted: set[str], *, migrate: bool) -> None:
        own, facts = self._ready_own(), self.facts
        steps: dict[str, Callable[[], None]] = {
            "postgres": lambda: self._start_postgres(migrate=migrate),
            "valkey": lambda: self._launch(
                valkey.program(self.home.path, facts.ports["valkey"], facts.redis_password)
            ),
            "s3": lambda: self._launch(s3.program(self.home.path, facts.ports["s3"], facts.principals)),
            "bedrock": lambda: self._launch_if_there("bedrock", own.bedrock()),
            "tsa": lambda: self._launch_if_there("tsa", own.tsa()),
            "sign_in": lambda: self._launch_if_there("sign_in", own.sign_in()),
        }
        _together([step for name, step in steps.items() if name in wanted and name not in self._children])

    def _start_postgres(self, *, migrate: bool) -> None:
        cluster, spawner = self._ready_cluster(), self._ready_spawner()
        if not (cluster.data / "PG_VERSION").exists():
            self._say("postgres: first start, making the data folder")
        postgres.make_data_folder(cluster, spawner, durable=self.options.durable)
        self._launch(postgres.program(cluster, durable=self.options.durable))
        postgres.make_roles(cluster, self.facts.role_passwords)
        if migrate:
            self.migrate()

    def _start_application(self, wanted: set[str]) -> None:
        own = self._ready_own()
        programs: dict[str, Program | None] = {}
        if "api" in wanted:
            programs["api"] = own.api()
        if "dispatcher" in wanted:
            programs["dispatcher"] = own.dispatcher()
        if "worker" in wanted:
            for number in range(1, self.options.workers + 1):
                programs[f"worker-{number}"] = own.worker(number)
            programs["worker-isolation"] = own.isolation_worker()
        _together(
            [
                lambda name=name, program=program: self._launch_if_there(name, program)  # type: ignore[misc]
                for name, program in programs.items()
                if name not in self._children
            ]
        )

    def migrate(self) -> None:
        """Bring the database to the newest schema, as the owner role."""
        if not has_migrations():
            self._say("postgres: there are no migrations")
            return
        try:
            self._ready_spawner().run(migration_argv(), self._ready_own().migration_env())
        except CalledProcessError as failure:
            raise StartFailed(f"The migrations failed:\n{failure.stderr.strip()[-2000:]}") from None
        self._say("postgres: the schema is up to date")

    def stop(self) -> None:
        """Stop everything in order; what does not stop by itself is ended by force. May be called twice."""
        for group in _STOP_ORDER:
            children = [child for name, child in self._children.items() if _group(name) == group]
            _together([lambda child=child: self._stop_child(child) for child in children])  # type: ignore[misc]
            for child in children:
                del self._children[child.name]
        if self._spawner is not None:
            self.home.mark({})
            self._spawner.close()
        self._spawner = self._own = self._cluster = None
        self._held.close()

    def _stop_child(self, child: Child) -> None:
        if not child.stop():
            self._say(f"{child.name}: did not stop within {child.program.stop_seconds:.0f} s and was killed")

    def _launch_if_there(self, name: str, program: Program | None) -> None:
        if program is None:
            self._say(f"{name}: not part of this build, left out")
        else:
            self._launch(program)

    def _launch(self, program: Program) -> None:
        begun = time.monotonic()
        child = self._ready_spawner().start(program, self.home.logs / f"{program.name}.log")
        with self._guard:
            self._children[program.name] = child
            self.home.mark(self._marks())
        child.wait_until_ready()
        state = "started" if program.ready is None else "ready"
        self._say(f"{program.name}: {state} after {time.monotonic() - begun:.1f} s")

    def _marks(self) -> dict[str, tuple[int, float]]:
        marks = {name: child.mark() for name, child in self._children.items()}
        return {name: mark for name, mark in marks.items() if mark is not None}

    def discard(self) -> None:
        """Stop and remove the home with all its data: for tests and demonstrations."""
        data = None if self._cluster is None else self._cluster.data
        self.stop()
        if data is not None and data.parent != self.home.path:
            shutil.rmtree(
                data.parent, ignore_errors=True
            )  # outside the home, where the user nobody reaches it
        shutil.rmtree(self.home.path, ignore_errors=True)

    # --- faults and repair ------------------------------------------------------------------------------------------

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process, for example `worker-1`; SIGKILL takes what it started with it."""
        child = self._children[name]
        if number == signal.SIGKILL:
            child.kill_tree()
        else:
            child.send(number)

    def kill_all(self) -> None:
        """End every process at once, as a power cut of the stack would; `start()` comes back to the same data."""
        for child in self._children.values():
            child.kill_tree()
        self._children.clear()
        self.stop()

    def restart(self, name: str) -> None:
        """Start one process again, on its own port and data; a running one is stopped first."""
        child = self._children.pop(name)
        if child.returncode is None:
            self._stop_child(child)
        self._launch(child.program)

    def ended(self) -> list[Child]:
        """Return the processes that ended without being asked to."""
        return [child for child in self._children.values() if child.returncode is not None]

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> Facts:
        """The home's ports and secrets."""
        return self.home.facts() if self._facts is None else self._facts

    @property
    def pki(self) -> PkiPaths:
        return ensure_pki(self.home.path / "pki") if self._pki is None else self._pki

    @property
    def api_url(self) -> str:
        return self._ready_own().url("api")

    @property
    def s3_endpoint(self) -> str:
        """S3, IAM and KMS. Its STS is reached through `bedrock_url`."""
        return self._ready_own().url("s3")

    @property
    def bedrock_url(self) -> str:
        return self._ready_own().url("bedrock")

    @property
    def tsa_url(self) -> str:
        return self._ready_own().url("tsa")

    @property
    def sign_in_url(self) -> str:
        """The issuer of the local people's tokens."""
        return self._ready_own().url("sign_in")

    @property
    def redis_url(self) -> str:
        return self._ready_own().redis_url

    def database_url(self, role: str, database: str = postgres.DATABASE) -> str:
        """Return the asyncpg URL of `owner`, `app`, `dispatcher` or `operator`."""
        password = self.facts.role_passwords[role]
        return self._ready_cluster().url(f"circletake_{role}", password, database)

    def superuser_url(self, database: str = "postgres", *, driver: str = "postgresql+asyncpg") -> str:
        """Return the superuser's URL: for making databases in tests, never given to a process of ours."""
        cluster = self._ready_cluster()
        return cluster.url(postgres.SUPERUSER, cluster.password, database, driver=driver)

    def key_pair(self, principal: str) -> KeyPair:
        """Return the long-lived key of `worker`, `gateway` or `provisioner`."""
        return self.facts.principals[principal]

    @property
    def own(self) -> Own:
        """The programs and environments of our own processes."""
        return self._ready_own()

    @property
    def connection(self) -> Connection:
        own = self._ready_own()
        return Connection(
            api_url=own.url("api"),
            admin_url=own.url("api") + "/admin/v1",
            admin_key=self.facts.admin_key,
            s3_endpoint=own.url("s3"),
            bedrock_url=own.url("bedrock"),
            database_url=own.database_url("app"),
            redis_url=own.redis_url,
            sign_in_url=own.url("sign_in"),
            sign_in_secret=self.facts.sign_in_secret,
        )

    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    def _ready_own(self) -> Own:
        if self._own is None:
            raise RuntimeError("the stack is not started")
        return self._own

    def _ready_cluster(self) -> postgres.Cluster:
        if self._cluster is None:
            raise RuntimeError("the stack is not started")
        return self._cluster

    def _ready_spawner(self) -> Spawner:
        if self._spawner is None:
            raise RuntimeError("the stack is not started")
        return self._spawner


def _group(name: str) -> str:
    return "worker" if name.startswith("worker") else name


def _together(steps: list[Callable[[], None]]) -> None:
    """Run the steps at the same time; when all ended, raise the first failure."""
    if not steps:
        return
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        running: list[Future[None]] = [pool.submit(step) for step in steps]
    for one in running:
        one.result()
