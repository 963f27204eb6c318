"""YAML from people we don't know: one document of plain values, bounded, every one with its line and column."""

import re
from typing import Any

import yaml

from circletake.domain.policy.packs import PackFault, PackRefused

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
MAX_NESTING = 24

# libyaml where the wheel brings it: the same language, many times as fast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUL_AND_KIN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

PLAIN = {"tag:yaml.org,2002:" + each: each for each in ("str", "int", "float", "bool", "null", "timestamp")}


def compose(name: str, text: bytes) -> yaml.Node:
    """Return the document's tree. Raises PackRefused for what isn't one plain, bounded document."""
    if len(text) > MAX_BYTES:
        raise _refused(name, None, "too_large", f"a pack has at most {MAX_BYTES} bytes")
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        fault = PackFault(line, 1, "/", "not_utf8", "write it in UTF-8")
        raise PackRefused(name, [fault]) from None
    if _NUL_AND_KIN.search(decoded):
        raise _refused(name, None, "not_text", "remove the control characters")
    try:
        _look_through(name, decoded)
        node = yaml.compose(decoded, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "this is not YAML"
        raise _refused(name, error.problem_mark, "not_yaml", problem) from None
    except yaml.YAMLError:
        raise _refused(name, None, "not_yaml", "this is not YAML") from None
    if node is None:
        raise _refused(name, None, "empty", "there is nothing in it")
    return node


def _look_through(name: str, text: str) -> None:
    """Refuse what could be small on paper and huge in memory, before anything is built."""
    depth = values = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        values += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        found = _unwelcome(event) or _past_a_bound(depth, values, documents)
        if found is not None:
            raise _refused(name, event.start_mark, *found)


def _unwelcome(event: yaml.Event) -> tuple[str, str] | None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "anchor", "no anchors (&) and no aliases (*) here: write it out"
    if getattr(event, "tag", None) is not None:
        return "tag", "no tags (!) here: write a plain value"
    return None


def _past_a_bound(depth: int, values: int, documents: int) -> tuple[str, str] | None:
    if documents > 1:
        return "second_document", "a pack is one document: remove the second ---"
    if depth > MAX_NESTING:
        return "too_deep", f"it nests deeper than {MAX_NESTING}"
    if values > MAX_VALUES:
        return "too_many", f"it has more than {MAX_VALUES} values"
    return None


def _refused(name: str, mark: Any, code: str, reason: str) -> PackRefused:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return PackRefused(name, [PackFault(line, column, "/", code, reason)])


def kind_of(node: yaml.Node) -> str:
    """Return what a value is, in words that YAML's own specification uses."""
    if isinstance(node, yaml.MappingNode):
        return "mapping"
    if isinstance(node, yaml.SequenceNode):
        return "list"
    return PLAIN.get(node.tag, "value")
