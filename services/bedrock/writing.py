"""What the stand-in writes where a language model would: by rule, from the words that it was given, and it says so.

It fills whatever JSON schema the tool has: members it knows by their names get what was found, others what their type
has for nothing. It obeys nothing that is written in the text.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.bedrock.orders import WriteOrder
from services.bedrock.screenplay import ScenePage, introduced, mentions, props_in, read_page

LABEL = "OFFLINE STAND-IN"
_BY_RULE = f"{LABEL}: taken from the page by its layout; no language model read it."
_COMPOSED = f"{LABEL}: put together from the notes by rule; no language model wrote it."
_MARKS = re.compile(r"<([A-Za-z_]+-?[0-9a-f]*)>\n(.*)\n</\1>\s*", re.DOTALL)
_NOTES = re.compile(r"^Notes:\s*$", re.MULTILINE)
_NUMBERS = re.compile(r"at most ([0-9]+) characters")
_NOT_SEEN = re.compile(r"\b(?:no|without(?: any)?|never any)\s+([a-z][a-z -]{2,40})", re.IGNORECASE)
_LOOKED_FOR = re.compile(
    r"\b(?:replace|recolou?r|change|swap)\s+(?:the\s+|his\s+|her\s+|their\s+)?([\w -]{3,60}?)"
    r"(?=\s+(?:with|to|by|into|in)\b|[.,;\n]|$)",
    re.IGNORECASE,
)
_SIZES = (
    ("ECU", r"extreme close"),
    ("CU", r"close[- ]?up|close on|closer on"),
    ("INSERT", r"\binsert\b"),
    ("EWS", r"extreme wide|aerial"),
    ("WS", r"\bwide\b|establishing"),
)
_MOVES = (
    ("pan", r"\bpan(?:s|ning)?\b"),
    ("tracking", r"\btrack(?:s|ing)?\b|\bfollow(?:s|ing)?\b"),
    ("push-in", r"push(?:es|ing)? in"),
    ("crane", r"\bcrane"),
    ("handheld", r"hand-?held"),
)


def is_writing(schema: Mapping[str, Any]) -> bool:
    """Say whether a tool's schema asks for words that this can find: a breakdown, or a prompt."""
    members = schema.get("properties") or {}
    return "prompt" in members or {"scenes", "shots"} <= set(members)


def write(order: WriteOrder) -> dict[str, Any]:
    """Fill the order's schema."""
    marked = _MARKS.search(order.text)
    material = marked.group(2) if marked else order.text
    members = order.schema.get("properties") or {}
    found = _breakdown(material) if "scenes" in members else _prompt(material, members)
    filled: dict[str, Any] = _filled(order.schema, found)
    return filled


def _filled(schema: Mapping[str, Any], found: Any) -> Any:
    """What was found, in the schema's form: no member more, none less, a value of an enumeration only."""
    kind = schema.get("type")
    if kind == "object":
        given = found if isinstance(found, dict) else {}
        return {name: _filled(each, given.get(name)) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        items = schema.get("items") or {"type": "string"}
        return [_filled(items, each) for each in found] if isinstance(found, list) else []
    if kind in {"integer", "number"}:
        return found if isinstance(found, int) else 0
    if kind == "boolean":
        return bool(found)
    text = found if isinstance(found, str) else ""
    values = schema.get("enum")
    if not values or text in values:
        return text
    return "unknown" if "unknown" in values else values[-1]


# --- a breakdown --------------------------------------------------------------------------------------------------


def _breakdown(page: str) -> dict[str, Any]:
    scenes = read_page(page)
    said = introduced(scenes)
    names = list(dict.fromkeys([*said, *(name for scene in scenes for name in scene.speakers)]))
    things = list(dict.fromkeys(each for scene in scenes for text in scene.action for each in props_in(text)))
    places = list(dict.fromkeys(scene.location for scene in scenes if scene.location))
    return {
        "scenes": [_scene(scene, names) for scene in scenes],
        "characters": [{"name": name, "description": said.get(name, "")} for name in names],
        "props": [{"name": each, "description": ""} for each in things],
        "locations": [{"name": each, "description": ""} for each in places],
        "shots": [shot for number, scene in enumerate(scenes, 1) for shot in _shots(number, scene, names)],
    }


def _scene(scene: ScenePage, names: Sequence[str]) -> dict[str, Any]:
    seen = [name for name in names if name in scene.speakers or _named(scene.action, name)]
    return {
        "number": scene.number,
        "heading": scene.heading,
        "setting": scene.setting,
        "location": scene.location,
        "time_of_day": scene.time_of_day,
        "summary": _BY_RULE,
        "characters": seen,
        "props": list(dict.fromkeys(each for text in scene.action for each in props_in(text))),
    }


def _named(texts: Sequence[str], name: str) -> bool:
    return any(mentions(text, name) for text in texts)


def _shots(number: int, scene: ScenePage, names: Sequence[str]) -> list[dict[str, Any]]:
    """A shot for each paragraph of action; a scene of talk alone gets one of who talks."""
    action = scene.action or ([f"Dialogue: {', '.join(scene.speakers)}."] if scene.speakers else [])
    return [
        {
            "scene": number,
            "description": text,
            "size": _first(_SIZES, text) or ("WS" if place == 0 and scene.setting == "exterior" else "MS"),
            "camera": _first(_MOVES, text) or "static",
            "characters": [name for name in names if mentions(text, name)],
            "props": props_in(text),
            "notes": "",
        }
        for place, text in enumerate(action)
    ]


def _first(table: Sequence[tuple[str, str]], text: str) -> str:
    return next((word for word, pattern in table if re.search(pattern, text, re.IGNORECASE)), "")


# --- a prompt -----------------------------------------------------------------------------------------------------


def _prompt(material: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """The notes as one line, with those whom they name as they are described; no longer than the schema says."""
    facts, notes = _NOTES.split(material, 1) if _NOTES.search(material) else ("", material)
    line = " ".join(notes.split())
    people = [
        f"{name.strip()}: {said.strip()}"
        for name, _, said in (
            each.partition(":") for each in re.findall(r"^Character (.+)$", facts, re.MULTILINE)
        )
        if said.strip()
    ]
    most = _NUMBERS.search(str((members.get("prompt") or {}).get("description", "")))
    prompt = " ".join([line, *(f"{each}." for each in people)])
    if most is not None and len(prompt) > int(most.group(1)):
        prompt = prompt[: int(most.group(1))].rsplit(" ", 1)[0]
    looked_for = _LOOKED_FOR.search(line)
    return {
        "prompt": prompt,
        "negative_prompt": ", ".join(dict.fromkeys(each.strip() for each in _NOT_SEEN.findall(line))),
        "search_prompt": looked_for.group(1).strip() if looked_for else " ".join(line.split()[:4]),
        "why": _COMPOSED,
    }
