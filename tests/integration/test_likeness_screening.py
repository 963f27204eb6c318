"""The screener's eyes: every face in the region that is to be altered, small and cut ones too, and none outside it.

The one real face is scikit-image's public-domain portrait of an astronaut.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.domain.permission.likeness import LEAST_SHARE
from circletake.kit.children import ChildPool

WEIGHTS = Path(__file__).resolve().parents[2] / ".tools" / "weights"
FACE_PX = 104  # of the portrait's face, across
Edges = tuple[int, int, int, int]  # left, top, right, bottom


@pytest.fixture(scope="module")
async def evaluator() -> AsyncIterator[LikenessEvaluator]:
    pool = ChildPool(1)
    yield LikenessEvaluator(pool, WEIGHTS)
    pool.close()


def plate(size: int) -> tuple[np.ndarray, Edges]:
    """A table with a cup, and a person whose face is `size` pixels across; and the face's edges."""
    scale = size / FACE_PX
    person = cv2.resize(
        np.asarray(data.astronaut())[10:260, 110:330], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    frame = np.asarray(data.coffee()).copy()
    frame[60 : 60 + person.shape[0], 300 : 300 + person.shape[1]] = person
    left, top = 300 + round(55 * scale), 60 + round(55 * scale)
    return frame, (left, top, left + size, top + size)


async def altered(evaluator: LikenessEvaluator, folder: Path, frame: np.ndarray, white: Edges) -> list[float]:
    """The shares of the faces that a matte with this white area alters."""
    matte = np.zeros(frame.shape[:2], np.uint8)
    left, top, right, bottom = white
    matte[max(0, top) : bottom, max(0, left) : right] = 255
    Image.fromarray(frame).save(folder / "plate.png")
    Image.fromarray(matte).save(folder / "matte.png")
    seen = await evaluator.screen(folder / "plate.png", folder / "matte.png")
    return [each.share for each in seen.faces if each.share > LEAST_SHARE]


@pytest.mark.parametrize("size", [24, 60])
async def test_a_face_in_the_matte_is_found_however_small(
    evaluator: LikenessEvaluator, tmp_path: Path, size: int
) -> None:
    """Down to 24 pixels across, which nobody could judge any more."""
    frame, (left, top, right, bottom) = plate(size)
    around = (left - size // 3, top - size // 3, right + size // 3, bottom + size // 3)
    assert len(await altered(evaluator, tmp_path, frame, around)) == 1


async def test_half_a_face_is_a_face(evaluator: LikenessEvaluator, tmp_path: Path) -> None:
    """Whether the matte cuts it, or takes a blemish from it."""
    frame, (left, top, right, bottom) = plate(60)
    middle = (left + right) // 2
    assert len(await altered(evaluator, tmp_path, frame, (left - 20, top - 20, middle, bottom + 20))) == 1
    spot = (left + 4, middle - left + top, left + 12, middle - left + top + 8)
    assert len(await altered(evaluator, tmp_path, frame, spot)) == 1


async def test_beside_a_face_nobody_is_altered(evaluator: LikenessEvaluator, tmp_path: Path) -> None:
    """Not by a matte over the wall next to the head, nor by one over the clothes."""
    frame, (left, top, right, bottom) = plate(60)
    beside = (right + 6, top - 30, right + 90, bottom + 20)
    below = (left - 30, bottom + 8, right + 30, bottom + 60)
    assert await altered(evaluator, tmp_path, frame, beside) == []
    assert await altered(evaluator, tmp_path, frame, below) == []
