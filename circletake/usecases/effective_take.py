"""What a take is really made with: its generation's request, and whatever of it the take changes.

`takes.changes` is null, or {"rung", "kind"?, "model_id"?, "lock_id"?, "inputs"?, "controls"?, "controls_report"?,
"region"?, "instead_of"?, "because"?}. A member that is there replaces the generation's whole: `inputs` and `controls`
are complete, not merged. `lock_id` is of the production's choice that the model's card is of; a take that fell back says
which model it stands in for, and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from circletake.domain.kinds import InputSlot, Kind
from circletake.records.generations import Generation, Take


@dataclass(frozen=True, slots=True)
class TakeView:
    """A take with the generation that it is of."""

    generation: Generation
    take: Take


def report_of(view: TakeView) -> list[dict[str, Any]]:
    """What became of each control that was asked for, with the value really sent for this take."""
    report = (view.take.changes or {}).get("controls_report", view.generation.controls_report)
    return [
        {**line, "sent": view.take.seed} if line["control"] == "seed" and line["sent"] is not None else line
        for line in report
    ]


def kind_of(generation: Generation, take: Take) -> Kind:
    return Kind((take.changes or {}).get("kind", generation.kind))


def model_of(generation: Generation, take: Take) -> str:
    model: str = (take.changes or {}).get("model_id", generation.model_id)
    return model


def controls_of(generation: Generation, take: Take) -> Mapping[str, Any]:
    controls: Mapping[str, Any] = (take.changes or {}).get("controls", generation.controls)
    return controls


def changed_inputs(changes: Mapping[str, Any] | None) -> dict[InputSlot, UUID] | None:
    """Return the media files that stand in for the generation's inputs; None: the generation's own."""
    inputs = (changes or {}).get("inputs")
    return None if inputs is None else {InputSlot(slot): UUID(media) for slot, media in inputs.items()}
