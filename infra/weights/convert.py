"""Turn the networks of the PyPI package face_recognition_models into files that onnxruntime and numpy read.

    python convert.py <table of hashes> <target folder>

Writes face_resnet.onnx, look.onnx, face_detector.onnx and landmarks.npz. Nothing is downloaded; the same package and the same
locked libraries give the same bytes, which are held against circletake/data/weights.yaml. The 68-point landmarks in the
package are never opened: their training data excludes commercial use.
"""

# ruff: noqa: PLR2004 - the numbers are dlib's file format and the networks' own layers

import hashlib
import importlib.util
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

RESNET = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR = "mmod_human_face_detector.dat"
LANDMARKS = "shape_predictor_5_face_landmarks.dat"

_CHANNEL_MEANS = (122.782, 117.001, 104.298)
_RESNET_TENSORS = 59
_DETECTOR_TENSORS = 37
_DETECTOR_LAYERS = (
    (16, 3, 2, 0),
    (32, 16, 2, 0),
    (32, 32, 2, 0),
    (45, 32, 1, 2),
    (45, 45, 1, 2),
    (45, 45, 1, 2),
)
_BATCH_NORM_EPSILON = 1e-4


class Archive:
    """dlib's serialisation: integers as a length byte (its high bit is the sign) and that many little-endian bytes,
    floats as two such integers, mantissa and binary exponent (dlib/serialize.h, dlib/float_details.h)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def integer(self) -> int:
        length = self._data[self._at]
        start = self._at + 1
        self._at = start + (length & 0x0F)
        value = int.from_bytes(self._data[start : self._at], "little")
        return -value if length & 0x80 else value

    def floating(self) -> float:
        mantissa = self.integer()
        return math.ldexp(mantissa, self.integer())

    def column(self) -> list[float]:
        # a matrix announces its rows and columns as negative numbers
        rows, columns = -self.integer(), -self.integer()
        return [self.floating() for _ in range(rows * columns)]

    def end(self) -> None:
        if self._at != len(self._data):
            raise SystemExit(
                f"{len(self._data) - self._at} bytes follow the end: not the file this was written for"
            )


def landmarks(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Read a shape predictor (dlib/image_processing/shape_predictor.h): cascades of regression trees.

    `splits` (cascade, tree, node, 2) are the two pixels whose difference is held against `thresholds` (cascade, tree,
    node); `leaves` (cascade, tree, leaf, 2 × points) are added to the shape; pixel i of a cascade lies at
    `deltas` (cascade, pixel, 2) from point `anchors` (cascade, pixel).
    """
    archive = Archive(data)
    if archive.integer() != 1:
        raise SystemExit("the shape predictor's version is unknown")
    initial = archive.column()
    splits, thresholds, leaves = [], [], []
    cascades = archive.integer()
    for _ in range(cascades):
        for _ in range(archive.integer()):
            for _ in range(archive.integer()):
                splits += [archive.integer(), archive.integer()]
                thresholds.append(archive.floating())
            for _ in range(archive.integer()):
                leaves += archive.column()
    anchors = [[archive.integer() for _ in range(archive.integer())] for _ in range(archive.integer())]
    deltas = [
        [(archive.floating(), archive.floating()) for _ in range(archive.integer())]
        for _ in range(archive.integer())
    ]
    archive.end()
    trees, nodes = 500, 15
    return {
        "initial": np.array(initial, np.float32),
        "splits": np.array(splits, np.int16).reshape(cascades, trees, nodes, 2),
        "thresholds": np.array(thresholds, np.float32).reshape(cascades, trees, nodes),
        "leaves": np.array(leaves, np.float32).reshape(cascades, trees, nodes + 1, len(initial)),
        "anchors": np.array(anchors, np.int16),
        "deltas": np.array(deltas, np.float32),
    }


def tensors(data: bytes, expected: int) -> list[Floats]:
    """Find a network's tensors: version 2, four dimensions, raw little-endian float32 (dlib/cuda/tensor.h).

    What stands between them is layer bookkeeping that the layer list below repeats, so it is skipped.
    """
    found = []
    at = 0
    while at < len(data) - 12:
        tensor, after = _tensor_at(data, at)
        if tensor is not None:
            found.append(tensor)
        at = after
    if len(found) != expected:
        raise SystemExit(f"{len(found)} tensors instead of {expected}: not the file this was written for")
    return found


def _tensor_at(data: bytes, at: int) -> tuple[Floats | None, int]:
    if data[at] != 1 or data[at + 1] != 2:
        return None, at + 1
    place, dimensions = at + 2, []
    for _ in range(4):
        length = data[place] & 0x7F
        if not 1 <= length <= 8:
            return None, at + 1
        value = int.from_bytes(data[place + 1 : place + 1 + length], "little")
        if not 0 < value <= 5_000_000:
            return None, at + 1
        dimensions.append(value)
        place += 1 + length
    count = math.prod(dimensions)
    if count < 16 or place + 4 * count > len(data):
        return None, at + 1
    values = np.frombuffer(data, "<f4", count, place)
    if not np.isfinite(values).all() or not 1e-8 < float(np.abs(values).mean()) < 1e6:
        return None, at + 1
    return values.reshape(dimensions).copy(), place + 4 * count


def of_plain_pixels(kernel: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """A first convolution, which has no padding, with dlib's input layer, (value - mean) / 256, folded in."""
    # summed exactly: a processor's own order of additions would change the files' hashes
    taken = [
        math.fsum(
            float(weight) * mean
            for channel, mean in zip(each, _CHANNEL_MEANS, strict=True)
            for weight in channel.flat
        )
        for each in kernel
    ]
    shifted = [float(value) - part / 256 for value, part in zip(bias, taken, strict=True)]
    return kernel / np.float32(256), np.array(shifted, np.float32)


class Graph:
    """An ONNX graph under construction."""

    def __init__(self, weights: list[Floats]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights: Iterator[Floats] = iter(weights)

    def next(self) -> Floats:
        return next(self._weights).ravel()

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, *inputs: str, name: str | None = None, **attributes: object) -> str:
        output = name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def prepared_input(self) -> str:
        """RGB as 0-255 floats, channels last -> channels first."""
        return self.add("Transpose", "input", perm=[0, 3, 1, 2])

    def convolution(
        self, value: str, weights: Floats, bias: Floats, stride: int, pad: int, name: str | None = None
    ) -> str:
        side = weights.shape[-1]
        return self.add(
            "Conv", value, self.constant(weights), self.constant(bias),
            name=name, kernel_shape=[side, side], strides=[stride] * 2, pads=[pad] * 4,
        )  # fmt: skip

    def save(self, target: Path, shape: list[int | str], *outputs: tuple[str, list[int | str]]) -> None:
        if next(self._weights, None) is not None:
            raise SystemExit("weights are left over: not the file this was written for")
        self.save_part(target, shape, *outputs)

    def save_part(self, target: Path, shape: list[int | str], *outputs: tuple[str, list[int | str]]) -> None:
        graph = helper.make_graph(
            self.nodes,
            target.stem,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in outputs],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        target.write_bytes(model.SerializeToString(deterministic=True))


def _affine_convolution(
    graph: Graph, value: str, filters: int, channels: int, side: int, *, stride: int, pad: int
) -> str:
    """A convolution with the affine layer behind it folded in."""
    parameters, affine = graph.next(), graph.next()
    kernel = parameters[: filters * channels * side * side].reshape(filters, channels, side, side)
    bias = parameters[kernel.size :]
    gain, offset = affine[:filters], affine[filters:]
    kernel, bias = kernel * gain[:, None, None, None], bias * gain + offset
    if channels == 3:
        kernel, bias = of_plain_pixels(kernel, bias)
    return graph.convolution(value, kernel, bias, stride, pad)


def write_resnet(data: bytes, target: Path) -> None:
    """The 29-layer face ResNet (dlib/examples/dnn_face_recognition_ex.cpp): 150 × 150 chips -> 128 values."""
    graph = Graph(tensors(data, _RESNET_TENSORS))
    value = graph.add("Relu", _affine_convolution(graph, graph.prepared_input(), 32, 3, 7, stride=2, pad=0))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    side, channels = 35, 32
    for width, blocks, halves in (
        (32, 3, False),
        (64, 4, True),
        (128, 3, True),
        (256, 3, True),
        (256, 1, True),
    ):
        for block in range(blocks):
            if halves and block == 0:
                value, side = _halving_block(graph, value, channels, width, side)
                channels = width
            else:
                inner = graph.add("Relu", _affine_convolution(graph, value, width, width, 3, stride=1, pad=1))
                inner = _affine_convolution(graph, inner, width, width, 3, stride=1, pad=1)
                value = graph.add("Relu", graph.add("Add", inner, value))
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    graph.add("MatMul", value, graph.constant(graph.next().reshape(256, 128)), name="embedding")
    graph.save(target, ["n", 150, 150, 3], ("embedding", ["n", 128]))


def write_look(data: bytes, target: Path) -> None:
    """The face ResNet's first 23 layers on 310 x 310 pictures of anything: three maps of local features.

    What tells patches of a face apart tells patches of fur, cloth and enamel apart too; only the layers behind are
    about faces.
    """
    graph = Graph(tensors(data, _RESNET_TENSORS))
    value = graph.add("Relu", _affine_convolution(graph, graph.prepared_input(), 32, 3, 7, stride=2, pad=0))
    value = graph.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    side, channels = 75, 32
    outputs: list[tuple[str, list[int | str]]] = []
    for name, width, blocks in (("fine", 32, 3), ("middle", 64, 4), ("coarse", 128, 3)):
        for block in range(blocks):
            if width > channels:
                value, side = _halving_block(graph, value, channels, width, side)
                channels = width
            else:
                inner = graph.add("Relu", _affine_convolution(graph, value, width, width, 3, stride=1, pad=1))
                inner = _affine_convolution(graph, inner, width, width, 3, stride=1, pad=1)
                last = name if block == blocks - 1 else None
                value = graph.add("Relu", graph.add("Add", inner, value), name=last)
        outputs.append((name, [1, width, side, side]))
    graph.save_part(target, [1, 310, 310, 3], *outputs)


def _halving_block(graph: Graph, value: str, channels: int, width: int, side: int) -> tuple[str, int]:
    inner = graph.add("Relu", _affine_convolution(graph, value, width, channels, 3, stride=2, pad=0))
    inner = _affine_convolution(graph, inner, width, width, 3, stride=1, pad=1)
    skipped = graph.add("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
    inner_side, skipped_side = (side - 3) // 2 + 1, side // 2
    if channels < width:  # dlib adds tensors of unequal shape by padding the smaller one with zeros
        skipped = graph.add(
            "Pad", skipped, graph.constant(np.array([0] * 5 + [width - channels, 0, 0], np.int64))
        )
    if inner_side < skipped_side:
        more = skipped_side - inner_side
        inner = graph.add("Pad", inner, graph.constant(np.array([0] * 6 + [more, more], np.int64)))
    return graph.add("Relu", graph.add("Add", inner, skipped)), skipped_side


def write_detector(data: bytes, target: Path) -> None:
    """The max-margin face detector (dlib/examples/dnn_mmod_face_detection_ex.cpp), one pyramid level at a time."""
    graph = Graph(tensors(data, _DETECTOR_TENSORS))
    value = graph.prepared_input()
    for filters, channels, stride, pad in _DETECTOR_LAYERS:
        parameters, affine = graph.next(), graph.next()
        graph.next(), graph.next()  # the last batch's statistics
        means, variances = graph.next(), graph.next()
        kernel = parameters[: filters * channels * 25].reshape(filters, channels, 5, 5)
        gain = affine[:filters] / np.sqrt(variances + np.float32(_BATCH_NORM_EPSILON))
        bias = parameters[kernel.size :] * gain + affine[filters:] - gain * means
        kernel = kernel * gain[:, None, None, None]
        if channels == 3:
            kernel, bias = of_plain_pixels(kernel, bias)
        # 45 channels become 48, the new ones always 0: onnxruntime's blocked kernels want multiples of 16
        more, before = -filters % 16, -channels % 16 if channels > 3 else 0
        kernel = np.pad(kernel, ((0, more), (0, before), (0, 0), (0, 0)))
        value = graph.add("Relu", graph.convolution(value, kernel, np.pad(bias, (0, more)), stride, pad))
    last = graph.next()
    # a convolution to one channel, written as the transposed one with the kernel turned: a third of the time
    turned = np.pad(last[: 45 * 81].reshape(45, 1, 9, 9)[:, :, ::-1, ::-1], ((0, 3), (0, 0), (0, 0), (0, 0)))
    weights, bias = graph.constant(turned), graph.constant(last[45 * 81 :])
    graph.add("ConvTranspose", value, weights, bias, name="score", kernel_shape=[9, 9], pads=[4] * 4)
    graph.save(target, [1, "height", "width", 3], ("score", [1, 1, "rows", "columns"]))


def check(table: Path, target: Path) -> None:
    """End with an error unless every file listed in the table has its SHA-256."""
    wanted = re.findall(r"^ +(\S+): ([0-9a-f]{64})$", table.read_text(), re.MULTILINE)
    for name, digest in wanted:
        if hashlib.sha256((target / name).read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{target / name} isn't the file whose hash {table} holds")


def main(table: Path, target: Path) -> None:
    package = importlib.util.find_spec("face_recognition_models")  # found, never imported
    if package is None or package.origin is None:
        raise SystemExit("face_recognition_models is not installed here")
    models = Path(package.origin).parent / "models"
    target.mkdir(parents=True, exist_ok=True)
    write_resnet((models / RESNET).read_bytes(), target / "face_resnet.onnx")
    write_look((models / RESNET).read_bytes(), target / "look.onnx")
    write_detector((models / DETECTOR).read_bytes(), target / "face_detector.onnx")
    np.savez(target / "landmarks.npz", allow_pickle=False, **landmarks((models / LANDMARKS).read_bytes()))
    check(table, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
