"""Faces of golden shots: the same person drawn anew is the same, another one isn't, and an empty frame says nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.domain.golden.verdict import SEEDED, GoldenAspect
from circletake.kit.children import ChildPool
from circletake.usecases.golden.judge_result import Faces, same_faces
from tests.cast import portrait, recast, retaken

WEIGHTS = Path(__file__).resolve().parents[2] / ".tools" / "weights"
FACE = SEEDED[GoldenAspect.FACE]


@pytest.fixture
async def evaluator() -> AsyncIterator[LikenessEvaluator]:
    pool = ChildPool(1)
    yield LikenessEvaluator(pool, WEIGHTS)
    pool.close()


async def test_faces_are_compared_with_what_was_approved(
    evaluator: LikenessEvaluator, tmp_path: Path
) -> None:
    """Retaken in another light: unchanged. Another face, or none where there was one: changed. None before: not judged."""

    def faces(name: str, rgb: Any) -> Faces:
        Image.fromarray(rgb).save(tmp_path / name)
        return Faces(tmp_path / name, "image/png")

    approved = faces("old.png", portrait())
    empty = faces("empty.png", np.full((512, 512, 3), 90, np.uint8))
    calibrations = load_rules().calibrations

    async def score(old: Faces, new: Faces) -> float | None:
        return await same_faces(evaluator, calibrations, old, new)

    again = await score(approved, faces("again.png", retaken(portrait())))
    other = await score(approved, faces("other.png", recast(portrait())))
    assert again is not None
    assert other is not None
    assert FACE.verdict(again) == "unchanged"
    assert FACE.verdict(other) == "changed"
    assert await score(approved, empty) == 0.0
    assert await score(empty, approved) is None
