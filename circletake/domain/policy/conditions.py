"""The language of conditions: data, never code. Every condition is answered, with yes or no, in one walk.

A comparison with a fact that nobody said doesn't hold; `said: false` asks for exactly that. So `not` around such a
comparison holds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from circletake.domain.policy.facts import Facts, Form, Value, value_of

MAX_DEPTH = 8  # of all, any and not inside each other


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts it always does."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Condition"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question about one fact. `operand` is of the operator's form."""

    fact: str
    operator: str
    operand: bool | str | float | frozenset[str]


Condition = All | AnyOf | Not | Comparison
ALWAYS = All(())


def _is(value: Value, operand: Any) -> bool:
    return bool(value == operand)


def _in(value: Value, operand: Any) -> bool:
    return bool(value in operand)


def _has(value: Value, operand: Any) -> bool:
    return isinstance(value, frozenset) and operand in value


def _has_any(value: Value, operand: Any) -> bool:
    return isinstance(value, frozenset) and bool(value & operand)


def _only(value: Value, operand: Any) -> bool:
    return isinstance(value, frozenset) and value <= operand


def _at_least(value: Value, operand: Any) -> bool:
    return isinstance(value, int | float) and value >= operand


def _at_most(value: Value, operand: Any) -> bool:
    return isinstance(value, int | float) and value <= operand


# by what a fact is; every form knows `said` beside these
OPERATORS: Mapping[Form, Mapping[str, Callable[[Value, Any], bool]]] = {
    Form.FLAG: {"is": _is},
    Form.WORD: {"is": _is, "in": _in},
    Form.WORDS: {"has": _has, "has_any": _has_any, "only": _only},
    Form.NUMBER: {"at_least": _at_least, "at_most": _at_most},
}
SAID = "said"
LISTS = frozenset({"in", "has_any", "only"})  # these take a list of words
_ALL: Mapping[str, Callable[[Value, Any], bool]] = {
    name: operator for operators in OPERATORS.values() for name, operator in operators.items()
}


def holds(condition: Condition, facts: Facts) -> bool:
    """Say whether a condition holds. Raises KeyError for an operator that there isn't."""
    match condition:
        case All(parts):
            return all(holds(part, facts) for part in parts)
        case AnyOf(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)
        case Comparison(fact, operator, operand):
            value = value_of(facts, fact)
            if operator == SAID:
                return (value is not None) is operand
            return value is not None and _ALL[operator](value, operand)


def shown(condition: Condition) -> Any:
    """Return a condition as it could be written in a pack."""
    match condition:
        case All(()):
            return "always"
        case All(parts):
            return {"all": [shown(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [shown(part) for part in parts]}
        case Not(part):
            return {"not": shown(part)}
        case Comparison(fact, operator, operand):
            return {fact: {operator: sorted(operand) if isinstance(operand, frozenset) else operand}}
