"""Small pictures and videos, good and bad, made on the spot."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def noise(height, width, channels=3, *, depth=8, seed=0):
    """Random codes of the full range, so that any rounding or premultiplication shows."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    kind = np.uint16 if depth == 16 else np.uint8
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


def chunk(name, body):
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))


def png_bytes(pixels, *extra):
    """Encode as PNG without any library's help; `extra` chunks stand behind IHDR."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    depth = pixels.dtype.itemsize * 8
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\x00" + row.tobytes() for row in rows)
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
            *extra,
            chunk(b"IDAT", zlib.compress(raw)),
            chunk(b"IEND", b""),
        )
    )


def png_claiming(width, height, packed):
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            chunk(b"IDAT", packed),
            chunk(b"IEND", b""),
        )
    )


def jpeg_bytes(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def webp_bytes(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **options)
    return buffer.getvalue()


def tiff_bytes(pixels, **options):
    buffer = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 and pixels.shape[2] > 2 else "minisblack")
    if pixels.ndim == 3 and pixels.shape[2] in {2, 4}:
        options.setdefault("extrasamples", ["unassalpha"])
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def video_file(path: Path, *, frames=12, width=64, height=48, fourcc="mp4v"):
    """Write a small video by OpenCV's own encoder."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), 24.0, (width, height))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(np.full((height, width, 3), index * 20 % 256, np.uint8))
    writer.release()
    return path


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read_png(path: Path):
    """Read PNG codes back by a decoder of its own: zlib and the five filters, no interlace."""
    data = path.read_bytes()
    at, packed, head = 8, b"", None
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if name == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        packed += body if name == b"IDAT" else b""
        at += 12 + length
    width, height, depth, colour = head[:4]
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    step = channels * depth // 8
    stride = width * step
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, stride + 1)
    rows, above = [], np.zeros(stride, np.int64)
    for line in raw:
        above = _unfilter(int(line[0]), line[1:].astype(np.int64), above, step)
        rows.append(above.astype(np.uint8))
    pixels = np.stack(rows)
    if depth == 16:
        pixels = pixels.view(">u2").astype(np.uint16)
    return pixels.reshape((height, width, channels) if channels > 1 else (height, width))


def _unfilter(kind, line, above, step):
    if kind == 0:
        return line
    if kind == 2:
        return (line + above) % 256
    out = line.copy()
    for index in range(len(out)):
        left = out[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        up = above[index]
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        else:
            estimate = left + up - corner
            guess = min(
                (abs(estimate - left), 0, left),
                (abs(estimate - up), 1, up),
                (abs(estimate - corner), 2, corner),
            )[2]
        out[index] = (out[index] + guess) % 256
    return out
