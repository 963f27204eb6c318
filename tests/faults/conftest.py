from collections.abc import AsyncIterator, Iterator

import pytest

from services.embedded.stack import Stack
from tests.enforcing import CORE, write_own_model
from tests.faults.rig import Rig, running_stack, studio_on


@pytest.fixture(scope="session")
def fault_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Every process of the product, for this folder's tests alone: each breaks it and each leaves it whole."""
    folder = tmp_path_factory.mktemp("faults")
    write_own_model(folder / "models.yaml", repeated=CORE)
    env = {"CIRCLETAKE_CATALOGUE__OVERRIDE_PATH": str(folder / "models.yaml")}
    with running_stack(folder / "home", workers=2, env=env) as stack:
        yield stack


@pytest.fixture
async def rig(fault_stack: Stack) -> AsyncIterator[Rig]:
    """A studio of this test's own, on a stack where everything runs and no fault is ordered."""
    for child in fault_stack.ended():
        fault_stack.restart(child.name)
    async with studio_on(fault_stack) as made:
        await made.no_faults()
        await made.rows("update model_quotas set cap = max_running, throttled_at = null, raised_at = now()")
        yield made
