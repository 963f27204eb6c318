"""Reading one value after the other from a marked tree, and collecting everything that is wrong on the way."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

import yaml

from circletake.adapters.catalogue.marked import kind_of
from circletake.domain.policy.packs import PackFault

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
MAX_FAULTS = 100  # told of one text
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})


class Sheet:
    """The faults of one text. A reader that can't read a value notes why and returns None, so that one look at a
    text finds everything."""

    def __init__(self) -> None:
        self.faults: list[PackFault] = []

    def fault(self, node: yaml.Node, key: str, code: str, reason: str) -> None:
        mark = node.start_mark
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(
                PackFault(mark.line + 1, mark.column + 1, key[:300] or "/", code, reason[:1000])
            )

    def mapping(
        self, node: yaml.Node, key: str, required: Collection[str], optional: Collection[str] = ()
    ) -> dict[str, yaml.Node]:
        """Return a mapping's values by their keys, those that are known only."""
        found: dict[str, yaml.Node] = {}
        known = [*required, *optional]
        for name_node, name, value in self.entries(node, key, f"a mapping with {_listed(known)}"):
            if name not in known:
                reason = f"there is no such key here{nearest(name, known)}; there are: {_listed(known)}"
                self.fault(name_node, f"{key}/{name}", "unknown_key", reason)
            else:
                found[name] = value
        if isinstance(node, yaml.MappingNode):
            for name in required:
                if name not in found:
                    self.fault(node, f"{key}/{name}", "missing_key", f"{name} is missing")
        return found

    def entries(self, node: yaml.Node, key: str, wanted: str) -> Iterator[tuple[yaml.Node, str, yaml.Node]]:
        """Yield a mapping's keys and values, whatever they are; a key that is given twice once."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, key, "wrong_type", f"give {wanted}, not {a(kind_of(node))}")
            return
        seen: set[str] = set()
        for name_node, value in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self.fault(name_node, key, "wrong_type", "a key is a word")
            elif name_node.value in seen:
                place = f"{key}/{name_node.value}"
                self.fault(name_node, place, "given_twice", f"{name_node.value} is given twice")
            else:
                seen.add(name_node.value)
                yield name_node, name_node.value, value

    def items(self, node: yaml.Node | None, key: str, *, most: int) -> list[yaml.Node]:
        """Return a list's values; it has at least one."""
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, key, "wrong_type", f"give a list (- … or […]), not {a(kind_of(node))}")
            return []
        if not 1 <= len(node.value) <= most:
            self.fault(node, key, "out_of_range", f"give 1 to {most} here, not {len(node.value)}")
            return []
        return list(node.value)

    def text(self, node: yaml.Node | None, key: str, *, most: int) -> str | None:
        if node is None:
            return None
        kind = kind_of(node)
        if kind != "str":
            quote = ': put it in quotes ("…")' if isinstance(node, yaml.ScalarNode) else ""
            self.fault(node, key, "wrong_type", f"this takes text, not {a(kind)}{quote}")
            return None
        value = str(node.value).strip()
        if not 1 <= len(value) <= most:
            self.fault(node, key, "out_of_range", f"give 1 to {most} characters, not {len(value)}")
            return None
        return value

    def slug(self, node: yaml.Node | None, key: str) -> str | None:
        value = self.text(node, key, most=64)
        if node is None or value is None:
            return None
        if not SLUG.fullmatch(value):
            reason = "use lower-case letters, digits and hyphens, beginning with a letter or a digit"
            self.fault(node, key, "bad_name", reason)
            return None
        return value

    def whole(self, node: yaml.Node | None, key: str) -> int | None:
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode) and _WHOLE.fullmatch(node.value) and int(node.value) > 0:
            return int(node.value)
        self.fault(node, key, "wrong_type", "give a whole number from 1, for example 1")
        return None

    def raw(self, node: yaml.Node | None, key: str, pattern: re.Pattern[str], wanted: str) -> str | None:
        """Return a value as it was written, whatever YAML takes it for."""
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode) and pattern.fullmatch(node.value):
            return str(node.value)
        self.fault(node, key, "wrong_type", f"give {wanted}")
        return None

    def flag(self, node: yaml.Node, key: str) -> bool | None:
        if kind_of(node) == "bool":
            word = node.value.lower()
            if word in _TRUE | _FALSE:
                return word in _TRUE
        self.fault(node, key, "wrong_type", f"this takes true or false, not {a(kind_of(node))}")
        return None

    def number(self, node: yaml.Node, key: str) -> float | None:
        if isinstance(node, yaml.ScalarNode) and node.style is None and _NUMBER.fullmatch(node.value):
            return float(node.value)
        self.fault(node, key, "wrong_type", f"this takes a number, not {a(kind_of(node))}")
        return None

    def choice(self, node: yaml.Node | None, key: str, choices: Collection[str], code: str) -> str | None:
        """Return one of the words that there are."""
        value = self.text(node, key, most=200)
        if node is None or value is None:
            return None
        if value not in choices:
            reason = f"there is no {value!r} here{nearest(value, choices)}; there are: {_listed(choices)}"
            self.fault(node, key, code, reason)
            return None
        return value


def nearest(word: str, known: Collection[str]) -> str:
    """Return a guess at what was meant, ready to be put into a sentence."""
    found = difflib.get_close_matches(word, known, n=1)
    return f" (is {found[0]} meant?)" if found else ""


def _listed(words: Collection[str]) -> str:
    return ", ".join(words if isinstance(words, list | Mapping) else sorted(words))


def a(kind: str) -> str:
    names = {
        "str": "text",
        "int": "a number",
        "float": "a number",
        "bool": "true or false",
        "null": "nothing",
    }
    return names.get(kind, f"a {'date' if kind == 'timestamp' else kind}")
