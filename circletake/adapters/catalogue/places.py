"""YAML with the line of every value, so that a message about a file can say where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

# libyaml where the wheel brings it: the same language, many times as fast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogueFault(Exception):
    """A catalogue file that can't be used. The message names the file, the line and what to change."""


def load_yaml(path: Path) -> tuple[Any, yaml.Node]:
    """Return the content and its node tree. Raises CatalogueFault, also for a key given twice."""
    try:
        loader = _Loader(path.read_text("utf-8"))
        try:
            node = loader.get_single_node()
            if node is None:
                raise CatalogueFault(f"{path}: the file is empty")
            _refuse_repeated_keys(path, node, set())  # before merge keys are dissolved into the tree
            return loader.construct_document(node), node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogueFault(f"{path}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise CatalogueFault(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueFault(f"{path}: {error}") from error


def line_of(node: yaml.Node, steps: Sequence[str | int]) -> int:
    """Return the line (from 1) of the value at `steps`, or of the nearest thing around it."""
    for step in steps:
        found = _child(node, step)
        if found is None:
            break
        node = found
    return int(node.start_mark.line) + 1


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    found: yaml.Node | None = None
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found = node.value[step]
    elif isinstance(node, yaml.MappingNode):
        found = next((value for key, value in node.value if key.value == str(step)), None)
    return found


def _refuse_repeated_keys(path: Path, node: yaml.Node, seen: set[int]) -> None:
    """PyYAML takes the last of two equal keys in silence."""
    if id(node) in seen:  # an anchor's node stands in several places
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _refuse_repeated_keys(path, each, seen)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                raise CatalogueFault(f"{path}:{key.start_mark.line + 1}: {key.value!r} is given twice")
            keys.add(key.value)
            _refuse_repeated_keys(path, value, seen)
