"""Which rungs of a retry ladder a model can serve, known from its card and its dialect. Pure.

`new_seed`            the same request once more, drawn anew
`image_to_image`      from an approved take as the reference, with a strength
`keyframe`            an approved frame as the first frame of a clip
`inpaint_region`      only the region that failed, inside a matte, in words
`other_model`         another model of the catalogue that serves the same kind: a question of the catalogue, not of one
                      card, so `other_models` answers it
"""

from collections.abc import Sequence

from circletake.dialects.checks import input_limits
from circletake.dialects.registry import DIALECTS
from circletake.domain.kinds import RULES, InputSlot, Kind
from circletake.domain.pictures import ModelCard

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
    slots = rule.required | rule.optional
    found = {NEW_SEED}
    if _takes(card, InputSlot.REFERENCE) and InputSlot.REFERENCE in slots and "strength" in card.controls:
        found.add(IMAGE_TO_IMAGE)
    if _takes(card, InputSlot.FIRST_FRAME) and InputSlot.FIRST_FRAME in slots:
        found.add(KEYFRAME)
    if _takes(card, InputSlot.MATTE) and InputSlot.MATTE in slots and rule.prompt != "refused":
        found.add(INPAINT_REGION)
    return frozenset(found)


def other_models(card: ModelCard, kind: Kind, cards: Sequence[ModelCard]) -> list[ModelCard]:
    """Return the live models beside this one that serve the kind, cheapest first."""
    others = [each for each in cards if each.id != card.id and NEW_SEED in rungs_served(each, kind)]
    return sorted(others, key=lambda each: (each.price.usd, each.id))


def _takes(card: ModelCard, slot: InputSlot) -> bool:
    return input_limits(card, slot) is not None
