"""What layers share that choose among boxes: the best of each image that stand apart, and what is there without any."""

from __future__ import annotations

import numpy as np

from caffe_compat.onnx_export.neurons import affine
from caffe_compat.onnx_export.operators import END, LOWEST, Operators
from caffe_compat.onnx_export.suppression import of_kind, suppress_in_turn


def best_apart(
    write: Operators,
    boxes: str,
    scores: str,
    before: int,
    after: int,
    overlap: float,
    least: float = LOWEST,
    pixel: int = 1,
    kind: int = 0,
) -> tuple[str, str]:
    """R x 5 RoIs and R scores: what stays of the `before` best of each image, up to `after` (0 or less: all).

    boxes: N x P x 4, as corners; pixel: how wide a box from x to x is, 0 or 1; kind: what an overlap is a part of, see
    of_kind. scores: N x P, candidates are above `least`; of equal ones the first is the best.
    """
    if before > 0:
        count = write("Min", write.ints([before]), write.dims(scores, 1, 2))
        scores, places = write.many("TopK", 2, scores, count, axis=1)
        places = write("Unsqueeze", places, write.ints([2]))
        shape = write("Concat", write("Shape", scores), write.ints([4]), axis=0)
        boxes = write("GatherElements", boxes, write("Expand", places, shape), axis=1)
    most = write.ints([after]) if after > 0 else write.dims(scores, 1, 2)
    of_class = write("Unsqueeze", scores, write.ints([1]))
    if kind:
        all_boxes, how = write.dims(scores, 1, 2), of_kind(kind, pixel)
        found = suppress_in_turn(write, boxes, of_class, all_boxes, least, how, overlap, most=most)
    else:
        low, high = (write.slice(boxes, i, i + 2, 2) for i in (0, 2))
        high = write(
            "Max", low, affine(write, high, shift=pixel)
        )  # ONNX turns a box round that ends before it starts
        found = write.suppress(write("Concat", low, high, axis=2), of_class, most, overlap, least)
    rows = write("Gather", found, write.ints([0, 2]), axis=1)
    image = write.cast(write.slice(found, 0, 1, 1), np.float32)
    rois = write("Concat", image, write("GatherND", boxes, rows), axis=1)
    return rois, write("GatherND", scores, rows)


def just_below(number: float) -> float:
    """What is above this is at least `number`, in float32."""
    return float(np.nextafter(np.float32(number), np.float32(-np.inf)))


def rows_or(write: Operators, rows: str, others: str) -> str:
    """The rows, or if there are none the others."""
    count = write.dims(rows, 0, 1)
    end = write("Where", write("Equal", count, write.ints([0])), write.ints([END]), count)
    return write("Slice", write("Concat", rows, others, axis=0), write.ints([0]), end, write.ints([0]))


def detections(write: Operators, rows: str, images: str, width: int = 7) -> str:
    """1 x 1 x D x width, as SSD has them: the rows, or if there are none the number of each image and -1.

    images: how many, as a vector.
    """
    image = write("Unsqueeze", write.cast(write.count_up(images), np.float32), write.ints([1]))
    none = write("Pad", image, write.ints([0, 0, 0, width - 1]), write.floats(-1))
    return write("Unsqueeze", rows_or(write, rows, none), write.ints([0, 1]))


def best_rows(write: Operators, images: str, score: str, numbers: str, most: int) -> str:
    """The rows of the best detections of each image, in the order that they have. numbers: how many images."""
    count = write.dims(score, 0, 1)
    by_score = write.many("TopK", 2, score, count)[1]
    image = write("Gather", write.reshape(images, -1), by_score)
    image, then = write.many("TopK", 2, image, count, largest=0)  # of equals the first comes first
    order = write("Gather", by_score, then)
    each = write("Unsqueeze", write.count_up(numbers), write.ints([1]))
    before = write.cast(write("Less", write("Unsqueeze", image, write.ints([0])), each), np.int64)
    start = write("Gather", write("ReduceSum", before, write.ints([1]), keepdims=0), image)
    is_best = write("Less", write("Sub", write.count_up(count), start), write.ints([most]))
    kept = write("Compress", order, is_best, axis=0)
    return write.many("TopK", 2, kept, write("Shape", kept), largest=0)[0]
