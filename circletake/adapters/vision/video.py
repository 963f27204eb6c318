"""Video frames, read by FFmpeg through OpenCV. Runs in a child process only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from circletake.adapters.vision.bounds import Bounds
from circletake.ports import PictureRefused, Probe

# FourCCs of what film and web pipelines send: H.264, HEVC, AV1, VP9, MPEG-4, ProRes, DNxHR, Motion JPEG
_CODECS = frozenset(
    {
        *("avc1", "avc3", "h264", "hvc1", "hev1", "hevc", "av01", "vp09", "mp4v", "fmp4"),
        *("apch", "apcn", "apcs", "apco", "ap4h", "ap4x", "avdh", "avdn", "jpeg", "mjpg", "mjpa"),
    }
)
_FIRST_AND_LAST = 2
_MAX_RATE = 1000.0  # frames per second
_LAST_FRAME_TRIES = 12


@dataclass(frozen=True, slots=True)
class _Stream:
    width: int
    height: int
    frames: int
    rate: float
    codec: str

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def _open(path: Path) -> Any:
    # by name: other back ends would read a path with '%' as a sequence of pictures
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise PictureRefused("unsupported", "the video can't be decoded: send H.264 in MP4, or ProRes in MOV")
    return capture


def _stream(capture: Any) -> _Stream:
    number = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    return _Stream(
        width=int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        height=int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        frames=int(capture.get(cv2.CAP_PROP_FRAME_COUNT)),
        rate=float(capture.get(cv2.CAP_PROP_FPS)),
        codec=number.to_bytes(4, "little").decode("latin-1").strip("\x00 ").lower(),
    )


def open_video(path: Path, bounds: Bounds) -> Any:
    """Open a video for reading frames from its start; the caller releases it. Raises PictureRefused."""
    capture = _open(path)
    try:
        _check(_stream(capture), bounds)
    except PictureRefused:
        capture.release()
        raise
    return capture


def probe_video(path: Path, media_type: str, bounds: Bounds) -> Probe:
    """Read size, rate and length and decode the first, middle and last frame.

    `bit_depth` is 8: frames are decoded to 8-bit BGR whatever the codec holds. Raises PictureRefused.
    """
    capture = _open(path)
    try:
        stream = _stream(capture)
        _check(stream, bounds)
        if _frame_at(capture, 0) is None:
            raise PictureRefused("truncated", "the video's first frame can't be decoded: export it again")
        if stream.frames > _FIRST_AND_LAST and _frame_at(capture, stream.frames // 2) is None:
            raise PictureRefused("truncated", "the video's middle frame can't be decoded: export it again")
        if stream.frames > 1 and not _has_end(capture, stream.frames):
            raise PictureRefused("truncated", "the video's last frames can't be decoded: export it again")
    finally:
        capture.release()
    return Probe(
        media_type=media_type,
        width=stream.width,
        height=stream.height,
        channels=3,
        bit_depth=8,
        frames=stream.frames,
        frames_per_second=round(stream.rate, 6),
        duration_seconds=round(stream.seconds, 6),
        codec=stream.codec,
    )


def _check(stream: _Stream, bounds: Bounds) -> None:
    if stream.codec not in _CODECS:
        raise PictureRefused(
            "unsupported",
            f"the video's codec ({stream.codec!r}) isn't taken: send H.264, HEVC, ProRes or DNxHR",
        )
    if stream.width < 1 or stream.height < 1 or stream.frames < 1 or not 0 < stream.rate <= _MAX_RATE:
        raise PictureRefused("truncated", "the video doesn't say its size or rate: export it again")
    if (
        max(stream.width, stream.height) > bounds.max_side
        or stream.width * stream.height > bounds.max_video_pixels
    ):
        raise PictureRefused(
            "too_large", f"{stream.width}×{stream.height} is too large for a video: scale it down"
        )
    if stream.seconds > bounds.max_video_seconds or stream.frames > bounds.max_video_frames:
        raise PictureRefused(
            "too_large",
            f"the video is {stream.seconds:.0f} s long, at most {bounds.max_video_seconds:.0f} s are taken: cut it",
        )


def _frame_at(capture: Any, index: int) -> NDArray[np.uint8] | None:
    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
    taken, frame = capture.read()
    return frame if taken and frame is not None and frame.size else None


def _has_end(capture: Any, frames: int) -> bool:
    # a container's count may be a few frames above what decodes (edit lists, delayed frames)
    return any(
        _frame_at(capture, index) is not None
        for index in range(frames - 1, max(-1, frames - 1 - _LAST_FRAME_TRIES), -1)
    )


def frames_at(path: Path, shares: Sequence[float], bounds: Bounds) -> tuple[list[NDArray[np.uint8]], float]:
    """Return the frames at these shares of the video's length (0: the first, 1: the last) as RGB, and its seconds.

    Where a container announces more frames than it holds, the last one that decodes stands for those. Raises
    PictureRefused.
    """
    capture = open_video(path, bounds)
    try:
        stream = _stream(capture)
        found = []
        for share in shares:
            wanted = round(share * (stream.frames - 1))
            tries = range(wanted, max(-1, wanted - _LAST_FRAME_TRIES), -1)
            frame = next(
                (each for each in (_frame_at(capture, at) for at in tries) if each is not None), None
            )
            if frame is None:
                raise PictureRefused("truncated", "the video's frames can't be decoded: export it again")
            found.append(np.asarray(frame[..., ::-1], dtype=np.uint8))
        return found, stream.seconds
    finally:
        capture.release()


def middle_frame(path: Path) -> tuple[NDArray[np.uint8], float]:
    """Return the middle frame as RGB, and the video's seconds."""
    capture = _open(path)
    try:
        stream = _stream(capture)
        frame = _frame_at(capture, max(0, stream.frames // 2))
        if frame is None:
            frame = _frame_at(capture, 0)
        if frame is None:
            raise PictureRefused("truncated", "the video's frames can't be decoded: export it again")
        return np.asarray(frame[..., ::-1], dtype=np.uint8), stream.seconds if stream.rate > 0 else 0.0
    finally:
        capture.release()
