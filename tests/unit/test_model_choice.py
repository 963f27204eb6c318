"""Which model a production works with: locks over a changing catalogue, fallbacks inside its list, ends and marks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.adapters.catalogue.files import FileCatalogue, load_catalogue
from circletake.dialects.contract import RequestShape
from circletake.domain.cards import card_document, card_from
from circletake.domain.choice.choices import (
    Because,
    Choice,
    Fallback,
    Patience,
    cause_of,
    out_of_patience,
    stand_ins,
)
from circletake.domain.choice.endings import MARKS, days_left, mark_reached
from circletake.domain.choice.kept import FACTS, differences, in_effect
from circletake.domain.kinds import Kind, Quality
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard, ModelFault
from circletake.records.generations import Take
from circletake.usecases.choice.another_take import OnModel, on_model
from circletake.usecases.choice.choose_model import Chosen, ProductionModels, choose_model
from circletake.usecases.choice.production_catalogue import ProductionCatalogue

SHIPPED = load_catalogue(offline=True)
SD35 = "stability.sd3-5-large-v1:0"
CORE = "stability.stable-image-core-v1:1"
ULTRA = "stability.stable-image-ultra-v1:1"
LOCK = UUID(int=7)
DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MODELS = ["a", "b", "c", "d", "e", "f"]


def shipped(model: str) -> ModelCard:
    card = SHIPPED.get(model)
    assert card is not None
    return card


def catalogue(*cards: ModelCard, default: str = CORE) -> FileCatalogue:
    """A catalogue of these cards alone, with one default for every kind."""
    return FileCatalogue(cards, {**dict.fromkeys(Kind, default), **dict.fromkeys(LanguageTask, default)})


def locked(model: str = ULTRA, *allowed: str, order: Sequence[str] = (), locked: bool = True) -> Choice:
    cards = {each: card_document(shipped(each)) for each in (model, *allowed, *order)}
    return Choice(LOCK, Kind.CONCEPT_ART, model, locked, allowed, Fallback(tuple(order)), cards)


def chosen(found: FileCatalogue, choice: Choice | None, asked: str | None = None) -> Chosen:
    models = ProductionModels({choice.purpose.value: choice} if choice else {})
    return choose_model(found, models, kind=Kind.CONCEPT_ART, asked=asked, quality=Quality.FULL, on=DAY)


def edited(model: str = ULTRA) -> ModelCard:
    """The catalogue's entry after somebody changed what the model is sent, and its price."""
    card = shipped(model)
    dearer = replace(card.price, usd=card.price.usd + 1)
    return replace(card, controls=(), limits={**card.limits, "prompt_max_chars": 10}, price=dearer)


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(catalogue(shipped(CORE), shipped(ULTRA)), id="another default"),
        pytest.param(catalogue(shipped(CORE), edited()), id="an edited entry"),
        pytest.param(catalogue(shipped(CORE)), id="a removed entry"),
    ],
)
def test_a_lock_survives_a_change_of_the_catalogue(later: FileCatalogue) -> None:
    """The locked model runs exactly as it was chosen, whatever the catalogue's default or entry is by now."""
    found = chosen(later, locked())
    assert found.card is not None
    assert (found.card.id, found.card.fingerprint, found.lock_id) == (ULTRA, shipped(ULTRA).fingerprint, LOCK)
    assert not found.violations


def test_prices_follow_the_provider() -> None:
    """What a locked model costs is what the catalogue says now; of a model that left it, what was known last."""
    now, gone = (
        chosen(catalogue(shipped(CORE), edited()), locked()),
        chosen(catalogue(shipped(CORE)), locked()),
    )
    assert now.card is not None
    assert gone.card is not None
    assert now.card.price.usd == shipped(ULTRA).price.usd + 1
    assert gone.card.price == shipped(ULTRA).price


def test_a_price_that_does_not_sell_what_is_kept_is_not_charged() -> None:
    """A new price list without the kept resolutions leaves the price that was known."""
    kept = shipped("luma.ray-v2:0")
    newest = replace(kept, price=replace(kept.price, by_resolution={"540p": Decimal(9)}))
    assert in_effect(kept, newest).price == kept.price


def test_an_ended_model_is_refused_for_all_its_lock_with_its_successor() -> None:
    """Nobody can run what its provider has ended."""
    ended = replace(shipped(ULTRA), eol_on=DAY, successor="Use Core.")
    found = chosen(catalogue(shipped(CORE), ended), locked())
    assert [each.code for each in found.violations] == ["model_ended"]
    assert "Use Core." in found.violations[0].message


def test_a_locked_kind_refuses_what_it_does_not_allow() -> None:
    """Also a model that the catalogue would run; an allowed one runs, as it was kept."""
    refused = chosen(SHIPPED, locked(ULTRA, CORE), SD35)
    assert (refused.card, [each.code for each in refused.violations]) == (None, ["model_locked"])
    allowed = chosen(catalogue(shipped(SD35), edited(CORE)), locked(ULTRA, CORE), CORE)
    assert allowed.card is not None
    assert allowed.card.fingerprint == shipped(CORE).fingerprint


def test_a_choice_without_a_lock_is_a_default_that_follows_the_catalogue() -> None:
    """It runs where no model is named, another one may be named, and the catalogue's entry is the newest."""
    choice = locked(locked=False)
    later = catalogue(shipped(CORE), edited())
    own, other = chosen(later, choice), chosen(later, choice, CORE)
    assert own.card == edited()
    assert other.card == shipped(CORE)


def test_other_kinds_of_a_production_are_not_locked() -> None:
    """A lock is of one kind."""
    models = ProductionModels({Kind.CONCEPT_ART.value: locked()})
    found = choose_model(SHIPPED, models, kind=Kind.CHARACTER_SHEET, asked=SD35, quality=Quality.FULL, on=DAY)
    assert (found.card, found.lock_id) == (shipped(SD35), None)


def test_what_is_kept_and_what_has_changed_since_is_told_by_name() -> None:
    """A kept card is read back as it was, and its differences from the catalogue's are named."""
    kept = card_from(card_document(shipped(ULTRA)))
    assert differences(kept, shipped(ULTRA)) == ()
    assert differences(kept, edited()) == ("controls", "limits", "price")
    assert {"price", "eol_on", "terms"} <= FACTS


FAULTS = st.sampled_from(list(Because))


@settings(max_examples=100)
@given(
    order=st.lists(st.sampled_from(MODELS), max_size=6),
    on=st.frozensets(FAULTS),
    first=st.sampled_from(MODELS),
    faults=st.lists(FAULTS, max_size=12),
)
def test_a_fallback_never_leaves_the_productions_list(
    order: list[str], on: frozenset[Because], first: str, faults: list[Because]
) -> None:
    """Whatever goes wrong how often: only models of the list are asked, only for what it is meant for, none twice, and
    never the one that was asked first again."""
    choice = Choice(LOCK, Kind.CONCEPT_ART, first, True, (), Fallback(tuple(order), on))
    tried = [first]
    for because in faults:
        following = stand_ins(choice, because, tried)
        assert set(following) <= set(order) - set(tried)
        assert because in on or not following
        if following:
            tried.append(following[0])
    assert len(set(tried)) == len(tried) <= 1 + len(set(order))
    assert tried[1:] == [model for model in dict.fromkeys(order) if model != first][: len(tried) - 1]


def test_without_a_choice_nothing_stands_in() -> None:
    """No production's takes go to a model that nobody chose for it."""
    assert stand_ins(None, Because.OUTAGE, ()) == ()


@pytest.mark.parametrize(
    ("fault", "because"),
    [
        ("throttled", Because.THROTTLE),
        ("quota", Because.THROTTLE),
        ("unavailable", Because.OUTAGE),
        ("timeout", Because.OUTAGE),
        ("access_denied", Because.OUTAGE),
        ("not_found", Because.OUTAGE),
        ("ended", Because.OUTAGE),
        ("invalid_request", None),
        ("conflict", None),
    ],
)
def test_each_fault_means_one_thing_for_a_fallback(fault: str, because: Because | None) -> None:
    """What says something of the request and not of the model asks no other model."""
    assert cause_of(ModelFault(fault, "x")) is because  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("calls", "enough"),
    [
        pytest.param([(None, 0)], False, id="the first busy answer"),
        pytest.param([(None, 0), ("throttled", 5), ("throttled", 9)], True, id="three in a row"),
        pytest.param([(None, 0), ("throttled", 61)], True, id="for a minute"),
        pytest.param([(None, 0), ("unavailable", 5), ("throttled", 9)], False, id="not in a row"),
        pytest.param(
            [(None, 0), ("unavailable", 5), ("throttled", 90)], False, id="long ago, and not in a row"
        ),
    ],
)
def test_a_busy_model_is_waited_for_so_often_and_so_long(
    calls: list[tuple[str | None, int]], enough: bool
) -> None:
    """Another model is asked at the third busy answer in a row, or a minute after the first of them."""
    begun = [(outcome, NOON - timedelta(seconds=ago)) for outcome, ago in calls]
    assert out_of_patience(begun, Patience(answers=3, seconds=60), NOON) is enough


def test_each_mark_comes_once_as_the_end_comes_nearer() -> None:
    """Day by day from a year before until after the end: no mark before its day, each at its own, the last for good."""
    eol = DAY + timedelta(days=365)
    seen = [mark_reached(eol, DAY + timedelta(days=each)) for each in range(400)]
    assert seen[: 365 - MARKS[0]] == [None] * (365 - MARKS[0])
    assert tuple(dict.fromkeys(each for each in seen if each is not None)) == MARKS
    assert {mark: seen.index(mark) for mark in MARKS} == {mark: 365 - mark for mark in MARKS}
    assert days_left(eol, eol + timedelta(days=9)) == 0


def test_a_late_look_finds_the_newest_mark_only() -> None:
    """Whoever looks ten days before the end for the first time is told 14, not 180 to 14."""
    assert mark_reached(DAY + timedelta(days=10), DAY) == 14


def test_what_chooses_models_by_itself_sees_only_what_a_locked_production_allows() -> None:
    """An enforcement's ladder finds the locked model and the allowed ones for that kind, as they are kept; other kinds
    stay as they are."""
    later = catalogue(shipped(CORE), shipped(SD35), edited())
    models = ProductionModels({Kind.CONCEPT_ART.value: locked(ULTRA, CORE)})
    seen = ProductionCatalogue(later, models, {Kind.CONCEPT_ART, Kind.ELEMENT})
    makers = {card.id: card.fingerprint for card in seen.all() if Kind.CONCEPT_ART in card.kinds}
    assert makers == {model: shipped(model).fingerprint for model in (CORE, ULTRA)}
    others = {card.id for card in seen.all() if Kind.CHARACTER_SHEET in card.kinds}
    assert others == {CORE, ULTRA, SD35}


def shape(**more: Any) -> RequestShape:
    given: dict[str, Any] = {"negative_prompt": None, "seed": None, "controls": {}, **more}
    return RequestShape(Kind.CONCEPT_ART, given.pop("prompt", "a quay at dusk"), **given)


@pytest.mark.parametrize(
    ("card", "asked", "code"),
    [
        pytest.param(replace(shipped(CORE), eol_on=DAY), shape(), "model_ended", id="ended"),
        pytest.param(shipped("luma.ray-v2:0"), shape(), "kind_not_served", id="another kind"),
        pytest.param(
            replace(shipped(CORE), limits={**shipped(CORE).limits, "prompt_max_chars": 3}),
            shape(),
            "too_long",
            id="too long for it",
        ),
        pytest.param(
            replace(shipped(CORE), controls=("aspect_ratio",)),
            shape(controls={"style_preset": "anime"}),
            "control_unsupported",
            id="against strict",
        ),
    ],
)
def test_nobody_stands_in_who_cannot_make_what_was_asked(
    card: ModelCard, asked: RequestShape, code: str
) -> None:
    """An ended model, one of another kind, one that refuses the request and one that breaks `strict` are passed over."""
    found = on_model(card, LOCK, asked, strict=True, now=NOON)
    assert isinstance(found, list)
    assert code in [each.code for each in found]


def test_who_stands_in_says_what_it_costs_and_what_becomes_of_each_control() -> None:
    """The take is quoted at the new model's price, and its changes name the choice that allows it."""
    made = on_model(shipped(CORE), LOCK, shape(controls={"aspect_ratio": "16:9"}), strict=True, now=NOON)
    assert isinstance(made, OnModel)
    assert made.price == shipped(CORE).price.usd
    changes = made.changes(Take(changes=None))
    assert (changes["model_id"], changes["lock_id"]) == (CORE, str(LOCK))
    assert {"aspect_ratio"} <= {line["control"] for line in changes["controls_report"]}
