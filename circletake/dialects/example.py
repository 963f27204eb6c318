"""The smallest request that a model takes, to show how an entry of the catalogue translates."""

from circletake.dialects.checks import input_limits, prompt_rule, required_slots
from circletake.domain.fitting import fit_within
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard, ModelRequest, Picture

_SIDE = 256
_SEED = 7


def example_request(card: ModelCard, kind: Kind, *, data: bytes = b"") -> ModelRequest:
    """Return a request of only what the kind and the model need; `data` stands for every picture."""
    slots = required_slots(kind, card) - RULES[kind].not_sent
    return ModelRequest(
        kind,
        "what to see" if prompt_rule(kind, card) == "required" else None,
        None,
        _SEED if card.seed == "honoured" else None,
        {"extend": {"left": 64}} if "extend" in card.controls else {},
        {slot: _picture(card, slot, data) for slot in slots},
        "what to find" if RULES[kind].search == "required" else None,
    )


def _picture(card: ModelCard, slot: InputSlot, data: bytes) -> Picture:
    fit = fit_within(_SIDE, _SIDE, input_limits(card, slot) or {})
    return Picture(data, "image/png", fit.width, fit.height, fit.scale)
