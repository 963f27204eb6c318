import copy
from collections.abc import Callable
from typing import Any

import pytest

from circletake.domain.manifest_rules import ManifestInvalid, check_manifest
from circletake.domain.provenance import SPEC_VERSION, TRAINING_MINING_USES, SourceType

GENERATED = SourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA.uri


def _manifest() -> dict[str, Any]:
    """A take on a plate with a matte and a placed element, and everything right."""
    return {
        "definition": {
            "claim_version": 2,
            "claim_generator_info": [{"name": "Circletake", "version": "1", "specVersion": SPEC_VERSION}],
            "title": "take",
            "format": "image/png",
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "data": {
                        "allActionsIncluded": True,
                        "actions": [
                            {"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}},
                            {
                                "action": "c2pa.edited",
                                "digitalSourceType": GENERATED,
                                "softwareAgent": {"name": "model", "version": "v1:0"},
                                "parameters": {"ingredientIds": ["matte"]},
                            },
                            {"action": "c2pa.placed", "parameters": {"ingredientIds": ["element"]}},
                        ],
                    },
                },
                {
                    "label": "cawg.training-mining",
                    "data": {"entries": {use: {"use": "notAllowed"} for use in TRAINING_MINING_USES}},
                },
                {
                    "label": "c2pa.ai-disclosure",
                    "data": {
                        "modelType": "image",
                        "contentProfile": {"humanOversightLevel": "prompt_guided"},
                    },
                },
                {"label": "com.circletake.generation", "data": {"generation_id": "1", "inputs": [{}]}},
            ],
        },
        "ingredients": [
            {
                "label": label,
                "title": label,
                "relationship": relationship,
                "instance_id": f"urn:sha256:{digit * 64}",
            }
            for label, relationship, digit in (
                ("plate", "parentOf", "a"),
                ("matte", "inputTo", "b"),
                ("element", "componentOf", "c"),
            )
        ],
    }


def _broken(manifest: dict[str, Any]) -> set[str]:
    with pytest.raises(ManifestInvalid) as raised:
        check_manifest(**manifest)
    return {one.rule for one in raised.value.broken}


def test_a_complete_manifest_is_accepted() -> None:
    """The rules leave a proper manifest alone."""
    check_manifest(**_manifest())


def _actions(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = manifest["definition"]["assertions"][0]["data"]["actions"]
    return actions


SPOILT: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "misspelt definition key": ("known_keys", lambda m: m["definition"].update(tilte="x")),
    "misspelt ingredient key": (
        "known_keys",
        lambda m: m["ingredients"][0].update(digitalSourceType=GENERATED),
    ),
    "misspelt action key": ("known_keys", lambda m: _actions(m)[1].update(digital_source_type="x")),
    "misspelt parameter": ("known_keys", lambda m: _actions(m)[1]["parameters"].update(ingredientIDs=[])),
    "misspelt agent key": ("known_keys", lambda m: _actions(m)[1]["softwareAgent"].update(Version="x")),
    "misspelt assertion key": ("known_keys", lambda m: m["definition"]["assertions"][3].update(create=True)),
    "misspelt disclosure key": (
        "known_keys",
        lambda m: m["definition"]["assertions"][2]["data"].update(model_name="x"),
    ),
    "no spec version": (
        "spec_version",
        lambda m: m["definition"]["claim_generator_info"][0].pop("specVersion"),
    ),
    "claim version 1": ("claim_version", lambda m: m["definition"].update(claim_version=1)),
    "edited first": ("inception_first", lambda m: _actions(m).pop(0)),
    "opened and created": (
        "inception_once",
        lambda m: _actions(m).append({"action": "c2pa.created", "digitalSourceType": GENERATED}),
    ),
    "two parents": ("one_parent", lambda m: m["ingredients"][1].update(relationship="parentOf")),
    "opened without parent": ("opened_parent", lambda m: m["ingredients"][0].update(relationship="inputTo")),
    "opened with a source type": (
        "opened_source_type",
        lambda m: _actions(m)[0].update(digitalSourceType=GENERATED),
    ),
    "edited without a source type": ("source_type_given", lambda m: _actions(m)[1].pop("digitalSourceType")),
    "invented source type": ("source_type_known", lambda m: _actions(m)[1].update(digitalSourceType="ai")),
    "invented action": ("action_known", lambda m: _actions(m)[1].update(action="c2pa.generated")),
    "bare action": ("action_namespace", lambda m: _actions(m)[1].update(action="inpainted")),
    "placed an input": ("placed_component", lambda m: m["ingredients"][2].update(relationship="inputTo")),
    "dangling reference": (
        "ingredient_found",
        lambda m: _actions(m)[1]["parameters"]["ingredientIds"].append("ghost"),
    ),
    "unexplained ingredient": ("ingredient_used", lambda m: _actions(m)[1].pop("parameters")),
    "unbound ingredient": ("ingredient_bound", lambda m: m["ingredients"][0].update(instance_id="xmp.iid:1")),
    "same label twice": ("ingredient_labels", lambda m: m["ingredients"][1].update(label="plate")),
    "strange relationship": (
        "ingredient_relationship",
        lambda m: m["ingredients"][1].update(relationship="cousinOf"),
    ),
    "bare assertion label": (
        "label_namespace",
        lambda m: m["definition"]["assertions"].append({"label": "generation", "data": {}}),
    ),
    "deprecated label": (
        "label_current",
        lambda m: m["definition"]["assertions"].append({"label": "stds.iptc", "data": {}}),
    ),
    "assertion twice": (
        "label_once",
        lambda m: m["definition"]["assertions"].append(m["definition"]["assertions"][3]),
    ),
    "all actions unsaid": (
        "all_actions_included",
        lambda m: m["definition"]["assertions"][0]["data"].pop("allActionsIncluded"),
    ),
    "no model type": (
        "disclosure_model_type",
        lambda m: m["definition"]["assertions"][2]["data"].pop("modelType"),
    ),
    "invented oversight": (
        "disclosure_oversight",
        lambda m: m["definition"]["assertions"][2]["data"]["contentProfile"].update(
            humanOversightLevel="lots"
        ),
    ),
    "training allowed": (
        "training_mining",
        lambda m: m["definition"]["assertions"][1]["data"]["entries"]["cawg.ai_training"].update(
            use="allowed"
        ),
    ),
    "training left out": ("training_mining", lambda m: m["definition"]["assertions"].pop(1)),
    "prompt in clear": (
        "no_clear_content",
        lambda m: m["definition"]["assertions"][3]["data"]["inputs"][0].update(prompt="a castle"),
    ),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_manifest_is_refused_by_name(case: str) -> None:
    """Each mistake the signing library would let through is refused, and the rule says which it is."""
    rule, spoil = SPOILT[case]
    manifest = copy.deepcopy(_manifest())
    spoil(manifest)
    assert rule in _broken(manifest)


def test_every_mistake_is_named_at_once() -> None:
    """Two mistakes in one manifest are both reported."""
    manifest = _manifest()
    manifest["definition"]["tilte"] = "x"
    manifest["ingredients"][0]["instance_id"] = "x"
    assert _broken(manifest) == {"known_keys", "ingredient_bound"}
