"""A check's codes in the words of people on a set, and the tally a sheet begins with."""

from collections import Counter
from collections.abc import Sequence

from circletake.domain.consistency.words import MISMATCH, Aspect, Reason, Verdict
from circletake.ports import ContinuityCell, ContinuityRow

_REASONS: dict[str, str] = {
    Reason.IDENTITY_BELOW_THRESHOLD: "face differs",
    Reason.WARDROBE_MISMATCH: "wardrobe differs",
    Reason.HAIR_MISMATCH: "hair differs",
    Reason.PALETTE_MISMATCH: "colours differ",
    Reason.STYLE_MISMATCH: "drawn differently",
    Reason.LIKENESS_BELOW_THRESHOLD: "subject differs",
    Reason.WRONG_CHARACTER_COUNT: "head count wrong",
    Reason.SWAPPED_CHARACTERS: "characters swapped",
    Reason.COPY_PASTE_SUSPECTED: "pasted reference?",
    Reason.FACE_TOO_SMALL: "face too small",
    Reason.OCCLUDED: "partly hidden",
    Reason.TURNED_AWAY: "turned away",
    Reason.BLURRED: "too blurred",
    Reason.NO_DETECTION: "not found",
    Reason.NEAR_THRESHOLD: "near the limit",
    Reason.SLOW_DRIFT: "slow drift",
}
_VERDICTS: dict[str, str] = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.NEEDS_HUMAN: "needs human",
    Verdict.NOT_ASSESSABLE: "not assessable",
}
_ASPECTS: dict[str, str] = {
    Aspect.FACE: "face",
    Aspect.HAIR: "hair",
    Aspect.WARDROBE: "wardrobe",
    Aspect.PALETTE: "colours",
    Aspect.STYLE: "style",
    Aspect.OVERALL: "likeness",
}
# What a broken shot is called when no single aspect broke.
_BREAKS: dict[str, str] = {
    Reason.SWAPPED_CHARACTERS: "swapped",
    Reason.WRONG_CHARACTER_COUNT: "head count",
    Reason.COPY_PASTE_SUSPECTED: "pasted",
    Reason.NO_DETECTION: "missing",
    **{reason: _ASPECTS[aspect] for aspect, reason in MISMATCH.items()},
}


def reason_words(cell: ContinuityCell) -> str:
    """The reasons as a line; a code this table doesn't know is shown without its underscores."""
    return ", ".join(_REASONS.get(reason, reason.replace("_", " ")) for reason in cell.reasons)


def verdict_words(cell: ContinuityCell) -> str:
    word = _VERDICTS.get(cell.verdict, cell.verdict.replace("_", " "))
    return word if cell.score is None else f"{cell.score:.2f} {word}"


def break_word(cell: ContinuityCell) -> str:
    """What broke, in one word."""
    if cell.aspect is not None:
        return _ASPECTS.get(cell.aspect, cell.aspect.replace("_", " "))
    return next((_BREAKS[reason] for reason in cell.reasons if reason in _BREAKS), "fail")


def tally(cells: Sequence[ContinuityCell]) -> dict[str, int]:
    """How many cells have each verdict, the worst first; verdicts nobody got are left out."""
    counted = Counter(cell.verdict for cell in cells)
    order = (Verdict.FAIL, Verdict.NEEDS_HUMAN, Verdict.NOT_ASSESSABLE, Verdict.PASS)
    return {verdict.value: counted[verdict] for verdict in order if counted[verdict]}


def tally_word(verdict: str, count: int) -> str:
    return f"{count:,} {_VERDICTS.get(verdict, verdict)}"


def headline(rows: Sequence[ContinuityRow]) -> tuple[str, str]:
    """The sheet in one line, and the verdict whose colour it has."""
    counted = tally([cell for row in rows for cell in row.cells])
    broken = [(row, cell) for row in rows for cell in row.cells if cell.verdict == Verdict.FAIL]
    drifting = [row.name for row in rows if row.slow_drift]
    drift = f"; slow drift: {', '.join(drifting)}" if drifting else ""
    if broken:
        named = [
            f"{cell.label} {break_word(cell)}" + (f" ({row.name})" if len(rows) > 1 else "")
            for row, cell in broken[:12]
        ]
        more = f" and {len(broken) - 12:,} more" if len(broken) > 12 else ""  # noqa: PLR2004 - see above
        return "Breaks: " + ", ".join(named) + more + drift, Verdict.FAIL
    if asked := counted.get(Verdict.NEEDS_HUMAN):
        return f"No shot breaks; {asked:,} to look at{drift}", Verdict.NEEDS_HUMAN
    if drift:
        return f"No shot breaks{drift}", Verdict.NEEDS_HUMAN
    if counted.get(Verdict.PASS):
        return "No shot breaks", Verdict.PASS
    return ("Nothing could be assessed" if counted else "Nothing was checked"), Verdict.NOT_ASSESSABLE
