"""The catalogue of models, read once from files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

import circletake.data
from circletake.adapters.catalogue.places import CatalogueFault, line_of, load_yaml
from circletake.adapters.catalogue.schema import CatalogueFile, DraftEntry, ModelEntry
from circletake.domain.cards import version_of
from circletake.domain.controls import check_controls
from circletake.domain.drafts import NO_DRAFT, Draft
from circletake.domain.kinds import Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard, ModelUse, Price

# What the offline model server really does: classical picture work, no trained model.
_OFFLINE_SOURCE_TYPE = "algorithmicMedia"


class FileCatalogue:
    """ModelCatalogue over cards in memory."""

    def __init__(
        self,
        cards: Sequence[ModelCard],
        defaults: Mapping[Kind | LanguageTask, str],
        drafts: Mapping[Kind, Draft] = MappingProxyType({}),
    ) -> None:
        self._cards = {card.id: card for card in cards}
        self._defaults = dict(defaults)
        self._drafts = dict(drafts)

    def all(self) -> Sequence[ModelCard]:
        return tuple(self._cards.values())

    def get(self, model_id: str) -> ModelCard | None:
        return self._cards.get(model_id)

    def default_for(self, kind: str) -> ModelCard:
        """Return the model that runs a kind, or a language task, when the request names none.

        Raises ValueError for an unknown one.
        """
        return self._cards[self._defaults[LanguageTask(kind) if kind in set(LanguageTask) else Kind(kind)]]

    def draft_for(self, kind: str) -> Draft:
        """Return how a kind is drafted. Raises ValueError for an unknown kind."""
        return self._drafts.get(Kind(kind), NO_DRAFT)


def load_catalogue(
    override: Path | None = None, *, offline: bool = False, base: Path | None = None
) -> FileCatalogue:
    """Read the product's own catalogue and a studio's additions to it. Raises CatalogueFault.

    `override` may add models, replace one by its id and choose other defaults and drafts. `offline` is for a stack whose
    models are the offline server: its pictures come from algorithms, not from trained models, and must say so.
    """
    own = base or Path(circletake.data.__file__).parent / "models.yaml"
    file, node = _read(own)
    entries = _by_id(own, file, node)
    defaults, drafts = dict(file.defaults), dict(file.drafts)
    last = (own, node)
    if override is not None:
        more, more_node = _read(override)
        entries |= _by_id(override, more, more_node)
        defaults |= more.defaults
        drafts |= more.drafts
        last = (override, more_node)
    _check_defaults(*last, entries, defaults)
    _check_drafts(*last, entries, drafts)
    return FileCatalogue(
        [_card(entry, offline=offline) for entry in entries.values()],
        defaults,
        {
            kind: Draft(each.model, dict(each.controls), each.input_max_pixels)
            for kind, each in drafts.items()
        },
    )


def _read(path: Path) -> tuple[CatalogueFile, yaml.Node]:
    content, node = load_yaml(path)
    try:
        return CatalogueFile.model_validate(content), node
    except ValidationError as error:
        raise CatalogueFault("\n".join(_messages(path, node, error))) from error


def _messages(path: Path, node: yaml.Node, error: ValidationError) -> list[str]:
    found = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = problem["loc"]
        where = ".".join(str(step) for step in place) or "file"
        found.append(f"{path}:{line_of(node, place)}: {where}: {problem['msg']}")
    return found


def _by_id(path: Path, file: CatalogueFile, node: yaml.Node) -> dict[str, ModelEntry]:
    entries: dict[str, ModelEntry] = {}
    for index, entry in enumerate(file.models):
        if entry.id in entries:
            line = line_of(node, ("models", index, "id"))
            raise CatalogueFault(f"{path}:{line}: the model {entry.id} is given twice")
        entries[entry.id] = entry
    return entries


def _check_defaults(
    path: Path, node: yaml.Node, entries: dict[str, ModelEntry], defaults: dict[Kind | LanguageTask, str]
) -> None:
    for kind in (*Kind, *LanguageTask):
        line = line_of(node, ("defaults", kind.value))
        model_id = defaults.get(kind)
        if model_id is None:
            raise CatalogueFault(f"{path}:{line}: {kind.value} has no default model")
        entry = entries.get(model_id)
        if entry is None:
            raise CatalogueFault(
                f"{path}:{line}: the default of {kind.value}, {model_id}, is not in the catalogue"
            )
        serves = kind in entry.kinds if isinstance(kind, Kind) else ModelUse.LANGUAGE in entry.uses
        if not serves:
            raise CatalogueFault(f"{path}:{line}: {model_id} does not serve {kind.value}")
        if entry.lifecycle == "eol":
            raise CatalogueFault(f"{path}:{line}: {model_id} has ended and can't be a default")


def _check_drafts(
    path: Path, node: yaml.Node, entries: dict[str, ModelEntry], drafts: dict[Kind, DraftEntry]
) -> None:
    for kind, draft in drafts.items():
        for fault in _draft_faults(kind, draft, entries):
            raise CatalogueFault(f"{path}:{line_of(node, ('drafts', kind.value))}: {fault}")


def _draft_faults(kind: Kind, draft: DraftEntry, entries: dict[str, ModelEntry]) -> Iterator[str]:
    for found in check_controls(draft.controls):
        yield f"the draft's {found.pointer}: {found.message}"
    if draft.model is None:
        return
    entry = entries.get(draft.model)
    if entry is None:
        yield f"the draft of {kind.value}, {draft.model}, is not in the catalogue"
    elif kind not in entry.kinds:
        yield f"{draft.model} does not serve {kind.value}"
    elif entry.lifecycle == "eol":
        yield f"{draft.model} has ended and can't make drafts"
    else:
        for name, value in draft.controls.items():
            limits = entry.limits.controls.get(name)
            if name not in entry.controls:
                yield f"{draft.model} has no control {name!r}"
            elif limits is not None and limits.values is not None and value not in limits.values:
                yield f"{draft.model} doesn't offer {value!r} for {name}"


def _card(entry: ModelEntry, *, offline: bool) -> ModelCard:
    price = entry.price
    limits: dict[str, Any] = entry.limits.model_dump(mode="json", exclude_none=True)
    card = ModelCard(
        id=entry.id,
        name=entry.name,
        provider=entry.provider,
        dialect=entry.dialect,
        kinds=frozenset(entry.kinds),
        mode=entry.mode,
        regions=entry.regions,
        lifecycle=entry.lifecycle,
        eol_on=entry.eol_on,
        successor=entry.successor,
        price=Price(
            price.unit,
            price.usd,
            dict(price.by_resolution),
            price.as_of,
            price.source,
            price.confirmed,
            price.usd_output,
        ),
        controls=entry.controls,
        limits=limits,
        seed=entry.seed,
        on_unknown=entry.on_unknown,
        digital_source_type=entry.digital_source_type,
        terms=entry.terms.model_dump(mode="json"),
        unconfirmed=entry.unconfirmed,
        max_running=entry.max_running,
        timeout_seconds=entry.timeout_seconds,
        uses=frozenset(entry.uses),
        native=entry.native.model_dump(mode="json", exclude_none=True),
        version=entry.version or version_of(entry.id),
    )
    return replace(card, digital_source_type=_OFFLINE_SOURCE_TYPE) if offline else card
