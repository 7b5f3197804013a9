"""Non-maximum suppression that ONNX's NonMaxSuppression is not: a Loop over the boxes, the best first.

Here a threshold may fall with each box that stays (eta of SSD), and what two boxes share may be divided by a part of
them (nms_type of Cascade R-CNN). Boxes of all images and classes take their turn at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from caffe_compat.onnx_export.operators import Operators

# from boxes, ... x K x 4, and one that may be of lower score, ... x 1 x 4: how much of it they cover, ... x K
Overlap = Callable[[Operators, str, str], str]


def suppress_in_turn(
    write: Operators,
    boxes: str,
    scores: str,
    best: str,
    least: float,
    overlap: Overlap,
    threshold: float,
    eta: float = 1,
    most: str | None = None,
) -> str:
    """Image, class and box of each that stays, D x 3, as Operators.suppress has them, of N x P x 4 boxes.

    scores: N x C x P, candidates are above `least`, and among the `best` (a vector of one number) of their class; of
    equal ones the first is the best. One goes that a better one which stays overlaps by more than the threshold, which
    each that stays multiplies by eta while it is above a half. Of each class the `most` first ones are kept.
    """
    count = write("Min", best, write.dims(scores, 2, 3))
    scores, places = write.many("TopK", 2, scores, count, axis=2)
    image = write("Unsqueeze", write.count_up(write.dims(boxes, 0, 1)), write.ints([1, 2]))
    image = write("Expand", image, write("Shape", places))
    both = (write("Unsqueeze", x, write.ints([3])) for x in (image, places))
    boxes = write("GatherND", boxes, write("Concat", *both, axis=3))
    candidates = write("Greater", scores, write.floats(least))
    kept = _kept(write, boxes, candidates, count, overlap, threshold, eta)
    if most:
        number = write("CumSum", write.cast(kept, np.int64), write.ints(2))
        kept = write("And", kept, write("LessOrEqual", number, most))
    found = write("Transpose", write("NonZero", kept), perm=[1, 0])
    place = write("Unsqueeze", write("GatherND", places, found), write.ints([1]))
    return write("Concat", write.slice(found, 0, 2, 1), place, axis=1)


def _kept(
    write: Operators, boxes: str, candidates: str, count: str, overlap: Overlap, threshold: float, eta: float
) -> str:
    """N x C x K flags: which of the candidates (N x C x K flags, the best first) stay."""
    nothing = write("And", candidates, write("Not", candidates))
    limits = write(
        "Expand", write.floats(threshold), write("Concat", write.dims(boxes, 0, 2), write.ints([1]), axis=0)
    )
    inner = Operators(onnx.GraphProto(name=f"{write.scope}: one box"), write.fresh(f"{write.scope}:loop"))
    turn, go_on, kept, limit = (f"{inner.scope}:{name}" for name in ("turn", "go_on", "kept", "limit"))
    at = inner("Unsqueeze", turn, inner.ints([0]))
    box, candidate = (inner("Gather", x, at, axis=2) for x in (boxes, candidates))
    fits = inner("LessOrEqual", overlap(inner, boxes, box), limit)
    covers = inner.cast(inner("And", kept, inner("Not", fits)), np.int64)
    free = inner("Equal", inner("ReduceMax", covers, axes=[2], keepdims=1), inner.ints(0))
    stays = inner("And", candidate, free)
    is_it = inner("Equal", inner.count_up(inner.dims(boxes, 2, 3)), at)
    behind = inner("Or", kept, inner("And", stays, is_it))
    falls = inner("And", stays, inner("Greater", limit, inner.floats(0.5)))
    lower = inner("Where", falls, inner("Mul", limit, inner.floats(eta)), limit)
    flags, floats = TensorProto.BOOL, TensorProto.FLOAT
    described, three = helper.make_tensor_value_info, [None, None, None]
    inner.graph.input.extend(
        [
            described(turn, TensorProto.INT64, []),
            described(go_on, flags, []),
            described(kept, flags, three),
            described(limit, floats, three),
        ]
    )
    inner.graph.output.extend(
        [
            described(inner("Identity", go_on), flags, []),
            described(behind, flags, three),
            described(lower, floats, three),
        ]
    )
    turns = write("Squeeze", count, write.ints([0]))
    start = write("Cast", write.ints(1), to=flags)
    return write.many("Loop", 2, turns, start, nothing, limits, body=inner.graph)[0]


def of_union(write: Operators, boxes: str, box: str) -> str:
    """The Overlap of SSD's boxes, which are parts of an image: intersection over union."""
    width, height = _common(write, boxes, box)
    zero = write.floats(0)
    meets = write("And", write("Greater", width, zero), write("Greater", height, zero))
    common = write("Mul", width, height)
    areas = (_areas(write, x, 0) for x in (boxes, box))
    union = write("Sub", write("Add", *areas), common)
    return write("Where", meets, write("Div", common, union), zero)


def of_kind(kind: int, pixel: int) -> Overlap:
    """What two boxes share, over their union (kind 0), the smaller one (1) or the better one (2).

    pixel: how wide a box from x to x is, 0 or 1.
    """

    def overlap(write: Operators, boxes: str, box: str) -> str:
        width, height = _common(write, boxes, box)
        zero, more = write.floats(0), write.floats(pixel)
        common = write("Mul", write("Add", width, more), write("Add", height, more))
        better, area = (_areas(write, x, pixel) for x in (boxes, box))
        if kind == 0:
            whole = write("Sub", write("Add", better, area), common)
        else:
            whole = write("Min", better, area) if kind == 1 else better
        low, high = (write.slice(boxes, i, i + 2, 3) for i in (0, 2))
        ends_before = write("ReduceMin", write("Sub", high, low), axes=[3], keepdims=0)
        meets = write("And", write("GreaterOrEqual", width, zero), write("Greater", height, zero))
        counts = write("And", write("Greater", whole, zero), write("GreaterOrEqual", ends_before, zero))
        return write("Where", write("And", meets, counts), write("Div", common, whole), zero)

    return overlap


def _common(write: Operators, boxes: str, box: str) -> tuple[str, str]:
    """Width and height, ... x K, of what boxes share with one; below 0 where they lie apart."""
    lows, highs = ([write.slice(x, i, i + 2, 3) for x in (boxes, box)] for i in (0, 2))
    size = write("Sub", write("Min", *highs), write("Max", *lows))
    width, height = (write("Gather", size, write.ints(i), axis=3) for i in (0, 1))
    return width, height


def _areas(write: Operators, boxes: str, pixel: int) -> str:
    size = write("Sub", *(write.slice(boxes, i, i + 2, 3) for i in (2, 0)))
    if pixel:
        size = write("Add", size, write.floats(1))
    return write("ReduceProd", size, axes=[3], keepdims=0)
