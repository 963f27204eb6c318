"""`python -m benchmarks`: bring a stack up, measure, print a table and write `bench.json`."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks import accept, batch, consistency, season, start, takes
from benchmarks.report import Measure, table, write
from benchmarks.studio import open_studio, running
from services.embedded.home import default_home
from services.embedded.stack import Stack

_DESCRIPTION = """\
Measures, each beside the bare work it is held against and in the same run: accept throughput, start latency, takes per
second, processor time per take, that of a consistency check beside the networks it runs on, and a batch of 7,000 takes
beside one of 70. The work is
concept_art without inputs, one 1024 x 1024 JPEG per take, from an instant model, and 24 stills with ten characters;
session and data key are warm and Postgres is durable. The stack is the benchmark's own and is removed
afterwards. Ratios of one run can be compared between machines; the other figures can't.
"""

# accept comes last: it stops the dispatcher and the workers, and leaves work behind that nobody runs
PARTS = {
    "start": start.measure,
    "takes": takes.measure,
    "consistency": consistency.measure,
    "season": season.measure,
    "batch": batch.measure,
    "accept": accept.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", choices=[*PARTS], action="append", help="measure this part only; may be given again"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=default_home() / "bench.json",
        help="where to write the figures (default: %(default)s); with --only nothing is written unless given",
    )
    given = parser.parse_args()
    begun = time.monotonic()
    parts = [name for name in PARTS if not given.only or name in given.only]
    with tempfile.TemporaryDirectory(prefix="circletake-bench-") as folder:
        print("starting a stack …", flush=True)
        with running(Path(folder) / "home") as stack:
            measures = asyncio.run(_measure(stack, parts))
    print(f"\n{table(measures)}\n\n{time.monotonic() - begun:.0f} s in all", flush=True)
    if not given.only or given.out != parser.get_default("out"):
        write(measures, given.out)
        print(f"written to {given.out}")
    return 0


async def _measure(stack: Stack, parts: list[str]) -> list[Measure]:
    measures: list[Measure] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as http:
        studio = await open_studio(stack, http)
        for name in parts:
            print(f"measuring: {name}", flush=True)
            found = await PARTS[name](studio)
            print(
                "".join(f"  {one.name} {one.value:.3f} {one.unit}: {one.spread}\n" for one in found),
                flush=True,
            )
            measures += found
        await studio.rows.close()
    return measures


if __name__ == "__main__":
    sys.exit(main())
