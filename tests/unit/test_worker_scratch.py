"""A worker's folder for the pictures at work."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.worker.scratch import Scratch


def test_workers_that_start_together_leave_each_other_their_folders(tmp_path: Path) -> None:
    """Each removes what killed workers left, and never what another one has just made."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        made = list(pool.map(lambda _: Scratch(tmp_path), range(160)))
    assert all(one.path.is_dir() for one in made)
    assert len({one.path for one in made}) == len(made)
    for one in made:
        one.close()
    assert list(tmp_path.iterdir()) == []
