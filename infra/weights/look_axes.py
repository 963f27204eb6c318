"""Fit circletake/data/look_axes.npz: the axes in which patches of pictures are compared.

    python look_axes.py <folder with look.onnx> <target .npz>

Principal axes of each layer's features over the pictures that scikit-image bundles (public domain or CC0), scaled to
unit variance, so that what varies little counts as much as what varies much. Run once; the file is part of the
repository, because other axes mean other scores.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import skimage
from numpy.typing import NDArray

PICTURE, GRID = 310, 16
LAYERS = {"fine": 24, "middle": 32, "coarse": 32}  # axes kept
WHOLE = """
hubble_deep_field.jpg color.png ihc.png retina.jpg grass.png gravel.png brick.png camera.png coins.png
clock_motion.png moon.png
"""
IN_PARTS = "astronaut.png chelsea.png coffee.png rocket.jpg motorcycle_left.png"

Picture = NDArray[np.uint8]


def pictures() -> list[Picture]:
    folder = Path(skimage.__file__).parent / "data"
    found = []
    for name in (IN_PARTS + WHOLE).split():
        rgb = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)[:, :, ::-1]
        height, width = rgb.shape[:2]
        found.append(rgb)
        if name in IN_PARTS.split():
            for part in (1, 2, 3):
                top, left = (part % 2) * height // 3, (part // 2) * width // 3
                found.append(rgb[top : top + height * 2 // 3, left : left + width * 2 // 3])
    return found


def main(weights: Path, target: Path) -> None:
    cv2.setNumThreads(1)
    network = onnxruntime.InferenceSession(str(weights / "look.onnx"), providers=["CPUExecutionProvider"])
    features: dict[str, list[NDArray[np.float32]]] = {name: [] for name in LAYERS}
    for rgb in pictures():
        picture = cv2.resize(rgb, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA)
        maps = network.run(list(LAYERS), {"input": picture[None].astype(np.float32)})
        for name, layer in zip(LAYERS, maps, strict=True):
            cells = [cv2.resize(plane, (GRID, GRID), interpolation=cv2.INTER_AREA) for plane in layer[0]]
            features[name].append(np.stack(cells, -1).reshape(GRID * GRID, -1))
    arrays = {}
    for name, kept in LAYERS.items():
        rows = np.concatenate(features[name])
        mean = rows.mean(0)
        _, strengths, axes = np.linalg.svd(rows - mean, full_matrices=False)
        arrays[f"{name}_mean"] = mean.astype(np.float32)
        turn = axes[:kept].T / (strengths[:kept] / np.sqrt(len(rows)))
        arrays[f"{name}_axes"] = turn.astype(np.float32)
    np.savez(target, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
