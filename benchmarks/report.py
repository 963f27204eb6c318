"""What a run measured: as a table for people, as JSON for machines."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `floor` is the aim it is held against; None where there is none."""

    name: str
    value: float
    unit: str
    floor: float | None
    better: Literal["higher", "lower"]
    spread: str

    @property
    def met(self) -> bool | None:
        if self.floor is None:
            return None
        return self.value >= self.floor if self.better == "higher" else self.value <= self.floor


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` of all don't exceed."""
    ordered = sorted(values)
    rank = -(-len(ordered) * round(share * 100) // 100)
    return ordered[max(0, rank - 1)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Show every round, so that noise can be told from a change."""
    shown = " ".join(f"{value:.{digits}f}" for value in values)
    return f"median {statistics.median(values):.{digits}f} of {shown}"


def table(measures: Sequence[Measure]) -> str:
    lines = [f"{'':26} {'value':>9}  {'':8} {'aim':>9}  {'':6} spread"]
    for one in measures:
        sign = ">=" if one.better == "higher" else "<="
        aim = f"{sign} {one.floor:g}" if one.floor is not None else ""
        verdict = {True: "met", False: "MISSED", None: ""}[one.met]
        lines.append(f"{one.name:26} {one.value:9.3f}  {one.unit:8} {aim:>9}  {verdict:6} {one.spread}")
    return "\n".join(lines)


def write(measures: Sequence[Measure], path: Path) -> None:
    document = {
        one.name: {"value": round(one.value, 4), "unit": one.unit, "floor": one.floor} for one in measures
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(document, indent=2) + "\n")
    fresh.replace(path)
