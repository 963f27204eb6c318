"""Which rungs of a retry ladder a model can serve, known from its card and its dialect. Pure.

`new_seed`            the same request once more, drawn anew
`image_to_image`      from an approved take as the reference, with a strength
`keyframe`            an approved frame as the first frame of a clip
`inpaint_region`      only the region that failed, inside a matte, in words
`other_model`         another model of the catalogue that serves the same kind from the same pictures: a question of
                      the catalogue, not of one card, so `other_models` answers it
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from circletake.dialects.checks import (
    ANOTHER_MODEL,
    input_limits,
    prompt_rule,
    required_slots,
    taken_slots,
)
from circletake.dialects.contract import RequestShape
from circletake.dialects.registry import DIALECTS
from circletake.domain.availability import lifecycle_on
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard, Violation

NEW_SEED = "new_seed"
IMAGE_TO_IMAGE = "image_to_image"
KEYFRAME = "keyframe"
INPAINT_REGION = "inpaint_region"
OTHER_MODEL = "other_model"
RUNGS = (NEW_SEED, IMAGE_TO_IMAGE, KEYFRAME, INPAINT_REGION, OTHER_MODEL)


def rungs_served(card: ModelCard, kind: Kind) -> frozenset[str]:
    """Return the rungs that this model serves for this kind; nothing for a model that ended or doesn't serve it.

    A model without a seed serves `new_seed` as well: it draws anew at every call, only not repeatably.
    `inpaint_region` is of a model that fills a matte from words; whether a take of another kind may be its plate is
    the use case's to say.
    """
    if card.lifecycle == "eol" or card.dialect not in DIALECTS or kind not in card.kinds:
        return frozenset()
    rule = RULES[kind]
    slots = {slot for slot in rule.slots - rule.not_sent if input_limits(card, slot) is not None}
    found = {NEW_SEED}
    if InputSlot.REFERENCE in slots and "strength" in card.controls:
        found.add(IMAGE_TO_IMAGE)
    if InputSlot.FIRST_FRAME in slots:
        found.add(KEYFRAME)
    if InputSlot.MATTE in slots and prompt_rule(kind, card) != "refused":
        found.add(INPAINT_REGION)
    return frozenset(found)


def serves(card: ModelCard, kind: Kind, slots: Collection[InputSlot], *, prompted: bool) -> bool:
    """Say whether a live model can make this kind from pictures in just these slots, with a prompt or without.

    What it can't know of a request, sizes and controls for example, its dialect's `check` says.
    """
    if NEW_SEED not in rungs_served(card, kind):
        return False
    asked = frozenset(slots)
    if not required_slots(kind, card) <= asked <= taken_slots(kind, card):
        return False
    return prompt_rule(kind, card) != ("refused" if prompted else "required")


def able_models(
    cards: Sequence[ModelCard], kind: Kind, slots: Collection[InputSlot], *, prompted: bool
) -> list[ModelCard]:
    """Return the live models that can make this kind from pictures in just these slots, cheapest first."""
    able = [card for card in cards if serves(card, kind, slots, prompted=prompted)]
    return sorted(able, key=lambda card: (card.price.usd, card.id))


def name_able_models(
    found: Sequence[Violation], cards: Sequence[ModelCard], request: RequestShape, *, on: date
) -> list[Violation]:
    """Return the violations, those that send people to the catalogue naming the models that could make the request on
    that day."""
    if not any(each.message.endswith(ANOTHER_MODEL) for each in found):
        return list(found)
    live = [card for card in cards if lifecycle_on(card, on) != "eol"]
    able = able_models(live, request.kind, request.inputs, prompted=request.prompt is not None)
    if not able:
        return list(found)
    instead = f"Leave it out, or choose {' or '.join(card.id for card in able)}."
    return [replace(each, message=each.message.replace(ANOTHER_MODEL, instead)) for each in found]


def other_models(
    card: ModelCard,
    kind: Kind,
    cards: Sequence[ModelCard],
    *,
    slots: Collection[InputSlot] = (),
    prompted: bool = True,
) -> list[ModelCard]:
    """Return the live models beside this one that could be asked for the same, cheapest first."""
    return [each for each in able_models(cards, kind, slots, prompted=prompted) if each.id != card.id]
