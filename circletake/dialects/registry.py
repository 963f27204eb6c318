"""Which dialect a model speaks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from circletake.dialects.contract import Dialect, EmbeddingDialect
from circletake.dialects.converse_judge import ConverseJudge
from circletake.dialects.converse_text import ConverseText
from circletake.dialects.luma import LumaRay
from circletake.dialects.nova_embedding import NovaEmbedding
from circletake.dialects.stability_service import StabilityService
from circletake.dialects.stability_text import StabilityText
from circletake.dialects.titan_embedding import TitanEmbedding
from circletake.domain.pictures import ModelCard

T = TypeVar("T")

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "stability_text": StabilityText(),
        "stability_service": StabilityService(),
        "luma": LumaRay(),
    }
)
EMBEDDERS: Mapping[str, EmbeddingDialect] = MappingProxyType(
    {"nova_embedding": NovaEmbedding(), "titan_embedding": TitanEmbedding()}
)
# `converse` is for a model that both judges and writes
JUDGES: Mapping[str, ConverseJudge] = MappingProxyType(
    {"converse": ConverseJudge(), "converse_judge": ConverseJudge()}
)
LANGUAGES: Mapping[str, ConverseText] = MappingProxyType(
    {"converse": ConverseText(), "converse_text": ConverseText()}
)


class NoDialect(LookupError):
    """A model that can be shown, not asked: ended, or newer than this version."""


def dialect_for(card: ModelCard) -> Dialect:
    """Return the model's dialect. Raises NoDialect."""
    return _known(DIALECTS, card)


def embedder_for(card: ModelCard) -> EmbeddingDialect:
    """Return how this model is asked for a vector. Raises NoDialect."""
    return _known(EMBEDDERS, card)


def judge_for(card: ModelCard) -> ConverseJudge:
    """Return how this model is asked for a second opinion. Raises NoDialect."""
    return _known(JUDGES, card)


def language_for(card: ModelCard) -> ConverseText:
    """Return how this model is asked to write. Raises NoDialect."""
    return _known(LANGUAGES, card)


def _known(book: Mapping[str, T], card: ModelCard) -> T:
    dialect = book.get(card.dialect)
    if dialect is None:
        raise NoDialect(card.id)
    return dialect
