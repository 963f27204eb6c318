"""How strictly a character is judged, which profile holds, and the file that ships the defaults."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import circletake.data
from circletake.adapters.catalogue.evaluators import load_evaluators, load_rules
from circletake.adapters.catalogue.places import CatalogueFault
from circletake.domain.consistency.calibration import logit
from circletake.domain.consistency.profiles import (
    Profile,
    Scoped,
    Threshold,
    changed,
    choose,
    shot_size_of,
)
from circletake.domain.consistency.words import Aspect, CharacterKind, EvaluatorId, ShotSize, Verdict
from tests.unit.consistency_cast import FACE, HAIR, PROFILE, THRESHOLDS

OWN = Path(circletake.data.__file__).parent / "evaluators.yaml"


def named(name, **changes):
    return Profile(name, 1, THRESHOLDS, **changes)


@given(
    low=st.floats(0.01, 0.99), high=st.floats(0.01, 0.99), width=st.floats(0, 3), p=st.floats(0.001, 0.999)
)
@example(low=0.3, high=0.3, width=0.0, p=0.3)
def test_a_wider_zone_never_decides_more(low, high, width, p):
    """Widening the zone of doubt turns verdicts into doubt, never one verdict into the other."""
    threshold = Threshold(*sorted((low, high)))
    plain, wide = threshold.judge(p), threshold.widened(width).judge(p)
    assert wide in {plain, Verdict.NEEDS_HUMAN}
    zone = threshold.widened(width)
    assert logit(zone.pass_from) - logit(zone.fail_below) >= 2 * width - 1e-9


@pytest.mark.parametrize("wrong", [(0.6, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_thresholds_out_of_order_are_refused(wrong):
    """A take can't fail above where it passes, and nothing is certain."""
    with pytest.raises(ValueError, match="thresholds"):
        Threshold(*wrong)


@pytest.mark.parametrize(
    ("covers_cm", "size"),
    [
        (20, ShotSize.ECU),
        (45, ShotSize.CU),
        (75, ShotSize.MCU),
        (120, ShotSize.MS),
        (200, ShotSize.WS),
    ],
)
def test_the_shot_size_is_what_an_assistant_would_write(covers_cm, size):
    """By how much of an adult (eyes 6.3 cm apart) the frame's height covers, at any resolution."""
    for width, height in ((1920, 1080), (4096, 1716), (640, 480), (1080, 1920)):
        assert shot_size_of(6.3 / covers_cm * height, width, height) is size


@given(st.floats(0, 2000), st.integers(1, 4000), st.integers(1, 4000))
def test_nearer_is_never_a_wider_shot(face_px, width, height):
    """A larger face is the same size of shot or a closer one."""
    sizes = list(ShotSize)
    nearer = shot_size_of(face_px * 1.5, width, height)
    assert sizes.index(nearer) <= sizes.index(shot_size_of(face_px, width, height))


def test_the_most_specific_profile_holds():
    """A character's own before the production's, that before everybody's."""
    scoped = [
        Scoped(named("all")),
        Scoped(named("production"), production="p"),
        Scoped(named("character"), production="p", character="ada"),
        Scoped(named("close"), size=ShotSize.ECU),
    ]
    assert choose(scoped, production="p", character="ada").id == "character"
    assert choose(scoped, production="p", character="bea").id == "production"
    assert choose(scoped, production="q", character="ada").id == "all"
    assert choose(scoped, production="q", character="x", size=ShotSize.ECU).id == "close"
    assert choose(scoped[1:3], production="q", character="ada") is None


def test_a_changed_profile_keeps_the_rest():
    """What somebody overrides changes, everything else stays as it was shipped."""
    own = changed(
        PROFILE,
        {
            "thresholds": {"face": {"fail_below": 0.3, "pass_from": 0.8}},
            "by_size": {"ECU": {"hair": {"fail_below": 0.2, "pass_from": 0.9}}},
            "statistic": "minimum",
        },
        id="own",
        version=2,
    )
    assert own.name == "own@2"
    assert own.threshold(FACE) == Threshold(0.3, 0.8)
    assert own.threshold(HAIR) == PROFILE.threshold(HAIR)
    assert own.threshold(HAIR, ShotSize.ECU) == Threshold(0.2, 0.9)
    assert Profile.from_json(own.as_json()) == own
    with pytest.raises(ValueError, match="no treshold"):
        changed(PROFILE, {"treshold": {}}, id="own")


def test_what_counts_needs_a_threshold():
    """An aspect that decides without a bar would pass anything."""
    with pytest.raises(ValueError, match="hair counts for a human"):
        Profile("x", 1, {FACE: Threshold(0.2, 0.5), Aspect.OVERALL: Threshold(0.2, 0.5)})
    with pytest.raises(ValueError, match="nothing counts for a human"):
        named("x", counts=dict.fromkeys(CharacterKind, ()))


def test_the_shipped_file_is_whole_and_provisional():
    """Every aspect that counts has a calibration by the default evaluator; all of it says that it is provisional."""
    catalogue = load_evaluators()
    assert catalogue.default.provisional
    for kind in (CharacterKind.HUMAN, CharacterKind.CREATURE, CharacterKind.OBJECT):
        for aspect in catalogue.default.counted(kind):
            calibration = catalogue.calibrations.get(catalogue.finder, aspect)
            assert calibration is not None
            assert calibration.provisional
            assert calibration.source
    assert load_rules().default_evaluator == EvaluatorId("likeness", "1")


def changed_file(tmp_path, old, new):
    text = OWN.read_text("utf-8")
    assert old in text
    path = tmp_path / "evaluators.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("values: [distance, room, lead]", "values: [distance]", r"values need as many weights"),
        ("statistic: p05", "statistic: mean", r"profile\.statistic"),
        ("min_face_px:", "min_face:", r"min_face: Extra inputs"),
        ("prior: 0.5", "prior: 1.5", r"prior: Input should be less than 1"),
        (
            "default: likeness@1",
            "default: likeness@9",
            r"likeness@9, is not among the evaluators: likeness@1",
        ),
        ("face: {fail_below: ", "face: {fail_below: 0.9, wrong: ", r"thresholds\.face"),
        ("human: [face, hair, wardrobe]", "human: []", r"counts\.human"),
        ("version: 1\n", "version: 2\n", r"version: Input should be 1"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path, old, new, message):
    """Whoever edits the numbers is told where and what is wrong."""
    path = changed_file(tmp_path, old, new)
    with pytest.raises(CatalogueFault, match=message) as fault:
        load_evaluators(path)
    line = int(str(fault.value).split(":")[1])
    wanted = next(
        at for at, text in enumerate(path.read_text("utf-8").splitlines(), 1) if new.strip() in text
    )
    assert abs(line - wanted) <= 8


def test_an_evaluator_given_twice_is_refused(tmp_path):
    """Two entries of one id would leave it open which numbers hold."""
    again = """
  - {name: likeness, version: "1", title: Again, aspects: {face: {values: [d], weights: [-1], bias: 0,
     provisional: true, source: nowhere}}}

profile:"""
    with pytest.raises(CatalogueFault, match="likeness@1 is given twice"):
        load_evaluators(changed_file(tmp_path, "\nprofile:", again))


def test_other_numbers_have_another_id(tmp_path):
    """A verdict's calibration id says by which numbers it was judged; a remark changes nothing."""
    mine = load_evaluators()
    face = mine.calibrations.get(mine.finder, FACE)
    moved = load_evaluators(changed_file(tmp_path, f"bias: {face.bias}", f"bias: {face.bias + 0.1}"))
    remarked = load_evaluators(changed_file(tmp_path, f"source: {face.source}", "source: elsewhere"))
    assert moved.calibrations_id != mine.calibrations_id
    assert moved.calibrations.get(mine.finder, FACE).id != face.id
    assert remarked.calibrations_id == mine.calibrations_id
