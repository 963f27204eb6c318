"""Runs a C2PA asset rubric (YAML with json-formula expressions) over a file's crJSON.

Covers the part of json-formula that the rubrics use: fields, indices, projections, filters, flattening, pipes, logic,
comparison, multiplication, literals, the current node, variables, and functions, the rubric's own among them.
Anything else raises, so that a rule is never passed because it wasn't understood. Grammar and precedence: json-formula
1.1 (Adobe), whose projections are JMESPath's.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_TOKEN = re.compile(
    r"""\s*(?:(?P<json>`[^`]*`)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<quoted>'(?:[^'\\]|\\.)*')
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)|(?P<number>\d+(?:\.\d+)?)
    |(?P<op>\[\?|\[\]|\|\||&&|==|!=|<=|>=|[\[\]{}().,:|!<>*@]))""",
    re.VERBOSE,
)
_POWER = {"|": 1, "||": 2, "&&": 3, "==": 5, "!=": 5, "<": 5, ">": 5, "<=": 5, ">=": 5, "*": 7}
_FLATTEN, _PROJECTION_STOP, _FILTER, _DOT, _BRACKET = 9, 10, 21, 40, 55


@dataclass
class Scope:
    root: Any
    variables: Mapping[str, Any]
    own: Mapping[str, "Node"]
    arguments: tuple[Any, ...] = ()


Node = Callable[[Any, Scope], Any]


def truthy(value: Any) -> bool:
    return value is not None and value not in (False, "", 0, [], {})


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SyntaxError(f"not understood: {text[position : position + 30]!r}")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        position = match.end()
    return [*found, ("end", "")]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    @property
    def _next(self) -> str:
        kind, text = self._tokens[self._at]
        return text if kind == "op" else kind

    def _take(self, expected: str | None = None) -> tuple[str, str]:
        token = self._tokens[self._at]
        if expected is not None and self._next != expected:
            raise SyntaxError(f"expected {expected}, found {token}")
        self._at += 1
        return token

    def whole(self) -> Node:
        node = self.expression(0)
        self._take("end")
        return node

    def expression(self, power: int) -> Node:
        left = self._prefix()
        while (binding := self._binding()) > power:
            left = self._infix(left, binding)
        return left

    def _binding(self) -> int:
        return {"[]": _FLATTEN, "[?": _FILTER, ".": _DOT, "[": _BRACKET, **_POWER}.get(self._next, -1)

    def _prefix(self) -> Node:
        if self._next in {"[]", "[?"} or (self._next == "[" and self._tokens[self._at + 1][0] == "number"):
            return self._infix(_current, 0)
        kind, text = self._take()
        if kind == "op":
            return self._prefix_of(text)
        if kind == "quoted":
            return _field(text[1:-1])
        if kind == "name":
            return self._named(text)
        if kind == "end":
            raise SyntaxError("the expression ends too early")
        literal = json.loads(text[1:-1] if kind == "json" else text)
        return lambda data, scope: literal

    def _prefix_of(self, operator: str) -> Node:
        match operator:
            case "@":
                return _current
            case "!":
                negated = self.expression(_BRACKET)
                return lambda data, scope: not truthy(negated(data, scope))
            case "{":
                return self._object()
            case "(" | "[":
                inner = self.expression(0)
                self._take(")" if operator == "(" else "]")
                return inner if operator == "(" else lambda data, scope: [inner(data, scope)]
        raise SyntaxError(f"unexpected {operator!r}")

    def _object(self) -> Node:
        members: dict[str, Node] = {}
        while self._next != "}":
            key = self._take("name")[1]
            self._take(":")
            members[key] = self.expression(0)
            if self._next == ",":
                self._take()
        self._take("}")
        return lambda data, scope: {key: member(data, scope) for key, member in members.items()}

    def _named(self, name: str) -> Node:
        if self._next == "(":
            return self._call(name)
        if name == "$args":
            return lambda data, scope: list(scope.arguments)
        if name.startswith("$"):
            return lambda data, scope: scope.variables[name]
        return _field(name)

    def _call(self, name: str) -> Node:
        self._take("(")
        arguments: list[Node] = []
        while self._next != ")":
            arguments.append(self.expression(0))
            if self._next == ",":
                self._take()
        self._take(")")
        if name == "if":
            condition, yes, no = arguments
            return lambda data, scope: (yes if truthy(condition(data, scope)) else no)(data, scope)
        if not name.startswith("_") and name not in _FUNCTIONS:
            raise SyntaxError(f"no function {name}")

        def call(data: Any, scope: Scope) -> Any:
            values = [argument(data, scope) for argument in arguments]
            if name.startswith("_"):
                inner = Scope(scope.root, scope.variables, scope.own, tuple(values))
                return scope.own[name](scope.root, inner)
            return _FUNCTIONS[name](*values)

        return call

    def _infix(self, left: Node, binding: int) -> Node:
        _, text = self._take()
        match text:
            case ".":
                right = self._after_dot()
                return lambda data, scope: _chain(left(data, scope), right, scope)
            case "[":
                index = int(self._take("number")[1])
                self._take("]")
                return lambda data, scope: _item(left(data, scope), index)
            case "[]":
                each = self._projected()
                return lambda data, scope: _project(_flatten(left(data, scope)), each, scope)
            case "[?":
                keep = self.expression(0)
                self._take("]")
                each = self._projected()
                return lambda data, scope: _project(_filter(left(data, scope), keep, scope), each, scope)
        right = self.expression(binding)
        return _operator(text, left, right)

    def _projected(self) -> Node | None:
        """What applies to each element: everything that binds tighter than the end of a projection."""
        if self._next == ".":
            self._take()
            node = self._after_dot()
        elif self._next in {"[", "[?"}:
            node = self._infix(_current, 0)
        else:
            return None
        while (binding := self._binding()) > _PROJECTION_STOP:
            node = self._infix(node, binding)
        return node

    def _after_dot(self) -> Node:
        kind, text = self._take()
        if kind == "quoted":
            return _field(text[1:-1])
        if kind != "name":
            raise SyntaxError(f"unexpected {text!r} after a dot")
        return self._call(text) if self._next == "(" else _field(text)


def _current(data: Any, scope: Scope) -> Any:
    return data


def _field(name: str) -> Node:
    return lambda data, scope: data.get(name) if isinstance(data, dict) else None


def _chain(value: Any, right: Node, scope: Scope) -> Any:
    return None if value is None else right(value, scope)


def _item(value: Any, index: int) -> Any:
    return value[index] if isinstance(value, list) and index < len(value) else None


def _flatten(value: Any) -> Any:
    if not isinstance(value, list):
        return None
    return [inner for one in value for inner in (one if isinstance(one, list) else [one])]


def _filter(value: Any, keep: Node, scope: Scope) -> Any:
    return [one for one in value if truthy(keep(one, scope))] if isinstance(value, list) else None


def _project(value: Any, each: Node | None, scope: Scope) -> Any:
    if each is None or value is None:
        return value
    return [found for one in value if (found := each(one, scope)) is not None]


def _operator(text: str, left: Node, right: Node) -> Node:
    def pipe(data: Any, scope: Scope) -> Any:
        return right(left(data, scope), scope)

    def either(data: Any, scope: Scope) -> Any:
        value = left(data, scope)
        return value if truthy(value) else right(data, scope)

    def both(data: Any, scope: Scope) -> Any:
        value = left(data, scope)
        return right(data, scope) if truthy(value) else value

    simple: dict[str, Callable[[Any, Any], Any]] = {
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
        "<=": lambda a, b: a <= b,
        ">=": lambda a, b: a >= b,
        "*": lambda a, b: float(a) * float(b),
    }
    lazy: dict[str, Node] = {"|": pipe, "||": either, "&&": both}
    return lazy.get(text) or (lambda data, scope: simple[text](left(data, scope), right(data, scope)))


_TYPES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "contains": lambda subject, wanted: wanted in (subject or ()),
    "startsWith": lambda text, start: str(text or "").startswith(start),
    "endsWith": lambda text, end: str(text or "").endswith(end),
    "split": lambda text, separator: str(text).split(separator),
    "length": lambda value: len(value or ()),
    "keys": list,
    "values": lambda value: list(value.values()),
    "notNull": lambda *values: next((value for value in values if value is not None), None),
    "type": lambda value: _TYPES.get(type(value), "null"),
}


def evaluate(expression: str, document: Any, variables: Mapping[str, Any] | None = None) -> Any:
    return _Parser(expression).whole()(document, Scope(document, variables or {}, {}))


@dataclass(frozen=True)
class Finding:
    rule: str
    passed: bool
    matches: Any = field(default=None)


def run_rubric(rubric: Path, crjson: Any, *, spec_version: str = "2.4") -> list[Finding]:
    """Evaluate every rule. A rule with failIfMatched or warnIfMatched passes when nothing matches."""
    head, rules = yaml.safe_load_all(rubric.read_text())
    own = {name: _Parser(text).whole() for name, text in head.get("expressions", {}).items()}
    scope = Scope(crjson, {**head.get("variables", {}), "$expected_spec_version": spec_version}, own)
    findings = []
    for rule in rules:
        result = _Parser(rule["expression"]).whole()(crjson, scope)
        inverted = rule.get("failIfMatched") or rule.get("warnIfMatched")
        passed = not truthy(result) if inverted else truthy(result)
        findings.append(Finding(rule["id"], passed, result))
    return findings
