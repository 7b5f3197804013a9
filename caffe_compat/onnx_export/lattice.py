"""The permutohedral lattice of basic operators; see layers/segmentation/permutohedral.py, whose words it has.

The pixels of all images are in one lattice: the number of a lattice point counts its image too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.onnx_export.operators import END, Operators

F = np.float32


@dataclass(frozen=True)
class Lattice:
    """Of P pixels, those of all images, and their features.

    vertices: P x corners, on end, the points of each pixel's simplex, counted from 1; weights: what they weigh, as a
    column. neighbours: for each direction, those before and behind each point, 0 where there is none. corners: of a
    simplex.
    """

    vertices: str
    weights: str
    neighbours: list[tuple[str, str]]
    corners: int

    def filter(self, write: Operators, values: str) -> str:
        """P x C values, filtered."""
        channels = write.dims(values, 1, 2)
        pairs = write("Concat", write.ints([-1]), channels, axis=0)
        each = write("Tile", write("Unsqueeze", values, write.ints([1])), write.ints([1, self.corners, 1]))
        parts = write("Mul", write("Reshape", each, pairs), self.weights)
        points = write("Add", write.dims(self.neighbours[0][0], 0, 1), write.ints([1]))
        nothing = write("Expand", write.floats(0), write("Concat", points, channels, axis=0))
        rows = write("Unsqueeze", self.vertices, write.ints([1]))
        old = write("ScatterND", nothing, rows, parts, reduction="add")
        none = write.slice(nothing, 0, 1, 0)
        for pair in self.neighbours:
            beside = write("Add", *(write("Gather", old, points, axis=0) for points in pair))
            blurred = write("Add", write.slice(old, 1, END, 0), write("Mul", beside, write.floats(0.5)))
            old = write("Concat", none, blurred, axis=0)
        seen = write("Mul", write("Gather", old, self.vertices, axis=0), self.weights)
        by_pixel = write("Concat", write.ints([-1, self.corners]), channels, axis=0)
        total = write("ReduceSum", write("Reshape", seen, by_pixel), write.ints([1]), keepdims=0)
        return write("Mul", total, write.floats(F(1 / (1 + 2.0 ** -(self.corners - 1)))))


def lattice(write: Operators, features: list[str], images: str) -> Lattice:
    """The lattice of pixels with these features, P numbers each; images: P, which image each is of."""
    axes = len(features) + 1
    elevated = _elevated(write, features)  # axes x P
    origins, ranks = _simplices(write, elevated, axes)
    weights = _barycentric(write, elevated, origins, ranks, axes)
    keys = _corners(write, origins, ranks, axes)  # axes - 1 x P corners
    low = write("Sub", write("ReduceMin", keys, axes=[1], keepdims=1), write.ints(axes))
    bases = write(
        "Add", write("Sub", write("ReduceMax", keys, axes=[1], keepdims=1), low), write.ints(axes + 1)
    )
    steps = [write.ints(np.ones((1, 1), int))]
    for i in range(axes - 1):
        steps.append(write("Mul", steps[-1], write.slice(bases, i, i + 1, 0)))
    whole, steps_of_axes = steps[-1], write("Concat", *steps[:-1], axis=0)
    shifted = write("Mul", write("Sub", keys, low), steps_of_axes)
    numbers = write("ReduceSum", shifted, write.ints([0]), keepdims=0)
    corners = write("Expand", write("Unsqueeze", images, write.ints([1])), write.ints([1, axes]))
    of_image = write("Mul", write.reshape(corners, -1), write.reshape(whole, 1))
    codes, _, vertices, _ = write.many("Unique", 4, write("Add", numbers, of_image), sorted=1)
    neighbours = _neighbours(write, codes, steps_of_axes, axes)
    return Lattice(write("Add", vertices, write.ints(1)), weights, neighbours, axes)


def _elevated(write: Operators, features: list[str]) -> str:
    """The features in the lattice's space."""
    deviation = F(np.sqrt(2 / 3) * (len(features) + 1))
    result, total = [], None
    for j in range(len(features), 0, -1):
        scaled = write("Mul", features[j - 1], write.floats(F(1 / np.sqrt(j * (j + 1)) * deviation)))
        less = write("Mul", scaled, write.floats(j))
        result.append(write("Sub", total, less) if total else write("Neg", less))
        total = write("Add", total, scaled) if total else scaled
    assert total is not None
    rows = (write("Unsqueeze", row, write.ints([0])) for row in [total, *result[::-1]])
    return write("Concat", *rows, axis=0)


def _simplices(write: Operators, elevated: str, axes: int) -> tuple[str, str]:
    """Of each pixel the nearest point of remainder 0, and the rank of each coordinate's distance from it."""
    rounded = write.cast(write("Round", write("Mul", elevated, write.floats(F(1 / axes)))), np.int64)
    origins = write("Mul", rounded, write.ints(axes))
    distances = write("Sub", elevated, write.cast(origins, F))
    one, other = (write("Unsqueeze", distances, write.ints([axis])) for axis in (1, 0))
    before, behind = (part(np.ones((axes, axes)))[..., None] for part in (np.tril, np.triu))
    each = np.eye(axes)[..., None]
    less = write.cast(write("Less", one, other), np.int64)
    not_less = write.cast(write("GreaterOrEqual", other, one), np.int64)
    counts = write(
        "Add",
        write("Mul", less, write.ints((behind - each).astype(int))),
        write("Mul", not_less, write.ints((before - each).astype(int))),
    )
    ranks = write("ReduceSum", counts, write.ints([1]), keepdims=0)
    ranks = write(
        "Add", ranks, write("ReduceSum", rounded, write.ints([0]), keepdims=1)
    )  # back onto the plane
    up, down = write("Less", ranks, write.ints(0)), write("GreaterOrEqual", ranks, write.ints(axes))
    moved = write("Sub", write.cast(up, np.int64), write.cast(down, np.int64))
    moved = write("Mul", moved, write.ints(axes))
    return write("Add", origins, moved), write("Add", ranks, moved)


def _barycentric(write: Operators, elevated: str, origins: str, ranks: str, axes: int) -> str:
    """What the corners of each pixel's simplex weigh: P corners x 1."""
    parts = write("Mul", write("Sub", elevated, write.cast(origins, F)), write.floats(F(1 / axes)))
    place = write("Unsqueeze", write("Sub", write.ints(axes), ranks), write.ints([2]))
    signs = []
    for corner in (np.arange(1, axes + 2), np.arange(axes + 1)):
        signs.append(write.cast(write("Equal", place, write.ints(corner)), F))
    total = write("Mul", write("Unsqueeze", parts, write.ints([2])), write("Sub", *signs))
    weights = write("ReduceSum", total, write.ints([0]), keepdims=0)  # P x corners + 1
    last = write("Add", write.slice(weights, axes, axes + 1, 1), write.floats(1))
    first = write("Add", write.slice(weights, 0, 1, 1), last)
    return write.reshape(write("Concat", first, write.slice(weights, 1, axes, 1), axis=1), -1, 1)


def _corners(write: Operators, origins: str, ranks: str, axes: int) -> str:
    """The corners of each pixel's simplex, less their last axis: axes - 1 x P corners."""
    corner, rank = np.ogrid[:axes, :axes]
    canonical = np.where(rank < axes - corner, corner, corner - axes).T  # ranks x corners
    origins, ranks = (write.slice(x, 0, axes - 1, 0) for x in (origins, ranks))
    offsets = write("Gather", write.ints(canonical), ranks, axis=0)
    return write.reshape(write("Add", write("Unsqueeze", origins, write.ints([2])), offsets), axes - 1, -1)


def _neighbours(write: Operators, codes: str, steps: str, axes: int) -> list[tuple[str, str]]:
    """For each direction the points before and behind each point, counted from 1; 0 where there is none."""
    moves = np.full((axes, axes - 1), -1)
    np.fill_diagonal(moves, axes - 1)
    ways = write("ReduceSum", write("Mul", write.ints(moves.T), steps), write.ints([0]), keepdims=0)
    both = write("Mul", write("Unsqueeze", ways, write.ints([1])), write.ints([1, -1]))  # axes x 2
    wanted = write("Add", codes, write("Unsqueeze", both, write.ints([2])))  # axes x 2 x points
    places = _search(write, codes, wanted)
    is_there = write.cast(write("Equal", write("Gather", codes, places), wanted), np.int64)
    found = write("Mul", write("Add", places, write.ints(1)), is_there)
    halves = [write("Gather", found, write.ints(i), axis=1) for i in (0, 1)]
    before, behind = ([write("Gather", half, write.ints(i), axis=0) for i in range(axes)] for half in halves)
    return list(zip(before, behind, strict=True))


def _search(write: Operators, codes: str, wanted: str) -> str:
    """The first of the sorted codes that is not below each wanted one, or the last: by halving, all at once."""
    last = write("Sub", write.dims(codes, 0, 1), write.ints([1]))
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one half"), write.fresh(f"{write.scope}:loop"))
    turn, go_on, low, high = (f"{inner.scope}:{name}" for name in ("turn", "go_on", "low", "high"))
    middle = inner("Div", inner("Add", low, high), inner.ints(2))
    is_below = inner("Less", inner("Gather", codes, middle), wanted)
    above = inner("Min", inner("Add", middle, inner.ints(1)), high)
    ends = inner("Where", is_below, above, low), inner("Where", is_below, high, middle)
    described, numbers = helper.make_tensor_value_info, (TensorProto.INT64, [None] * 3)
    inner.graph.input.extend(
        [described(turn, TensorProto.INT64, []), described(go_on, TensorProto.BOOL, [])]
        + [described(name, *numbers) for name in (low, high)]
    )
    inner.graph.output.extend(
        [described(inner("Identity", go_on), TensorProto.BOOL, [])]
        + [described(name, *numbers) for name in ends]
    )
    halves = write(
        "Div", write("Log", write.cast(write("Add", last, write.ints([1])), F)), write.floats(np.log(2))
    )
    turns = write("Add", write.cast(write("Ceil", halves), np.int64), write.ints([1]))
    start = write("Mul", wanted, write.ints(0))
    go_on = write("Cast", write.ints(1), to=TensorProto.BOOL)
    turns = write("Squeeze", turns, write.ints([0]))
    return write.many("Loop", 2, turns, go_on, start, write("Add", start, last), body=inner.graph)[0]
