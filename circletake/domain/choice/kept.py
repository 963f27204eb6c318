"""A model's card as a production keeps it, and what it means once the catalogue has moved on.

What a model is asked and how - its dialect, kinds, controls, limits - stays as it was when the production chose it.
What is so whatever anybody chose - its price, its end, its terms - follows the catalogue while the model is in it.
"""

from dataclasses import replace

from circletake.domain.cards import card_document
from circletake.domain.pictures import ModelCard

# facts of the world, which no production can keep as they were
FACTS = frozenset(
    {
        "price",
        "lifecycle",
        "eol_on",
        "successor",
        "terms",
        "digital_source_type",
        "max_running",
        "regions",
        "name",
        "provider",
        "unconfirmed",
    }
)


def in_effect(kept: ModelCard, newest: ModelCard | None) -> ModelCard:
    """Return the card that a production works with: as it kept it, with the facts as the catalogue knows them now.
    `newest` None: the model has left the catalogue."""
    if newest is None:
        return kept
    card = replace(kept, **{name: getattr(newest, name) for name in FACTS})
    # a price that doesn't sell what was kept can't be charged for it
    sells = kept.price.unit == newest.price.unit and (
        kept.price.by_resolution.keys() <= newest.price.by_resolution.keys()
    )
    return card if sells else replace(card, price=kept.price)


def differences(kept: ModelCard, newest: ModelCard) -> tuple[str, ...]:
    """Return the names of the fields that the catalogue has otherwise by now, facts among them."""
    before, now = card_document(kept), card_document(newest)
    return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))
