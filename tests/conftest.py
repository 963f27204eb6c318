from collections.abc import AsyncIterator, Iterator

import pytest

from services.embedded.stack import Stack
from tests.stack import Database, copied_database, infrastructure


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Infrastructure of this test process; under xdist every process has its own."""
    with infrastructure(tmp_path_factory.mktemp("stack") / "home") as running:
        yield running


@pytest.fixture(scope="session")
def migrated_stack(stack: Stack) -> Stack:
    """The same, with the newest schema in its `circletake` database, which serves as the template."""
    stack.migrate()
    return stack


@pytest.fixture
async def database(migrated_stack: Stack) -> AsyncIterator[Database]:
    """A migrated database of this test's own."""
    async with copied_database(migrated_stack) as copy:
        yield copy
