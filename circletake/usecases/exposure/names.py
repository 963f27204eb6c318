"""The clips' names of a cut: content, sealed together."""

import json
from collections.abc import Sequence
from uuid import UUID

from circletake.ports import Seal


def _place(cut_id: UUID) -> str:
    return f"cuts.names:{cut_id}"


def close_names(seal: Seal, cut_id: UUID, names: Sequence[str]) -> bytes:
    return seal.close(json.dumps(list(names)), place=_place(cut_id))


def open_names(seal: Seal, cut_id: UUID, sealed: bytes | None) -> Sequence[str]:
    if sealed is None:
        return ()
    names: list[str] = json.loads(seal.open(sealed, place=_place(cut_id)))
    return names
