"""XMP packets in PDF files: filled in place, in the room the file keeps for it.

Only a document whose packet is uncompressed, writable and ahead of its pages is taken: the ones this product draws.
Nothing moves, so no cross-reference changes. Source: XMP specification part 1 §7.3.2, part 3 §3.
"""

from collections.abc import Callable
from pathlib import Path

from circletake.adapters.c2pa.errors import XmpRefused

_BEGIN, _READ_ONLY, _WRITABLE = b"<?xpacket begin=", b'<?xpacket end="r"?>', b'<?xpacket end="w"?>'
_AHEAD = 65_536


def replace_packet(path: Path, renew: Callable[[bytes | None], bytes]) -> None:
    """Put `renew(old packet)` in the old packet's place. Raises XmpRefused when there is none or too little room."""
    with path.open("r+b") as file:
        head = file.read(_AHEAD)
        start = head.find(_BEGIN)
        end = head.find(_WRITABLE, start) + len(_WRITABLE)
        if not head.startswith(b"%PDF-") or start < 0 or end < start:
            raise XmpRefused("the PDF keeps no room for an XMP packet")
        packet = renew(head[start:end]).removesuffix(_READ_ONLY).removesuffix(_WRITABLE)
        room = end - start - len(_WRITABLE)
        if len(packet) > room:
            raise XmpRefused("the rights text is too long for the PDF's XMP packet")
        file.seek(start)
        file.write(packet.ljust(room) + _WRITABLE)
