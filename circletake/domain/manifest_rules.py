"""The rules a manifest definition must keep before it is signed.

Sources: C2PA Technical Specification 2.4 and the C2PA Conformance Programme 0.2 (asset rubric for spec 2.4). They are
ours to check because the C2PA library takes a misspelt key, a second parent or a label without a namespace without
a word.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from circletake.domain.provenance import (
    ACTIONS_LABEL,
    AI_DISCLOSURE_LABEL,
    GENERATION_LABEL,
    OVERSIGHT_LEVELS,
    RELATIONSHIPS,
    SPEC_VERSION,
    TRAINING_MINING_LABEL,
    TRAINING_MINING_USES,
    SourceType,
)

INCEPTION_ACTIONS = frozenset({"c2pa.created", "c2pa.opened"})

# C2PA 2.4 §18.15 without the deprecated ones
KNOWN_ACTIONS = INCEPTION_ACTIONS | {
    "c2pa.addedText",
    "c2pa.adjustedColor",
    "c2pa.changedSpeed",
    "c2pa.converted",
    "c2pa.cropped",
    "c2pa.deleted",
    "c2pa.drawing",
    "c2pa.dubbed",
    "c2pa.edited",
    "c2pa.edited.metadata",
    "c2pa.enhanced",
    "c2pa.filtered",
    "c2pa.mastered",
    "c2pa.mixed",
    "c2pa.orientation",
    "c2pa.placed",
    "c2pa.published",
    "c2pa.redacted",
    "c2pa.remixed",
    "c2pa.removed",
    "c2pa.repackaged",
    "c2pa.resized",
    "c2pa.resized.proportional",
    "c2pa.transcoded",
    "c2pa.translated",
    "c2pa.trimmed",
    "c2pa.unknown",
    "c2pa.watermarked.bound",
    "c2pa.watermarked.unbound",
}

# Conformance Programme 0.2: every other predefined action says where its pixels came from
_NO_SOURCE_TYPE_NEEDED = frozenset(
    {
        "c2pa.opened",
        "c2pa.placed",
        "c2pa.converted",
        "c2pa.published",
        "c2pa.repackaged",
        "c2pa.transcoded",
        "c2pa.resized.proportional",
        "c2pa.enhanced",
        "c2pa.edited.metadata",
        "c2pa.redacted",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
    }
)
_KNOWN_ASSERTIONS = frozenset({ACTIONS_LABEL, AI_DISCLOSURE_LABEL, "c2pa.soft-binding"})

_DEFINITION_KEYS = frozenset({"claim_version", "claim_generator_info", "title", "format", "assertions"})
_GENERATOR_KEYS = frozenset({"name", "version", "specVersion"})
_ASSERTION_KEYS = frozenset({"label", "data"})
_ACTIONS_KEYS = frozenset({"actions", "allActionsIncluded"})
_ACTION_KEYS = frozenset(
    {"action", "when", "digitalSourceType", "softwareAgent", "description", "reason", "parameters"}
)
_AGENT_KEYS = frozenset({"name", "version"})
# C2PA 2.4 §18.15.4.7; the library replaces ingredientIds by the hashed `ingredients`
_PARAMETER_KEYS = frozenset(
    {
        "ingredientIds",
        "redacted",
        "relatedAssertions",
        "sourceLanguage",
        "targetLanguage",
        "multipleInstances",
    }
)
_INGREDIENT_KEYS = frozenset(
    {"title", "format", "relationship", "label", "instance_id", "digital_source_type", "description"}
)
_DISCLOSURE_KEYS = frozenset(
    {"modelType", "modelName", "modelIdentifier", "contentProfile", "scientificDomain"}
)
_SHA256_URN = re.compile(r"urn:sha256:[0-9a-f]{64}")

# Content in clear never goes into a file that travels; a keyed hash of it may.
CLEAR_CONTENT_KEYS = frozenset(
    {
        "prompt",
        "negative_prompt",
        "prompt_text",
        "text",
        "notes",
        "script",
        "performer",
        "performer_name",
        "email",
        "user_name",
    }
)


@dataclass(frozen=True, slots=True)
class RuleBroken:
    """One rule that a manifest definition breaks. `rule` is stable; the message says what to change."""

    rule: str
    message: str


class ManifestInvalid(ValueError):
    """A manifest definition that breaks our rules. Nothing has been signed."""

    def __init__(self, broken: Sequence[RuleBroken]) -> None:
        super().__init__("; ".join(f"{one.rule}: {one.message}" for one in broken))
        self.broken = tuple(broken)


def check_manifest(definition: Mapping[str, Any], ingredients: Sequence[Mapping[str, Any]]) -> None:
    """Raise ManifestInvalid with every rule broken by a definition and its ingredients, in the library's JSON form."""
    broken = [
        *_check_definition(definition),
        *_check_ingredients(ingredients),
        *_check_assertions(definition.get("assertions", ())),
        *_check_actions(_actions(definition), ingredients),
    ]
    if broken:
        raise ManifestInvalid(broken)


def _actions(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        action
        for assertion in definition.get("assertions", ())
        if assertion.get("label") == ACTIONS_LABEL
        for action in assertion.get("data", {}).get("actions", ())
    ]


def _unknown(where: str, given: Mapping[str, Any], known: frozenset[str]) -> Iterator[RuleBroken]:
    for key in sorted(set(given) - known):
        yield RuleBroken("known_keys", f"{where} has no key {key!r}")


def _check_definition(definition: Mapping[str, Any]) -> Iterator[RuleBroken]:
    yield from _unknown("the definition", definition, _DEFINITION_KEYS)
    if definition.get("claim_version") != 2:  # noqa: PLR2004 - the claim's own version number
        yield RuleBroken("claim_version", "claim_version must be 2")
    for key in ("title", "format"):
        if not definition.get(key):
            yield RuleBroken("title_and_format", f"{key} is missing")
    generators = definition.get("claim_generator_info") or [{}]
    for generator in generators:
        yield from _unknown("claim_generator_info", generator, _GENERATOR_KEYS)
    first = generators[0]
    for key in ("name", "version"):
        if not first.get(key):
            yield RuleBroken("claim_generator", f"claim_generator_info[0].{key} is missing")
    if first.get("specVersion") != SPEC_VERSION:
        yield RuleBroken("spec_version", f"claim_generator_info[0].specVersion must be {SPEC_VERSION}")


def _check_ingredients(ingredients: Sequence[Mapping[str, Any]]) -> Iterator[RuleBroken]:
    labels = [one.get("label") for one in ingredients]
    if len(set(labels)) != len(labels) or None in labels:
        yield RuleBroken("ingredient_labels", "every ingredient needs a label of its own")
    if sum(one.get("relationship") == "parentOf" for one in ingredients) > 1:
        yield RuleBroken("one_parent", "more than one parentOf ingredient (C2PA 2.4 §18.16)")
    for one in ingredients:
        name = f"ingredient {one.get('label')!r}"
        yield from _unknown(name, one, _INGREDIENT_KEYS)
        if not one.get("title"):
            yield RuleBroken("ingredient_title", f"{name} has no title")
        if one.get("relationship") not in RELATIONSHIPS:
            yield RuleBroken("ingredient_relationship", f"{name}: {one.get('relationship')!r} is unknown")
        # ingredient.v3 stores no hash of the file, so the signed instance id has to bind it
        if not _SHA256_URN.fullmatch(str(one.get("instance_id"))):
            yield RuleBroken("ingredient_bound", f"{name}: instance_id must be urn:sha256:<64 hex digits>")
        if "digital_source_type" in one and not _is_source_type(one["digital_source_type"]):
            yield RuleBroken("source_type_known", f"{name}: unknown digital_source_type")


def _check_assertions(assertions: Iterable[Mapping[str, Any]]) -> Iterator[RuleBroken]:
    seen: set[str] = set()
    for assertion in assertions:
        label = str(assertion.get("label", ""))
        yield from _unknown(f"assertion {label!r}", assertion, _ASSERTION_KEYS)
        if "." not in label:
            yield RuleBroken("label_namespace", f"{label!r} has no namespace (C2PA 2.4 §6.2)")
        if label.startswith("stds.") or (label.startswith("c2pa.") and label not in _KNOWN_ASSERTIONS):
            yield RuleBroken("label_current", f"{label!r} is deprecated, unknown or not ours to write")
        if label in seen:
            yield RuleBroken("label_once", f"{label!r} appears twice")
        seen.add(label)
        data = assertion.get("data")
        if not isinstance(data, Mapping):
            yield RuleBroken("assertion_data", f"{label!r} has no data")
        elif label in _DATA_CHECKS:
            yield from _DATA_CHECKS[label](data)
    if TRAINING_MINING_LABEL not in seen:
        yield RuleBroken("training_mining", f"{TRAINING_MINING_LABEL} is missing")


def _check_actions_data(data: Mapping[str, Any]) -> Iterator[RuleBroken]:
    yield from _unknown(ACTIONS_LABEL, data, _ACTIONS_KEYS)
    if not isinstance(data.get("allActionsIncluded"), bool):
        yield RuleBroken("all_actions_included", "allActionsIncluded must be true or false")


def _check_disclosure(data: Mapping[str, Any]) -> Iterator[RuleBroken]:
    yield from _unknown(AI_DISCLOSURE_LABEL, data, _DISCLOSURE_KEYS)
    if not data.get("modelType"):
        yield RuleBroken("disclosure_model_type", "modelType is required (C2PA 2.4 §18.28)")
    profile = data.get("contentProfile", {})
    yield from _unknown("contentProfile", profile, frozenset({"humanOversightLevel"}))
    if profile.get("humanOversightLevel") not in OVERSIGHT_LEVELS:
        yield RuleBroken(
            "disclosure_oversight",
            f"humanOversightLevel must be one of {', '.join(sorted(OVERSIGHT_LEVELS))}",
        )


def _check_training(data: Mapping[str, Any]) -> Iterator[RuleBroken]:
    yield from _unknown(TRAINING_MINING_LABEL, data, frozenset({"entries"}))
    if data.get("entries") != {use: {"use": "notAllowed"} for use in TRAINING_MINING_USES}:
        yield RuleBroken("training_mining", "every use must be notAllowed")


def _check_no_clear_content(data: Any) -> Iterator[RuleBroken]:
    if isinstance(data, Mapping):
        for key in sorted(CLEAR_CONTENT_KEYS & set(data)):
            yield RuleBroken("no_clear_content", f"{key!r} may only appear as a keyed hash")
        for value in data.values():
            yield from _check_no_clear_content(value)
    elif isinstance(data, Sequence) and not isinstance(data, str | bytes):
        for value in data:
            yield from _check_no_clear_content(value)


_DATA_CHECKS: dict[str, Callable[[Mapping[str, Any]], Iterator[RuleBroken]]] = {
    ACTIONS_LABEL: _check_actions_data,
    AI_DISCLOSURE_LABEL: _check_disclosure,
    TRAINING_MINING_LABEL: _check_training,
    GENERATION_LABEL: _check_no_clear_content,
}


def _check_actions(
    actions: Sequence[Mapping[str, Any]], ingredients: Sequence[Mapping[str, Any]]
) -> Iterator[RuleBroken]:
    if not actions or actions[0].get("action") not in INCEPTION_ACTIONS:
        yield RuleBroken("inception_first", "the first action must be c2pa.created or c2pa.opened")
    if sum(action.get("action") in INCEPTION_ACTIONS for action in actions) > 1:
        yield RuleBroken("inception_once", "only one c2pa.created or c2pa.opened")
    relationships = {one.get("label"): one.get("relationship") for one in ingredients}
    opened = any(action.get("action") == "c2pa.opened" for action in actions)
    if opened != ("parentOf" in relationships.values()):
        yield RuleBroken("opened_parent", "c2pa.opened and a parentOf ingredient come together")
    used: set[str] = set()
    for action in actions:
        used.update(action.get("parameters", {}).get("ingredientIds", ()))
        yield from _check_action(action, relationships)
    for label in sorted(str(label) for label in set(relationships) - used):
        yield RuleBroken("ingredient_used", f"no action says what ingredient {label!r} was used for")


def _check_action(action: Mapping[str, Any], relationships: Mapping[Any, Any]) -> Iterator[RuleBroken]:
    name = str(action.get("action", ""))
    yield from _unknown(f"action {name!r}", action, _ACTION_KEYS)
    if "." not in name:
        yield RuleBroken("action_namespace", f"action {name!r} has no namespace (C2PA 2.4 §18.15)")
    if name.startswith("c2pa.") and name not in KNOWN_ACTIONS:
        yield RuleBroken("action_known", f"{name!r} is deprecated or unknown")
    source_type = action.get("digitalSourceType")
    if name == "c2pa.opened" and source_type is not None:
        yield RuleBroken("opened_source_type", "c2pa.opened carries no digitalSourceType")
    if name.startswith("c2pa.") and name not in _NO_SOURCE_TYPE_NEEDED and source_type is None:
        yield RuleBroken("source_type_given", f"{name} needs a digitalSourceType")
    if source_type is not None and not _is_source_type(source_type):
        yield RuleBroken("source_type_known", f"{name}: unknown digitalSourceType")
    agent = action.get("softwareAgent")
    if agent is not None:
        yield from _unknown(f"softwareAgent of {name}", agent, _AGENT_KEYS)
    parameters = action.get("parameters", {})
    for key in sorted(set(parameters) - _PARAMETER_KEYS):
        if "." not in key:
            yield RuleBroken("known_keys", f"parameters of {name} have no key {key!r}")
    yield from _check_references(name, parameters.get("ingredientIds", ()), relationships)


def _check_references(
    name: str, references: Sequence[str], relationships: Mapping[Any, Any]
) -> Iterator[RuleBroken]:
    for label in references:
        if label not in relationships:
            yield RuleBroken("ingredient_found", f"{name} names an ingredient {label!r} that isn't there")
    kinds = [relationships.get(label) for label in references]
    if name == "c2pa.opened" and kinds != ["parentOf"]:
        yield RuleBroken("opened_parent", "c2pa.opened names exactly the parentOf ingredient")
    if name == "c2pa.placed" and (not kinds or set(kinds) != {"componentOf"}):
        yield RuleBroken("placed_component", "c2pa.placed names componentOf ingredients")


def _is_source_type(uri: object) -> bool:
    return isinstance(uri, str) and uri in {one.uri for one in SourceType}
