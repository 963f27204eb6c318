"""What was measured: every score as CSV, the figures as JSON and as a table that a person reads."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.questions import Row

COLUMNS = (
    "part", "group", "aspect", "subject", "references", "query", "same", "score", "values", "verdict", "aspect_verdict", "grade",
    "reasons",
)  # fmt: skip


def write_scores(path: Path, rows: Iterable[Row]) -> None:
    """Write every score in full precision: rounded ones would tie, and ties change error rates."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow(
                [
                    row.part,
                    row.group,
                    row.aspect,
                    row.subject,
                    "|".join(row.references),
                    row.query,
                    "" if row.same is None else int(row.same),
                    "" if row.score is None else repr(row.score),
                    "|".join(f"{value:.6g}" for value in row.values),
                    row.verdict,
                    row.aspect_verdict,
                    row.grade,
                    "|".join(row.reasons),
                ]
            )
    fresh.replace(path)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    fresh.replace(path)


# what a figure is held against: where, its name on the table, aim, whether more is better
AIMS: Sequence[tuple[tuple[str, ...], str, float, bool]] = (
    (("face", "from_one", "tar_far_1e-3"), "people, 1 reference, TAR at FAR 0.1 %", 0.98, True),
    (("face", "from_three", "tar_far_1e-3"), "people, 3 references, TAR at FAR 0.1 %", 0.998, True),
    (("face", "from_two", "false_accept"), "generated people, 2 references, false accepts", 0.04, False),
    (("face", "from_two", "false_reject"), "generated people, 2 references, false rejects", 0.05, False),
    (("look", "from_two", "auc"), "look, 2 references, AUC", 0.96, True),
    (("breaks", "caught", "wardrobe"), "wardrobe breaks caught", 0.97, True),
    (("breaks", "caught", "face"), "face breaks caught", 0.95, True),
    (("breaks", "caught", "hair"), "hair breaks caught", 0.88, True),
    (("breaks", "harmless_called_break"), "harmless grades called a break", 0.04, False),
    (("breaks", "clean_called_break"), "clean shots called a break", 0.01, False),
    (("breaks", "right_aspect"), "right aspect named, of caught", 0.97, True),
    (("face", "breaks_ece"), "calibration error, face", 0.04, False),
    (("hair", "ece"), "calibration error, hair", 0.04, False),
    (("wardrobe", "ece"), "calibration error, wardrobe", 0.04, False),
    (("look", "from_two", "ece"), "calibration error, look", 0.04, False),
    (("not_assessable", "accuracy"), "not assessable, right", 0.95, True),
    (("not_assessable", "small_faces_failed"), "faces under the minimum size that fail", 0, False),
)


def aims(summary: Mapping[str, Any]) -> list[str]:
    lines = ["held against the aims"]
    for path, title, aim, more in AIMS:
        value = _at(summary, path)
        if value is None or (path[0] == "face" and path[1] in _OF_PHOTOGRAPHS and not _photographs(summary)):
            continue
        met = value >= aim if more else value <= aim
        said = "" if met else "MISSED" if _enough(summary, path) else "missed, on too few pairs to say"
        lines.append(f"  {title:52} {value:8.4f}  {'>=' if more else '<='} {aim:<6g} {said}")
    return lines


_OF_PHOTOGRAPHS = frozenset({"from_one", "from_three"})  # their aims were set on many people's photographs


def _photographs(summary: Mapping[str, Any]) -> bool:
    return (summary.get("face") or {}).get("pairs_from") == "pairs_faces.csv"


def _enough(summary: Mapping[str, Any], path: Sequence[str]) -> bool:
    """One false accept in a thousand can't be told from fewer than a thousand different pairs."""
    pairs, same = (_at(summary, [*path[:-1], name]) for name in ("pairs", "same"))
    return path[-1] != "tar_far_1e-3" or (pairs or 0) - (same or 0) >= 1000


def _at(found: Any, path: Sequence[str]) -> float | None:
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return float(found) if isinstance(found, int | float) else None


def table(summary: Mapping[str, Any]) -> str:
    """Draw the summary as text: error rates first, then breaks, grades, sequences."""
    lines = [_ranked(summary), _breaks(summary), _grades(summary), _sequences(summary), _hidden(summary)]
    lines.append("\n".join(aims(summary)))
    notes = summary.get("notes") or []
    if notes:
        lines.append("\n".join(["notes", *(f"  {note}" for note in notes)]))
    return "\n\n".join(line for line in lines if line)


_RANKED = ("auc", "eer", "tar_far_1e-2", "tar_far_1e-3", "ece")


def _ranked(summary: Mapping[str, Any]) -> str:
    lines = [
        f"{'':34}{'pairs':>7}{'AUC':>9}{'EER':>8}{'TAR@1%':>8}{'TAR@.1%':>9}{'ECE':>7}   AUC, 95 % interval"
    ]
    for title, found in _comparisons(summary):
        figures = [
            _number(found.get(name), width) for name, width in zip(_RANKED, (9, 8, 8, 9, 7), strict=True)
        ]
        interval = (found.get("ci") or {}).get("auc")
        said = f"   {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
        lines.append(f"{title:34}{found.get('pairs', ''):>7}{''.join(figures)}{said}")
    return "\n".join(lines)


def _comparisons(summary: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    words = {"from_one": "1 reference", "from_two": "2 references", "from_three": "3 references"}
    for part in ("face", "look", "hair", "wardrobe"):
        found = summary.get(part)
        if not isinstance(found, Mapping):
            yield f"{part}: nothing to score", {}
            continue
        inner = [(words[key], found[key]) for key in words if isinstance(found.get(key), Mapping)]
        if not inner and "auc" in found:
            yield f"{part}, on breaks", found
        for title, each in inner:
            yield f"{part}, {title}", each
            if isinstance(each.get("left_out"), Mapping):
                yield "  each left out of a new fit", each["left_out"]
            for source, own in (each.get("sources") or {}).items():
                if isinstance(own, Mapping):
                    yield f"  {source}", own
        if part == "face" and isinstance(found.get("breaks"), Mapping):
            yield "face, on breaks", found["breaks"]


def _number(value: Any, width: int) -> str:
    return f"{value:{width}.4f}"[: width + 2] if isinstance(value, int | float) else " " * (width - 1) + "-"


def _breaks(summary: Mapping[str, Any]) -> str:
    found = summary.get("breaks")
    if not isinstance(found, Mapping):
        return "breaks: none in this folder, or not asked for"
    lines = [_verdict_head("breaks")]
    lines += [_verdict_line(name, counts) for name, counts in found["verdicts"].items()]
    return "\n".join(lines)


_VERDICTS = ("pass", "needs_human", "fail", "not_assessable")


def _verdict_head(title: str) -> str:
    return f"{title:34}{'shots':>7}" + "".join(f"{name:>16}" for name in _VERDICTS)


def _verdict_line(name: str, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    shares = "".join(f"{counts.get(verdict, 0) / max(1, total):16.1%}" for verdict in _VERDICTS)
    return f"  {name:32}{total:>7}{shares}"


def _grades(summary: Mapping[str, Any]) -> str:
    found = summary.get("grades")
    if not isinstance(found, Mapping):
        return "graded drift: nothing to make it from, or not asked for"
    lines = [_verdict_head("graded drift, made from the folder")]
    lines += [_verdict_line(name, each["verdicts"]) for name, each in found.items()]
    return "\n".join(lines)


def _sequences(summary: Mapping[str, Any]) -> str:
    found = summary.get("sequence")
    if not isinstance(found, Mapping):
        return "sequences: none, or not asked for"
    lines = [f"{'sequences':34}{'shots':>7}{'recall':>9}{'false alarm':>13}{'accuracy':>10}"]
    for name, each in (("all", found), *found.get("kinds", {}).items()):
        lines.append(
            f"  {name:32}{each.get('shots', ''):>7}{_number(each.get('recall'), 9)}"
            f"{_number(each.get('false_alarm'), 13)}{_number(each.get('accuracy'), 10)}"
        )
    return "\n".join(lines)


def _hidden(summary: Mapping[str, Any]) -> str:
    found = summary.get("not_assessable")
    if not isinstance(found, Mapping):
        return "not assessable: nothing to make it from, or not asked for"
    lines = [_verdict_head("not assessable")]
    lines += [_verdict_line(name, counts) for name, counts in found["verdicts"].items()]
    return "\n".join(lines)
