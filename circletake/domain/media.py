"""What may be uploaded as what, how it is cut into parts, and where it stands in the bucket."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from circletake.domain.kinds import MediaRole
from circletake.domain.pictures import Violation

MEBI = 1024 * 1024
GIBI = 1024 * MEBI

# What the inspector decodes at most: said before hours of upload, not after.
MAX_PICTURE_BYTES = 512 * MEBI
MAX_VIDEO_BYTES = 4 * GIBI

# One presigned PUT up to here, parts above. S3: parts of at least 5 MiB, at most 10,000 of them.
ONE_PUT_BYTES = 64 * MEBI
PART_BYTES = 16 * MEBI
PARTS_AT_ONCE = 20  # URLs that come unasked
MAX_PARTS_ASKED = 100

MAX_FRAME = 2**31 - 1
MAX_NAME_BYTES = 200  # in UTF-8

_LOSSLESS = frozenset({"image/png", "image/tiff", "image/webp"})
_PICTURES = _LOSSLESS | {"image/jpeg"}
_VIDEOS = frozenset({"video/mp4", "video/quicktime"})

# An edge of a JPEG matte rings: pixels that should be black are not, and would let the model change them.
UPLOAD_TYPES: Mapping[MediaRole, frozenset[str]] = {
    MediaRole.PLATE: _PICTURES | _VIDEOS,
    MediaRole.CLEAN_PLATE: _PICTURES | _VIDEOS,
    MediaRole.REFERENCE: _PICTURES | _VIDEOS,
    MediaRole.MATTE: _LOSSLESS,
}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\]")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What a studio wants to upload, as it declares it."""

    production_id: UUID
    role: MediaRole
    name: str
    media_type: str
    size: int  # bytes
    sha256: str  # lower-case hex
    rights_basis: str
    shot_id: UUID | None = None
    colour_space: str | None = None
    first_frame: int | None = None
    last_frame: int | None = None
    external_ref: str | None = None


def upload_violations(request: UploadRequest) -> list[Violation]:
    """Return everything that is wrong with a declaration before a byte is sent."""
    found = _type_violations(request.role, request.media_type)
    most = MAX_VIDEO_BYTES if request.media_type in _VIDEOS else MAX_PICTURE_BYTES
    if not 1 <= request.size <= most:
        found.append(
            Violation("/size", "out_of_range", f"A {request.media_type} file has 1 to {most} bytes here.")
        )
    if not _SHA256.fullmatch(request.sha256):
        found.append(
            Violation("/sha256", "bad_sha256", "Give the file's SHA-256 as 64 lower-case hex digits.")
        )
    return found + _name_violations(request.name) + _frame_violations(request)


def _type_violations(role: MediaRole, media_type: str) -> list[Violation]:
    if role is MediaRole.LUT:
        return [Violation("/role", "role_not_open", "LUTs can't be checked yet, so none is taken.")]
    if role not in UPLOAD_TYPES:
        return [
            Violation(
                "/role",
                "role_not_uploadable",
                f"A {role} is made here, not uploaded; upload: {', '.join(sorted(UPLOAD_TYPES))}.",
            )
        ]
    if media_type in UPLOAD_TYPES[role]:
        return []
    allowed = ", ".join(sorted(UPLOAD_TYPES[role]))
    if role is MediaRole.MATTE and media_type == "image/jpeg":
        text = f"A JPEG has no clean black: save the matte as one of {allowed}."
    elif media_type == "image/svg+xml":
        text = f"An SVG is a program, not pixels: export it as one of {allowed}."
    else:
        text = f"A {role} is one of {allowed}."
    return [Violation("/media_type", "unsupported_media_type", text)]


def _name_violations(name: str) -> list[Violation]:
    if not name.strip(" .") or name != name.strip() or _NOT_IN_NAMES.search(name):
        text = "Give the file's own name: no folders, no control characters, no blanks around it."
    elif len(name.encode()) > MAX_NAME_BYTES:
        text = f"Keep the name below {MAX_NAME_BYTES} bytes."
    else:
        return []
    return [Violation("/name", "bad_name", text)]


def _frame_violations(request: UploadRequest) -> list[Violation]:
    first, last = request.first_frame, request.last_frame
    if first is None and last is None:
        return []
    if first is None or last is None:
        missing = "/first_frame" if first is None else "/last_frame"
        return [Violation(missing, "frame_range", "Give both ends of the frame range, or none.")]
    if not -MAX_FRAME <= first <= last <= MAX_FRAME:
        return [Violation("/last_frame", "frame_range", "The last frame comes before the first.")]
    if request.media_type not in _VIDEOS and first != last:
        return [Violation("/last_frame", "frame_range", "A still is one frame: first and last are the same.")]
    return []


def frame_range_problem(
    media_type: str, first_frame: int | None, last_frame: int | None, frames: int
) -> str | None:
    """Return why a declared frame range doesn't fit what the file holds, or None."""
    if media_type not in _VIDEOS or first_frame is None or last_frame is None:
        return None
    declared = last_frame - first_frame + 1
    if declared == frames:
        return None
    return f"Frames {first_frame} to {last_frame} are {declared}; the file holds {frames}: correct the range or the file."


# --- keys -------------------------------------------------------------------------------------------------------


def incoming_key(media_id: UUID) -> str:
    """Where the studio puts the bytes. A presigned URL may be used again, so nothing is ever read from here twice."""
    return f"incoming/{media_id}"


def verify_key(verification_id: UUID) -> str:
    return f"incoming/verify/{verification_id}"


def cut_upload_key(cut_id: UUID) -> str:
    return f"incoming/cuts/{cut_id}"


def cut_key(production_id: UUID, cut_id: UUID, form: str) -> str:
    return f"media/{production_id}/cuts/{cut_id}/cut.{form}"


def media_prefix(production_id: UUID, shot_id: UUID | None, media_id: UUID) -> str:
    return f"media/{production_id}/{shot_id or 'production'}/{media_id}/"


def media_key(production_id: UUID, shot_id: UUID | None, media_id: UUID, attempt: int, name: str) -> str:
    """Where an inspected copy stands. `attempt` (the fence) is in it, so that an inspector that lost its lease
    can't write over the copy that another one has looked at and published."""
    return f"{media_prefix(production_id, shot_id, media_id)}{attempt}/{key_name(name)}"


def key_name(name: str) -> str:
    """Return a name for a key: letters, digits and . _ - only, at most 120, its ending kept."""
    plain = _NOT_IN_KEYS.sub("_", name).strip("._") or "file"
    if len(plain) <= 120:  # noqa: PLR2004
        return plain
    return f"{plain[:100]}_{plain[-19:].lstrip('._')}"


# --- parts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartPlan:
    """How a file is cut: parts 1 to `count`, all of `part_size` bytes but the last."""

    size: int
    part_size: int

    @property
    def count(self) -> int:
        return -(-self.size // self.part_size)

    def size_of(self, number: int) -> int:
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    def missing(self, arrived: Mapping[int, int]) -> Sequence[int]:
        """Return the parts that aren't there, or not in their size. `arrived`: number to bytes."""
        return [number for number in range(1, self.count + 1) if arrived.get(number) != self.size_of(number)]

    def extra(self, arrived: Collection[int]) -> Sequence[int]:
        return sorted(number for number in arrived if number > self.count)


def part_size_for(size: int) -> int | None:
    """Return the part size in bytes for a file of `size` bytes; None: one PUT."""
    return None if size <= ONE_PUT_BYTES else PART_BYTES


def expiry_of(url: str) -> datetime:
    """Return when a presigned URL ends: X-Amz-Date plus X-Amz-Expires (AWS Signature Version 4, query string).

    It may be sooner than asked for: a grant ends with the session that signed it.
    """
    query = parse_qs(urlsplit(url).query)
    signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed + timedelta(seconds=int(query["X-Amz-Expires"][0]))
