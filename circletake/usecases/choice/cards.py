"""The card of the model that a take runs with."""

from circletake.domain.pictures import ModelCard
from circletake.ports import ModelCatalogue
from circletake.records.generations import Generation, Take
from circletake.records.session import TenantSession
from circletake.usecases.effective_take import model_of


async def card_of(
    session: TenantSession,  # noqa: ARG001
    catalogue: ModelCatalogue,
    generation: Generation,
    take: Take,
) -> ModelCard | None:
    """Return the card; None when nothing knows the model any more."""
    return catalogue.get(model_of(generation, take))
