"""The demo's photograph: a plate, and mattes for what is to change in it."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from services.embedded.demo.show import Untrue

MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}

# A launch at dusk, the middle of it: the crop leaves out the two large masts at the sides, so that the frame can grow.
_PACKAGE, _PHOTOGRAPH = "skimage", "rocket.jpg"
_LEFT, _RIGHT = 92, 556
_MASTS = (
    ((194, 116), (209, 116), (210, 190), (210, 402), (163, 402), (165, 370), (182, 190)),
    ((438, 116), (454, 116), (463, 190), (486, 427), (436, 427), (436, 300), (438, 190)),
)
_LAMPS_IN_FRONT = (((192, 396), 20), ((433, 392), 20), ((451, 420), 18))  # centre, radius
_MOON, _MOON_RADIUS = (242, 78), 34
_SOFTNESS = 1.2  # pixels, of the mattes' edges
# a grade in 16 bits: the codes aren't multiples of 257 any more, so a detour through 8 bits would show
_GRADE = 0.9731


@dataclass(frozen=True, slots=True)
class Still:
    """A picture file that is uploaded."""

    path: Path
    media_type: str

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@dataclass(frozen=True, slots=True)
class Material:
    """What the demo starts from, and what it asks for. `extend` is in plate pixels."""

    title: str
    rights_basis: str
    plate: Still
    cleanup_matte: Still
    element_matte: Still
    extend: dict[str, int]
    extension_prompt: str
    element_prompt: str
    concept_prompt: str
    previs_prompt: str


def decode(path: Path) -> Any:
    """Return a picture's own codes, 8 or 16 bits, without alpha. Raises Untrue when it is none."""
    # by its bytes: a folder's name may hold what OpenCV's own reader can't open
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR)
    if pixels is None:
        raise Untrue(f"{path} is not a picture that can be decoded")
    return pixels


def bundled(folder: Path) -> Material:
    """Write the plate and its mattes, from the photograph that scikit-image brings, into `folder`."""
    photograph = decode(data_folder() / _PHOTOGRAPH)
    plate = photograph[:, _LEFT:_RIGHT].astype(np.float64) * 257 * _GRADE
    masts = np.zeros(photograph.shape[:2], np.uint8)
    for outline in _MASTS:
        cv2.fillPoly(masts, [np.array(outline, np.int32)], 255)
    for centre, radius in _LAMPS_IN_FRONT:
        cv2.circle(masts, centre, radius, 0, -1)
    moon = np.zeros(photograph.shape[:2], np.uint8)
    cv2.circle(moon, _MOON, _MOON_RADIUS, 255, -1)
    return Material(
        title="Launch of DSCOVR (photograph: SpaceX, public domain)",
        rights_basis="public_domain",
        plate=written(folder / "plate.png", np.rint(plate).astype(np.uint16)),
        cleanup_matte=written(folder / "matte_cleanup.png", _soft(masts[:, _LEFT:_RIGHT])),
        element_matte=written(folder / "matte_element.png", _soft(moon[:, _LEFT:_RIGHT])),
        extend={"left": 36, "right": 260},  # 760 pixels wide: 16:9
        extension_prompt="the launch site, wider",
        element_prompt="a full moon",
        concept_prompt="An astronaut walks towards the rocket at night, wide shot, low angle",
        previs_prompt="Slow push in on the rocket",
    )


def given(plate: Path, matte: Path | None, folder: Path) -> Material:
    """Use the caller's plate as it is; without a matte, a small oval low in the middle is drawn."""
    height, width = decode(plate).shape[:2]
    if matte is None:
        drawn = np.zeros((height, width), np.uint8)
        cv2.ellipse(drawn, (width // 2, height * 3 // 4), (width // 14, height // 10), 0, 0, 360, 255, -1)
        hole = written(folder / "matte.png", _soft(drawn))
    else:
        hole = _still(matte)
    return Material(
        title=plate.name,
        rights_basis="owned",
        plate=_still(plate),
        cleanup_matte=hole,
        element_matte=hole,
        extend={"left": width // 5, "right": width // 5},
        extension_prompt="the same place, wider",
        element_prompt="a lantern",
        concept_prompt="A lone figure with a lantern in an empty street at night, wide shot",
        previs_prompt="Slow push in",
    )


def data_folder() -> Path:
    # found, not imported: the library takes a second to load, and the picture is a file beside it
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise Untrue("scikit-image, which brings the photograph, is not installed: run `make demo`")
    return Path(found.submodule_search_locations[0]) / "data"


def _still(path: Path) -> Still:
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise Untrue(f"{path.name}: a picture is expected, ending in {', '.join(MEDIA_TYPES)}")
    return Still(path, media_type)


def _soft(matte: Any) -> Any:
    return cv2.GaussianBlur(matte, (0, 0), _SOFTNESS)


def written(path: Path, pixels: Any) -> Still:
    if not cv2.imwrite(str(path), pixels):
        raise Untrue(f"{path} could not be written")
    return _still(path)
