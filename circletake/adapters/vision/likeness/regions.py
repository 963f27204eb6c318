"""Hair, wardrobe and palette of a person whose face was found, and how alike those of two pictures are.

Runs in a child process only.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from circletake.adapters.vision.likeness.copies import face_print
from circletake.adapters.vision.likeness.lights import lights, skin_of
from circletake.adapters.vision.likeness.palettes import alike, palette_of, shift, to_lab, to_linear
from circletake.adapters.vision.likeness.persons import Person, cut_person, expected_places
from circletake.domain.consistency.words import Aspect, Reason

REGIONS = {Aspect.HAIR: "hair", Aspect.WARDROBE: "torso", Aspect.PALETTE: "whole"}

# Shares of a region's usual place that must lie in the frame, and that must show the person, to be judged.
_ROOM_FOR_HAIR, _HAIR_SHOWN = 0.5, 0.12
_ROOM_FOR_TORSO, _TORSO_SHOWN = 0.4, 0.25

_SKIN = 9.0  # weighted Lab distance within which a colour is the skin's
_HAIR_LEFT = 0.3  # share of the hair that must be left without the skin: else it is hair of the skin's colour


def describe_person(rgb: Any, landmarks: Any) -> tuple[dict[str, Any], dict[Aspect, Reason]]:
    """Palettes of a person's regions in an RGB uint8 frame, and why a region has none.

    `landmarks` (5, 2) in pixels of `rgb`, two per eye, then the nose's. Arrays: skin (5, 3), hair, sides (hair below
    a hat), torso, whole (n, 4), print (the face for `copies`). A region that can't be judged is missing and in the doubts; it never reads as a
    difference.
    """
    person = cut_person(rgb, landmarks)
    if person is None:
        return {}, dict.fromkeys(REGIONS, Reason.FACE_TOO_SMALL)
    doubts = _doubts(person)
    linear = to_linear(person.rgb)
    out: dict[str, Any] = {"print": face_print(rgb, landmarks)}
    if person.skin.any():
        out["skin"] = skin_of(linear[person.skin])
    if Aspect.HAIR not in doubts:
        hair = person.hair
        if "skin" in out:  # a forehead or an ear inside the region isn't hair
            away = (to_lab(linear) - to_lab(out["skin"][2:3])) * np.array([0.5, 1, 1], np.float32)
            bare = hair & ((away * away).sum(-1) >= _SKIN**2)
            hair = bare if bare.sum() >= _HAIR_LEFT * hair.sum() else hair
        out["hair"] = palette_of(person.rgb[hair])
        out["sides"] = palette_of(person.rgb[hair & ~person.crown])
    if Aspect.WARDROBE not in doubts:
        out["torso"] = palette_of(person.rgb[person.torso])
    if Aspect.PALETTE not in doubts:
        out["whole"] = palette_of(person.rgb[person.person], 24)
    return out, doubts


def _doubts(person: Person) -> dict[Aspect, Reason]:
    places = expected_places()
    doubts: dict[Aspect, Reason] = {}
    if _share(person.inside, places.hair) < _ROOM_FOR_HAIR or _share(person.hair, places.hair) < _HAIR_SHOWN:
        doubts[Aspect.HAIR] = Reason.OCCLUDED
    if (
        _share(person.inside, places.torso) < _ROOM_FOR_TORSO
        or _share(person.torso, places.torso) < _TORSO_SHOWN
    ):
        doubts[Aspect.WARDROBE] = doubts[Aspect.PALETTE] = Reason.OCCLUDED
    return doubts


def _share(mask: Any, place: Any) -> float:
    return float((mask & place).sum() / place.sum())


def compare_person(reference: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[Aspect, tuple[float, ...]]:
    """Raw values per aspect that both describe, larger is more alike: how alike the palettes are as they are, and in
    the light that suits best, 0-1; for the wardrobe also the shift of its mean colour in the light that suits best,
    negative, in Lab steps. The light is told from the skin alone, so a changed costume can't explain itself away."""
    shown = [
        aspect
        for aspect, region in REGIONS.items()
        if len(reference.get(region, ())) and len(seen.get(region, ()))
    ]
    if not shown:
        return {}
    ours, theirs = ([each[REGIONS[aspect]] for aspect in shown] for each in (seen, reference))
    # all regions' colours at once: they stand in one light
    colours = np.concatenate(ours)[None, :, :3]
    if "skin" in reference and "skin" in seen:
        colours = lights(colours[0], seen["skin"], reference["skin"])
    labs = to_lab(colours)
    their_labs = to_lab(np.concatenate(theirs)[:, :3])
    out: dict[Aspect, tuple[float, ...]] = {}
    at = their_at = 0
    for aspect, our, their in zip(shown, ours, theirs, strict=True):
        pair = (
            labs[:, at : at + len(our)],
            our[:, 3],
            their_labs[their_at : their_at + len(their)],
            their[:, 3],
        )
        at, their_at = at + len(our), their_at + len(their)
        found = alike(*pair)
        out[aspect] = (float(found[0]), float(found.max()))
        if aspect is Aspect.WARDROBE:
            out[aspect] += (-float(shift(*pair).min()),)
    return out
