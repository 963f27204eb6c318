"""Whether a model may be asked on a given day. A catalogue file may be older than a model's end of life."""

from datetime import date, timedelta
from typing import Literal

from circletake.domain.kinds import Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelCard, ModelUse, Violation


def lifecycle_on(card: ModelCard, day: date) -> Literal["active", "legacy", "eol"]:
    """Return the model's lifecycle on `day`: a date of end that has come counts, whatever the file says."""
    if card.eol_on is not None and card.eol_on <= day:
        return "eol"
    return card.lifecycle


def ends_within(card: ModelCard, day: date, notice: timedelta) -> bool:
    """Say whether the model ends within `notice` of `day`, so that a lock on it must warn."""
    return card.eol_on is not None and day < card.eol_on <= day + notice


def serves(card: ModelCard, kind: Kind | LanguageTask) -> bool:
    """Say whether a model makes this kind, or does this language task."""
    return ModelUse.LANGUAGE in card.uses if isinstance(kind, LanguageTask) else kind in card.kinds


def refusal(
    card: ModelCard, kind: Kind | LanguageTask, day: date, *, pointer: str = "/model"
) -> Violation | None:
    """Return why this model can't run this kind, or do this language task, on `day`, or None."""
    if lifecycle_on(card, day) == "eol":
        ended = f" on {card.eol_on.isoformat()}" if card.eol_on else ""
        successor = f" {card.successor}" if card.successor else ""
        return Violation(pointer, "model_ended", f"{card.name} ended{ended}.{successor}")
    if serves(card, kind):
        return None
    if isinstance(kind, Kind):
        kinds = ", ".join(sorted(card.kinds)) or "no generations"
        return Violation(pointer, "kind_not_served", f"{card.name} serves {kinds}. Choose another model.")
    return Violation(
        pointer, "task_not_served", f"{card.name} is no language model: see GET /v1/models?use=language."
    )
