"""The card of the model that a take runs with."""

from uuid import UUID

from sqlalchemy import select

from circletake.domain.drafts import drafted
from circletake.domain.kinds import Kind, Quality
from circletake.domain.pictures import ModelCard
from circletake.ports import ModelCatalogue
from circletake.records.choice import ModelChoice
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.choice.choose_model import as_choice, card_under
from circletake.usecases.effective_take import kind_of, model_of


async def card_of(
    session: TenantSession, catalogue: ModelCatalogue, generation: Generation, take: Take
) -> ModelCard | None:
    """Return the card, as the choice keeps it that the take was made under, whatever the catalogue and the production
    say by now; None when nothing knows the model any more."""
    card = await card_kept(
        session, catalogue, generation.tenant_id, lock_of(generation, take), model_of(generation, take)
    )
    return card and at_its_quality(catalogue, generation, kind_of(generation, take), card)


def at_its_quality(
    catalogue: ModelCatalogue, generation: Generation, kind: Kind, card: ModelCard
) -> ModelCard:
    """Return the card as takes of this generation run with it: a draft's pictures are kept small."""
    if generation.quality != Quality.DRAFT:
        return card
    return drafted(card, catalogue.draft_for(kind))


def lock_of(generation: Generation, take: Take) -> UUID | None:
    """Return the production's choice that a take was made under: its own where another model makes it, else its
    generation's."""
    changes = take.changes or {}
    if "lock_id" not in changes:
        return generation.model_lock_id
    return UUID(changes["lock_id"]) if changes["lock_id"] else None


async def card_kept(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    lock_id: UUID | None,
    model_id: str,
) -> ModelCard | None:
    """Return a model's card under a choice, an older one too."""
    if lock_id is None:
        return catalogue.get(model_id)
    row = await session.scalar(
        select(ModelChoice).where(ModelChoice.tenant_id == tenant_id, ModelChoice.id == lock_id)
    )
    return card_under(catalogue, as_choice(row) if row else None, model_id)
