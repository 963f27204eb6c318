"""The catalogue as a production sees it: of a kind that it locked, only the models it names, as it keeps them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from circletake.domain.choice.choices import Choice
from circletake.domain.drafts import Draft
from circletake.domain.kinds import Kind
from circletake.domain.pictures import ModelCard
from circletake.ports import ModelCatalogue
from circletake.usecases.choice.choose_model import ProductionModels, card_under


@dataclass(frozen=True, slots=True)
class ProductionCatalogue:
    """A ModelCatalogue for something that chooses models by itself, as an enforcement's ladder does. `kinds`: those that
    it chooses for."""

    catalogue: ModelCatalogue
    models: ProductionModels
    kinds: Collection[Kind]

    def all(self) -> Sequence[ModelCard]:
        ids = [card.id for card in self.catalogue.all()]
        kept = [model for choice in self._locks() for model in choice.may_be_named]
        cards = (self.get(model) for model in dict.fromkeys([*ids, *kept]))
        return [card for card in cards if card is not None]

    def get(self, model_id: str) -> ModelCard | None:
        """Return the card, with the kinds alone that the production lets this model make."""
        naming = [choice for choice in self._locks() if model_id in choice.may_be_named]
        card = card_under(self.catalogue, naming[0] if naming else None, model_id)
        if card is None:
            return None
        refused = {choice.purpose for choice in self._locks() if choice not in naming}
        return replace(card, kinds=card.kinds - refused)

    def default_for(self, kind: str) -> ModelCard:
        return self.catalogue.default_for(kind)

    def draft_for(self, kind: str) -> Draft:
        return self.catalogue.draft_for(kind)

    def _locks(self) -> list[Choice]:
        found = (self.models.of(kind) for kind in self.kinds)
        return [choice for choice in found if choice is not None and choice.locked]
