"""How large, how long and how slow a picture may be before it is refused."""

from dataclasses import dataclass

MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one desk. Bytes, pixels, seconds; a probe child may map at most `max_child_bytes` of memory."""

    max_picture_bytes: int = 512 * MEBI
    max_video_bytes: int = 4096 * MEBI
    max_side: int = 16_384
    max_pixels: int = 134_217_728
    max_decoded_bytes: int = 1024 * MEBI
    max_metadata_bytes: int = 32 * MEBI  # one metadata block, unpacked
    max_video_seconds: float = 15 * 60
    max_video_pixels: int = 8192 * 4320  # one frame
    max_video_frames: int = 15 * 60 * 120
    max_child_bytes: int = 4096 * MEBI
    probe_seconds: float = 180.0  # the largest picture on a busy machine; a bomb is stopped by its size
    work_seconds: float = 300.0
