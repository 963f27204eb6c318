"""What a storyboard says of where its pictures come from: computed from the files' lineage, never typed by hand."""

from collections.abc import Iterable, Sequence

from circletake.domain.provenance import SourceType

_BY_A_MODEL = frozenset(
    {SourceType.TRAINED_ALGORITHMIC_MEDIA, SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA}
)
_BY_AN_ALGORITHM = frozenset({SourceType.ALGORITHMIC_MEDIA, SourceType.COMPOSITE_SYNTHETIC})


_KNOWN = frozenset(SourceType)


def source_type_told(on_record: str | None, in_file: str | None) -> str | None:
    """Return a picture's digital source type: what is on record, else what the file's own manifest says, whoever signed
    that. None where nobody says it, or in no word that IPTC knows."""
    return next((each for each in (on_record, in_file) if each in _KNOWN), None)


def made_by_ai(source_type: str | None) -> bool:
    """Whether a trained model made the picture, or part of it."""
    return source_type in _BY_A_MODEL


def disclosure(pictures: Sequence[tuple[int, str | None]], words: Sequence[int] = ()) -> str:
    """Return the line at the foot of every page. `pictures`: panel number and digital source type of its picture;
    `words`: the panels whose words a language model proposed.

    A drawing by an algorithm without a trained model, as the offline stand-in's, is called that and not AI.
    """
    model = [number for number, source_type in pictures if source_type in _BY_A_MODEL]
    algorithm = [number for number, source_type in pictures if source_type in _BY_AN_ALGORITHM]
    parts = []
    if model:
        parts.append(f"AI-generated pictures: {_panels(model)}")
    if words:
        parts.append(f"AI-generated words: {_panels(words)}")
    if algorithm:
        parts.append(f"made by an algorithm, not by a trained model: {_panels(algorithm)}")
    return "; ".join(parts) or "Nothing here is on record as AI-generated"


def _panels(numbers: Sequence[int]) -> str:
    word = "panel" if len(numbers) == 1 else "panels"
    return f"{word} {ranges(numbers)}"


def ranges(numbers: Iterable[int]) -> str:
    """`1–3, 5, 8–9`."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)
