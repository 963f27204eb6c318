"""One row of a batch: what its file says of one generation, before anything is looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from circletake.domain.pictures import Violation

MAX_ROWS = 1_000
MAX_BATCH_TAKES = 10_000

# given key by key: a row changes the ones that it names and leaves the others of the defaults alone
MERGED = ("controls", "inputs", "use")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row. `line` counts the file's lines from 1, or a timeline's clips; `values` are the fields of a request for a
    generation, with `shot` for the shot's code, whatever types stood there. `names`: what else a shot's code may stand
    in, of a timeline's clip."""

    line: int
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    violations: tuple[Violation, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def shot(self) -> str:
        """The shot as a report names it: what stood there, cut to a code's length."""
        code = self.values.get("shot") or self.values.get("shot_id")
        return code[:64] if isinstance(code, str) and code.isprintable() else ""


@dataclass(frozen=True, slots=True)
class BatchFile:
    """What a file says: its rows, and what holds for a row that doesn't say otherwise."""

    rows: Sequence[BatchRow]
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)


def with_defaults(values: Mapping[str, Any], *defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what a row doesn't say; the first defaults that say it win. A null says that there is nothing."""
    whole = dict(values)
    for given in defaults:
        for name, value in given.items():
            mine = whole.get(name)
            if name not in whole:
                whole[name] = value
            elif name in MERGED and isinstance(mine, Mapping) and isinstance(value, Mapping):
                whole[name] = {**value, **mine}
    return whole
