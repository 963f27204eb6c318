"""Write an animatic: stills, each for exactly its frames. Runs in a child process only.

MPEG-4 Part 2, as previews are: of the encoders that are free to ship the only one fast enough. Editing systems and
players read it, browsers don't.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from circletake.adapters.vision.lettering import Lettering
from circletake.adapters.vision.storyboards.retiming import retime
from circletake.adapters.vision.storyboards.stills import read_still
from circletake.domain.frames import Box as Place
from circletake.domain.frames import Size, centred, fit_inside
from circletake.domain.storyboards.timing import timecode
from circletake.ports import AnimaticMade, AnimaticShot, PictureRefused

_CODEC = "mp4v"
_BAND = 0.30  # what is left of the picture's light behind burnt-in words
_WORDS = (244, 244, 246)
_NARROW = 0.6  # of a digit's width: colons, blanks


def write_animatic(
    shots: Sequence[AnimaticShot],
    size: Size,
    rate: Fraction,
    target: Path,
    *,
    burn_in: bool,
) -> AnimaticMade:
    """Write the MP4 and read its tables back. Raises PictureRefused, also when a frame is missing in the file."""
    writer = cv2.VideoWriter(
        str(target),
        cv2.CAP_FFMPEG,
        cv2.VideoWriter.fourcc(*_CODEC),
        float(rate),
        (size.width, size.height),
    )
    if not writer.isOpened():
        raise PictureRefused("unsupported", "this machine has no encoder for an animatic")
    wanted = sum(shot.frames for shot in shots)
    try:
        for frame in _frames(shots, size, rate, burn_in=burn_in):
            writer.write(frame)
    finally:
        writer.release()
    timing = retime(target, rate)
    if timing.frames != wanted:
        raise PictureRefused("truncated", f"the encoder wrote {timing.frames} of {wanted} frames")
    return AnimaticMade(size.width, size.height, timing.frames, timing.rate)


def _frames(shots: Sequence[AnimaticShot], size: Size, rate: Fraction, *, burn_in: bool) -> Iterator[Any]:
    at = 0
    for shot in shots:
        picture = letterboxed(read_still(shot.still), size)[..., ::-1].copy()  # BGR, as the encoder wants it
        burning = _BurnIn(picture, shot, size) if burn_in else None
        for number in range(shot.frames):
            yield picture if burning is None else burning.frame(number, timecode(at + number, rate))
        at += shot.frames


def letterboxed(rgb: Any, size: Size) -> Any:
    """Set a picture whole into a frame, on black."""
    height, width = rgb.shape[:2]
    fitting = fit_inside(Size(width, height), size, enlarge=True)
    place = centred(fitting, Place(0, 0, size.width, size.height))
    canvas = np.zeros((size.height, size.width, 3), np.uint8)
    how = cv2.INTER_AREA if fitting.width < width else cv2.INTER_CUBIC
    canvas[place.top : place.bottom, place.left : place.right] = cv2.resize(
        rgb, (fitting.width, fitting.height), interpolation=how
    )
    return canvas


class _BurnIn:
    """The band along the foot of a shot: its label, where it is in itself, and the timecode."""

    def __init__(self, picture: Any, shot: AnimaticShot, size: Size) -> None:
        self._picture, self._shot, self._size = picture, shot, size
        self._letters_size = max(12, round(min(size.height / 24, size.width / 36)))
        self._top = size.height - round(self._letters_size * 1.7)
        self._edge = self._letters_size // 2
        self._line = self._top + round(self._letters_size * 0.26)
        band = picture[self._top :]
        band[:] = (band * _BAND).astype(np.uint8)
        letters = Lettering(picture)
        self._pitch = max(letters.width(each, self._letters_size, heavy=True) for each in "0123456789")
        room = size.width - self._width(f"{shot.frames}/{shot.frames}  00:00:00:00") - 4 * self._edge
        letters.line(shot.label, (self._edge, self._line), self._letters_size, _WORDS, width=room, heavy=True)
        self._under = picture[self._top :].copy()

    def _width(self, text: str) -> int:
        return round(sum(self._pitch if each.isdigit() else self._pitch * _NARROW for each in text))

    def frame(self, number: int, code: str) -> Any:
        """Return the shot's frame `number`, from 0; it is valid until the next one is asked for."""
        self._picture[self._top :] = self._under
        words = f"{number + 1}/{self._shot.frames}  {code}"
        letters = Lettering(self._picture)
        at = float(self._size.width - self._edge - self._width(words))
        for each in words:  # in places of their own: the digits don't dance
            wide = self._pitch if each.isdigit() else self._pitch * _NARROW
            middle = (round(at + wide / 2), self._line)
            letters.line(each, middle, self._letters_size, _WORDS, anchor="centre", heavy=True)
            at += wide
        return self._picture
