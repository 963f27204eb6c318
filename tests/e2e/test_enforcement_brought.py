"""A model that the studio brings by ARN is a rung like any other: asked, paid and signed as itself."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from services.embedded.s3 import ACCOUNT_ID, REGION
from services.embedded.stack import Stack
from tests.enforcing import SD35, ULTRA, Casting, cast_on, drifting, rungs, verdicts
from tests.faults.rig import running_stack
from tests.gateway import onboard

SHIPPED = Path(__file__).resolve().parents[2] / "circletake" / "data" / "models.yaml"
BROUGHT = f"arn:aws:bedrock:{REGION}:{ACCOUNT_ID}:custom-model-deployment/mara-tuned"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose catalogue has the studio's own model beside what is shipped."""
    folder = tmp_path_factory.mktemp("brought")
    shipped = yaml.safe_load(SHIPPED.read_text("utf-8"))
    base = next(each for each in shipped["models"] if each["id"] == ULTRA)
    price = {**base["price"], "usd": "0.05"}
    own = {"version": 1, "models": [{**base, "id": BROUGHT, "name": "Ours, tuned on Mara", "price": price}]}
    (folder / "models.yaml").write_text(yaml.safe_dump(own), "utf-8")
    env = {"CIRCLETAKE_CATALOGUE__OVERRIDE_PATH": str(folder / "models.yaml")}
    with running_stack(folder / "home", env=env) as stack:
        yield stack


@pytest.fixture(scope="module")
async def casting(own_stack: Stack, http: aiohttp.ClientSession) -> Casting:
    return await cast_on(own_stack, await onboard(http, own_stack))


async def test_a_model_brought_by_arn_brings_the_pass(casting: Casting) -> None:
    """Whatever the shipped model makes drifts; the studio's own doesn't."""
    await casting.offline("POST", "models", {"arn": BROUGHT, "model": ULTRA})
    async with drifting(casting, model=SD35, wardrobe=110):
        found = await casting.enforced(rungs=["other_model"], other_models=[BROUGHT])
    assert (found["state"], rungs(found)) == ("passed", ["first", "other_model"]), found
    assert list(verdicts(found)) == ["fail", "pass"]
    second = found["attempts"][1]
    assert (second["changed"]["model"], second["cost_usd"]) == (BROUGHT, "0.050000")
    verified = await casting.studio.post(
        "/v1/verify", {"take_id": second["take_id"]}, headers={"Prefer": "wait=20"}
    )
    assert (verified.json["status"], BROUGHT in str(verified.json["claim"])) == ("trusted", True), (
        verified.body
    )
