"""`python -m evaluation --data DIR`: score a labelled folder and say how good the shipped judging is on it."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.adapters.vision.likeness.weights import WeightsFault
from circletake.domain.consistency.rules import JudgingRules
from circletake.domain.consistency.words import Aspect
from circletake.kit.children import ChildPool
from evaluation import broken, made, pairs, plans, sequences
from evaluation.folder import Folder, NotAFolder, read
from evaluation.judge import Judge
from evaluation.making import Maker
from evaluation.questions import Row
from evaluation.report import table, write_scores, write_summary
from evaluation.who import Who, sort_out

PARTS = ("face", "look", "breaks", "grades", "sequence", "not_assessable")
REFUSED = 2

_DESCRIPTION = """\
Scores a folder of pictures with known answers by the evaluator and the thresholds that this version ships: who is who,
which shots break and in which aspect, what cannot be judged. Prints a table; every score goes to eval-scores.csv, the
figures to eval.json. What a folder has no pictures for is null there, never zero. docs/evaluation.md says what the
folder looks like and what each figure means.
"""


@dataclass(slots=True)
class Found:
    """Figures and scores as they come in."""

    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def add(self, figures: dict[str, Any], rows: Sequence[Row]) -> None:
        self.summary |= figures
        self.rows += rows


@dataclass(frozen=True, slots=True)
class Bench:
    """What the parts work with."""

    folder: Folder
    who: Who
    judge: Judge
    maker: Maker
    into: Path
    bases: int


def main(argv: Sequence[str] | None = None) -> int:
    asked = _arguments(argv)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - for the children: as many as jobs are busy
    try:
        folder = read(asked.data)
        found = asyncio.run(evaluate(folder, asked.weights, asked.jobs, asked.only, asked.bases))
    except (NotAFolder, WeightsFault) as refused:
        print(refused, file=sys.stderr)
        return REFUSED
    write_scores(asked.out / "eval-scores.csv", found.rows)
    write_summary(asked.out / "eval.json", found.summary)
    print(f"\n{table(found.summary)}\n")
    print(f"{len(found.rows)} scores: {asked.out / 'eval-scores.csv'}, figures: {asked.out / 'eval.json'}")
    return 0


async def evaluate(
    folder: Folder, weights: Path, jobs: int = 2, only: Sequence[str] = PARTS, bases: int = made.BASES
) -> Found:
    """Run the parts asked for. Raises WeightsFault where `make weights` has not been run."""
    rules = load_rules()
    begun = time.monotonic()
    found = Found()
    pool = ChildPool(jobs)
    try:
        evaluator = LikenessEvaluator(pool, weights)
        judge = Judge(evaluator, rules.calibrations, rules.default_profile, jobs)
        with tempfile.TemporaryDirectory(prefix="circletake-eval-") as into:
            who = await sort_out(folder, judge)
            bench = Bench(folder, who, judge, Maker(pool, weights, jobs), Path(into), bases)
            for part in PARTS:
                if part in only:
                    print(f"{time.monotonic() - begun:6.1f} s  {part}", file=sys.stderr, flush=True)
                    await _RUN[part](bench, found)
    finally:
        pool.close()
    found.summary |= {"meta": _meta(folder, who, judge, rules, only), "notes": _notes(bench, rules)}
    for part in ("face", "look", "sequence", "not_assessable"):
        found.summary.setdefault(part, None)
    found.summary["meta"]["seconds"] = round(time.monotonic() - begun, 1)
    return found


async def _face(bench: Bench, found: Found) -> None:
    figures, rows = await pairs.faces(bench.folder, bench.who, bench.judge)
    found.add({"face": figures}, rows)


async def _look(bench: Bench, found: Found) -> None:
    figures, rows = await pairs.looks(bench.folder, bench.who, bench.judge)
    found.add({"look": figures}, rows)


async def _breaks(bench: Bench, found: Found) -> None:
    judged, rows = await broken.breaks(bench.folder, bench.who, bench.judge)
    by_aspect = broken.aspects(judged)
    for aspect, own_figures in by_aspect.items():
        if own_figures is not None:
            own_figures["left_out"] = broken.without_own(judged, bench.judge.evaluator.id, aspect)
    figures: dict[str, Any] = {"breaks": broken.summary(judged)}
    figures |= {aspect.value: by_aspect[aspect] for aspect in (Aspect.HAIR, Aspect.WARDROBE)}
    face = by_aspect[Aspect.FACE]
    if face is not None:
        own = found.summary.get("face") or {}
        figures["face"] = {**own, "breaks": face, "breaks_ece": face["ece"]}
    found.add(figures, rows)


async def _grades(bench: Bench, found: Found) -> None:
    figures, rows = await made.grades(bench.who, bench.judge, bench.maker, bench.into, bench.bases)
    found.add({"grades": figures}, rows)


async def _sequence(bench: Bench, found: Found) -> None:
    leads = max(1, bench.bases // 3)
    wanted = [*plans.of_folder(bench.folder, bench.who), *plans.made(bench.who, bench.into, leads)]
    outcomes = await sequences.judged(bench.judge, bench.maker, wanted)
    found.add({"sequence": sequences.summary(outcomes)}, sequences.rows(outcomes))


async def _not_assessable(bench: Bench, found: Found) -> None:
    figures, rows = await made.hidden(bench.who, bench.judge, bench.maker, bench.into, bench.bases)
    found.add({"not_assessable": figures}, rows)


_RUN = {
    "face": _face,
    "look": _look,
    "breaks": _breaks,
    "grades": _grades,
    "sequence": _sequence,
    "not_assessable": _not_assessable,
}


def _meta(folder: Folder, who: Who, judge: Judge, rules: JudgingRules, only: Sequence[str]) -> dict[str, Any]:
    return {
        "data": str(folder.root),
        "evaluator": str(judge.evaluator.id),
        "calibrations": rules.calibrations_id,
        "profile": rules.default_profile.name,
        "provisional": rules.default_profile.provisional,
        "parts": list(only),
        "pictures": len(folder.pictures),
        "subjects": {
            "people": len(who.faces),
            "human characters": len(who.humans),
            "others": len(who.others),
        },
        "refused": {path.name: why for path, why in judge.refused.items()},
    }


def _notes(bench: Bench, rules: JudgingRules) -> list[str]:
    notes = [f"{complaint}." for complaint in bench.folder.complaints]
    if bench.judge.refused:
        notes.append(f"Pictures that were refused: {len(bench.judge.refused)}; eval.json says why.")
    if bench.maker.unmade:
        notes.append(
            f"Pictures that could not be made (no face found to alter, or nothing left): {len(bench.maker.unmade)}."
        )
    few = len(bench.who.humans)
    if 0 < few < 10:
        notes.append(f"Only {few} human characters: every figure about them hangs on each one.")
    own = [each for (name, _), each in rules.calibrations.entries.items() if name == bench.judge.evaluator.id]
    notes += [
        f"{each.aspect.value} was {each.source}: on those same pictures the figures flatter." for each in own
    ]
    return notes


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the labelled folder")
    parser.add_argument(
        "--out", type=Path, default=Path(".circletake"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--jobs", type=int, default=2, help="pictures looked at side by side (default: 2)")
    parser.add_argument(
        "--only", type=_parts, default=PARTS, metavar="PART,…", help=f"of {', '.join(PARTS)}; default: all"
    )
    parser.add_argument(
        "--bases",
        type=int,
        default=made.BASES,
        help="pictures of people that altered ones are made from (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        default=Path(__file__).resolve().parents[1] / ".tools" / "weights",
        help="where `make weights` put the networks (default: %(default)s)",
    )
    return parser.parse_args(argv)


def _parts(given: str) -> tuple[str, ...]:
    wanted = tuple(part for part in given.split(",") if part)
    unknown = set(wanted) - set(PARTS)
    if unknown or not wanted:
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}"
        )
    return wanted


if __name__ == "__main__":
    sys.exit(main())
