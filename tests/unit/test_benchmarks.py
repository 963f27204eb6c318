"""The benchmark's command line and the file it leaves."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.report import Measure, percentile, table, write

_REPOSITORY = Path(__file__).resolve().parents[2]


def test_help_says_what_is_measured() -> None:
    """`python -m benchmarks --help` works without a stack."""
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "start latency" in shown.stdout


def test_figures_are_written_with_their_aims(tmp_path: Path) -> None:
    """Whoever reads bench.json finds value, unit and aim by name; what missed its aim is named in the table."""
    slow = Measure("start_latency_ms_p50", 31.25, "ms", 20.0, "lower", "")
    free = Measure("takes_per_second", 9.0, "takes/s", None, "higher", "")
    write([slow, free], tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text()) == {
        "start_latency_ms_p50": {"value": 31.25, "unit": "ms", "floor": 20.0},
        "takes_per_second": {"value": 9.0, "unit": "takes/s", "floor": None},
    }
    assert table([slow, free]).count("MISSED") == 1


def test_percentile_is_a_value_that_was_measured() -> None:
    """Nearest rank: p99 of a hundred values is the ninety-ninth, p50 of two the first."""
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([5.0, 3.0], 0.5) == 3.0
