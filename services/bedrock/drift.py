"""Drift on order: how far a character wanders from itself, in which mode of which model, for whom and how often.

The first rule that matches a call paints its drift into what the darkroom made of that call. A rule that matches only
`text-to-image` is a cause that image-to-image cures; one that matches odd seeds is cured by a new seed; one of a model
by another model; one that matches everything is cured by nothing. Without rules nothing is painted.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.bedrock.orders import (
    ClipOrder,
    CutoutOrder,
    EraseOrder,
    InpaintOrder,
    LinesOrder,
    OutpaintOrder,
    PanelOrder,
    PictureOrder,
    RecolorOrder,
    ReplaceOrder,
    StyleGuideOrder,
    StyleTransferOrder,
    UpscaleOrder,
    VaryOrder,
)
from services.bedrock.subjects import BadSubject, Box, read_box, read_picture

_MODE_OF = {
    PanelOrder: "text-to-image",
    VaryOrder: "image-to-image",
    InpaintOrder: "inpaint",
    OutpaintOrder: "outpaint",
    EraseOrder: "erase",
    UpscaleOrder: "upscale",
    RecolorOrder: "recolor",
    ReplaceOrder: "replace",
    CutoutOrder: "remove-background",
    StyleGuideOrder: "style-guide",
    StyleTransferOrder: "style-transfer",
}
MODES = (*_MODE_OF.values(), "sketch", "structure", "text-to-video", "keyframe")
_MEMBERS = {"model", "tenant", "when", "drift", "times"}
_WHEN = {"mode", "seed", "strength_above"}
_DRIFT = {"wardrobe", "hair", "face", "face_picture", "at"}
_HALF_TURN = 180


class BadDrift(Exception):
    """A rule that can't be meant: its message says why."""


@dataclass(frozen=True, slots=True)
class Drift:
    """`wardrobe` and `hair` in degrees of hue, `face` 0-1 toward `face_picture` (encoded) or wrong proportions.

    `at` is where the face is, in shares of the result; None: found by a registered subject, or guessed.
    """

    wardrobe: float
    hair: float
    face: float
    face_picture: bytes | None = field(repr=False)
    at: Box | None


@dataclass(slots=True)
class Rule:
    """`times` is how often it may still strike, None without end. `seeds`: "odd", "even", a list, or None for all."""

    id: str
    model: str | None
    tenant: str | None
    modes: frozenset[str]
    seeds: str | frozenset[int] | None
    strength_above: float | None
    drift: Drift
    times: int | None
    shown: dict[str, Any]


class DriftBook:
    """The rules now in force, in the order they were given. In memory: a restart forgets them."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, document: object) -> dict[str, Any]:
        try:
            rule = _read(document)
        except BadSubject as error:
            raise BadDrift(str(error)) from None
        self._rules.append(rule)
        return self._shown(rule)

    def rules(self) -> list[dict[str, Any]]:
        return [self._shown(rule) for rule in self._rules]

    def clear(self, rule_id: str | None = None) -> None:
        self._rules = [rule for rule in self._rules if rule_id is not None and rule.id != rule_id]

    def strike(self, order: PictureOrder | ClipOrder, names: frozenset[str], tenant: str) -> Drift | None:
        """The drift of this call, already counted, or None."""
        mode, strength = mode_of(order)
        for rule in self._rules:
            if not _matches(rule, mode, strength, order.seed, names, tenant):
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    self._rules.remove(rule)
            return rule.drift
        return None

    @staticmethod
    def _shown(rule: Rule) -> dict[str, Any]:
        return {"id": rule.id, **rule.shown, "times": rule.times}


def mode_of(order: PictureOrder | ClipOrder) -> tuple[str, float | None]:
    """What a rule calls this work, and its strength where it has one."""
    match order:
        case VaryOrder():
            return "image-to-image", order.strength
        case LinesOrder():
            return ("sketch" if order.sketch else "structure"), None
        case ClipOrder():
            return ("text-to-video" if order.first is None and order.last is None else "keyframe"), None
        case _:
            return _MODE_OF[type(order)], None


def _matches(
    rule: Rule, mode: str, strength: float | None, seed: int, names: frozenset[str], tenant: str
) -> bool:
    if mode not in rule.modes or (rule.model is not None and rule.model not in names):
        return False
    if rule.tenant is not None and rule.tenant != tenant:
        return False
    if rule.strength_above is not None and (strength is None or strength <= rule.strength_above):
        return False
    if isinstance(rule.seeds, str):
        return seed % 2 == (rule.seeds == "odd")
    return rule.seeds is None or seed in rule.seeds


def _read(document: object) -> Rule:
    given = _members(document, _MEMBERS, "a rule")
    for name in ("model", "tenant"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise BadDrift(f"{name} must be a text")
    when = _members(given.get("when", {}), _WHEN, "when")
    asked = when.get("mode", list(MODES))
    modes = [asked] if isinstance(asked, str) else asked
    if not isinstance(modes, list) or not modes or any(mode not in MODES for mode in modes):
        raise BadDrift(f"mode must be one or more of: {', '.join(MODES)}")
    above = _number(when, "strength_above", 0, 1) if "strength_above" in when else None
    times = given.get("times")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise BadDrift("times must be an integer of at least 1")
    drift = _read_drift(given.get("drift"))
    shown = {name: value for name, value in given.items() if name not in {"drift", "times"}}
    shown["drift"] = {
        name: value for name, value in dict(given["drift"]).items() if name != "face_picture"
    }  # a picture is content
    return Rule(
        secrets.token_hex(6), given.get("model"), given.get("tenant"), frozenset(modes), _seeds(when), above, drift,
        times, shown,
    )  # fmt: skip


def _seeds(when: Mapping[str, Any]) -> str | frozenset[int] | None:
    seeds = when.get("seed")
    if seeds is None or seeds in ("odd", "even"):
        return seeds
    if not isinstance(seeds, list) or any(
        not isinstance(each, int) or isinstance(each, bool) for each in seeds
    ):
        raise BadDrift('seed must be "odd", "even" or a list of seeds')
    return frozenset(seeds)


def _read_drift(document: object) -> Drift:
    given = _members(document, _DRIFT, "drift")
    wardrobe = _number(given, "wardrobe", -_HALF_TURN, _HALF_TURN)
    hair = _number(given, "hair", -_HALF_TURN, _HALF_TURN)
    face = _number(given, "face", 0, 1)
    if not (wardrobe or hair or face):
        raise BadDrift("drift needs wardrobe, hair (degrees of hue, -180 to 180) or face (0 to 1)")
    other = read_picture(given["face_picture"], "face_picture") if "face_picture" in given else None
    at = read_box(given["at"], "at") if "at" in given else None
    return Drift(wardrobe, hair, face, other, at)


def _members(document: object, known: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise BadDrift(f"{what} is a JSON object")
    unknown = set(document) - known
    if unknown:
        raise BadDrift(f"unknown member of {what}: {', '.join(sorted(map(str, unknown)))}")
    return document


def _number(given: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = given.get(name, 0)
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise BadDrift(f"{name} must be a number from {least} to {most}")
    return float(value)
