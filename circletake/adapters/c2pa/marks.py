"""Training and mining marks of a file: from the report of its C2PA manifests, and from its XMP packet.

Runs in a child process. Whatever a stranger's file holds, the answer is marks: never an exception.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from circletake.adapters.c2pa import isobmff, stills, tiff
from circletake.adapters.c2pa.errors import XmpRefused
from circletake.domain.permission.marks import Marks, read_marks

_PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DATA_MINING = f"{{{_PLUS}}}DataMining"
_CODE = re.compile(r"DMI-[A-Z-]{1,60}")
_MAX_PACKET = 1 << 20
_MAX_PARENTS = 100


def marks_of(path: Path, media_type: str, report: Mapping[str, Any] | None, unread: str | None) -> Marks:
    """`report` is what the library says of the manifests; None with `unread`, why they can't be read, or without any."""
    marks = Marks("none") if report is None else _of_manifests(report)
    if unread is not None:
        marks = Marks("unreadable", reason=unread)
    return replace(marks, data_mining=_of_packet(path, media_type))


def _of_manifests(report: Mapping[str, Any]) -> Marks:
    """The file's own manifest; where it is silent, that of the picture that it is an edited copy of."""
    for depth, manifest in enumerate(_lineage(report)):
        assertions = [
            (str(each.get("label")), each.get("data"))
            for each in _list(manifest.get("assertions"))
            if isinstance(each, Mapping)
        ]
        marks = read_marks(assertions)
        if marks.state != "none":
            return replace(marks, inherited=depth > 0)
    return Marks("none")


def _lineage(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    manifests = report.get("manifests")
    if not isinstance(manifests, Mapping):
        return
    label, seen = report.get("active_manifest"), set[Any]()
    while isinstance(label, str) and label not in seen and len(seen) < _MAX_PARENTS:
        seen.add(label)
        manifest = manifests.get(label)
        if not isinstance(manifest, Mapping):
            return
        yield manifest
        label = next(
            (
                each.get("active_manifest")
                for each in _list(manifest.get("ingredients"))
                if isinstance(each, Mapping) and each.get("relationship") == "parentOf"
            ),
            None,
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _of_packet(path: Path, media_type: str) -> str | None:
    """The PLUS code for data mining that the XMP packet names, the strictest when it names several."""
    try:
        packet = _packet(path, media_type)
        if packet is None or len(packet) > _MAX_PACKET or b"<!DOCTYPE" in packet:  # no entities
            return None
        document = ET.fromstring(packet.strip(b"\0 \r\n\t"))  # noqa: S314 - bounded, no DTD
    except (XmpRefused, ET.ParseError, OSError, ValueError, RecursionError):
        return None
    said: list[str] = []
    for element in document.iter():
        if element.tag == _DATA_MINING:
            said += [element.text or "", element.get(f"{{{_RDF}}}resource") or ""]
        said.append(element.get(_DATA_MINING) or "")
    codes = sorted({match.group() for text in said if (match := _CODE.search(text))})
    return next((code for code in codes if "PROHIBITED" in code), codes[0] if codes else None)


def _packet(path: Path, media_type: str) -> bytes | None:
    if media_type in stills.CONTAINERS:
        return stills.CONTAINERS[media_type].find(path.read_bytes())
    if media_type == "image/tiff":
        return tiff.find_packet(path)
    if media_type in {"video/mp4", "video/quicktime"}:
        return isobmff.find_packet(path)
    return None
