"""The demo's character: pictures of one person as references, two that are wrong on purpose, and her figure for the
offline models, which draw nobody that they weren't shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from services.embedded.demo.plates import Still, data_folder, decode, written

TITLE = "Eileen Collins (NASA, public domain)"
NAME = "Mara Venn"
LOOK = "orange suit"

_PORTRAIT = "astronaut.png"  # 512 x 512
_SIDE = 512
_FACE = {"left": 0.34, "top": 0.12, "width": 0.21, "height": 0.24}  # in shares of the portrait
# head, suit and the helmet in her arm; flag, shuttle model and table are left out
_OUTLINE = (
    (198, 26), (188, 38), (160, 56), (154, 68), (155, 98), (168, 118), (180, 130), (182, 148), (172, 149), (158, 153),
    (142, 162), (130, 174), (123, 188), (122, 204), (118, 206), (104, 217), (96, 223), (78, 237), (62, 253), (50, 274),
    (44, 300), (38, 315), (30, 330), (25, 345), (24, 370), (22, 395), (22, 430), (26, 455), (33, 478), (40, 500),
    (44, 512), (498, 512), (496, 470), (489, 440), (475, 402), (455, 372), (430, 352), (405, 344), (385, 345),
    (366, 350), (362, 340), (359, 318), (354, 296), (346, 275), (335, 260), (322, 247), (303, 237), (303, 228),
    (296, 210), (284, 196), (270, 184), (257, 173), (259, 160), (264, 145), (270, 135), (283, 122), (296, 104),
    (300, 84), (291, 50), (276, 32), (246, 18), (230, 16), (208, 20),
)  # fmt: skip
_EDGE = 1.0  # pixels, of the outline's softness


@dataclass(frozen=True, slots=True)
class _Pose:
    """How another picture differs from the portrait: the head's turn and nod and the bend of its expression in shares
    of the face, its tilt in degrees; size, ground (BGR), and from which side the light comes (-1: left, 1: right)."""

    turn: float
    nod: float
    bend: float
    tilt: float
    size: float
    ground: tuple[int, int, int]
    light: int


_POSES = {
    "reference_grey.png": _Pose(0.16, -0.08, 0.02, 2.5, 1.20, (150, 146, 140), 1),
    "reference_warm.png": _Pose(-0.16, 0.08, -0.02, -3.5, 1.40, (120, 136, 160), -1),
    "reference_blue.png": _Pose(0.0, 0.16, 0.03, 3.0, 1.30, (160, 140, 110), -1),
}
_HEADROOM = 24  # pixels


@dataclass(frozen=True, slots=True)
class Wrong:
    """A picture that is no good as a reference, and the finding that has to say so."""

    what: str
    still: Still
    finding: str


@dataclass(frozen=True, slots=True)
class Cast:
    """`figure`: a PNG with transparency; `face`: where her face is in it, in shares."""

    references: Sequence[Still]
    wrong: Sequence[Wrong]
    figure: bytes = field(repr=False)
    face: dict[str, float]


def bundled(folder: Path) -> Cast:
    """Write the pictures, all made from the one portrait that scikit-image brings, into `folder`."""
    portrait = decode(data_folder() / _PORTRAIT)
    figure = _cut_out(portrait)
    posed = {name: _posed(figure, pose) for name, pose in _POSES.items()}
    headless = cv2.resize(portrait[236:, 20:296], (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    again = np.clip(next(iter(posed.values())).astype(np.float32) * 1.06, 0, 255).astype(np.uint8)
    return Cast(
        references=[written(folder / name, picture) for name, picture in posed.items()],
        wrong=[
            Wrong("the suit without a head", written(folder / "wrong_no_face.png", headless), "no_face"),
            Wrong(
                "the first one again, brighter", written(folder / "wrong_again.png", again), "near_duplicate"
            ),
        ],
        figure=cv2.imencode(".png", figure)[1].tobytes(),
        face=_FACE,
    )


def _posed(figure: Any, pose: _Pose) -> Any:
    """The figure with another head posture, size and light, before a plain ground."""
    left, top, wide, high = (share * _SIDE for share in _FACE.values())
    middle = left + wide / 2
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32)
    dx, dy = (columns - middle) / (0.75 * wide), (rows - (top + high / 2)) / (0.85 * high)
    inside = np.clip(1 - dx**2 - dy**2, 0, 1)
    across = columns - wide * inside * (pose.turn - pose.bend * np.sin(2.2 * dy))
    down = rows - high * inside * (pose.nod - pose.bend * np.sin(2.5 * dx + 1))
    bent = cv2.remap(figure, across.astype(np.float32), down.astype(np.float32), cv2.INTER_CUBIC)
    place = cv2.getRotationMatrix2D((middle, 0.0), pose.tilt, pose.size)
    place[:, 2] += np.array([_SIDE / 2 - middle, _HEADROOM])
    moved = cv2.warpAffine(bent, place, (_SIDE, _SIDE), flags=cv2.INTER_CUBIC)
    cover = moved[..., 3:].astype(np.float32) / 255
    side = 1 + pose.light * np.linspace(-0.18, 0.18, _SIDE)[None, :, None]
    fall = np.linspace(1.12, 0.8, _SIDE)[:, None, None]
    ground = np.array(pose.ground)[None, None] * fall * side
    return np.clip(moved[..., :3] * side * cover + ground * (1 - cover), 0, 255).astype(np.uint8)


def _cut_out(portrait: Any) -> Any:
    """The portrait with transparency around the figure."""
    alpha = np.zeros(portrait.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.array(_OUTLINE, np.int32)], 255, cv2.LINE_AA)
    return np.dstack([portrait, cv2.GaussianBlur(alpha, (0, 0), _EDGE)])
