import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from circletake.adapters.c2pa import isobmff, xmp
from circletake.adapters.c2pa.errors import XmpRefused
from tests.integration import c2pa_studio as make

FIELDS = xmp.XmpFields("trainedAlgorithmicMedia", "Model <5> & sons", "model-v5:0", "© Größe")
OLD_PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="https://elsewhere.example/m"'
    b' xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmp:Label="keep me">'
    b"<e:DigitalSourceType>digitalCapture</e:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def _tiff(**options: object) -> Callable[[Path], None]:
    pixels = np.random.default_rng(1).integers(0, 65535, (40, 56, 3), dtype=np.uint16)
    return lambda path: tifffile.imwrite(path, pixels, photometric="rgb", **options)


def _save(mode: str, **options: object) -> Callable[[Path], None]:
    noise = np.random.default_rng(1).integers(0, 255, (40, 57, 4), dtype=np.uint8)
    return lambda path: Image.fromarray(noise).convert(mode).save(path, **options)


FILES: dict[str, Callable[[Path], object]] = {
    "rgba.png": _save("RGBA"),
    "gray.png": _save("L"),
    "exif.jpg": _save("RGB", exif=Image.Exif()),
    "lossy.webp": _save("RGB", quality=50),
    "lossless-alpha.webp": _save("RGBA", lossless=True),
    "lossy-alpha.webp": _save("RGBA", quality=50),
    "plain.tif": _tiff(),
    "tiled-deflate-big-endian.tif": _tiff(compression="zlib", tile=(16, 16), byteorder=">"),
    "bigtiff.tif": _tiff(bigtiff=True),
    "end.mp4": make.video,
    "start.mp4": lambda path: make.video(path, "-movflags", "+faststart"),
    "fragmented.mp4": lambda path: make.video(path, "-movflags", "frag_keyframe+empty_moov"),
}


def _packets(path: Path) -> list[str]:
    """Return every packet a reader finds: one is right."""
    if path.suffix == ".mp4":
        data, found = path.read_bytes(), []
        with path.open("rb") as file:
            for start, header, size, kind in isobmff.boxes(file):
                if kind == b"uuid" and data[start + header : start + header + 16] == isobmff.XMP_UUID:
                    found.append(data[start + header + 16 : start + size].decode())
        return found
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            return [bytes(tag.value).decode() for tag in file.pages[0].tags.getall(700, [])]
    with Image.open(path) as image:
        assert path.read_bytes().count(b"AISystemVersionUsed>") == 2  # one opening, one closing tag
        packet = image.info["xmp"]
        return [packet.decode() if isinstance(packet, bytes) else packet]


@pytest.mark.parametrize("name", FILES)
def test_packet_is_readable_and_the_picture_untouched(tmp_path: Path, name: str) -> None:
    """A common reader finds exactly one packet, also when written twice, and the samples stay the same."""
    source, once, twice = tmp_path / f"s-{name}", tmp_path / f"1-{name}", tmp_path / f"2-{name}"
    FILES[name](source)
    xmp.embed(source, once, make.media_type(source), FIELDS)
    xmp.embed(once, twice, make.media_type(source), FIELDS)
    for target in (once, twice):
        (packet,) = _packets(target)
        assert "Model &lt;5&gt; &amp; sons" in packet
        assert "© Größe" in packet
        assert make.decoded(target) == make.decoded(source)


@pytest.mark.parametrize("kind", ["plain", "compressed"])
def test_what_was_there_stays_and_what_we_know_better_goes(tmp_path: Path, kind: str) -> None:
    """A foreign label survives; a stale source type and the address of another file's manifest don't."""
    source, target = tmp_path / "s.png", tmp_path / "t.png"
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", OLD_PACKET.decode(), zip=kind == "compressed")
    Image.new("RGB", (8, 8)).save(source, pnginfo=chunks)
    xmp.embed(source, target, "image/png", FIELDS)
    (packet,) = _packets(target)
    assert "keep me" in packet
    assert "digitalCapture" not in packet
    assert "elsewhere.example" not in packet


@pytest.mark.parametrize(
    "packet",
    [b"<broken", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', b"<x>" + b"a" * 70_000 + b"</x>"],
    ids=["broken", "entities", "huge"],
)
def test_hostile_packet_is_replaced(packet: bytes) -> None:
    """A packet that is broken, defines entities or leaves no room gives way to ours alone."""
    assert xmp.merged(packet, FIELDS) == xmp.merged(None, FIELDS)


def test_control_characters_do_not_break_the_packet() -> None:
    """A name with a stray control character still gives well-formed XML."""
    fields = xmp.XmpFields("trainedAlgorithmicMedia", "a\x00b\x1f", "v\ud800", "r")
    packet = ET.fromstring(xmp.merged(None, fields))
    assert "ab" in {element.text for element in packet.iter()}


@pytest.mark.parametrize("media_type", sorted(make.MEDIA_TYPES.values()))
@pytest.mark.parametrize("data", [b"", b"hello, this is text", b"II*\0\xff\xff\xff\xff"], ids=str)
def test_file_of_another_kind_is_refused(tmp_path: Path, media_type: str, data: bytes) -> None:
    """A file that isn't what its type says is refused, not half written over."""
    (tmp_path / "s").write_bytes(data)
    with pytest.raises(XmpRefused):
        xmp.embed(tmp_path / "s", tmp_path / "t", media_type, FIELDS)
