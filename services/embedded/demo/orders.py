"""What the demo asks for."""

from collections.abc import Mapping
from typing import Any

from services.embedded.demo.plates import Material


def requests_for(
    material: Material,
    takes: int,
    production: Mapping[str, Any],
    shots: Mapping[str, str],
    media: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return the bodies of `POST /v1/generations`. `shots`: four ids by code; `media`: ids of plate and mattes."""
    extension, cleanup, element, previs = shots.values()
    plate = {"plate": media["plate"]}
    wanted: list[dict[str, Any]] = [
        {
            "kind": "set_extension",
            "shot_id": extension,
            "inputs": plate,
            "prompt": material.extension_prompt,
            "controls": {"extend": material.extend, "creativity": 0.2},
            "takes": takes,
        },
        {
            "kind": "cleanup",
            "shot_id": cleanup,
            "inputs": plate | {"matte": media["cleanup_matte"]},
            "controls": {"grow_mask": 2},
            "takes": takes,
        },
        {
            "kind": "element",
            "shot_id": element,
            "inputs": plate | {"matte": media["element_matte"]},
            "prompt": material.element_prompt,
            "takes": takes,
        },
        {
            "kind": "concept_art",
            "prompt": material.concept_prompt,
        },
        {
            "kind": "previs_shot",
            "shot_id": previs,
            "inputs": {"first_frame": media["plate"]},
            "prompt": material.previs_prompt,
        },
    ]
    # a seed makes the demo's pictures the same every time
    for at, one in enumerate(wanted):
        one |= {"production_id": production["id"], "external_ref": f"demo-{at + 1}"}
        if one["kind"] != "previs_shot":
            one["seed"] = 1000 * (at + 1)
    return wanted
