"""The demo's third chapter: nothing that needs a permission reaches a model without it, and people decide."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from circletake.kit import clock
from services.embedded.demo.models import OfflineModels
from services.embedded.demo.show import Show
from services.embedded.demo.studio import Studio

Found = Mapping[str, Any]

CHARACTER = "JONAH REED"
PACK = "partner-guidance"
_CONFLICT = 409
_FORBIDDEN = 403
_PROMPT = "Jonah Reed on the launch tower at dusk, wide shot"
_DOCUMENT = "a9" * 32  # stands for the SHA-256 of the paper that was signed
_SECONDS = 60.0


class Permission:
    """Plays it for one studio, in a production of its own. `spent`: US dollars; `events`: webhooks that it
    caused."""

    def __init__(self, studio: Studio, models: OfflineModels, show: Show) -> None:
        self._studio = studio
        self._models = models
        self._show = show
        self._production = ""
        self._character = ""
        self.spent = Decimal(0)
        self.events: Counter[str] = Counter()

    async def tell(self) -> None:
        """Play it all. Raises Untrue when something that the rest needs isn't so."""
        self._requester = await self._studio.person("Rae Lindt", "requester")
        self._approver = await self._studio.person("Ada Moreau", "approver", "reviewer")
        self._clearance = await self._studio.person("Io Brandt", "rights_clearance_manager")
        self._manager = await self._studio.person("Max Oyelaran", "production_manager")
        made = await self._studio.expect(
            "POST", "/v1/productions", json={"code": "TOWER", "title": "The Tower"}
        )
        self._production = made["id"]
        await self._without_consent()
        await self._with_consent()
        await self._approval()
        await self._budget()
        await self._labour_action()

    async def _ask(self, who: Studio, *, expect: int = 202, **more: Any) -> Found:
        body = {
            "production_id": self._production,
            "kind": "concept_art",
            "prompt": _PROMPT,
            "seed": 4711,
            "use": {"deliverable_stage": "temp", "media": ["streaming"], "territory": ["*"], **_SAID},
            **more,
        }
        return await who.expect("POST", "/v1/generations", expect, json=body)  # type: ignore[no-any-return]

    async def _ran(self, generation: Found, claim: str) -> Found:
        view = await self._studio.finished(generation["id"], _SECONDS)
        states = sorted({take["state"] for take in view["takes"]})
        self._show.check(
            "permission", claim, None if states == ["succeeded"] else f"expected succeeded, got {states}"
        )
        self.events += Counter({"take.succeeded": len(view["takes"]), "generation.finished": 1})
        self.spent += sum((Decimal(take["cost_usd"] or 0) for take in view["takes"]), Decimal(0))
        return view

    # --- consent --------------------------------------------------------------------------------------------------

    async def _without_consent(self) -> None:
        """A performer stands for a character; nobody asked them yet."""
        studio = self._studio
        character = await studio.expect(
            "POST",
            f"/v1/productions/{self._production}/characters",
            json={"kind": "human", "script_name": CHARACTER},
        )
        self._character = character["id"]
        self._performer = await studio.expect("POST", "/v1/performers", json={"name": "Samuel Adeyemi"})
        await studio.expect(
            "POST",
            f"/v1/characters/{self._character}/portrayals",
            json={"performer_id": self._performer["id"]},
        )
        before = await self._models.calls()
        refused = [
            await self._ask(self._requester, expect=_CONFLICT, depicts=[self._character]),
            await self._ask(self._requester, expect=_CONFLICT),  # named in the prompt, and not declared
        ]
        told = [{line["code"] for line in each.get("missing", ())} for each in refused]
        problem = None if told == [{"no_consent"}] * 2 else f"expected no_consent twice, got {told}"
        self._show.check("consent", "a performer's character, declared or only named: 409", problem)
        after = await self._models.calls()
        problem = None if after == before else f"expected no call, got {after - before}"
        self._show.check("consent", "the model server saw nothing of it", problem)

    async def _with_consent(self) -> None:
        """The signed consent covers this production and kind: it is granted by a person, and the take cites it."""
        today = clock.now().date()
        draft = await self._studio.expect(
            "POST",
            f"/v1/performers/{self._performer['id']}/consents",
            json={
                "replica_type": "independently_created",
                "description": "Concept pictures of Jonah Reed on the launch tower, for the pitch.",
                "production_ids": [self._production],
                "kinds": ["concept_art"],
                "media": ["streaming"],
                "territories": ["*"],
                "valid_until": (today + timedelta(days=365)).isoformat(),
            },
        )
        path = f"/v1/consents/{draft['id']}"
        await self._studio.expect("POST", f"{path}/request")
        signed = {
            "signer_role": "performer",
            "signer_name": "Samuel Adeyemi",
            "signed_on": (today - timedelta(days=1)).isoformat(),
            "document_sha256": _DOCUMENT,
        }
        alone = await self._studio.call("POST", f"{path}/grant", json=signed, headers={"If-Match": "*"})
        problem = None if alone.status == _FORBIDDEN else f"expected 403, got {alone.status}"
        self._show.check("consent", "a key alone can't grant it", problem)
        await self._clearance.expect("POST", f"{path}/grant", json=signed, headers={"If-Match": "*"})
        asked = await self._ask(self._requester, depicts=[self._character])
        view = await self._ran(asked, "with the signed consent it runs")
        cited = (view["takes"][0]["permission"] or {}).get("consents", [])
        problem = None
        if [(each["id"], each["document_sha256"]) for each in cited] != [(draft["id"], _DOCUMENT)]:
            problem = f"expected the consent and its document, got {cited}"
        self._show.check("consent", "the take cites the consent and its document's hash", problem)

    # --- policy ---------------------------------------------------------------------------------------------------

    async def _approval(self) -> None:
        """A pack that counsel signed asks for an approval; the requester can't give it."""
        await self._clearance.expect(
            "POST", f"/v1/policy-packs/{PACK}/signatures", json={"version": 1, "reference": "memo 12"}
        )
        await self._manager.expect(
            "PUT",
            f"/v1/productions/{self._production}/policy-packs",
            json={"packs": [{"pack_id": PACK, "version": 1}]},
        )
        held = await self._ask(self._requester, depicts=[self._character])
        reasons = {hold["reason"] for hold in held["holds"]}
        problem = None if reasons == {"awaiting_approval"} else f"expected awaiting_approval, got {reasons}"
        self._show.check("policy", "a partner's guidance holds what shows a performer", problem)
        await self._release(held, self._approver)
        await self._ran(held, "an approver lets it go, and it runs once")
        await self._manager.expect(
            "PUT", f"/v1/productions/{self._production}/policy-packs", json={"packs": []}
        )

    async def _release(self, held: Found, who: Studio) -> None:
        paths = [f"/v1/holds/{hold['id']}/release" for hold in held["holds"]]
        own = {(await self._requester.call("POST", path)).status for path in paths}
        problem = None if own == {_FORBIDDEN} else f"expected 403, got {own}"
        self._show.check("hold", "who asked for it can't release it", problem)
        for path in paths:
            await who.expect("POST", path, json={"note": "the partner's approval is on file"})

    # --- money, and the switch ------------------------------------------------------------------------------------

    async def _budget(self) -> None:
        """A hard budget holds what it has no room for, to the cent."""
        path = f"/v1/budgets/productions/{self._production}"
        budget = await self._manager.expect("PUT", path, json={"hard_usd": str(self.spent)})
        held = await self._ask(self._requester, depicts=[self._character])
        reasons = [hold["reason"] for hold in held["holds"]]
        problem = None if reasons == ["budget"] else f"expected budget, got {reasons}"
        self._show.check("budget", f"{self.spent:.2f} US$ are spent, no more: held", problem)
        release = f"/v1/holds/{held['holds'][0]['id']}/release"
        refused = await self._manager.call("POST", release)
        problem = None if refused.status == _CONFLICT else f"expected 409, got {refused.status}"
        self._show.check("budget", "without room nobody can release it", problem)
        more = {"hard_usd": str(self.spent + 1)}
        await self._manager.expect("PUT", path, json=more, headers={"If-Match": f'"{budget["version"]}"'})
        await self._manager.expect("POST", release)
        await self._ran(held, "with more in the budget it runs")

    async def _labour_action(self) -> None:
        """One switch holds the production, and lets it go."""
        path = f"/v1/productions/{self._production}/labour-action"
        await self._manager.expect("PUT", path, json={"on": True})
        held = await self._ask(self._studio, depicts=[self._character])
        problem = None if held["state"] == "held" else f"expected held, it is {held['state']}"
        self._show.check("labour", "during a labour action everything waits", problem)
        await self._manager.expect("PUT", path, json={"on": False})
        await self._ran(held, "when it ends, what waited runs")


# what the partner's guidance asks of every request
_SAID: Mapping[str, bool] = {
    "involves_personal_data": False,
    "third_party_ip": False,
    "story_critical": False,
    "could_mislead": False,
}
