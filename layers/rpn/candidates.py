"""What the layers that propose RoIs share: boxes from anchors and deltas, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.contenders import contenders
from caffe_compat.layers.common.warn_once import warn_once
from caffe_compat.layers.kernels.anchors import decode
from caffe_compat.layers.kernels.nms import nms
from caffe_compat.layers.rpn.anchors import anchors_on_map


def check_finite(layer: Layer, bottom: Sequence[Blob], im_info: int | None = None) -> None:
    """Raises LayerError for numbers that are not finite: always where a net learns, and else for im_info, the
    last unless another is named.

    A net without its weights can be timed; its first probabilities and deltas of that kind are a warning.
    """
    sizes = len(bottom) - 1 if im_info is None else im_info
    for i, blob in enumerate(bottom):
        if np.isfinite(blob.data).all():
            continue
        if layer.phase == TRAIN or i == sizes:
            raise layer.error(f"bottom[{i}] is not finite; has the training diverged?")
        warn_once(
            layer,
            f"bottom[{i}] is not finite; boxes without a probability are left out. Has the net its weights?",
        )


def check_proposal_shapes(layer: Layer, bottom: Sequence[Blob], anchors: int) -> None:
    """Raises LayerError unless there are 2 probabilities and 4 deltas an anchor and place, and sizes of the images."""
    images, spatial = bottom[0].num, tuple(bottom[0].shape[2:])
    if not images:
        raise layer.error("there are no images to propose RoIs in")
    for i, each in enumerate((2, 4)):
        if bottom[i].shape != (images, each * anchors, *spatial) or len(spatial) != 2:
            raise layer.error(
                f"bottom[{i}] has the shape {bottom[i].shape}; expected, for {anchors} anchors, (images, "
                f"{each * anchors}, height, width)"
            )
    if bottom[2].num not in (1, images) or bottom[2].count < 3 * bottom[2].num:
        raise layer.error(
            f"the sizes of the images have the shape {bottom[2].shape}; expected (1, 3) or ({images}, 3), or more "
            "columns: height, width, scale"
        )


def candidate_boxes(
    anchors: np.ndarray, stride: float, deltas: np.ndarray, height: float, width: float
) -> np.ndarray:
    """Return the boxes that deltas (4A x H x W) lead to, clipped to the image: H W A x 4, anchors fastest."""
    boxes = anchors_on_map(anchors, stride, *deltas.shape[1:])
    steps = deltas.transpose(1, 2, 0).reshape(-1, 4)
    with np.errstate(over="ignore"):
        growth = np.exp(steps[:, 2:])  # numpy's, as in py-faster-rcnn: C's differs by an ulp
    decode(boxes, steps, growth, boxes.dtype.type(width - 1), boxes.dtype.type(height - 1), boxes)
    return boxes


def foreground(probabilities: np.ndarray) -> np.ndarray:
    """Return the second half of 2A x H x W probabilities, in the order of `candidate_boxes`."""
    return probabilities[len(probabilities) // 2 :].transpose(1, 2, 0).ravel()


def are_large(boxes: np.ndarray, least: float | np.ndarray) -> np.ndarray:
    """Return which of the boxes are at least so wide and high; least: a number, or one of width and one of height."""
    return (boxes[:, 2:] - boxes[:, :2] + 1 >= least).all(axis=1)


def best_apart(
    boxes: np.ndarray, scores: np.ndarray, before: int, after: int, threshold: float
) -> np.ndarray:
    """Return the rows of the boxes that stay, best first.

    Of the `before` best, those stay that overlap no better one above the threshold, up to `after` (0 or less: all). Of
    equal scores the last is the best.
    """
    order = contenders(scores, before if before > 0 else None)
    order = _first(order[np.argsort(scores[order], kind="stable")[::-1]], before)
    keep = np.empty(order.size, bool)
    nms(boxes[order], boxes.dtype.type(threshold), keep)
    return _first(order[keep], after)


def write_rois(top: Blob, boxes: Sequence[np.ndarray]) -> None:
    """Shape and write R x 5 RoIs (image, x1, y1, x2, y2) from the boxes of each image."""
    counts = [len(part) for part in boxes]
    top.reshape(sum(counts), 5)
    top.data[:, 0] = np.repeat(np.arange(len(boxes)), counts)
    top.data[:, 1:] = np.concatenate(boxes)


def _first(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[:count] if count > 0 else rows
