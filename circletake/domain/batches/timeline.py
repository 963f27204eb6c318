"""Reading a batch out of an OpenTimelineIO timeline: one row per clip of its picture tracks.

Only names and `metadata.circletake` are read, as plain JSON: where a clip stands and how it is retimed is a cut's
business, and is read on a worker. Schema names: OpenTimelineIO's own (`OTIO_SCHEMA`, for example `Clip.2`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from circletake.domain.batches.files import checked_defaults, plain
from circletake.domain.batches.rows import MAX_ROWS, BatchFile, BatchRow
from circletake.domain.errors import Invalid, invalid
from circletake.domain.pictures import Violation
from circletake.domain.row_files import storable_object, too_many_rows

OURS = "circletake"  # the key of our metadata, of a timeline and of a clip
_MAX_DEPTH = 40  # compositions in compositions
_NO_OBJECT = Violation("", "malformed_json", "`metadata.circletake` of this clip isn't a JSON object.")


def read_batch_timeline(text: str) -> BatchFile:
    """Read a timeline. `metadata.circletake.defaults` of the timeline holds for every clip, `metadata.circletake` of a
    clip for itself; its `skip` leaves the clip out. A clip that says the same as an earlier one is the same row.

    Raises Invalid for what isn't OTIO JSON, and for too many clips.
    """
    root = storable_object(text)
    if root is None or not isinstance(root.get("OTIO_SCHEMA"), str):
        raise _malformed()
    rows: list[BatchRow] = []
    seen: set[str] = set()
    for number, clip in enumerate(_clips(root, 0), start=1):
        row = _row(number, clip)
        if row is None:
            continue
        said = json.dumps([row.values, row.names], sort_keys=True)
        if said in seen and not row.violations:
            continue
        seen.add(said)
        if len(rows) == MAX_ROWS:
            raise too_many_rows(MAX_ROWS)
        rows.append(row)
    return BatchFile(rows, plain(checked_defaults(_ours(root).get("defaults", {}))))


def _malformed() -> Invalid:
    return invalid("", "malformed_otio", "This isn't OTIO JSON: export the timeline again as .otio.")


def _ours(node: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = node.get("metadata")
    found = metadata.get(OURS) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def _clips(node: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Clips in the file's order; sound has none that a picture could be made for."""
    if not isinstance(node, dict) or str(node.get("kind", "")).lower() == "audio":
        return
    if depth > _MAX_DEPTH:
        raise invalid(
            "", "too_deep", f"The file nests deeper than {_MAX_DEPTH}: flatten the sequences in it."
        )
    schema = str(node.get("OTIO_SCHEMA", ""))
    if schema.startswith("Clip."):
        yield node
        return
    children = node.get("children")
    for child in (node.get("tracks"), *(children if isinstance(children, list) else ())):
        yield from _clips(child, depth + 1)


def _row(number: int, clip: Mapping[str, Any]) -> BatchRow | None:
    metadata = clip.get("metadata")
    given = metadata.get(OURS, {}) if isinstance(metadata, dict) else {}
    if not isinstance(given, dict):
        return BatchRow(number, {}, (_NO_OBJECT,))
    if given.get("skip") is True:
        return None
    values = {name: plain(value) for name, value in given.items() if name != "skip"}
    name = clip.get("name")
    names = (name,) if isinstance(name, str) and name else ()
    if "shot" not in values and "shot_id" not in values and names:
        values["shot"] = name
    return BatchRow(number, values, (), names)
