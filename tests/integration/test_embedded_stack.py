import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from services.embedded.own import REPOSITORY
from services.embedded.stack import Stack
from tests.stack import aws_client

DATA = ("postgres", "valkey", "s3")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    Stack(path).discard()


def family(stack: Stack) -> list[psutil.Process]:
    """Every process of the stack, with what they started."""
    roots = [psutil.Process(pid) for pid in stack.pids().values()]
    return roots + [child for root in roots for child in root.children(recursive=True)]


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.embedded", *arguments, "--home", str(home)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def write_and_read(stack: Stack, *statements: str) -> list[str]:
    connection = await asyncpg.connect(stack.database_url("owner").replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
        return [row["line"] for row in await connection.fetch("SELECT line FROM kept")]
    finally:
        await connection.close()


async def test_rows_objects_and_keys_survive_the_death_of_every_process(home: Path) -> None:
    """After kill -9 of everything, the next start has the rows, the objects, the queue and the key's secrets."""
    stack = Stack(home)
    stack.start(DATA, migrate=False)
    pair = stack.key_pair("provisioner")
    s3 = aws_client("s3", stack.s3_endpoint, pair)
    kms = aws_client("kms", stack.s3_endpoint, pair)
    iam = aws_client("iam", stack.s3_endpoint, pair)
    s3.create_bucket(Bucket="circletake-kept", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_versioning(Bucket="circletake-kept", VersioningConfiguration={"Status": "Enabled"})
    key = kms.create_key()["KeyMetadata"]["Arn"]
    role = make_work_role(iam, "kept", "circletake-kept", key)
    session = assume(stack, role)
    aws_client("s3", stack.s3_endpoint, session).put_object(
        Bucket="circletake-kept", Key="take", Body=b"picture"
    )
    wrapped = aws_client("kms", stack.s3_endpoint, session).generate_data_key(KeyId=key, KeySpec="AES_256")
    await write_and_read(stack, "CREATE TABLE kept (line text)", "INSERT INTO kept VALUES ('row')")
    with redis.Redis.from_url(stack.redis_url) as client:
        client.set("bell", "rung")
        client.execute_command("WAITAOF", 1, 0, 5000)
    stack.kill_all()

    stack.start(DATA, migrate=False)

    assert await write_and_read(stack) == ["row"]
    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.get("bell") == b"rung"
    session = assume(stack, role)
    s3 = aws_client("s3", stack.s3_endpoint, session)
    assert s3.get_object(Bucket="circletake-kept", Key="take")["Body"].read() == b"picture"
    settings = aws_client("s3", stack.s3_endpoint, pair).get_bucket_versioning(Bucket="circletake-kept")
    assert settings["Status"] == "Enabled"
    opened = aws_client("kms", stack.s3_endpoint, session).decrypt(CiphertextBlob=wrapped["CiphertextBlob"])
    assert opened["Plaintext"] == wrapped["Plaintext"]
    stack.stop()


def make_work_role(iam, slug: str, bucket: str, key: str) -> str:
    def document(*statements: dict[str, object]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    worker = {"AWS": "arn:aws:iam::000000000000:user/circletake-worker"}
    name = f"circletake-{slug}-work"
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": worker, "Action": "sts:AssumeRole"}
        ),
    )
    objects = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    keys = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key}
    iam.put_role_policy(RoleName=name, PolicyName="tenant", PolicyDocument=document(objects, keys))
    return role["Role"]["Arn"]


def assume(stack: Stack, role: str):
    sts = aws_client("sts", stack.s3_endpoint, stack.key_pair("worker"))
    return sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]


def test_stopping_leaves_no_process(home: Path) -> None:
    """A clean stop ends every process and everything they started."""
    stack = Stack(home)
    stack.start(DATA, migrate=False)
    processes = family(stack)
    assert len(processes) > len(DATA)

    stack.stop()

    assert [process for process in processes if process.is_running()] == []


def test_killing_the_supervisor_leaves_no_process(home: Path) -> None:
    """kill -9 of the supervisor takes the stack with it, and the home can be used again."""
    script = (
        "import sys, signal; from pathlib import Path; from services.embedded.stack import Stack;"
        "stack = Stack(Path(sys.argv[1])); stack.start(('postgres', 'valkey', 's3'), migrate=False);"
        "print(*stack.pids().values(), flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as supervisor:
        assert supervisor.stdout is not None
        roots = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]
        processes = roots + [child for root in roots for child in root.children(recursive=True)]
        supervisor.kill()

    _, alive = psutil.wait_procs(processes, timeout=20)

    assert alive == []
    stack = Stack(home)
    stack.start(("postgres",), migrate=False)
    stack.stop()


def test_a_second_stack_in_the_same_home_is_refused(stack: Stack) -> None:
    """`up` where a stack is already up says so, says what to do, and leaves the first one alone."""
    refused = command(stack.home.path, "up")

    assert refused.returncode == 1
    assert "already up" in refused.stderr
    assert str(os.getpid()) in refused.stderr
    assert stack.ended() == []


def test_down_stops_a_stack_that_another_terminal_started(home: Path) -> None:
    """`up` reports its URLs and logs, `status` lists it, `down` stops it, and `up` ends with success."""
    with subprocess.Popen(
        [sys.executable, "-m", "services.embedded", "up", "--home", str(home), "--workers", "0"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        lines = []
        for line in up.stdout:
            lines.append(line)
            if "Logs" in line:
                break
        status = command(home, "status")
        down = command(home, "down")
        up.stdout.read()

    assert any("Press Ctrl-C to stop" in line for line in lines)
    assert (status.returncode, down.returncode, up.returncode) == (0, 0, 0)
    assert "postgres" in status.stdout
    assert command(home, "status").returncode == 3


def test_the_connection_file_is_private_and_complete(stack: Stack) -> None:
    """connection.json names everything a client needs and only its owner may read it."""
    path = stack.connection.write(stack.home)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {
        *("api_url", "admin_url", "admin_key", "s3_endpoint", "bedrock_url", "database_url", "redis_url"),
        *("sign_in_url", "sign_in_secret"),
    }
    secrets = [entry for entry in stack.home.path.iterdir() if entry.suffix == ".json"]
    assert {stat.S_IMODE(entry.stat().st_mode) for entry in secrets} == {0o600}


def test_a_port_that_was_taken_meanwhile_is_replaced(home: Path) -> None:
    """A stack whose stored port is taken by a stranger starts on another one, and says so."""
    said: list[str] = []
    stack = Stack(home, say=said.append)
    stack.home.create()
    port = stack.home.facts().ports["valkey"]
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        stack.start(("valkey",))
        with redis.Redis.from_url(stack.redis_url) as client:
            assert client.ping()
        stack.stop()

    assert any(f"port {port} of valkey is taken" in line for line in said)


def test_a_killed_process_comes_back_with_its_data(stack: Stack) -> None:
    """One process can be killed and started again on the same port, as the fault tests do."""
    with redis.Redis.from_url(stack.redis_url) as client:
        client.set("before", "kill")
        client.execute_command("WAITAOF", 1, 0, 5000)
    stack.kill("valkey", signal.SIGKILL)
    assert [child.name for child in stack.ended()] == ["valkey"]

    stack.restart("valkey")

    with redis.Redis.from_url(stack.redis_url) as client:
        assert client.get("before") == b"kill"


async def test_the_four_roles_are_ordinary(stack: Stack) -> None:
    """No role of the product is a superuser or passes row-level security; the owner owns the database."""
    connection = await asyncpg.connect(stack.superuser_url(driver="postgresql"))
    rows = await connection.fetch(
        "SELECT rolname, rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb AS powerful"
        " FROM pg_roles WHERE rolname LIKE 'circletake%' ORDER BY rolname"
    )
    owner = await connection.fetchval(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'circletake'"
    )
    await connection.close()

    assert [tuple(row) for row in rows] == [
        ("circletake_app", True, False),
        ("circletake_dispatcher", True, False),
        ("circletake_operator", True, False),
        ("circletake_owner", True, False),
    ]
    assert owner == "circletake_owner"
