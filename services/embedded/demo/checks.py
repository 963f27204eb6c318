"""What the demo claims, as functions that say what is wrong. None: the claim holds.

They share no code with the product: pictures are decoded by OpenCV, manifests read by the C2PA library with this
stack's own roots, signatures computed from the Standard Webhooks specification.
"""

import base64
import binascii
import csv
import hashlib
import hmac
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from c2pa import C2paError, Context, Reader
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.embedded.demo.plates import decode

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# c2pa-kp-claimSigning, id-kp-documentSigning, id-kp-emailProtection; id-kp-timeStamping
_SIGNER_USAGES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.36\n1.3.6.1.5.5.7.3.4\n"
_TIMESTAMP_USAGE = "1.3.6.1.5.5.7.3.8\n"
_TOLERANCE_SECONDS = 300
_SHORTEST_CLIP_SECONDS, _LONGEST_CLIP_SECONDS = 4.5, 5.5


# --- pictures -------------------------------------------------------------------------------------------------------


def outside_matte(plate: Path, matte: Path, take: Path) -> tuple[int, str | None]:
    """Return how many pixels the matte leaves alone, and what is wrong with them in the take."""
    before, after, hole = decode(plate), decode(take), decode(matte)
    if after.shape != before.shape or after.dtype != before.dtype:
        return 0, f"expected the plate's {_shape(before)}, got {_shape(after)}"
    kept = hole == 0 if hole.ndim == 2 else ~hole.any(axis=2)  # noqa: PLR2004 - height, width, channels
    changed = int(np.count_nonzero(_differs(before, after) & kept))
    inside = int(np.count_nonzero(_differs(before, after) & ~kept))
    count = int(np.count_nonzero(kept))
    if changed:
        return count, f"expected no changed pixel outside the matte, found {changed} of {count}"
    return count, None if inside else "expected something to have changed inside the matte, nothing has"


def inside_extension(plate: Path, extend: Mapping[str, int], take: Path) -> tuple[int, str | None]:
    """Return how many pixels the plate has, and what is wrong with them in the extended take."""
    before, after = decode(plate), decode(take)
    left, right, up, down = (extend.get(side, 0) for side in ("left", "right", "up", "down"))
    height, width = before.shape[:2]
    if after.shape[:2] != (height + up + down, width + left + right) or after.dtype != before.dtype:
        return 0, f"expected {width + left + right}x{height + up + down} {before.dtype}, got {_shape(after)}"
    changed = int(np.count_nonzero(_differs(before, after[up : up + height, left : left + width])))
    count = height * width
    return count, f"expected the plate untouched, {changed} of {count} pixels differ" if changed else None


def is_clip(path: Path) -> str | None:
    """Say what is wrong with a clip of five seconds."""
    clip = cv2.VideoCapture(str(path))
    try:
        frames, rate = clip.get(cv2.CAP_PROP_FRAME_COUNT), clip.get(cv2.CAP_PROP_FPS)
        shown, _ = clip.read()
    finally:
        clip.release()
    seconds = frames / rate if rate else 0.0
    if not shown or not _SHORTEST_CLIP_SECONDS <= seconds <= _LONGEST_CLIP_SECONDS:
        return f"expected a clip of 5 s, got {frames:.0f} frames at {rate:.0f} per second"
    return None


def _differs(before: Any, after: Any) -> Any:
    if before.shape != after.shape:
        return np.ones(before.shape[:2], bool)
    different = before != after
    return different if different.ndim == 2 else different.any(axis=2)  # noqa: PLR2004


def _shape(pixels: Any) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]} {pixels.dtype}"


# --- manifests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file's manifest proves. `wrong` is None when every hash fits and our root vouches for the signer."""

    urn: str | None
    source_type: str | None
    training: str | None  # what it says about training a generative model on it
    wrong: str | None


class ManifestReader:
    """Reads manifests, trusting nobody but these roots, fetching nothing."""

    def __init__(self, roots: Path, timestamp_roots: Path) -> None:
        self._context = Context.from_dict(
            {
                "version": 1,
                "trust": {
                    "trust_config": _SIGNER_USAGES + _TIMESTAMP_USAGE,
                    "anchors": [
                        _anchor("manifest", roots, _SIGNER_USAGES),
                        _anchor("tsa", timestamp_roots, _TIMESTAMP_USAGE),
                    ],
                },
                "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
            }
        )

    def read(self, data: bytes, media_type: str) -> Manifest:
        try:
            with Reader(media_type, io.BytesIO(data), context=self._context) as reader:
                report = json.loads(reader.json())
        except C2paError as error:
            return Manifest(None, None, None, f"expected a manifest, got: {error}"[:160])
        results = report.get("validation_results", {}).get("activeManifest") or {}
        successes, failures = (
            {str(one["code"]) for one in results.get(outcome) or ()} for outcome in ("success", "failure")
        )
        wanted = {"claimSignature.validated", "signingCredential.trusted", "timeStamp.trusted"}
        wrong = ", ".join(sorted(failures)) or None
        if wrong is None and wanted - successes:
            wrong = "not proved: " + ", ".join(sorted(wanted - successes))
        manifest = report.get("manifests", {}).get(report.get("active_manifest")) or {}
        return Manifest(report.get("active_manifest"), _source_type(manifest), _training(manifest), wrong)


def _anchor(kind: str, roots: Path, usages: str) -> dict[str, str]:
    return {
        "trust_kind": kind,
        "trust_uri": f"urn:circletake:demo:{kind}",
        "trust_anchors": roots.read_text(),
        "trust_config": usages,
    }


def _assertion(manifest: Mapping[str, Any], *labels: str) -> Mapping[str, Any]:
    for one in manifest.get("assertions") or ():
        if one.get("label") in labels and isinstance(one.get("data"), dict):
            return one["data"]  # type: ignore[no-any-return]
    return {}


def _source_type(manifest: Mapping[str, Any]) -> str | None:
    actions = _assertion(manifest, "c2pa.actions.v2", "c2pa.actions").get("actions") or ()
    stated = [str(one["digitalSourceType"]) for one in actions if one.get("digitalSourceType")]
    return stated[-1].removeprefix(_SOURCE_TYPES) if stated else None


def _training(manifest: Mapping[str, Any]) -> str | None:
    entries = _assertion(manifest, "cawg.training-mining").get("entries") or {}
    use = entries.get("cawg.ai_generative_training") or {}
    return str(use.get("use")) if use else None


def one_bit_changed(data: bytes, media_type: str) -> bytes:
    """Return the file with one bit of its picture flipped: behind the manifest, and so that its structure stays."""
    at = _place_in_picture(data, media_type)
    return flipped(data, at)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _place_in_picture(data: bytes, media_type: str) -> int:
    """Return an offset inside the compressed picture itself."""
    if media_type == "image/png":
        return _middle(_png_chunks(data), b"IDAT")
    if media_type == "video/mp4":
        return _middle(_boxes(data), b"mdat")
    if media_type == "application/pdf":
        return _middle(_pdf_streams(data), b"XObj")
    at = len(data) * 3 // 4
    # in a JPEG's scan 0xFF begins a marker: neither make one nor break one
    while {0xFE, 0xFF} & {*data[at - 1 : at + 2]}:
        at -= 1
    return at


Part = tuple[bytes, int, int]  # its four letters, the offset of its content, the content's length


def _middle(parts: Iterable[Part], name: bytes) -> int:
    _, start, length = max((part for part in parts if part[0] == name), key=lambda part: part[2])
    return start + length // 2


def _png_chunks(data: bytes) -> Iterator[Part]:
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], at + 8, length
        at += length + 12


def _boxes(data: bytes) -> Iterator[Part]:
    """Walk the outermost boxes (ISO/IEC 14496-12 section 4.2); none here is so long that it needs 64 bits."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4]) or len(data) - at
        yield data[at + 4 : at + 8], at + 8, size - 8
        at += max(size, 8)


def _pdf_streams(data: bytes) -> Iterator[Part]:
    """Walk the pictures of a PDF (ISO 32000-1 sections 7.3.8 and 8.9): the streams whose dictionary calls itself one."""
    for found in re.finditer(rb"/Subtype\s*/Image\b[^>]*>>\s*stream\r?\n", data):
        end = data.find(b"endstream", found.end())
        yield b"XObj", found.end(), end - found.end()


# --- webhooks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook as it arrived: the three headers and the raw body."""

    id: str
    timestamp: str
    signatures: str
    body: bytes


def webhook(message: Message, secret: str, public_key: str, now: float) -> str | None:
    """Say what is wrong with a message's signatures; both the shared secret's and the public key's must be right.

    Standard Webhooks: base64 after `whsec_` / `whpk_`, signed is `id.timestamp.body`. `now`: Unix seconds.
    """
    if not message.timestamp.isdecimal() or abs(now - int(message.timestamp)) > _TOLERANCE_SECONDS:
        return "expected a timestamp of these five minutes"
    content = f"{message.id}.{message.timestamp}.".encode() + message.body
    given = [one.partition(",") for one in message.signatures.split()]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    if not any(scheme == "v1" and hmac.compare_digest(value, expected) for scheme, _, value in given):
        return "expected an HMAC over the exact bytes, none fits"
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    if not any(scheme == "v1a" and _signed(verifier, value, content) for scheme, _, value in given):
        return "expected an ed25519 signature over the exact bytes, none fits"
    return None


def _signed(verifier: Ed25519PublicKey, value: str, content: bytes) -> bool:
    try:
        verifier.verify(base64.b64decode(value, validate=True), content)
    except (InvalidSignature, binascii.Error):
        return False
    return True


# --- the register ---------------------------------------------------------------------------------------------------


def register(text: str, sha256s: Mapping[str, str], circled: Sequence[str]) -> str | None:
    """Compare the AI register with what was downloaded. `sha256s`: by take id; `circled`: take ids."""
    lines = {line["take"]: line for line in csv.DictReader(io.StringIO(text, newline=""))}
    if set(lines) != set(sha256s):
        return f"expected {len(sha256s)} takes, the register has {len(lines)}"
    for take, sha256 in sha256s.items():
        if lines[take]["output_sha256"] != sha256:
            return f"expected the SHA-256 of take {take}'s bytes, the register has another"
        if (lines[take]["circled"] == "true") != (take in circled):
            return f"take {take}: the register is wrong about who was circled"
    return None
