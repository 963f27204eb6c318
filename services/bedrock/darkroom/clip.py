"""A moving stand-in: real H.264 from still keyframes or from a drawn panel."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from services.bedrock.darkroom.arrays import Floats, Mask, Picture, dissolve, resized, sampled
from services.bedrock.darkroom.drawing import fill, smooth_noise, write
from services.bedrock.darkroom.panel import LABEL, draw_scene
from services.bedrock.darkroom.scenes import read_scene

_SMALLEST = 2
_PUSH = 0.1
_PARALLAX = 0.035
_TIMEOUT_SECONDS = 600


class EncodingFailed(Exception):
    """The encoder refused the frames; the message is the end of what it said."""


def render_clip(
    prompt: str,
    width: int,
    height: int,
    seconds: float,
    fps: int,
    first: Picture | None,
    last: Picture | None,
    loop: bool,
    seed: int,
) -> bytes:
    """An MP4 (H.264, yuv420p, index first) of round(seconds × fps) frames.

    Between two keyframes it moves and dissolves; from (or to) one it is a slow camera move that starts (ends)
    exactly on it; without any it moves over a drawn panel. A loop ends on the frame it starts with. Width and height
    must be even (yuv420p). Raises ValueError for odd or empty sizes, EncodingFailed when the encoder fails.
    """
    count = round(seconds * fps)
    if count < 1 or min(width, height) < _SMALLEST or width % 2 or height % 2:
        raise ValueError("a clip needs at least one frame and an even width and height")
    rng = np.random.default_rng(seed)
    keys = [None if k is None else _cover(k, width, height) for k in (first, last)]
    if keys[0] is None and keys[1] is None:
        keys[0] = draw_scene(read_scene(prompt, "", rng), width, height, rng)
    frames = _frames(keys[0], keys[1], count, loop, rng)
    return _encode(frames, width, height, fps)


def _cover(picture: Picture, width: int, height: int) -> Picture:
    """Scale to fill the frame and crop the rest evenly; a picture of the right size stays as it is."""
    if picture.shape[:2] == (height, width):
        return picture
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    big = resized(picture, size)
    top, left = (big.shape[0] - height) // 2, (big.shape[1] - width) // 2
    return np.ascontiguousarray(big[top : top + height, left : left + width])


def _frames(
    first: Picture | None, last: Picture | None, count: int, loop: bool, rng: np.random.Generator
) -> Iterator[Picture]:
    some = first if first is not None else last
    assert some is not None
    height, width = some.shape[:2]
    depth = (
        np.clip(smooth_noise((height, width), 3, rng) * 0.3, -0.6, 0.6)
        + np.linspace(-0.4, 0.4, height)[:, None]
    )
    drift = rng.uniform(-1, 1, 2)
    move = _Move(depth.astype(np.float32), (float(drift[0]), float(drift[1])))
    stamp = _stamp(width, height)
    for at in range(count):
        t = at / max(1, count - 1)
        if loop:
            t = (
                1 - abs(2 * t - 1)
                if last is not None and first is not None
                else 0.5 - 0.5 * float(np.cos(2 * np.pi * t))
            )
        eased = t * t * (3 - 2 * t)
        if first is not None and last is not None:
            a, b = move.seen(first, eased), move.seen(last, eased - 1)
            frame = dissolve(a, b, eased)
        elif first is not None:
            frame = move.seen(first, eased)
        else:
            frame = move.seen(some, eased if loop else eased - 1)
        fill(frame, stamp, (236, 232, 222), 0.8)
        yield frame


class _Move:
    """A slow push with a pan, nearer parts of an invented relief moving further."""

    def __init__(self, depth: Floats, drift: tuple[float, float]) -> None:
        height, width = depth.shape
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self._x, self._y = x, y
        # How far each pixel's origin lies away at the end of the move; frames take a share of it.
        zoom = _PUSH + _PARALLAX * depth
        self._dx = (width / 2 - x) * zoom + np.float32(drift[0] * _PARALLAX * width * 0.5) * (1 + depth)
        self._dy = (height / 2 - y) * zoom + np.float32(drift[1] * _PARALLAX * height * 0.5) * (1 + depth)

    def seen(self, picture: Picture, amount: float) -> Picture:
        """The picture at `amount` of the move: 0 is the picture itself, negative is before it."""
        if amount == 0:
            return picture.copy()
        x, y = self._x + self._dx * np.float32(amount), self._y + self._dy * np.float32(amount)
        return sampled(picture, x, y)


def _stamp(width: int, height: int) -> Mask:
    """The burn-in as a mask, small and in the lower left corner."""
    size = max(7.0, min(width, height) / 42)
    plate = np.zeros((height, width, 3), np.uint8)
    write(plate, (size * 0.7, height - size * 1.9), LABEL, size, (255, 255, 255))
    return np.ascontiguousarray(plate[..., 0])


def _encode(frames: Iterator[Picture], width: int, height: int, fps: int) -> bytes:
    """Pipe raw frames through ffmpeg. The MP4 index moves to the front, which needs a real file."""
    with tempfile.TemporaryDirectory(prefix="clip-") as folder:
        target = Path(folder) / "clip.mp4"
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-", "-an",
            "-vf", "scale=out_color_matrix=bt709:out_range=tv", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18",
            "-threads", "2", "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
            "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", str(target),
        ]  # fmt: skip
        with (Path(folder) / "errors").open("w+b") as errors:
            process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
            )
            try:
                assert process.stdin is not None
                for frame in frames:
                    process.stdin.write(np.ascontiguousarray(frame).data)
                process.stdin.close()
                code = process.wait(_TIMEOUT_SECONDS)
            except BrokenPipeError:
                code = process.wait(_TIMEOUT_SECONDS) or 1
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if code != 0:
                errors.seek(0)
                raise EncodingFailed(errors.read()[-400:].decode(errors="replace"))
        return target.read_bytes()
