"""Conditions of a pack, from a marked tree: every fact, operator and value is known before a rule is ever asked."""

from collections.abc import Callable
from typing import Any

import yaml

from circletake.adapters.catalogue.marked import kind_of
from circletake.adapters.catalogue.pack_values import Sheet, a, nearest
from circletake.domain.policy.conditions import (
    ALWAYS,
    LISTS,
    MAX_DEPTH,
    OPERATORS,
    SAID,
    All,
    AnyOf,
    Comparison,
    Condition,
    Not,
)
from circletake.domain.policy.facts import VOCABULARY, FactType, Form

MAX_PARTS = 100
MAX_WORDS = 200


def read_condition(sheet: Sheet, node: yaml.Node, key: str, depth: int = 1) -> Condition | None:
    """Read what stands under `when`. Notes what is wrong and returns None when nothing can be made of it."""
    if isinstance(node, yaml.ScalarNode) and node.value == "always" and depth == 1:
        return ALWAYS
    if depth > MAX_DEPTH:
        sheet.fault(node, key, "too_deep", f"all, any and not stand at most {MAX_DEPTH} deep in each other")
        return None
    parts: list[Condition] = []
    wanted = "a condition (facts, or all, any, not)"
    count = 0
    for name_node, name, value in sheet.entries(node, key, wanted):
        count += 1
        part = _part(sheet, name_node, name, value, f"{key}/{name}", depth)
        if part is not None:
            parts.append(part)
    if count == 0:
        if isinstance(node, yaml.MappingNode):
            sheet.fault(node, key, "empty", "a condition says at least one thing; or write: when: always")
        return None
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _part(
    sheet: Sheet, name_node: yaml.Node, name: str, value: yaml.Node, key: str, depth: int
) -> Condition | None:
    if name == "not":
        inner = read_condition(sheet, value, key, depth + 1)
        return None if inner is None else Not(inner)
    if name in {"all", "any"}:
        nodes = sheet.items(value, key, most=MAX_PARTS)
        read = [read_condition(sheet, each, f"{key}/{index}", depth + 1) for index, each in enumerate(nodes)]
        parts = tuple(part for part in read if part is not None)
        return All(parts) if name == "all" else AnyOf(parts)
    fact = VOCABULARY.get(name)
    if fact is None:
        known = [*VOCABULARY, "all", "any", "not"]
        reason = f"there is no fact {name}{nearest(name, known)}: docs/policies.md lists them all"
        sheet.fault(name_node, key, "unknown_fact", reason)
        return None
    return _comparisons(sheet, name, fact, value, key)


def _comparisons(sheet: Sheet, name: str, fact: FactType, node: yaml.Node, key: str) -> Condition | None:
    operators = [*OPERATORS[fact.form], SAID]
    if not isinstance(node, yaml.MappingNode) or not node.value:
        example = f"{{{operators[0]}: …}}"
        reason = f"say how to compare it, as in {name}: {example}, not {a(kind_of(node))}"
        sheet.fault(node, key, "wrong_type", reason)
        return None
    parts: list[Condition] = []
    for word_node, word, value in sheet.entries(node, key, "a comparison"):
        place = f"{key}/{word}"
        if word not in operators:
            reason = f"{name} is {_FORMS[fact.form]}: it takes {', '.join(operators)}"
            sheet.fault(word_node, place, "unknown_operator", reason)
            continue
        operand = _operand(sheet, fact, word, value, place)
        if operand is not None:
            parts.append(Comparison(name, word, operand))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


_FORMS = {
    Form.FLAG: "true or false",
    Form.WORD: "one word",
    Form.WORDS: "a set of words",
    Form.NUMBER: "a number",
}


def _operand(sheet: Sheet, fact: FactType, word: str, node: yaml.Node, key: str) -> Any:
    if word == SAID or fact.form is Form.FLAG:
        return sheet.flag(node, key)
    if fact.form is Form.NUMBER:
        return sheet.number(node, key)
    read: Callable[[yaml.Node, str], str | None] = lambda each, place: _word(sheet, fact, each, place)  # noqa: E731
    if word not in LISTS:
        return read(node, key)
    nodes = sheet.items(node, key, most=MAX_WORDS)
    words = [read(each, f"{key}/{index}") for index, each in enumerate(nodes)]
    return frozenset(each for each in words if each is not None) if nodes else None


def _word(sheet: Sheet, fact: FactType, node: yaml.Node, key: str) -> str | None:
    if fact.values is None:
        return sheet.text(node, key, most=200)
    return sheet.choice(node, key, fact.values, "unknown_value")
