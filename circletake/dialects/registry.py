"""Which dialect a model speaks."""

from collections.abc import Mapping
from types import MappingProxyType

from circletake.dialects.contract import Dialect
from circletake.dialects.luma import LumaRay
from circletake.dialects.stability_edit import StabilityEdit
from circletake.dialects.stability_text import StabilityText
from circletake.domain.pictures import ModelCard

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {"stability_text": StabilityText(), "stability_edit": StabilityEdit(), "luma": LumaRay()}
)


class NoDialect(LookupError):
    """A model that can be shown, not asked: ended, or newer than this version."""


def dialect_for(card: ModelCard) -> Dialect:
    """Return the model's dialect. Raises NoDialect."""
    dialect = DIALECTS.get(card.dialect)
    if dialect is None:
        raise NoDialect(card.id)
    return dialect
