"""Golden shots on real files: what an encoder does is no change, what a model does is."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.golden import compare_files
from circletake.adapters.vision.golden_sheet import Heading, write_golden_sheet
from circletake.domain.golden.verdict import GoldenVerdict, judge_golden
from circletake.ports import GoldenRow, PictureRefused

BOUNDS = Bounds()


@pytest.fixture(scope="module")
def photo() -> Any:
    """A portrait with fine detail, 512 x 512 (scikit-image, public domain)."""
    return np.asarray(data.astronaut())


def saved(folder: Path, name: str, rgb: Any, **options: Any) -> Path:
    Image.fromarray(rgb).save(folder / name, **options)
    return folder / name


def verdict(old: Path, new: Path) -> GoldenVerdict:
    return judge_golden(compare_files(old, new, BOUNDS), seeded=True).verdict


def test_encoding_and_noise_are_unchanged(tmp_path: Path, photo: Any) -> None:
    """JPEG of quality 75, WebP of 80, and one code of noise say nothing of the model."""
    old = saved(tmp_path, "old.png", photo)
    noise = np.random.default_rng(1).integers(-1, 2, photo.shape)
    noisy = np.clip(photo.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    for new in (
        saved(tmp_path, "new.jpg", photo, quality=75),
        saved(tmp_path, "new.webp", photo, quality=80),
        saved(tmp_path, "new.png", noisy),
    ):
        scores = compare_files(old, new, BOUNDS)
        assert not scores.identical
        assert judge_golden(scores, seeded=True).verdict is GoldenVerdict.UNCHANGED, new.suffix


def test_the_same_codes_in_another_container_are_identical(tmp_path: Path, photo: Any) -> None:
    """What counts is what a decoder reads, not the file's bytes."""
    old = saved(tmp_path, "old.png", photo, compress_level=1)
    new = saved(tmp_path, "new.tif", photo)
    assert compare_files(old, new, BOUNDS).identical


def test_another_picture_is_changed_and_a_softer_one_drifted(tmp_path: Path, photo: Any) -> None:
    """A mirrored frame is another layout; a soft one is the same with less in it."""
    old = saved(tmp_path, "old.png", photo)
    mirrored = saved(tmp_path, "mirrored.png", np.ascontiguousarray(photo[:, ::-1]))
    soft = saved(tmp_path, "soft.png", cv2.GaussianBlur(photo, (0, 0), 1.0))
    assert verdict(old, mirrored) is GoldenVerdict.CHANGED
    assert verdict(old, soft) is GoldenVerdict.DRIFTED


def test_a_small_part_that_changed_is_found(tmp_path: Path, photo: Any) -> None:
    """A patch of a fiftieth of the frame: the mean over the frame stays where it was, the part doesn't."""
    other = photo.copy()
    other[60:132, 190:262] = other[60:132, 190:262][::-1]
    scores = compare_files(saved(tmp_path, "old.png", photo), saved(tmp_path, "new.png", other), BOUNDS)
    judged = judge_golden(scores, seeded=True)
    assert scores.structure is not None
    assert scores.structure > 0.94
    assert judged.verdict is not GoldenVerdict.UNCHANGED
    assert "region" in judged.reasons


def clip(path: Path, frames: list[Any], rate: float = 12.0) -> Path:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def test_a_clip_is_as_far_off_as_its_worst_frame(tmp_path: Path, photo: Any) -> None:
    """Only the last frames differ: a look at the first alone would pass it; a shorter clip is changed."""
    frames = [np.roll(photo, shift, axis=1) for shift in range(0, 24, 2)]
    old = clip(tmp_path / "old.mp4", frames)
    again = clip(tmp_path / "again.mp4", frames)
    other = clip(tmp_path / "other.mp4", [*frames[:9], *[frame[::-1] for frame in frames[9:]]])
    shorter = clip(tmp_path / "shorter.mp4", frames[:8])
    assert compare_files(old, again, BOUNDS).identical
    assert verdict(old, other) is GoldenVerdict.CHANGED
    assert "length" in judge_golden(compare_files(old, shorter, BOUNDS), seeded=True).reasons


def test_a_clip_is_not_held_against_a_still(tmp_path: Path, photo: Any) -> None:
    """There is nothing to compare; it is refused, not scored."""
    still = saved(tmp_path, "still.png", photo)
    with pytest.raises(PictureRefused):
        compare_files(still, clip(tmp_path / "clip.mp4", [photo] * 4), BOUNDS)


def test_the_sheet_shows_old_new_and_where_they_differ(tmp_path: Path, photo: Any) -> None:
    """Orange stands where codes lie apart and nowhere else; a shot without a picture keeps its row."""
    other = photo.copy()
    other[:256, :256] = 255 - other[:256, :256]
    old, new = saved(tmp_path, "old.png", photo), saved(tmp_path, "new.png", other)
    rows = [
        GoldenRow("One", "concept art", "changed", ["another layout"], old, new),
        GoldenRow("Two", "concept art", "failed", ["the model ended"], old, None),
    ]
    sheet = tmp_path / "sheet.jpg"
    write_golden_sheet(Heading("Golden shots", "run", "1 changed", "foot"), rows, sheet, BOUNDS)
    drawn = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
    assert drawn.shape[1] == 2400
    column = drawn[268 : 268 + 640, 56 + 2 * 772 : 56 + 2 * 772 + 744]
    warm = column[..., 0] - column[..., 2] > 60
    inside = warm[:, 52 : 52 + 640]  # the square picture in the middle of its column
    assert inside[20:300, 20:300].mean() > 0.8
    assert inside[340:, 340:].mean() < 0.01
