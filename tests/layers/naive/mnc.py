"""Layers of multi-task network cascades."""

from __future__ import annotations

import math

import numpy as np

from layers.naive.deeplab import spatial_product
from layers.naive.given import Given, taken
from layers.naive.losses import divided, ignored

F = np.float32


def sample(plane: np.ndarray, y: float, x: float) -> float:
    """A map at a place, 0 more than half a pixel outside of it."""
    height, width = plane.shape
    if not (-0.5 <= y <= height - 0.5 and -0.5 <= x <= width - 0.5):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    return sum(
        plane[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
        for i in {math.floor(y), math.ceil(y)}
        for j in {math.floor(x), math.ceil(x)}
    )


def roi_warping(given: Given) -> list[np.ndarray]:
    (x, rois), param = given.bottom, given.param.roi_warping_param
    assert param.pooled_h and param.pooled_w

    def value(at):
        r, c, i, j = at
        image, *corners = rois.reshape(-1, 5)[r]
        x1, y1, x2, y2 = (int(np.floor(F(v) * F(param.spatial_scale) + 0.5)) for v in corners)
        return sample(
            x[int(image), c],
            float(F(y1) + F(i) * (F(max(y2 - y1, 0)) / F(param.pooled_h))),
            float(F(x1) + F(j) * (F(max(x2 - x1, 0)) / F(param.pooled_w))),
        )

    return [taken((len(rois), x.shape[1], param.pooled_h, param.pooled_w), value)]


def mask_resize(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.mask_resize_param
    height, width = (
        math.floor(size * factor + 1e-6) if factor > 0 else output
        for size, factor, output in (
            (x.shape[2], param.factor_height, param.output_height),
            (x.shape[3], param.factor_width, param.output_width),
        )
    )
    rows, columns = F(x.shape[2]) / F(height), F(x.shape[3]) / F(width)

    def value(at):
        n, c, i, j = at
        return sample(x[n, c], float(F(i) * rows), float(F(j) * columns))

    return [taken((*x.shape[:2], height, width), value)]


def weighted_sigmoid_loss(given: Given) -> list[np.ndarray]:
    total, counted, param, scores = 0.0, 0, given.param.loss_param, given.bottom[0]
    for x, target, weight in zip(*(blob.flat for blob in given.bottom), strict=True):
        if int(target) != ignored(param):
            share = 1 / (1 + math.exp(-x))
            total -= weight * (target * math.log(share) + (1 - target) * math.log(1 - share))
            counted += 1
    if not given.param.HasField("loss_param"):
        return [np.array(total / given.bottom[2].sum())]
    return [divided(total, param, len(scores), scores.size // len(scores), counted, default="BATCH_SIZE")]


NAIVE = {
    "MaskPooling": spatial_product,
    "MaskResize": mask_resize,
    "ROIWarping": roi_warping,
    "WeightedSigmoidCrossEntropyLoss": weighted_sigmoid_loss,
}
