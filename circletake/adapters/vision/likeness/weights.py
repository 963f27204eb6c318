"""The networks' files: where they are, and that they are the ones this version was measured with."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

_TABLE = "weights.yaml"


class WeightsFault(Exception):
    """The networks' files are missing or aren't the ones this version was measured with."""


@dataclass(frozen=True, slots=True)
class Weights:
    """File contents: three ONNX models, and the landmark trees as an NPZ."""

    face_resnet: bytes
    look: bytes
    face_detector: bytes
    landmarks: bytes


def read_weights(folder: Path) -> Weights:
    """Read the files and hold each against its SHA-256. Raises WeightsFault."""
    return Weights(
        **{name.partition(".")[0]: _read(folder, name, wanted) for name, wanted in _hashes().items()}
    )


def check_weights(folder: Path) -> None:
    """Raise WeightsFault unless `folder` holds the right files: a start without them would judge nothing."""
    read_weights(folder)


def _hashes() -> dict[str, str]:
    text = resources.files("circletake.data").joinpath(_TABLE).read_text("utf-8")
    return {str(name): str(wanted) for name, wanted in yaml.safe_load(text)["sha256"].items()}


def _read(folder: Path, name: str, wanted: str) -> bytes:
    path = folder / name
    try:
        data = path.read_bytes()
    except OSError:
        raise WeightsFault(f"{path} is missing: run `make weights`") from None
    if hashlib.sha256(data).hexdigest() != wanted:
        raise WeightsFault(
            f"{path} isn't the file this version was measured with: delete {folder} and run `make weights`"
        )
    return data
