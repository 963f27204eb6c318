"""What is wrong with a picture as a reference: whose face is meant, and whether it can teach anything.

A finding is a JSON object: `code`, `blocking` (nobody can accept it), `detail`, and what its code needs beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from circletake.domain.consistency.subjects import FigureSeen
from circletake.domain.consistency.words import Aspect, Reason, ReferenceFinding

Finding = dict[str, Any]

# Below them a picture is a poor teacher, though it can still be judged. Of one person's faces, those with 24 pixels
# between the eyes lie about as near each other as large ones; smaller ones drift apart.
SMALL_FACE_PX = 24.0
SMALL_PICTURE_PX = 200
LEAST_SHARPNESS = 0.25
# a face at least this large beside the largest one may be the one that is meant
RIVAL = 0.5

_DOUBTS: Mapping[Reason, tuple[ReferenceFinding, str]] = {
    Reason.FACE_TOO_SMALL: (ReferenceFinding.TOO_SMALL, "The face is too small to be judged."),
    Reason.BLURRED: (ReferenceFinding.BLURRED, "The face is too blurred to be judged."),
    Reason.TURNED_AWAY: (ReferenceFinding.TURNED_AWAY, "The face is turned away and can't be judged."),
    Reason.OCCLUDED: (ReferenceFinding.OCCLUDED, "Something covers the face, so it can't be judged."),
    Reason.NO_DETECTION: (ReferenceFinding.OCCLUDED, "The face can't be made out."),
}


class FaceSeen(FigureSeen, Protocol):
    """What a reference's face is judged by."""

    @property
    def sharpness(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Which face of a picture is meant; None when a person has to say, or there is none."""

    figure: int | None
    findings: Sequence[Finding] = ()


def finding(code: ReferenceFinding, detail: str, *, blocking: bool, **more: Any) -> Finding:
    return {"code": code.value, "blocking": blocking, "detail": detail, **more}


def unreadable(detail: str) -> Finding:
    return finding(ReferenceFinding.UNREADABLE, detail[:500], blocking=True)


def choose_face(faces: Sequence[FaceSeen], chosen: int | None) -> Choice:
    """Choose the face of a human's reference. `chosen` is what a person said."""
    count = len(faces)
    if not count:
        detail = "No face was found: a reference of a human has to show one."
        return Choice(None, [finding(ReferenceFinding.NO_FACE, detail, blocking=True)])
    listed = [
        {"figure": number, "box": asdict(each.box), "face_px": round(each.face_px, 1)}
        for number, each in enumerate(faces)
    ]
    if chosen is not None and chosen >= count:
        detail = f"There is no face {chosen}: {count} found, counted from 0."
        return Choice(None, [finding(ReferenceFinding.NO_FACE, detail, blocking=True, faces=listed)])
    if count == 1:
        return Choice(0)

    def said(detail: str, *, blocking: bool, settled: bool = False) -> list[Finding]:
        code = ReferenceFinding.SEVERAL_FACES
        return [finding(code, detail, blocking=blocking, settled=settled, faces=listed)]

    if chosen is not None:
        return Choice(chosen, said(f"{count} faces; one was chosen.", blocking=False, settled=True))
    largest = max(range(count), key=lambda number: faces[number].face_px)
    rivals = [each for each in faces if each.face_px >= RIVAL * faces[largest].face_px]
    if len(rivals) > 1:
        return Choice(None, said(f"{count} faces: choose the character's with `figure`.", blocking=True))
    return Choice(largest, said(f"{count} faces; the largest one was taken.", blocking=False))


def face_findings(face: FaceSeen) -> list[Finding]:
    """Return what is wrong with the face that is meant; a person may accept it."""
    found: dict[ReferenceFinding, str] = {}
    doubt = face.doubts.get(Aspect.FACE)
    if doubt is not None and doubt in _DOUBTS:
        code, detail = _DOUBTS[doubt]
        found[code] = detail
    if face.face_px < SMALL_FACE_PX:
        detail = f"{face.face_px:.0f} pixels between the eyes; {SMALL_FACE_PX:.0f} or more teach better."
        found.setdefault(ReferenceFinding.TOO_SMALL, detail)
    if face.sharpness < LEAST_SHARPNESS:
        found.setdefault(ReferenceFinding.BLURRED, "The face is blurred: a sharper picture teaches better.")
    return [finding(code, detail, blocking=False) for code, detail in found.items()]


def picture_findings(width: int, height: int) -> list[Finding]:
    """Return what is wrong with a picture of a character without a face."""
    if min(width, height) >= SMALL_PICTURE_PX:
        return []
    detail = f"{width}x{height} pixels; {SMALL_PICTURE_PX} or more on the shorter side teach better."
    return [finding(ReferenceFinding.TOO_SMALL, detail, blocking=False)]


def is_open(found: Mapping[str, Any]) -> bool:
    """Say whether a finding still stands; the choice of a face settles that there are several."""
    return not found.get("settled")
