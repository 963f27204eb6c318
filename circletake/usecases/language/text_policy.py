"""What a production's packs say of a text that is to go to a language model, before anything is accepted."""

from dataclasses import dataclass
from typing import Any

from circletake.domain.errors import Conflict
from circletake.domain.people import Role, named
from circletake.domain.pictures import ModelCard
from circletake.domain.policy.declaration import UseDeclaration
from circletake.domain.policy.evaluate import Evaluation
from circletake.domain.policy.packs import Outcome
from circletake.ports import Seal
from circletake.ports.policies import PolicyShelf
from circletake.records.context import Production, Shot
from circletake.records.session import TenantSession
from circletake.usecases.policy.evaluate import prohibited, read_packs
from circletake.usecases.policy.facts_of import facts_of_text


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for the packs: a key has no roles."""

    packs: PolicyShelf
    roles: frozenset[Role] = frozenset()


async def require_allowed(
    session: TenantSession,
    seal: Seal,
    asker: Asker,
    *,
    production: Production,
    shot: Shot | None,
    card: ModelCard,
    use: UseDeclaration,
) -> dict[str, Any] | None:
    """Return what the packs said, for the ledger; None where the production has chosen none.

    A text has no hold: what needs an approval has to be asked for by somebody who could give it. Raises Conflict
    `policy_prohibited` or `approval_needed`, with the rules.
    """
    consulted = await read_packs(
        session, seal, asker.packs, tenant_id=production.tenant_id, production=production
    )
    if not consulted.packs and not consulted.waiting:
        return None
    facts = await facts_of_text(session, production=production, shot=shot, card=card, use=use)
    said = consulted.say(facts)
    if said.outcome is Outcome.PROHIBITED:
        raise prohibited(said)
    waiting = [hit for hit in said.of(Outcome.NEEDS_APPROVAL) if not hit.released_by & asker.roles]
    if waiting:
        who = named(sorted(waiting[0].released_by))
        raise Conflict(
            f"{waiting[0].says} It takes a person who is {who} to ask for this.",
            code="approval_needed",
            rules=[hit.told() for hit in waiting],
        )
    return _kept(said)


def _kept(said: Evaluation) -> dict[str, Any]:
    return {
        "outcome": said.outcome.value,
        "rules": [hit.name for hit in said.hits],
        "packs": [pack.stored() for pack in said.packs],
    }
