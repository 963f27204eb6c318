"""What a judgement depends on, as one key: whoever asks the same of the same finds it again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from circletake.usecases.plan_check import CastLook, MaterialPlanned


def digest(document: Any) -> str:
    """Return the SHA-256 of a JSON document in one spelling, in hex."""
    return hashlib.sha256(
        json.dumps(document, sort_keys=True, separators=(",", ":"), default=str).encode()
    ).hexdigest()


def cast_digest(cast: Sequence[CastLook]) -> str:
    """What the cast is to a judgement: another reference anywhere in it can change what likeness means."""
    return digest(
        [[look.key, look.kind, [list(map(str, each)) for each in look.references]] for look in cast]
    )


def judgement_keys(material: MaterialPlanned, *, cast: str, rules: str) -> Mapping[int, str]:
    """Return, by the subject's position, everything that its judgement depends on. `rules`: digest of evaluators,
    profile, sampling, second opinion."""
    shared = digest(
        {
            "media": str(material.file.id),
            "beside": sorted(look.key for look in material.looks.values()),
            "expected": None if material.expected is None else sorted(map(str, material.expected)),
            "cast": cast,
            "rules": rules,
        }
    )
    return {
        position: hashlib.sha256(f"{shared} {look.key}".encode()).hexdigest()
        for position, look in material.looks.items()
    }
