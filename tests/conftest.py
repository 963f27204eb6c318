import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from xdist.scheduler import LoadFileScheduling

from services.embedded.stack import APPLICATION, Stack
from tests.gateway import Client, Studio, http_session, onboard
from tests.stack import Database, copied_database, infrastructure, keep_template

# What takes longest begins first, so that no process is left alone with it at the end.
FAULTS = "tests/faults/"
LONGEST = (
    FAULTS,
    "tests/e2e/test_demo.py",
    "tests/api/test_documents.py",
    "tests/e2e/test_enforcement.py",
    "tests/integration/test_evaluation.py",
    "tests/integration/test_offline_bedrock_async.py",
    "tests/integration/test_offline_bedrock_drift.py",
    "tests/api/test_consistency_checks.py",
    "tests/api/test_check_material.py",
    "tests/integration/test_webhook_delivery.py",
    "tests/api/test_plates.py",
    "tests/e2e/test_conformance.py",
    "tests/integration/test_inspect_media.py",
)


def pytest_configure() -> None:
    # before anything loads numpy: BLAS threads that wait by spinning make a picture's arithmetic four times as dear
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Deal out whole files, and the fault tests together: they share a stack that takes long to start."""
    return _ByStack(config, log) if config.getvalue("dist") == "loadfile" else None


class _ByStack(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return FAULTS if nodeid.startswith(FAULTS) else str(super()._split_scope(nodeid))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Infrastructure of this test process; under xdist every process has its own."""
    with infrastructure(tmp_path_factory.mktemp("stack") / "home") as running:
        yield running


@pytest.fixture(scope="session")
def migrated_stack(stack: Stack) -> Stack:
    """The same, with the newest schema, and a copy of the empty database that nobody connects to."""
    stack.migrate()
    asyncio.run(keep_template(stack))
    return stack


@pytest.fixture
async def database(migrated_stack: Stack) -> AsyncIterator[Database]:
    """A migrated database of this test's own."""
    async with copied_database(migrated_stack) as copy:
        yield copy


@pytest.fixture(scope="session")
def running(migrated_stack: Stack) -> Stack:
    """The same, with the gateway, the dispatcher and the workers."""
    migrated_stack.start(APPLICATION)
    return migrated_stack


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with http_session() as session:
        yield session


@pytest.fixture(scope="session")
def operator(running: Stack, http: aiohttp.ClientSession) -> Client:
    """The operator's caller."""
    return Client(http, running.api_url, running.facts.admin_key)


@pytest.fixture(scope="session")
async def studio(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """An onboarded studio; tests that change what others see onboard their own."""
    return await onboard(http, running)


@pytest.fixture(scope="session")
async def other_studio(running: Stack, http: aiohttp.ClientSession) -> Studio:
    """A second studio, that must see nothing of the first."""
    return await onboard(http, running)
