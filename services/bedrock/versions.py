"""Another version of a model on order: from now on this id answers the same request with a visibly different picture.

So does a provider that changes what stands behind an id; who re-runs shots to notice it can try that here. Without
entries, and again when an entry is gone, the same body and seed give the same picture byte for byte.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from services.bedrock.models import MODELS

_MEMBERS = {"model", "version"}
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class BadVersion(Exception):
    """An entry that can't be meant: its message says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    model: str
    version: str


class VersionBook:
    """At most one version per model; the newest entry counts. In memory: a restart forgets them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, document: object) -> dict[str, Any]:
        """`{"model": an id or a brought ARN, "version": any name}`. Raises BadVersion."""
        given = document if isinstance(document, dict) else {}
        unknown = set(given) - _MEMBERS
        if unknown:
            raise BadVersion(f"unknown member: {', '.join(sorted(map(str, unknown)))}")
        model, version = given.get("model"), given.get("version")
        known = isinstance(model, str) and (
            model.startswith("arn:") or any(model in each.names for each in MODELS if each.task in _DRAWING)
        )
        if not isinstance(model, str) or not known:
            raise BadVersion("model must be an id that this server draws for, or an ARN brought to it")
        if not isinstance(version, str) or not _NAME.fullmatch(version):
            raise BadVersion("version must be a name of 1 to 64 letters, digits or ._:-")
        self._entries = [each for each in self._entries if each.model != model]
        entry = Entry(secrets.token_hex(6), model, version)
        self._entries.append(entry)
        return self._shown(entry)

    def rules(self) -> list[dict[str, Any]]:
        return [self._shown(entry) for entry in self._entries]

    def clear(self, entry_id: str | None = None) -> None:
        self._entries = [each for each in self._entries if entry_id is not None and each.id != entry_id]

    def of(self, names: frozenset[str]) -> str | None:
        """The version that a model of these names now is, None for the one it always was."""
        return next((each.version for each in reversed(self._entries) if each.model in names), None)

    @staticmethod
    def _shown(entry: Entry) -> dict[str, Any]:
        return {"id": entry.id, "model": entry.model, "version": entry.version}


_DRAWING = frozenset({"picture", "clip"})


def seed_of(seed: int, version: str) -> int:
    """The seed that a version makes of a seed: another one, always the same."""
    digest = hashlib.sha256(f"{version}:{seed}".encode()).digest()
    # an odd difference: what tells seeds apart by their parity or last bits tells these two apart
    return (seed + (int.from_bytes(digest[:4]) | 1)) % 4_294_967_295


def look_of(version: str) -> tuple[float, float]:
    """How a version's pictures look: a turn of hue in degrees and an exponent of lightness."""
    digest = hashlib.sha256(version.encode()).digest()
    turn = 35 + digest[0] / 255 * 50
    return (turn if digest[1] % 2 else -turn), (0.74 if digest[2] % 2 else 1.35)
