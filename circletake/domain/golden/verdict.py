"""How an approved picture and the same request made again are held against each other.

One verdict per golden shot, the gravest of its aspects, and one per run, the gravest of its shots. The numbers come
from decoded pixels (`PictureDesk.compare_pictures`) and, for faces, from the evaluator; what they mean is decided here
and nowhere else.

Where the thresholds come from: measured on 2026-11-23 on 40 generated pictures (ConsiStory), 40 photographs (DreamBooth)
and 18 pictures of the offline models, each against itself with +-1 and +-2 codes of noise, as JPEG 95, 85 and 75 and as
WebP 80 (the lowest scores: structure 0.943, region 0.802, tint 0.971, colour 0.983, texture 0.988), and against another
seed or another photograph of the same subject (the highest: structure 0.751, region 0.326, texture 0.987); and on 75
local edits of 14 pictures: a swapped face (region 0.34-0.75), recoloured hair (tint 0.30-0.60), a recoloured costume
(tint 0.00-0.35). `docs/golden-shots.md` has the table.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class GoldenVerdict(StrEnum):
    UNCHANGED = "unchanged"  # the same picture, but for what an encoder does
    DRIFTED = "drifted"  # the same picture to look at, with differences that can be measured
    CHANGED = "changed"  # another picture
    FAILED = "failed"  # it couldn't be made or held against the old one


class GoldenAspect(StrEnum):
    STRUCTURE = "structure"  # where things are: structural similarity of lightness, frame against frame
    REGION = "region"  # the same of the part of the frame that differs most
    TINT = "tint"  # the colour of the part of the frame that differs most
    COLOUR = "colour"  # how alike the palettes are
    TEXTURE = "texture"  # how alike line, grain and softness are
    FACE = "face"  # how probable it is that the faces are the same person's


# what says something without a seed: nobody expects the same layout twice
LOOK_ONLY = frozenset({GoldenAspect.COLOUR, GoldenAspect.TEXTURE, GoldenAspect.FACE})

_GRAVITY = (GoldenVerdict.UNCHANGED, GoldenVerdict.DRIFTED, GoldenVerdict.CHANGED, GoldenVerdict.FAILED)


@dataclass(frozen=True, slots=True)
class GoldenThreshold:
    """From `unchanged_from` on an aspect is unchanged, below `changed_below` it is changed, in between drifted."""

    unchanged_from: float
    changed_below: float

    def __post_init__(self) -> None:
        if not 0 <= self.changed_below <= self.unchanged_from <= 1:
            raise ValueError("thresholds lie between 0 and 1, changed_below not above unchanged_from")

    def verdict(self, score: float) -> GoldenVerdict:
        if score >= self.unchanged_from:
            return GoldenVerdict.UNCHANGED
        return GoldenVerdict.CHANGED if score < self.changed_below else GoldenVerdict.DRIFTED


Thresholds = Mapping[GoldenAspect, GoldenThreshold]

SEEDED: Thresholds = {
    GoldenAspect.STRUCTURE: GoldenThreshold(0.94, 0.70),
    GoldenAspect.REGION: GoldenThreshold(0.78, 0.40),
    GoldenAspect.TINT: GoldenThreshold(0.90, 0.45),
    GoldenAspect.COLOUR: GoldenThreshold(0.95, 0.80),
    GoldenAspect.TEXTURE: GoldenThreshold(0.98, 0.90),
    GoldenAspect.FACE: GoldenThreshold(0.80, 0.20),
}
# another draw of the same model: what is left to compare varies with what is in the picture. Of 64 pairs of another seed
# of one subject 95 in 100 have colour 0.48 and texture 0.88 or more; a clip is judged by the worst of three frames, and a
# stand-in clip drawn anew had texture 0.82.
UNSEEDED: Thresholds = {
    GoldenAspect.COLOUR: GoldenThreshold(0.45, 0.15),
    GoldenAspect.TEXTURE: GoldenThreshold(0.80, 0.70),
    GoldenAspect.FACE: GoldenThreshold(0.50, 0.10),
}


@dataclass(frozen=True, slots=True)
class GoldenScores:
    """What decoded pixels say of two files. Every score is 0-1, 1 for the same.

    `identical`: every code of every decoded pixel, and every frame of a video. `psnr_db` is over 8-bit codes; None
    where they are identical or of two sizes. Of a video each score is its worst frame's. `face`: None where nobody
    asked, or neither picture shows one; 0 where only one of them does.
    """

    identical: bool
    old_size: tuple[int, int]
    new_size: tuple[int, int]
    psnr_db: float | None
    structure: float | None  # None, like region and tint: the frames have two shapes
    region: float | None
    tint: float | None
    colour: float
    texture: float
    frames: int = 1
    old_seconds: float | None = None
    new_seconds: float | None = None
    face: float | None = None

    @property
    def same_size(self) -> bool:
        return self.old_size == self.new_size

    @property
    def same_length(self) -> bool:
        """A clip's length, to a tenth of a second: containers round."""
        if self.old_seconds is None or self.new_seconds is None:
            return self.old_seconds is self.new_seconds
        return abs(self.old_seconds - self.new_seconds) < 0.1  # noqa: PLR2004

    def of(self, aspect: GoldenAspect) -> float | None:
        score: float | None = getattr(self, aspect.value)
        return score


@dataclass(frozen=True, slots=True)
class AspectVerdict:
    aspect: GoldenAspect
    score: float
    threshold: GoldenThreshold
    verdict: GoldenVerdict


@dataclass(frozen=True, slots=True)
class GoldenJudgement:
    """`reasons` are codes: the aspects that aren't unchanged, `size` and `length`."""

    verdict: GoldenVerdict
    aspects: Sequence[AspectVerdict]
    reasons: Sequence[str]
    judged_by: str  # pixels | look


def judge_golden(
    scores: GoldenScores,
    *,
    seeded: bool,
    aspects: Collection[GoldenAspect] = (),
    thresholds: Thresholds | None = None,
) -> GoldenJudgement:
    """Judge one golden shot. `seeded`: old and new were made with the same seed, by a model that honours it; without
    one only the look counts, never the layout. `aspects`: those that count, all that there are when empty.
    `thresholds` replace the shipped ones aspect by aspect.

    Identical pixels are unchanged whatever else was asked for.
    """
    judged_by = "pixels" if seeded else "look"
    if scores.identical and scores.same_length:
        return GoldenJudgement(GoldenVerdict.UNCHANGED, (), (), judged_by)
    rules = {**(SEEDED if seeded else UNSEEDED), **(thresholds or {})}
    counting = set(aspects or GoldenAspect) & (set(GoldenAspect) if seeded else LOOK_ONLY)
    judged = []
    for aspect in GoldenAspect:
        score = scores.of(aspect)
        if aspect in counting and score is not None:
            rule = rules[aspect]
            judged.append(AspectVerdict(aspect, score, rule, rule.verdict(score)))
    reasons = [each.aspect.value for each in judged if each.verdict is not GoldenVerdict.UNCHANGED]
    verdicts = [each.verdict for each in judged]
    for same, reason in ((scores.same_size, "size"), (scores.same_length, "length")):
        if not same:
            reasons.append(reason)
            verdicts.append(GoldenVerdict.CHANGED)
    if not verdicts:
        return GoldenJudgement(GoldenVerdict.FAILED, (), ("nothing_to_judge_by",), judged_by)
    return GoldenJudgement(gravest(verdicts), judged, reasons, judged_by)


def gravest(verdicts: Iterable[GoldenVerdict]) -> GoldenVerdict:
    """Return the gravest verdict; of none at all `unchanged`. A shot that couldn't be made outweighs one that
    changed: nobody has seen it."""
    return max(verdicts, key=_GRAVITY.index, default=GoldenVerdict.UNCHANGED)


def counts(verdicts: Iterable[GoldenVerdict]) -> dict[str, int]:
    """Return how many there are of each verdict, those of none too."""
    found = dict.fromkeys((each.value for each in GoldenVerdict), 0)
    for verdict in verdicts:
        found[verdict.value] += 1
    return found


def thresholds_in(stored: Mapping[str, Any]) -> dict[GoldenAspect, GoldenThreshold]:
    """Read thresholds as they are kept: {aspect: {unchanged_from, changed_below}}."""
    return {
        GoldenAspect(aspect): GoldenThreshold(each["unchanged_from"], each["changed_below"])
        for aspect, each in stored.items()
    }


# --- in words, for the sheet and the console -------------------------------------------------------------------

_WORDS = {
    GoldenAspect.STRUCTURE: ("the layout holds", "the layout moved", "another layout"),
    GoldenAspect.REGION: ("no part differs", "a part differs", "a part is another"),
    GoldenAspect.TINT: (
        "every part keeps its colour",
        "a part shifted in colour",
        "a part has another colour",
    ),
    GoldenAspect.COLOUR: ("colours hold", "colours shifted", "other colours"),
    GoldenAspect.TEXTURE: ("texture holds", "texture differs", "another texture"),
    GoldenAspect.FACE: ("the same face", "a doubtful face", "another face"),
}


@dataclass(frozen=True, slots=True)
class GoldenWords:
    """One line on the verdict and one per aspect."""

    verdict: str
    lines: Sequence[str] = field(default_factory=tuple)


def in_words(scores: GoldenScores, judgement: GoldenJudgement) -> GoldenWords:
    """Say what was measured in words that need no manual."""
    lines = []
    if scores.identical:
        lines.append("every decoded pixel is the same")
    else:
        for each in judgement.aspects:
            said = _WORDS[each.aspect][_GRAVITY.index(each.verdict)]
            lines.append(f"{each.aspect.value} {each.score:.3f}: {said}")
        if scores.psnr_db is not None and judgement.judged_by == "pixels":
            lines.append(f"pixels differ by {scores.psnr_db:.1f} dB")
    if not scores.same_size:
        lines.append(f"{_size(scores.old_size)} became {_size(scores.new_size)}")
    if not scores.same_length and scores.old_seconds is not None and scores.new_seconds is not None:
        lines.append(f"{scores.old_seconds:.1f} s became {scores.new_seconds:.1f} s")
    if judgement.judged_by == "look":
        lines.append("no seed binds them: judged by the look alone")
    return GoldenWords(judgement.verdict.value, tuple(lines))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
