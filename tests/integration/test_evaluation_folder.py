"""What `make eval` reads, and how it reckons."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation import edits, pictures
from evaluation.folder import NotAFolder, Truth, read, rows, split
from evaluation.metrics import Scored, figures, share
from evaluation.pictures import Face
from tests.integration.evaluation_folder import draw, write_list


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codes = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(codes).save(path)


def test_a_folder_without_lists_is_read_by_its_folders(tmp_path):
    """Pictures sorted into faces/<person>/ are enough; what isn't there is absent, not empty."""
    for person in ("ann", "bob"):
        picture(tmp_path / "faces" / person / "1.png")
    found = read(tmp_path)
    assert {each.subject for each in found.pictures.values()} == {"ann", "bob"}
    assert (found.face_pairs, found.look_pairs, found.breaks, list(found.sequences)) == (None, None, None, [])


def test_a_folder_with_nothing_is_refused(tmp_path):
    """Somebody who names the wrong folder is told so."""
    with pytest.raises(NotAFolder, match=r"no manifest\.csv"):
        read(tmp_path)
    with pytest.raises(NotAFolder, match="not a folder"):
        read(tmp_path / "absent")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_headers_are_taken_as_people_write_them(tmp_path, separator):
    """Capitals, spaces, a byte order mark and a spreadsheet's separator don't lose a list."""
    (tmp_path / "list.csv").write_text(
        f"\ufeffShot{separator}Subjects present{separator}Truth\nx.png{separator}a{separator}OK\n",
        encoding="utf-8",
    )
    assert rows(tmp_path / "list.csv") == [{"shot": "x.png", "subjects_present": "a", "truth": "OK"}]


@pytest.mark.parametrize("given", ["ann;bob", "ann|bob", "ann, bob", "ann bob", "ann + bob"])
def test_several_subjects_stand_in_one_cell(given):
    """Whatever separates them, they are two."""
    assert split(given) == ("ann", "bob")


def test_a_known_name_may_hold_a_space():
    """A subject that the manifest calls by first and last name stays one."""
    assert split("Ann Lee; bob", {"Ann Lee"}) == ("Ann Lee", "bob")


def test_a_sequence_names_its_shots_beside_itself(tmp_path):
    """Paths count from the list's own folder too; shots come in story order; three kinds of truth are told apart."""
    draw_shots = [("b.png", 2, "ann", "break", "face"), ("a.png", 1, "ann", "ok", "none"),
                  ("c.png", 10, "ann", "not assessable", "face")]  # fmt: skip
    for name, *_ in draw_shots:
        picture(tmp_path / "sequences" / "one" / name)
    picture(tmp_path / "characters" / "ann" / "1.png")
    write_list(
        tmp_path / "sequences" / "one" / "shots.csv",
        ("shot", "order", "subjects present", "truth", "aspect"),
        draw_shots,
    )
    (sequence,) = read(tmp_path).sequences
    assert [shot.name for shot in sequence.shots] == ["a.png", "b.png", "c.png"]
    assert [shot.truth for shot in sequence.shots] == [Truth.OK, Truth.BREAK, Truth.NOT_ASSESSABLE]


def test_files_that_are_not_there_are_counted(tmp_path):
    """A list that names missing files is scored without them and says how many."""
    draw(tmp_path)
    (tmp_path / "objects" / "cat" / "00.png").unlink()
    found = read(tmp_path)
    assert any("1 of 10 files" in complaint for complaint in found.complaints)
    assert any("pairs_look.csv" in complaint for complaint in found.complaints)


def test_a_list_reads_nothing_outside_of_its_folder(tmp_path):
    """A path that climbs out of the folder is a file that isn't there."""
    picture(tmp_path / "secret.png")
    picture(tmp_path / "data" / "characters" / "ann" / "1.png")
    write_list(
        tmp_path / "data" / "pairs_look.csv",
        ("a", "b", "same"),
        [("../secret.png", "characters/ann/1.png", 1)],
    )
    found = read(tmp_path / "data")
    assert not found.look_pairs
    assert "../secret.png" not in found.pictures


def pairs(*given: tuple[bool, float]) -> list[Scored]:
    return [
        Scored(same, score, f"p{at}", f"p{at}" if same else f"q{at}")
        for at, (same, score) in enumerate(given)
    ]


def test_figures_are_those_counted_by_hand():
    """Two of six pairs of a same and a different score stand the wrong way round or tie: AUC is (4 + 1/2) / 6."""
    found = figures(pairs((True, 0.9), (True, 0.6), (False, 0.7), (False, 0.6), (False, 0.1)), resamples=0)
    assert found is not None
    assert found["auc"] == pytest.approx(4.5 / 6, abs=1e-4)
    assert (
        found["tar_far_1e-2"] == found["tar_far_1e-3"] == 0.5
    )  # one same score lies above every different one
    # balanced: bin 9 holds .25 of weight at .9 truly 1; bin 7 .167 at .7 truly 0; bin 6 .25 and .167 at .6, truly .6
    expected = 0.25 * 0.1 + 0.7 / 6 + abs(0.25 * -0.4 + 0.6 / 6) + 0.1 / 6
    assert found["ece"] == pytest.approx(expected, abs=1e-4)


def test_one_answer_alone_gives_no_figures():
    """Without a different pair there is no error rate; none is invented."""
    assert figures(pairs((True, 0.9), (True, 0.8))) is None
    assert figures([]) is None


def test_an_interval_is_over_subjects_not_over_pairs():
    """Ten times the pairs of the same few people don't make a figure ten times as sure."""
    chance = np.random.default_rng(3)
    people = {name: chance.normal(0, 1.5) for name in "abcdef"}

    def drawn(times: int) -> list[Scored]:
        return [
            Scored(same, 1 / (1 + math.exp(-(people[a] + (1.5 if same else -1.5) + chance.normal()))), a, a if same else b)
            for _ in range(times)
            for a in people
            for b in people
            if a != b
            for same in (True, False)
        ]  # fmt: skip

    widths = []
    for times in (1, 10):
        found = figures(drawn(times))
        assert found is not None
        low, high = found["ci"]["auc"]  # type: ignore[index]
        widths.append(high - low)
    assert widths[1] > widths[0] * 0.5


def test_a_share_of_nothing_is_absent():
    """No shots of a kind: no share, not zero."""
    assert share([], []) is None
    found = share([True, False, True, True], ["a", "a", "b", "b"])
    assert found is not None
    assert found["share"] == 0.75


def face() -> Face:
    return Face(np.array([[70.0, 40], [62, 41], [40, 40], [48, 41], [55, 55]]))


def test_a_drift_of_nothing_changes_nothing():
    """Morphing by 0 leaves the picture as it was, by 1 it is the swapped face, between lies between."""
    chance = np.random.default_rng(1)
    one, other = (np.full((120, 110, 3), codes, np.uint8) for codes in ((180, 140, 120), (90, 60, 50)))
    one += chance.integers(0, 20, one.shape, dtype=np.uint8)
    other += chance.integers(0, 20, other.shape, dtype=np.uint8)
    assert np.array_equal(edits.morphed(one, face(), other, face(), 0.0), one)
    whole = edits.morphed(one, face(), other, face(), 1.0).astype(int)
    half = edits.morphed(one, face(), other, face(), 0.5).astype(int)
    assert np.abs(half - (whole + one.astype(int)) / 2).max() <= 1
    outside = ~edits.face_area(one, face())
    assert np.abs(whole - one)[outside].max() <= 2


@pytest.mark.parametrize("wanted", [0.7, 0.41, 0.25, 0.155, 0.08])
def test_a_frame_holds_the_face_at_the_size_asked_for(wanted):
    """The face's height is that share of the frame's, and the eyes are where the picture says."""
    rgb = np.random.default_rng(2).integers(0, 255, (160, 120, 3), dtype=np.uint8)
    framed, moved = pictures.framed(rgb, face(), wanted)
    assert moved.height / framed.shape[0] == pytest.approx(wanted, rel=0.02)
    assert 0 < moved.eyes[0] < framed.shape[1]
    assert 0 < moved.eyes[1] < framed.shape[0]
