"""What scores of a golden shot mean, and what a run of them comes to."""

from dataclasses import replace

import pytest

from circletake.domain.golden.verdict import (
    GoldenAspect,
    GoldenScores,
    GoldenThreshold,
    GoldenVerdict,
    counts,
    gravest,
    in_words,
    judge_golden,
)

SAME = GoldenScores(
    identical=True,
    old_size=(1344, 768),
    new_size=(1344, 768),
    psnr_db=None,
    structure=1.0,
    region=1.0,
    tint=1.0,
    colour=1.0,
    texture=1.0,
)
# a JPEG of quality 75 of a picture full of fine detail, as measured
ENCODED = replace(
    SAME,
    identical=False,
    psnr_db=29.4,
    structure=0.953,
    region=0.802,
    tint=0.971,
    colour=0.989,
    texture=0.995,
)
# another seed of the same model and prompt, as measured
RESEEDED = replace(
    SAME, identical=False, psnr_db=10.4, structure=0.541, region=0.084, tint=0.0, colour=0.83, texture=0.939
)


def test_identical_pixels_are_unchanged_whatever_is_asked() -> None:
    """No threshold of anybody's makes the same picture another one."""
    strictest = {GoldenAspect.STRUCTURE: GoldenThreshold(1.0, 1.0)}
    judged = judge_golden(SAME, seeded=True, thresholds=strictest)
    assert (judged.verdict, judged.reasons) == (GoldenVerdict.UNCHANGED, ())


def test_what_an_encoder_does_is_unchanged() -> None:
    """A model that answers JPEG now isn't another model."""
    assert judge_golden(ENCODED, seeded=True).verdict is GoldenVerdict.UNCHANGED


def test_another_seed_is_changed() -> None:
    """The same words drawn anew are another picture."""
    judged = judge_golden(RESEEDED, seeded=True)
    assert judged.verdict is GoldenVerdict.CHANGED
    assert {"structure", "region", "tint"} <= set(judged.reasons)


def test_a_swapped_face_is_noticed_where_the_whole_frame_hardly_moves() -> None:
    """The mean over a frame forgives a small part; the worst part doesn't."""
    face = replace(ENCODED, structure=0.987, region=0.612)
    judged = judge_golden(face, seeded=True)
    assert (judged.verdict, judged.reasons) == (GoldenVerdict.DRIFTED, ["region"])


def test_a_recoloured_costume_is_changed() -> None:
    """Lightness alone wouldn't see it."""
    judged = judge_golden(replace(ENCODED, tint=0.2), seeded=True)
    assert (judged.verdict, judged.reasons) == (GoldenVerdict.CHANGED, ["tint"])


def test_without_a_seed_only_the_look_counts() -> None:
    """Nobody expects the same layout twice of a model that takes no seed; its colours and texture are expected."""
    judged = judge_golden(RESEEDED, seeded=False)
    assert (judged.verdict, judged.judged_by) == (GoldenVerdict.UNCHANGED, "look")
    assert {each.aspect for each in judged.aspects} == {GoldenAspect.COLOUR, GoldenAspect.TEXTURE}
    other = judge_golden(replace(RESEEDED, colour=0.1), seeded=False)
    assert (other.verdict, other.reasons) == (GoldenVerdict.CHANGED, ["colour"])


def test_another_face_is_changed_though_the_look_holds() -> None:
    """Where faces were compared they count, with a seed or without."""
    for seeded in (True, False):
        judged = judge_golden(replace(ENCODED, face=0.02), seeded=seeded)
        assert (judged.verdict, judged.reasons) == (GoldenVerdict.CHANGED, ["face"])


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (replace(ENCODED, new_size=(1024, 768), structure=None, region=None, tint=None), "size"),
        (replace(ENCODED, old_seconds=5.0, new_seconds=9.0), "length"),
    ],
)
def test_another_size_or_length_is_changed(scores: GoldenScores, reason: str) -> None:
    """A plate's format is part of what was approved."""
    judged = judge_golden(scores, seeded=True)
    assert (judged.verdict, judged.reasons) == (GoldenVerdict.CHANGED, [reason])


def test_only_the_aspects_that_count_are_judged() -> None:
    """A studio that cares for the layout alone isn't told of colours."""
    judged = judge_golden(replace(ENCODED, tint=0.2), seeded=True, aspects=[GoldenAspect.STRUCTURE])
    assert judged.verdict is GoldenVerdict.UNCHANGED


def test_aspects_that_say_nothing_fail_rather_than_pass() -> None:
    """Layout alone, of a model without a seed: there is nothing to judge by, and nothing passes for that."""
    judged = judge_golden(RESEEDED, seeded=False, aspects=[GoldenAspect.STRUCTURE])
    assert (judged.verdict, judged.reasons) == (GoldenVerdict.FAILED, ("nothing_to_judge_by",))


def test_a_shots_own_threshold_replaces_the_shipped_one() -> None:
    """Stricter where it has to be."""
    strict = {GoldenAspect.REGION: GoldenThreshold(0.95, 0.9)}
    assert judge_golden(ENCODED, seeded=True, thresholds=strict).verdict is GoldenVerdict.CHANGED


@pytest.mark.parametrize(("upper", "lower"), [(0.5, 0.6), (1.1, 0.5), (0.5, -0.1)])
def test_thresholds_that_contradict_themselves_are_refused(upper: float, lower: float) -> None:
    """Nothing would be drifted, or everything."""
    with pytest.raises(ValueError, match="thresholds"):
        GoldenThreshold(upper, lower)


@pytest.mark.parametrize(
    ("score", "verdict"), [(0.94, "unchanged"), (0.9399, "drifted"), (0.70, "drifted"), (0.6999, "changed")]
)
def test_a_threshold_belongs_to_the_better_side(score: float, verdict: str) -> None:
    """`unchanged_from` is from, `changed_below` is below."""
    judged = judge_golden(replace(ENCODED, structure=score), seeded=True, aspects=[GoldenAspect.STRUCTURE])
    assert judged.verdict == verdict


def test_a_run_is_as_grave_as_its_gravest_shot() -> None:
    """What nobody could make outweighs what changed: nobody has seen it."""
    verdicts = [GoldenVerdict.UNCHANGED, GoldenVerdict.FAILED, GoldenVerdict.CHANGED]
    assert gravest(verdicts) is GoldenVerdict.FAILED
    assert counts(verdicts) == {"unchanged": 1, "drifted": 0, "changed": 1, "failed": 1}


def test_words_say_what_the_numbers_mean() -> None:
    """A supervisor reads the sheet, not the manual."""
    said = in_words(RESEEDED, judge_golden(RESEEDED, seeded=True))
    assert said.verdict == "changed"
    assert "structure 0.541: another layout" in said.lines
    assert in_words(SAME, judge_golden(SAME, seeded=True)).lines == ("every decoded pixel is the same",)
    unseeded = in_words(RESEEDED, judge_golden(RESEEDED, seeded=False)).lines
    assert "no seed binds them: judged by the look alone" in unseeded
    assert not any("dB" in line for line in unseeded)
