"""Write one XMP packet into a PNG, JPEG, WebP, TIFF, MP4/MOV or PDF file without touching a picture byte.

The packet carries the IPTC 2025.1 AI fields, the digital source type and the data-mining prohibition. It is written
before the manifest, which then covers it. Prompts and names of prompt writers have fields in IPTC 2025.1; they are
left empty on purpose. Sources: IPTC Photo Metadata Standard 2025.1, PLUS LDF, XMP specification parts 1 and 3.
"""

import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from circletake.adapters.c2pa import isobmff, pdf, stills, tiff
from circletake.adapters.c2pa.errors import XmpRefused
from circletake.domain.provenance import DATA_MINING_PROHIBITED, SourceType

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_DC = "http://purl.org/dc/elements/1.1/"
_PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
_DCTERMS = "http://purl.org/dc/terms/"
_XMPMETA = "adobe:ns:meta/"
_XML = "http://www.w3.org/XML/1998/namespace"
_PREFIXES = {
    "x": _XMPMETA,
    "rdf": _RDF,
    "Iptc4xmpExt": _IPTC,
    "dc": _DC,
    "plus": _PLUS,
    "dcterms": _DCTERMS,
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
}
# XML 1.0 §2.2 has no way to write these
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OURS = frozenset(
    {
        f"{{{_IPTC}}}DigitalSourceType",
        f"{{{_IPTC}}}AISystemUsed",
        f"{{{_IPTC}}}AISystemVersionUsed",
        f"{{{_IPTC}}}AIPromptInformation",
        f"{{{_IPTC}}}AIPromptWriterName",
        f"{{{_DC}}}rights",
        f"{{{_PLUS}}}DataMining",
        # points at the manifest of the file this one was made from
        f"{{{_DCTERMS}}}provenance",
    }
)
MAX_PACKET_BYTES = 60_000  # a JPEG segment holds 65,533 bytes; every container gets the same packet


@dataclass(frozen=True, slots=True)
class XmpFields:
    """`source_type` is an IPTC code. Without `ai_system` (a contact sheet) the AI fields are left out."""

    source_type: str
    ai_system: str
    ai_system_version: str
    rights: str


def embed(source: Path, target: Path, media_type: str, fields: XmpFields) -> None:
    """Write `source` with our packet to `target`. Properties of an existing packet stay, except those we set.

    Raises XmpRefused when the file is not what `media_type` says. For QuickTime the packet goes into the same
    top-level `uuid` box as for MP4, which readers find and which moves no sample; the specification's own place
    (`moov/udta/XMP_`) would shift the media data.
    """
    match media_type:
        case "image/png" | "image/jpeg" | "image/webp":
            container = stills.CONTAINERS[media_type]
            data = source.read_bytes()
            target.write_bytes(container.insert(data, merged(container.find(data), fields)))
        case "image/tiff":
            shutil.copyfile(source, target)
            tiff.replace_packet(target, lambda old: merged(old, fields))
        case "video/mp4" | "video/quicktime":
            shutil.copyfile(source, target)
            isobmff.replace_packet(target, lambda old: merged(old, fields))
        case "application/pdf":
            shutil.copyfile(source, target)
            pdf.replace_packet(target, lambda old: merged(old, fields))
        case _:
            raise XmpRefused(f"{media_type} is not a format that carries a manifest here")


def merged(existing: bytes | None, fields: XmpFields) -> bytes:
    """Return the packet: ours, with what an existing packet says beside it. An unreadable packet is replaced."""
    for prefix, uri in _PREFIXES.items():
        ET.register_namespace(prefix, uri)
    root = _rdf_of(existing)
    description = ET.SubElement(root, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""})
    _text(description, f"{{{_IPTC}}}DigitalSourceType", SourceType(fields.source_type).uri)
    if fields.ai_system:
        _text(description, f"{{{_IPTC}}}AISystemUsed", fields.ai_system)
        _text(description, f"{{{_IPTC}}}AISystemVersionUsed", fields.ai_system_version)
    rights = ET.SubElement(ET.SubElement(description, f"{{{_DC}}}rights"), f"{{{_RDF}}}Alt")
    _text(rights, f"{{{_RDF}}}li", fields.rights).set(f"{{{_XML}}}lang", "x-default")
    _text(description, f"{{{_PLUS}}}DataMining", DATA_MINING_PROHIBITED)
    packet = _wrapped(root)
    if len(packet) > MAX_PACKET_BYTES and existing is not None:
        return merged(None, fields)  # somebody else's packet leaves no room: ours alone
    if len(packet) > MAX_PACKET_BYTES:
        raise XmpRefused("the rights text is too long for an XMP packet")
    return packet


def _rdf_of(existing: bytes | None) -> ET.Element:
    """Return the rdf:RDF of a packet without our properties, or an empty one."""
    root: ET.Element | None = None
    if existing is not None and len(existing) <= 1 << 20 and b"<!DOCTYPE" not in existing:  # no entities
        try:
            document = ET.fromstring(existing.strip(b"\0 \r\n\t"))  # noqa: S314 - bounded, no DTD
        except ET.ParseError:
            document = None
        if document is not None:
            tag = f"{{{_RDF}}}RDF"
            root = document if document.tag == tag else document.find(tag)
    if root is None:
        return ET.Element(f"{{{_RDF}}}RDF")
    for description in root.findall(f"{{{_RDF}}}Description"):
        for name in _OURS & set(description.attrib):
            del description.attrib[name]
        for child in [child for child in description if child.tag in _OURS]:
            description.remove(child)
    return root


def _text(parent: ET.Element, tag: str, value: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _NOT_XML.sub("", value)
    return element


def _wrapped(rdf: ET.Element) -> bytes:
    meta = ET.Element(f"{{{_XMPMETA}}}xmpmeta")
    meta.append(rdf)
    body: bytes = ET.tostring(meta, encoding="utf-8", xml_declaration=False)
    return b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>' + body + b'<?xpacket end="r"?>'
