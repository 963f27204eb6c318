"""What an enforcement keeps of a judgement, and which region it has repainted."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from circletake.domain.consistency.materials import MaterialJudgement
from circletake.domain.consistency.regions import feather_of, region_of
from circletake.domain.consistency.subjects import FrameJudgement
from circletake.domain.consistency.words import Aspect, Box, CharacterKind, Reason, Verdict
from circletake.domain.provenance import source_type_of_take
from circletake.records.consistency import EnforcementAttempt
from circletake.records.media import MediaFile
from circletake.usecases.attempt_values import region_to_repaint, said_of

FACE = Box(200, 100, 80, 80)


@dataclass
class Look:
    character_id: UUID
    look_id: UUID
    kind: CharacterKind = CharacterKind.HUMAN


@dataclass
class Judged:
    look: Look
    judgement: MaterialJudgement
    frames: list[FrameJudgement]


def judged(
    verdict: Verdict, *, number: int = 1, box: Box | None = FACE, broken=(), reasons=(), **scores: float
):
    found = {Aspect(name): p for name, p in scores.items()}
    judgement = MaterialJudgement(
        "k", verdict, min(scores.values(), default=None), found, worst_frame=0, broken=broken, reasons=reasons
    )
    return Judged(
        Look(UUID(int=number), UUID(int=number)), judgement, [FrameJudgement("k", 0, verdict, box=box)]
    )


def test_the_gravest_verdict_of_all_subjects_is_the_takes():
    """One who failed fails it, whoever passed beside them; of each aspect the lowest score counts."""
    said = said_of(
        [
            judged(Verdict.PASS, face=0.99, hair=0.7),
            judged(
                Verdict.FAIL,
                number=2,
                face=0.9,
                wardrobe=0.01,
                broken=(Aspect.WARDROBE,),
                reasons=(Reason.WARDROBE_MISMATCH,),
            ),
            judged(Verdict.NOT_ASSESSABLE, number=3, reasons=(Reason.TURNED_AWAY,)),
        ]
    )
    assert said.verdict is Verdict.FAIL
    assert said.scores["aspects"] == {"face": 0.9, "hair": 0.7, "wardrobe": 0.01}
    assert said.scores["broken"] == ["wardrobe"]
    assert said.reasons == ["wardrobe_mismatch", "turned_away"]


def attempt(*subjects: Judged) -> EnforcementAttempt:
    return EnforcementAttempt(rung="first", changed={}, why={}, scores=dict(said_of(subjects).scores))


def still(media_type: str = "image/png") -> MediaFile:
    return MediaFile(media_type=media_type, width=640, height=480)


def test_only_what_failed_is_repainted():
    """The wardrobe of the one who failed, below the face; the other isn't touched."""
    region = region_to_repaint(
        attempt(
            judged(Verdict.PASS, box=Box(400, 100, 80, 80)),
            judged(Verdict.FAIL, number=2, broken=(Aspect.WARDROBE,)),
        ),
        still(),
    )
    assert region is not None
    assert region["aspects"] == ["wardrobe"]
    [[left, top, width, height]] = region["boxes"]
    assert top >= FACE.top + FACE.height
    assert left <= FACE.left
    assert left + width >= FACE.left + FACE.width
    assert top + height <= 480


@pytest.mark.parametrize(
    ("subject", "file"),
    [
        (judged(Verdict.FAIL, broken=(Aspect.FACE,), box=None), still()),
        (judged(Verdict.FAIL, broken=(Aspect.PALETTE,)), still()),
        (judged(Verdict.FAIL, broken=(Aspect.FACE,)), still("video/mp4")),
        (judged(Verdict.FAIL, broken=(Aspect.FACE,), box=Box(900, 900, 50, 50)), still()),
        (judged(Verdict.FAIL, broken=(Aspect.FACE,)), None),
    ],
)
def test_what_has_no_place_in_the_picture_has_no_region(subject, file):
    """Nobody saw where, it is everywhere, it moves, it is outside, or there is no picture."""
    assert region_to_repaint(attempt(subject), file) is None


def test_hair_leaves_the_face_alone():
    """Its boxes lie above and beside the middle of the face."""
    middle = (FACE.left + FACE.width // 2, FACE.top + FACE.height // 2)
    boxes = region_of([Aspect.HAIR], FACE, 640, 480)
    assert boxes
    assert not any(
        box.left <= middle[0] < box.left + box.width and box.top <= middle[1] < box.top + box.height
        for box in boxes
    )
    assert min(box.top for box in boxes) < FACE.top
    assert feather_of(boxes) >= 4


@pytest.mark.parametrize(
    ("model", "plate", "expected"),
    [
        ("trainedAlgorithmicMedia", "trainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        ("trainedAlgorithmicMedia", "digitalCapture", "compositeWithTrainedAlgorithmicMedia"),
        ("trainedAlgorithmicMedia", None, "compositeWithTrainedAlgorithmicMedia"),
        ("algorithmicMedia", "algorithmicMedia", "algorithmicMedia"),
        ("algorithmicMedia", "trainedAlgorithmicMedia", "compositeSynthetic"),
    ],
)
def test_a_region_in_a_generated_picture_is_wholly_generated(model, plate, expected):
    """The digital source type follows what the plate was."""
    assert source_type_of_take(model, on_plate=True, plate_source_type=plate) == expected
