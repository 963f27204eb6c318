"""The manifest definition of one output, in the JSON form that the C2PA library reads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from circletake.domain.provenance import (
    ACTIONS_LABEL,
    AI_DISCLOSURE_LABEL,
    GENERATION_LABEL,
    SPEC_VERSION,
    TRAINING_MINING_LABEL,
    TRAINING_MINING_USES,
    SourceType,
)
from circletake.ports import Ingredient, SignRequest

GENERATOR = "Circletake"

# What is not named here is "gathered": in the manifest, but not attributed to the signer. The names of actions and
# ingredients stand without their version, as the library compares them.
CREATED_ASSERTION_LABELS = (
    "c2pa.actions",
    "c2pa.ingredient",
    "c2pa.soft-binding",
    AI_DISCLOSURE_LABEL,
    TRAINING_MINING_LABEL,
    GENERATION_LABEL,
)


@dataclass(frozen=True, slots=True)
class ManifestPlan:
    """`ingredients[i]` describes `request.ingredients[i]`."""

    definition: Mapping[str, Any]
    ingredients: tuple[Mapping[str, Any], ...]


def plan(request: SignRequest, *, version: str, signed_ingredients: Collection[int] = ()) -> ManifestPlan:
    """Lay out the manifest of a request. `signed_ingredients`: indices of those that carry a manifest themselves.

    With a parent the story is: opened it, edited it with the model. Without one: created by the model. Every
    componentOf ingredient is placed. `request.actions` follow; where one names ingredients in
    `parameters.ingredientIds`, it names them by SHA-256.
    """
    ingredients = tuple(
        _ingredient(one, index, signed=index in signed_ingredients)
        for index, one in enumerate(request.ingredients)
    )
    assertions = [
        {"label": ACTIONS_LABEL, "data": {"allActionsIncluded": True, "actions": _actions(request)}},
        {
            "label": TRAINING_MINING_LABEL,
            "data": {"entries": {use: {"use": "notAllowed"} for use in TRAINING_MINING_USES}},
        },
        {"label": GENERATION_LABEL, "data": dict(request.generation)},
    ]
    if request.ai_system:
        assertions.append({"label": AI_DISCLOSURE_LABEL, "data": _disclosure(request)})
    definition = {
        "claim_version": 2,
        "claim_generator_info": [{"name": GENERATOR, "version": version, "specVersion": SPEC_VERSION}],
        "title": request.title,
        "format": request.media_type,
        "assertions": assertions,
    }
    return ManifestPlan(definition, ingredients)


def _label(index: int) -> str:
    return f"ingredient-{index + 1}"


def _ingredient(ingredient: Ingredient, index: int, *, signed: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "label": _label(index),
        "title": ingredient.title,
        "format": ingredient.media_type,
        "relationship": ingredient.relationship,
        "instance_id": f"urn:sha256:{ingredient.sha256}",
    }
    # its own manifest says where it came from; C2PA 2.4 §18.16.12.3 forbids saying it twice
    if ingredient.digital_source_type is not None and not signed:
        described["digital_source_type"] = _source_type_uri(ingredient.digital_source_type)
    return described


def _actions(request: SignRequest) -> list[dict[str, Any]]:
    labels: dict[str, list[str]] = {"parentOf": [], "componentOf": [], "inputTo": []}
    by_hash: dict[str, list[str]] = {}
    for index, one in enumerate(request.ingredients):
        labels[one.relationship].append(_label(index))
        by_hash.setdefault(one.sha256, []).append(_label(index))
    later = [_resolved(action, by_hash) for action in request.actions]
    named = {label for action in later for label in action.get("parameters", {}).get("ingredientIds", ())}

    made: dict[str, Any] = {
        "action": "c2pa.edited" if labels["parentOf"] else "c2pa.created",
        "digitalSourceType": _source_type_uri(request.digital_source_type),
        "softwareAgent": _agent(request),
    }
    inputs = [label for label in labels["inputTo"] if label not in named]
    if inputs:
        made["parameters"] = {"ingredientIds": inputs}
    actions = [made]
    if labels["parentOf"]:
        actions.insert(0, {"action": "c2pa.opened", "parameters": {"ingredientIds": labels["parentOf"]}})
    placed = [label for label in labels["componentOf"] if label not in named]
    if placed:
        actions.append({"action": "c2pa.placed", "parameters": {"ingredientIds": placed}})
    return actions + later


def _resolved(action: Mapping[str, Any], by_hash: Mapping[str, list[str]]) -> dict[str, Any]:
    parameters = dict(action.get("parameters", {}))
    if "ingredientIds" in parameters:
        # an unknown hash stays as it is, and the rules refuse it by name
        parameters["ingredientIds"] = [
            label for sha256 in parameters["ingredientIds"] for label in by_hash.get(sha256, [sha256])
        ]
    resolved = dict(action)
    if parameters:
        resolved["parameters"] = parameters
    if "digitalSourceType" in resolved:
        resolved["digitalSourceType"] = _source_type_uri(resolved["digitalSourceType"])
    return resolved


def _agent(request: SignRequest) -> dict[str, str]:
    if not request.ai_system:
        return {"name": GENERATOR}
    return {"name": request.ai_system, "version": request.ai_system_version}


def _disclosure(request: SignRequest) -> dict[str, Any]:
    return {
        "modelType": request.model_type,
        "modelName": request.ai_system,
        "modelIdentifier": request.ai_system_version,
        "contentProfile": {"humanOversightLevel": request.human_oversight},
    }


def _source_type_uri(code: str) -> str:
    """Turn an IPTC code into its URI; what isn't one stays as it is, and the rules refuse it."""
    try:
        return SourceType(code).uri
    except ValueError:
        return code
