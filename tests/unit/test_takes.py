"""The life of a take, and what a generation is when its takes are what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.takes import (
    RETRIABLE,
    TERMINAL,
    GenerationState,
    TakeState,
    generation_state,
    may_become,
)

STATES = st.sampled_from(list(TakeState))


@given(st.sampled_from(sorted(TERMINAL)), STATES)
def test_terminal_is_final(ended: TakeState, other: TakeState) -> None:
    """Nothing leads out of a terminal state."""
    assert not may_become(ended, other)


@given(st.lists(STATES, min_size=1, max_size=8))
def test_from_any_open_state_an_end_can_be_reached(path: list[TakeState]) -> None:
    """However a take wanders through allowed states, it can still end."""
    state = TakeState.QUEUED
    for step in path:
        if may_become(state, step):
            state = step
    assert state in TERMINAL or any(may_become(state, end) for end in TERMINAL)


def test_a_success_can_not_be_retried() -> None:
    """A retry is for what ended without a result."""
    assert TakeState.SUCCEEDED not in RETRIABLE
    assert RETRIABLE < TERMINAL


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        (["queued", "queued"], "queued"),
        (["queued", "running"], "running"),
        (["succeeded", "queued"], "running"),
        (["succeeded", "failed"], "succeeded"),
        (["filtered", "failed"], "failed"),
        (["filtered", "canceled"], "filtered"),
        (["held", "succeeded"], "held"),
        (["canceled", "expired"], "expired"),
        (["canceled"], "canceled"),
    ],
)
def test_generation_state_follows_its_takes(takes: list[str], expected: str) -> None:
    """Open takes win; of ended ones a success, then what needs a person's eye."""
    assert generation_state(map(TakeState, takes)) == GenerationState(expected)


@given(st.lists(st.sampled_from(sorted(TERMINAL)), min_size=1))
def test_a_generation_with_ended_takes_has_ended(takes: list[TakeState]) -> None:
    """When every take has ended, so has the generation."""
    assert generation_state(takes).value in {state.value for state in TERMINAL}
