"""Nearest-patch search: the matching half of exemplar completion.

PatchMatch (Barnes et al., 2009) in its parallel form: every target is updated at once from its neighbours at
several jump lengths, then from random samples in shrinking windows. Patches are compared after projection onto
their principal components, which keeps nearly all of the distance at a sixth of the cost.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from services.bedrock.darkroom.arrays import Bools, Floats, Ints

_COMPONENTS = 24
_SAMPLE = 4000
_CHUNK = 16_384
_FREE_USES = 1.5
_WEAR = 0.35
_EXHAUSTIVE_PAIRS = 12_000_000
_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def patch_matrix(channels: Floats, ys: Ints, xs: Ints, size: int) -> Floats:
    """One row per centre: its size × size × C neighbourhood, mirrored past the border. N × size²C."""
    half = size // 2
    padded = np.pad(channels, ((half, half), (half, half), (0, 0)), mode="symmetric")
    width = padded.shape[1]
    depth = channels.shape[2]
    # Row segments are contiguous in memory, so a patch is `size` runs of size·C values.
    runs = np.lib.stride_tricks.sliding_window_view(padded.reshape(-1), size * depth)
    starts = ys * width + xs
    rows = [runs[(starts + row * width) * depth] for row in range(size)]
    return np.concatenate(rows, axis=1)


@dataclass
class Matcher:
    """What is compared and where copies may come from, at one level of the pyramid.

    `valid` marks centres whose whole patch is known. `anchor` (H×W×K) is a soft wish about *where* to copy from:
    its squared difference between target and source adds to the distance.
    """

    size: int
    valid: Bools
    anchor: Floats
    mean: Floats
    basis: Floats
    table: Floats
    row_of: Ints
    wear: Floats

    def project(self, channels: Floats, ys: Ints, xs: Ints) -> Floats:
        """Feature rows for the given centres: principal components, then the anchor."""
        parts = []
        for start in range(0, len(ys), _CHUNK):
            part = slice(start, start + _CHUNK)
            parts.append((patch_matrix(channels, ys[part], xs[part], self.size) - self.mean) @ self.basis)
        return np.concatenate([np.concatenate(parts), self.anchor[ys, xs]], axis=1)

    def distance(self, features: Floats, sources: Ints) -> Floats:
        """Squared distance of each target's features to the source given as flat index; inf where not allowed."""
        rows = self.row_of[sources]
        difference = np.take(self.table, rows, axis=0)
        difference -= features
        cost: Floats = np.einsum("ij,ij->i", difference, difference)
        cost += self.wear[rows]
        cost[rows < 0] = np.inf
        return cost

    def wear_out(self, field: "Field") -> None:
        """Make sources dearer the more often they are copied (occurrence map of Kaspar et al., 2015): without it
        one smooth patch is repeated into a visible weave."""
        counts = (
            np.bincount(field.sources, minlength=self.valid.size).astype(np.float32).reshape(self.valid.shape)
        )
        local = cv2.blur(counts, (self.size, self.size)) / np.maximum(
            cv2.blur(self.valid.astype(np.float32), (self.size, self.size)), 0.05
        )
        fair = max(1.0, len(field.sources) / len(self.table))
        excess = np.clip(local / fair - _FREE_USES, 0, 8)
        price = _WEAR * float(np.median(field.costs)) * excess
        self.wear = (0.5 * self.wear + 0.5 * price[self.valid]).astype(np.float32)


def build_matcher(
    channels: Floats, known: Bools, allowed: Bools, anchor: Floats, size: int, rng: np.random.Generator
) -> Matcher:
    """Project every admissible source patch: all known and centred where copying is allowed, or anywhere known if
    that leaves none. Raises ValueError if no whole patch is known."""
    height, width = known.shape
    valid = cv2.erode(
        known.astype(np.uint8), np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    ).astype(bool)
    if (valid & allowed).any():
        valid &= allowed
    ys, xs = (axis.astype(np.int64) for axis in np.nonzero(valid))
    if len(ys) == 0:
        raise ValueError("no whole patch is known")
    picked = rng.choice(len(ys), min(_SAMPLE, len(ys)), replace=False)
    sample = patch_matrix(channels, ys[picked], xs[picked], size)
    mean = sample.mean(axis=0)
    centred = sample - mean
    _, vectors = np.linalg.eigh(centred.T @ centred)
    # Divided by the side length, a distance is per pixel and so comparable between patch sizes.
    basis = (vectors[:, ::-1][:, :_COMPONENTS] / size).astype(np.float32)
    row_of = np.full(height * width, -1, np.int64)
    row_of[ys * width + xs] = np.arange(len(ys))
    matcher = Matcher(
        size, valid, anchor, mean, basis, np.empty((0, 0), np.float32), row_of, np.zeros(len(ys), np.float32)
    )
    matcher.table = matcher.project(channels, ys, xs)
    return matcher


@dataclass
class Field:
    """For each target pixel (ys, xs) the flat index of the source it copies, and how far apart they are."""

    ys: Ints
    xs: Ints
    sources: Ints
    costs: Floats


def _offer(matcher: Matcher, field: Field, features: Floats, where: Ints, offered: Ints) -> None:
    """Replace a target's source by the offered one where that is nearer."""
    cost = matcher.distance(features[where], offered)
    better = cost < field.costs[where]
    chosen = where[better]
    field.sources[chosen] = offered[better]
    field.costs[chosen] = cost[better]


def search_all(matcher: Matcher, field: Field, features: Floats) -> bool:
    """Exact nearest sources by brute force; False (and nothing done) where that would be too much work."""
    count = len(matcher.table)
    if count * len(features) > _EXHAUSTIVE_PAIRS:
        return False
    flat = np.flatnonzero(matcher.valid)
    squares = np.einsum("ij,ij->i", matcher.table, matcher.table) + matcher.wear
    for start in range(0, len(features), 1024):
        part = slice(start, start + 1024)
        scores = squares - 2.0 * (features[part] @ matcher.table.T)
        field.sources[part] = flat[np.argmin(scores, axis=1)]
    field.costs[:] = matcher.distance(features, field.sources)
    return True


def propagate(matcher: Matcher, field: Field, features: Floats, jumps: tuple[int, ...]) -> None:
    """Offer every target the continuation of its neighbours' copies, near and far."""
    height, width = matcher.valid.shape
    index = np.full(height * width, -1, np.int64)
    index[field.ys * width + field.xs] = np.arange(len(field.ys))
    for jump in jumps:
        for step_y, step_x in _STEPS:
            dy, dx = step_y * jump, step_x * jump
            y, x = field.ys - dy, field.xs - dx
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            neighbour = np.full(len(y), -1, np.int64)
            neighbour[inside] = index[y[inside] * width + x[inside]]
            where = np.flatnonzero(neighbour >= 0)
            source = field.sources[neighbour[where]]
            sy, sx = source // width + dy, source % width + dx
            fits = (sy >= 0) & (sy < height) & (sx >= 0) & (sx < width)
            where, offered = where[fits], sy[fits] * width + sx[fits]
            # A continuation that is the present copy needs no measuring; in coherent areas that is most of them.
            news = offered != field.sources[where]
            _offer(matcher, field, features, where[news], offered[news])


def search_randomly(
    matcher: Matcher, field: Field, features: Floats, radius: float, rng: np.random.Generator
) -> None:
    """Offer random sources in windows around the present one, each half the size of the last."""
    height, width = matcher.valid.shape
    everyone = np.arange(len(field.ys))
    while radius >= 1:
        shift = rng.uniform(-radius, radius, (2, len(field.ys)))
        sy = np.clip(field.sources // width + np.rint(shift[0]).astype(np.int64), 0, height - 1)
        sx = np.clip(field.sources % width + np.rint(shift[1]).astype(np.int64), 0, width - 1)
        _offer(matcher, field, features, everyone, sy * width + sx)
        radius /= 2


def settle(matcher: Matcher, field: Field, features: Floats, rounds: int, cohesion: float) -> None:
    """Trade a little likeness for larger unbroken pieces: iterated conditional modes over the copy map.

    Each seam with one of the four neighbours costs `cohesion` times the median distance, so isolated copies join the
    piece around them and texture survives whole.
    """
    height, width = matcher.valid.shape
    price = np.float32(cohesion * np.median(field.costs) + 1e-6)
    index = np.full(height * width, -1, np.int64)
    index[field.ys * width + field.xs] = np.arange(len(field.ys))
    home = field.ys * width + field.xs
    neighbours = []
    for dy, dx in _STEPS:
        y, x = field.ys + dy, field.xs + dx
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        found = index[np.where(inside, y * width + x, 0)]
        neighbours.append(np.where(inside, found, -1))
    parity = (field.ys + field.xs) % 2
    for turn in range(rounds * 2):
        where = np.flatnonzero(parity == turn % 2)
        offsets = field.sources - home
        around = np.stack([np.where(n[where] >= 0, offsets[n[where]], offsets[where]) for n in neighbours])
        best = field.sources[where].copy()
        likeness = field.costs[where].copy()
        total = likeness + price * (around != offsets[where]).sum(axis=0)
        for candidate in around:
            sx = field.xs[where] + (candidate - np.rint(candidate / width).astype(np.int64) * width)
            news = (candidate != offsets[where]) & (sx >= 0) & (sx < width)
            offered = np.where(news, home[where] + candidate, best)
            offered = np.where((offered >= 0) & (offered < height * width), offered, best)
            cost = matcher.distance(features[where], offered)
            full = cost + price * (around != candidate).sum(axis=0)
            better = full < total
            best[better], likeness[better], total[better] = offered[better], cost[better], full[better]
        field.sources[where], field.costs[where] = best, likeness
