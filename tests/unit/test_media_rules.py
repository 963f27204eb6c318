"""What may be uploaded as what, how it is cut, and where it stands: pure rules."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.adapters.vision.bounds import Bounds
from circletake.domain import media
from circletake.domain.kinds import MediaRole
from circletake.domain.media import PartPlan, UploadRequest, upload_violations
from circletake.kit.ids import new_id

GIBI = 1024**3


def declared(**changes):
    return UploadRequest(
        **{
            "production_id": new_id(),
            "role": MediaRole.PLATE,
            "name": "AGM_104_TCC_0010.png",
            "media_type": "image/png",
            "size": 1000,
            "sha256": "a" * 64,
            "rights_basis": "owned",
            **changes,
        }
    )


def problems(**changes):
    return {(one.pointer, one.code) for one in upload_violations(declared(**changes))}


@pytest.mark.parametrize("role", [MediaRole.PLATE, MediaRole.CLEAN_PLATE, MediaRole.REFERENCE])
@pytest.mark.parametrize(
    "media_type",
    ["image/png", "image/jpeg", "image/tiff", "image/webp", "video/mp4", "video/quicktime"],
)
def test_plates_and_references_are_pictures_or_videos(role, media_type):
    """Every format that can be decoded is taken for them."""
    assert problems(role=role, media_type=media_type) == set()


@pytest.mark.parametrize("media_type", ["image/jpeg", "video/mp4"])
def test_a_matte_is_a_lossless_still(media_type):
    """A lossy matte has no clean black, so that what must not change would change."""
    assert problems(role=MediaRole.MATTE, media_type=media_type) == {
        ("/media_type", "unsupported_media_type")
    }


@pytest.mark.parametrize("role", [MediaRole.TAKE, MediaRole.PROXY, MediaRole.THUMBNAIL, MediaRole.MANIFEST])
def test_what_is_made_here_is_not_uploaded(role):
    """Nobody can pass a file of their own off as an output."""
    assert problems(role=role) == {("/role", "role_not_uploadable")}


def test_a_lut_is_refused_with_the_reason():
    """LUTs can't be checked yet: said at once, not after the upload."""
    assert problems(role=MediaRole.LUT) == {("/role", "role_not_open")}


@pytest.mark.parametrize("media_type", ["image/svg+xml", "image/gif", "application/pdf", "image/x-exr", ""])
def test_other_formats_are_refused_before_a_byte_is_sent(media_type):
    """The answer names the formats that are taken."""
    (violation,) = upload_violations(declared(media_type=media_type))
    assert violation.code == "unsupported_media_type"
    assert "image/tiff" in violation.message


@pytest.mark.parametrize(
    ("media_type", "size", "refused"),
    [
        ("image/png", 0, True),
        ("image/png", 1, False),
        ("image/tiff", GIBI // 2, False),
        ("image/tiff", GIBI // 2 + 1, True),
        ("video/mp4", 4 * GIBI, False),
        ("video/mp4", 4 * GIBI + 1, True),
    ],
)
def test_a_file_that_would_not_be_decoded_is_not_uploaded(media_type, size, refused):
    """The limits of the inspector are told before the upload."""
    assert bool(problems(media_type=media_type, size=size)) is refused


def test_the_upload_limits_are_the_inspectors():
    """What is promised here is what the decoder takes."""
    bounds = Bounds()
    assert (
        bounds.max_picture_bytes,
        bounds.max_video_bytes,
    ) == (media.MAX_PICTURE_BYTES, media.MAX_VIDEO_BYTES)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        " a.png",
        "a.png ",
        "../a.png",
        "a/b.png",
        "a\\b.png",
        "a\nb.png",
        "a\x7f",
        "é" * 101,
    ],
)
def test_a_name_is_a_files_own_name(name):
    """No folders, no control characters, no blanks around it, not too long."""
    assert problems(name=name) == {("/name", "bad_name")}


@pytest.mark.parametrize("name", ["plate v001.png", "撮影_0010.tif", "a"])
def test_names_in_any_script_are_taken(name):
    """A studio's own names stay."""
    assert problems(name=name) == set()


@pytest.mark.parametrize("digest", ["a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_a_digest_is_written_in_one_way(digest):
    """64 lower-case hex digits and nothing else."""
    assert problems(sha256=digest) == {("/sha256", "bad_sha256")}


@pytest.mark.parametrize(
    ("first", "last", "media_type", "refused"),
    [
        (None, None, "video/mp4", False),
        (1001, 1100, "video/mp4", False),
        (1001, 1001, "image/png", False),
        (1001, None, "video/mp4", True),
        (None, 1001, "video/mp4", True),
        (1100, 1001, "video/mp4", True),
        (1001, 1002, "image/png", True),
    ],
)
def test_a_frame_range_has_two_ends_in_order(first, last, media_type, refused):
    """And a still is one frame."""
    found = problems(first_frame=first, last_frame=last, media_type=media_type)
    assert ({code for _, code in found} == {"frame_range"}) is refused
    assert bool(found) is refused


def test_a_videos_range_is_its_number_of_frames():
    """One frame too many or too few is told with both numbers."""
    assert media.frame_range_problem("video/mp4", 1001, 1012, 12) is None
    assert media.frame_range_problem("video/mp4", None, None, 12) is None
    wrong = media.frame_range_problem("video/mp4", 1001, 1013, 12)
    assert wrong is not None
    assert "13" in wrong
    assert "12" in wrong


@given(st.integers(1, 5 * GIBI))
def test_parts_cover_the_file_and_fit_s3(size):
    """One PUT up to 64 MiB; above, parts that add up to the file, at most 10,000 of them, none too small but the last."""
    part_size = media.part_size_for(size)
    if size <= 64 * 1024**2:
        assert part_size is None
        return
    assert part_size is not None
    plan = PartPlan(size, part_size)
    assert part_size >= 5 * 1024**2
    assert plan.count <= 10_000
    assert (plan.count - 1) * part_size + plan.size_of(plan.count) == size
    assert 1 <= plan.size_of(plan.count) <= part_size


def test_what_is_missing_is_what_has_not_arrived_whole():
    """A part that broke off is sent again."""
    plan = PartPlan(size=25, part_size=10)
    assert plan.missing({}) == [1, 2, 3]
    assert plan.missing({1: 10, 2: 9, 3: 5}) == [2]
    assert plan.missing({1: 10, 2: 10, 3: 5}) == []


@given(st.text(min_size=1, max_size=300))
def test_a_key_holds_no_surprises_whatever_the_name(name):
    """Letters, digits and . _ - only, of bounded length, never hidden."""
    plain = media.key_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", plain)


def test_a_long_name_keeps_its_ending():
    """The format can still be seen."""
    assert media.key_name("x" * 190 + ".tif").endswith(".tif")


def test_two_attempts_of_the_inspector_never_share_a_key():
    """One that lost its lease can't write over what another one published."""
    production, file = new_id(), new_id()
    one, two = (media.media_key(production, None, file, attempt, "a.png") for attempt in (7, 8))
    assert one != two
    prefix = media.media_prefix(production, None, file)
    assert one.startswith(prefix)
    assert two.startswith(prefix)
    assert prefix.split("/")[2] == "production"


def test_a_grants_end_is_read_from_what_was_signed():
    """A URL that ends with its session is shown to end then, not 15 minutes later."""
    url = "https://b.example/k?X-Amz-Date=20261122T165835Z&X-Amz-Expires=420&X-Amz-Signature=ab"
    assert media.expiry_of(url) == datetime(2026, 11, 22, 17, 5, 35, tzinfo=UTC)
