"""The bare networks on the same pictures: what looking at faces costs when nothing else is done. Runs in a child."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.likeness.detection import find_faces
from circletake.adapters.vision.likeness.faces import describe_face
from circletake.adapters.vision.likeness.frames import read_frames
from circletake.adapters.vision.likeness.landmarks import find_landmarks
from circletake.adapters.vision.likeness.seeing import networks


@dataclass(slots=True)
class _Recorder:
    """Stands before a network and keeps what it was given."""

    network: Any
    given: list[Any] = field(default_factory=list)

    def run(self, outputs: Any, inputs: Any) -> Any:
        self.given.append((outputs, inputs))
        return self.network.run(outputs, inputs)


def network_seconds(weights: Path, pictures: Sequence[Path]) -> float:
    """Return the processor seconds of the networks alone: every picture's inputs are recorded first, then run again
    without anything around them."""
    loaded = networks(weights)
    spent = 0.0
    for path in pictures:
        detector, resnet = _Recorder(loaded.detector), _Recorder(loaded.resnet)
        for frame in read_frames(path, [0], Bounds()):
            for face in find_faces(detector, frame.rgb, 1):
                describe_face(resnet, frame.rgb, find_landmarks(loaded.trees, frame.rgb, face.edges))
        begun = time.process_time()
        for recorder in (detector, resnet):
            for outputs, inputs in recorder.given:
                recorder.network.run(outputs, inputs)
        spent += time.process_time() - begun
    return spent
