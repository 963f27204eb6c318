"""Previews: small, and marked so that no crop worth having is without the mark."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.previews import write_preview
from circletake.ports import PreviewMark
from tests.integration.vision_files import png_bytes, tiff_bytes, video_file

MARK = PreviewMark(
    "PREVIEW  AGM  take 7 3f9a1c  person 81c2de",
    "PREVIEW, not for delivery  ·  AGM  AGM_104_TCC_0010  ·  take 7 3f9a1c  ·  for person 81c2de  ·  2026-11-22",
)
EVERYWHERE = 8  # crops across and down


def marked_crops(pixels: np.ndarray, level: int) -> float:
    """The share of crops of a flat picture in which at least one pixel in a hundred is clearly marked."""
    height, width = pixels.shape[:2]
    ink = np.abs(pixels.astype(int).max(axis=2) - level) > 12
    rows, columns = height // EVERYWHERE, width // EVERYWHERE
    crops = [
        ink[top * rows : (top + 1) * rows, left * columns : (left + 1) * columns].mean() > 0.01
        for top in range(EVERYWHERE)
        for left in range(EVERYWHERE)
    ]
    return float(np.mean(crops))


@pytest.mark.parametrize("level", [0, 40, 128, 215, 255])
def test_the_mark_is_all_over_a_picture_however_dark_or_bright(tmp_path: Path, level: int) -> None:
    """Of a plate four times as wide a preview of 1280 pixels is left, and hardly an eighth of it is without a mark."""
    source, target = tmp_path / "take", tmp_path / "preview.jpg"
    source.write_bytes(png_bytes(np.full((1080, 2560, 3), level, np.uint8)))
    made = write_preview(source, MARK, target, Bounds())
    assert (made.media_type, made.width, made.height) == ("image/jpeg", 1280, 540)
    pixels = cv2.imread(str(target))
    assert pixels.shape == (540, 1280, 3)
    assert marked_crops(pixels, level) > 0.9


def test_the_foot_says_it_all_in_letters_that_can_be_read(tmp_path: Path) -> None:
    """White on a darkened band as wide as the words, also on white and at sixteen bits."""
    source, target = tmp_path / "take", tmp_path / "preview.jpg"
    source.write_bytes(tiff_bytes(np.full((720, 1280, 3), 65535, np.uint16)))
    write_preview(source, MARK, target, Bounds())
    band = cv2.imread(str(target))[-24:, :1000]
    assert band.max() > 230
    assert np.median(band) < 110
    lettered = (band[..., 0] > 200).any(axis=0)
    assert lettered[:900].mean() > 0.6


def test_a_clip_is_marked_on_every_frame(tmp_path: Path) -> None:
    """The preview of a video is a video as long, each frame of it marked."""
    source = video_file(tmp_path / "clip.mp4", frames=6, width=640, height=360)
    target = tmp_path / "preview.mp4"
    made = write_preview(source, MARK, target, Bounds())
    assert (made.media_type, made.width, made.height, made.frames) == ("video/mp4", 640, 360, 6)
    assert not made.shortened
    before, after = cv2.VideoCapture(str(source)), cv2.VideoCapture(str(target))
    for _ in range(6):
        plain, marked = before.read()[1], after.read()[1]
        changed = np.abs(plain.astype(int) - marked.astype(int)).max(axis=2) > 25
        assert changed[:300].mean() > 0.02
        assert marked[-14:].max() > 200  # the words at the foot, on frames that are dark
