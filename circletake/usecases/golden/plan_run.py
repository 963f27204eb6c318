"""Which golden shots a run makes again, by which model, and what that would cost. Nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from circletake.domain import costs
from circletake.domain.availability import refusal
from circletake.domain.drafts import draft_controls, drafted
from circletake.domain.kinds import Kind, Quality
from circletake.domain.pictures import ModelCard, Violation
from circletake.ports import ModelCatalogue
from circletake.records.generations import Generation, Take
from circletake.records.golden import GoldenShot
from circletake.records.session import TenantSession
from circletake.usecases.choice.choose_model import ProductionModels, card_under, production_models
from circletake.usecases.effective_take import controls_of, kind_of

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a run is of. `model`: it makes every shot instead of the shot's own. Empty collections: all.

    `newest`: models run with the catalogue's own entry, whatever the production chose or keeps of them.
    """

    model: str | None = None
    kinds: Collection[str] = ()
    only_models: Collection[str] = ()
    golden_ids: Collection[UUID] = ()
    newest: bool = False


@dataclass(frozen=True, slots=True)
class PlannedGolden:
    """`refused`: why it can't be made again now; then it costs nothing. `seeded`: old and new are made with one seed."""

    golden: GoldenShot
    model: str
    card: ModelCard | None
    usd: Decimal
    seeded: bool
    refused: Violation | None = None

    @property
    def confirmed(self) -> bool:
        return self.card is not None and self.card.price.confirmed


async def plan_run(
    session: TenantSession,
    catalogue: ModelCatalogue,
    tenant_id: UUID,
    production_id: UUID,
    scope: RunScope,
    *,
    now: datetime,
) -> Sequence[PlannedGolden]:
    """Return what a run would make, the oldest golden shot first."""
    query = (
        select(GoldenShot, Generation, Take)
        .join(Generation, Generation.id == GoldenShot.generation_id)
        .join(Take, Take.id == GoldenShot.take_id)
        .where(
            GoldenShot.tenant_id == tenant_id,
            GoldenShot.production_id == production_id,
            GoldenShot.retired_at.is_(None),
        )
        .order_by(GoldenShot.created_at, GoldenShot.id)
    )
    for column, values in (
        (GoldenShot.kind, scope.kinds),
        (GoldenShot.model_id, scope.only_models),
        (GoldenShot.id, scope.golden_ids),
    ):
        if values:
            query = query.where(column.in_(list(values)))
    rows = (await session.execute(query)).all()
    models = await production_models(session, tenant_id, production_id)
    return [_planned(catalogue, models, scope, *row, now=now) for row in rows]


def card_for(
    catalogue: ModelCatalogue, models: ProductionModels, kind: Kind, model: str, *, newest: bool
) -> tuple[ModelCard | None, bool]:
    """Return the entry that a model runs with, and whether that is beside what the production chose: the catalogue's
    newest was asked for, or the production's lock doesn't allow this model any more."""
    choice = models.of(kind)
    if newest or (choice is not None and choice.locked and model not in choice.may_be_named):
        return catalogue.get(model), True
    return card_under(catalogue, choice, model), False


def _planned(
    catalogue: ModelCatalogue,
    models: ProductionModels,
    scope: RunScope,
    golden: GoldenShot,
    generation: Generation,
    take: Take,
    *,
    now: datetime,
) -> PlannedGolden:
    model, kind = scope.model or golden.model_id, kind_of(generation, take)
    card, _ = card_for(catalogue, models, kind, model, newest=scope.newest)
    if card is None:
        gone = Violation("/model", "unknown_model", "The catalogue no longer has this model.")
        return PlannedGolden(golden, model, None, NOTHING, seeded=False, refused=gone)
    seeded = golden.seed is not None and card.seed == "honoured"
    refused = refusal(card, kind, now.date())
    if refused is not None:
        return PlannedGolden(golden, model, card, NOTHING, seeded, refused)
    try:
        usd = _price(catalogue, card, kind, generation, take)
    except ValueError:
        unsold = Violation("/model", "not_sold", f"{card.name} doesn't sell what this shot asks for.")
        return PlannedGolden(golden, model, card, NOTHING, seeded, unsold)
    return PlannedGolden(golden, model, card, usd, seeded)


def _price(
    catalogue: ModelCatalogue, card: ModelCard, kind: Kind, generation: Generation, take: Take
) -> Decimal:
    controls = controls_of(generation, take)
    if generation.quality == Quality.DRAFT:
        draft = catalogue.draft_for(kind)
        card, controls = drafted(card, draft), draft_controls(card, draft, controls)
    return costs.quote(card, kind, 1, controls).per_take


def total(planned: Sequence[PlannedGolden]) -> Decimal:
    return sum((each.usd for each in planned), NOTHING)
