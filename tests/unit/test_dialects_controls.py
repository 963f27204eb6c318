"""The controls the API knows, and the seeds of takes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.dialects.registry import NoDialect, dialect_for, embedder_for, judge_for, language_for
from circletake.domain.controls import CONTROLS, SEED_MAX, check_controls, json_schema, take_seed
from circletake.domain.pictures import ModelUse
from tests.unit.model_requests import card_of, catalogue

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("base", "number", "seed"),
    [(1, 1, 1), (1, 2, 2), (SEED_MAX, 1, SEED_MAX), (SEED_MAX, 2, 1), (SEED_MAX - 1, 4, 2)],
)
def test_takes_count_up_from_the_requests_seed_and_wrap_to_1(base, number, seed):
    """The seed of take n is known before it runs, and is never 0."""
    assert take_seed(base, number) == seed


@settings(deadline=None)
@given(st.integers(1, SEED_MAX), st.integers(1, 10_000))
def test_every_takes_seed_is_one_the_api_accepts_again(base, number):
    """A take's seed can be sent as the seed of a new request, which then begins with that very take."""
    assert take_seed(take_seed(base, number), 1) == take_seed(base, number)


@pytest.mark.parametrize(("base", "number"), [(0, 1), (SEED_MAX + 1, 1), (1, 0)])
def test_a_seed_outside_the_range_has_no_takes(base, number):
    """Our own mistake, said at once."""
    with pytest.raises(ValueError, match=r"seed|takes"):
        take_seed(base, number)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", None, [], {}])
def test_a_number_that_is_none_is_refused(value):
    """NaN compares with nothing and would pass every range."""
    assert [found.code for found in check_controls({"strength": value})] == ["wrong_type"]


@pytest.mark.parametrize(
    ("controls", "pointer"),
    [
        ({"strength": 10**400}, "/controls/strength"),
        ({"grow_mask": 10**400}, "/controls/grow_mask"),
        ({"extend": {"left": 10**400}}, "/controls/extend/left"),
        ({"duration_seconds": -(10**400)}, "/controls/duration_seconds"),
    ],
)
def test_a_number_beyond_every_float_is_out_of_range(controls, pointer):
    """JSON has no largest number."""
    assert [(found.pointer, found.code) for found in check_controls(controls)] == [(pointer, "out_of_range")]


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_can_be_shown(name):
    """The gateway's description has a help text and a JSON schema for each."""
    schema = json_schema(CONTROLS[name])
    assert json.loads(json.dumps(schema)) == schema
    assert len(schema["description"]) > 20
    assert schema["type"] in {"string", "number", "integer", "boolean", "object"}


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from([*CONTROLS, "strenght"]), json_values))
def test_no_value_of_any_type_breaks_the_check(controls):
    """Whatever JSON brings, the answer is a list of violations that point into the body."""
    for found in check_controls(controls):
        assert found.pointer.startswith("/controls/")


def test_every_live_model_has_a_dialect_and_an_ended_one_has_none():
    """An ended model is shown and never asked."""
    for card in catalogue().all():
        if card.lifecycle == "active":
            asked = [dialect_for] * bool(card.kinds)
            asked += [embedder_for] * (ModelUse.EMBEDDING in card.uses)
            asked += [judge_for] * (ModelUse.JUDGE in card.uses)
            asked += [language_for] * (ModelUse.LANGUAGE in card.uses)
            assert asked
            assert all(find(card) for find in asked)
    with pytest.raises(NoDialect):
        dialect_for(card_of("amazon.nova-canvas-v1:0"))
