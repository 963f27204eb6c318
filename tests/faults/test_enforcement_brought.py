"""A model that the studio brings by ARN is a rung like any other: asked, paid and signed as itself.

Nothing breaks here: it stands among the fault tests because their stack is the one whose catalogue has such a model.
"""

import pytest

from tests.enforcing import BROUGHT, SD35, ULTRA, cast_on, drifting, rungs, verdicts
from tests.faults.rig import Rig

pytestmark = pytest.mark.timeout(240)


async def test_a_model_brought_by_arn_brings_the_pass(rig: Rig) -> None:
    """Whatever the shipped model makes drifts; the studio's own doesn't."""
    casting = await cast_on(rig.stack, rig.studio)
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
