"""Which model makes a kind for a production: the one asked for, the one it chose, or the catalogue's default."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from circletake.domain.availability import refusal
from circletake.domain.kinds import Kind, Quality
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard, Violation
from circletake.ports import ModelCatalogue
from circletake.records.session import TenantSession


@dataclass(frozen=True, slots=True)
class ProductionModels:
    """What a production chose, by kind."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model, or why there is none. `lock_id`: the production's choice that it is of."""

    card: ModelCard | None
    lock_id: UUID | None = None
    violations: Sequence[Violation] = ()


async def production_models(
    session: TenantSession,  # noqa: ARG001
    tenant_id: UUID,  # noqa: ARG001
    production_id: UUID,  # noqa: ARG001
) -> ProductionModels:
    """Read what the production chose."""
    return ProductionModels()


def choose_model(
    catalogue: ModelCatalogue,
    models: ProductionModels,  # noqa: ARG001
    *,
    kind: Kind | LanguageTask,
    asked: str | None,
    quality: Quality,  # noqa: ARG001
    on: date,
) -> Chosen:
    """Choose the model for a kind, or a language task, on a day."""
    if asked is None:
        return Chosen(catalogue.default_for(kind))
    card = catalogue.get(asked)
    if card is None:
        unknown = Violation("/model", "unknown_model", "There is no such model: GET /v1/models lists them.")
        return Chosen(None, None, [unknown])
    refused = refusal(card, kind, on)
    return Chosen(card, None, [refused] if refused else [])
