"""STS sessions: one per tenant, renewed in time, and replaced when the server no longer knows them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from circletake.adapters.sts.policies import SESSION_POLICY_LIMIT, RoleKind, session_policy
from circletake.adapters.sts.sessions import session_name
from circletake.domain.tenants import TenantStorage
from circletake.kit.ids import new_id
from circletake.ports import StorageFault
from services.embedded import s3 as embedded
from services.embedded.home import KeyPair, free_ports
from services.embedded.process import Child, Spawner
from services.embedded.stack import Stack
from tests.integration.storage_tenants import MovableClock, Storage, storage_of


@dataclass
class One:
    storage: Storage
    tenant: TenantStorage


@pytest.fixture(scope="module")
async def one(stack: Stack) -> AsyncIterator[One]:
    storage = storage_of(stack.s3_endpoint, stack.facts.principals)
    yield One(storage, await storage.new_tenant("sessions"))
    storage.clients.close()


async def test_callers_at_the_same_time_share_one_session(one: One) -> None:
    """Twenty calls at once cost one AssumeRole, and so does every later one."""
    sessions = one.storage.sessions("work")
    issued = await asyncio.gather(*(sessions.credentials(one.tenant) for _ in range(20)))
    assert len({each.access_key_id for each in [*issued, await sessions.credentials(one.tenant)]}) == 1


async def test_a_caller_that_gives_up_takes_nothing_from_the_others(one: One) -> None:
    """Cancelling one waiting call leaves the session to the rest."""
    sessions = one.storage.sessions("work")
    first = asyncio.ensure_future(sessions.credentials(one.tenant))
    second = asyncio.ensure_future(sessions.credentials(one.tenant))
    await asyncio.sleep(0)  # both wait now
    first.cancel()
    assert (await second).access_key_id
    assert first.cancelled()


async def test_a_session_is_renewed_before_it_ends(one: One) -> None:
    """Six minutes before the end the old session is still used, four minutes before it a new one."""
    clock = MovableClock()
    sessions = one.storage.sessions("work", now=clock)
    first = await sessions.credentials(one.tenant)
    clock.time = first.expires_at - timedelta(minutes=6)
    assert await sessions.credentials(one.tenant) == first
    clock.time = first.expires_at - timedelta(minutes=4)
    assert await sessions.credentials(one.tenant) != first


async def test_forgetting_drops_what_was_refused_only(one: One) -> None:
    """A call that learns late that the old session was refused doesn't throw the new one away."""
    sessions = one.storage.sessions("work")
    old = await sessions.credentials(one.tenant)
    sessions.forget(one.tenant, old)
    fresh = await sessions.credentials(one.tenant)
    assert fresh != old
    sessions.forget(one.tenant, old)
    assert await sessions.credentials(one.tenant) == fresh


async def test_a_refusal_is_not_remembered(one: One) -> None:
    """Once the role can be assumed (IAM takes seconds on AWS), the next call gets its session."""
    iam = one.storage.raw("iam", one.storage.key_of("provisioner"))
    tenant = await one.storage.new_tenant("late")
    name = tenant.work_role_arn.rpartition("/")[2]
    iam.delete_role_policy(RoleName=name, PolicyName="tenant")
    iam.delete_role(RoleName=name)
    sessions = one.storage.sessions("work")
    with pytest.raises(StorageFault) as fault:
        await sessions.credentials(tenant)
    assert fault.value.kind == "denied"
    await one.storage.provisioner().ensure_roles(
        tenant.slug, tenant.tenant_id, tenant.bucket, tenant.kms_key_arn
    )
    assert (await sessions.credentials(tenant)).access_key_id


async def test_who_holds_the_session_can_be_told_from_the_log(one: One) -> None:
    """The caller's name, as CloudTrail shows it, names the product and the tenant."""
    session = await one.storage.sessions("work").credentials(one.tenant)
    caller = one.storage.raw("sts", session).get_caller_identity()
    assert caller["Arn"].endswith("-work/circletake-sessions")


@pytest.mark.parametrize("slug", ["a", "Ünïcode Pictures", "x" * 200])
def test_any_slug_makes_a_legal_session_name(slug: str) -> None:
    """STS takes 2–64 characters of a small alphabet; every slug gives such a name."""
    name = session_name(slug)
    assert 2 <= len(name) <= 64
    assert name.isascii()
    assert name.startswith("circletake-")


@pytest.mark.parametrize("role", ["work", "grants"])
def test_the_longest_names_fit_into_a_session_policy(role: RoleKind) -> None:
    """A 63-character bucket, 64-character roles and the longest partition still fit STS's 2048 characters."""
    stem = "arn:aws-iso-b:iam::123456789012:role/"
    longest = TenantStorage(
        new_id(),
        "x" * 63,
        "us-isob-east-1",
        "b" * 63,
        f"arn:aws-iso-b:kms:us-isob-east-1:123456789012:key/mrk-{'0' * 32}",
        stem + "w" * 64,
        stem + "g" * 64,
    )
    assert len(session_policy(role, longest)) <= SESSION_POLICY_LIMIT


class OwnServer:
    """A server of this test's own, so that killing it disturbs nobody."""

    def __init__(self, home: Path) -> None:
        (port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{port}"
        self.principals = {
            name: KeyPair("AKIA" + name.upper().ljust(16, "0")[:16], f"secret-of-{name}" * 3)
            for name in ("worker", "gateway", "provisioner")
        }
        self._program = embedded.program(home, port, self.principals)
        self._log = home / "s3.log"
        self._spawner = Spawner()
        self._child: Child | None = None

    def start(self) -> None:
        self._child = self._spawner.start(self._program, self._log)
        self._child.wait_until_ready()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill_tree()
            self._child = None

    def close(self) -> None:
        self.kill()
        self._spawner.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[OwnServer]:
    server = OwnServer(tmp_path)
    server.start()
    yield server
    server.close()


async def test_a_killed_server_costs_one_more_assume(own_server: OwnServer, tmp_path: Path) -> None:
    """After kill -9 and restart every session is unknown; each kind of call assumes again and goes through."""
    storage = storage_of(own_server.endpoint, own_server.principals)
    tenant = await storage.new_tenant("restart")
    store, vault = storage.store(), storage.vault()
    put = await store.put(tenant, "media/p/s/f/a", b"kept", "text/plain")
    wrapped = await vault.create_data_key(tenant)

    async def after_restart(call: Any) -> Any:
        own_server.kill()
        own_server.start()
        return await call()

    assert await after_restart(lambda: store.get(tenant, put.key)) == b"kept"
    assert await after_restart(lambda: store.head(tenant, put.key)) == put
    assert await after_restart(lambda: store.get_file(tenant, put.key, tmp_path / "a")) == 4
    assert [each.key for each in await after_restart(lambda: store.list(tenant, "media/"))] == [put.key]
    seal = await after_restart(lambda: vault.seal(tenant, wrapped))
    assert seal.open(seal.close("prompt", place="p"), place="p") == b"prompt"
    storage.clients.close()


async def test_a_server_that_is_down_is_unavailable(own_server: OwnServer) -> None:
    """With nobody answering, the fault says `unavailable`: try again, nothing is wrong with the request."""
    storage = storage_of(own_server.endpoint, own_server.principals)
    tenant = await storage.new_tenant("down")
    store = storage.store()
    await store.put(tenant, "media/a", b"x", "text/plain")
    own_server.kill()
    for call in (store.get(tenant, "media/a"), storage.store().head(tenant, "media/a")):
        with pytest.raises(StorageFault) as fault:
            await call
        assert fault.value.kind == "unavailable"
    storage.clients.close()
