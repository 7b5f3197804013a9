"""AnchorTargetLayer of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.param_str import anchor_params
from caffe_compat.layers.kernels.anchors import encode
from caffe_compat.layers.kernels.boxes import overlaps
from caffe_compat.layers.rpn.anchors import anchors_on_map, boxes_with_class, generate_anchors


class AnchorTargetLayer(Layer):
    """`python_param { module: "rpn.anchor_target_layer" layer: "AnchorTargetLayer" }`: what an RPN learns.

    bottom[0]: 1 x 2A x H x W, its shape counts only. bottom[1]: gt_boxes, G x 5 (x1 y1 x2 y2 class). bottom[2]: 1 x 3,
    the image's height and width (pixels), and scale. bottom[3]: the image, not looked at. top[0]: 1 x 1 x A*H x W
    labels: 1 object, 0 none, -1 does not count. top[1] to [3]: 1 x 4A x H x W deltas from the anchors to the boxes they
    overlap most, inside weights, outside weights. Anchors farther than allowed_border outside the image do not count.
    Objects are the anchors that overlap a box by positive_overlap or more, and those that overlap a box most, even if
    by nothing. None are the others below negative_overlap with every box. At most fg_fraction of batch_size are
    objects, the rest are none; who is left out is drawn from numpy's global RandomState; a batch_size of -1 leaves out
    none (unsky's FPN). The attributes below are what a configuration may set; param_str gives feat_stride, ratios,
    scales and allowed_border. Raises LayerError for shapes that do not agree, gt_boxes without a box, and an image that
    no anchor lies in.
    Source: rpn.anchor_target_layer of py-faster-rcnn and of py-R-FCN, with the ratios of PVANET; Ren et al.,
    Faster R-CNN (2015), section 3.1.2.
    """

    origin = "py-faster-rcnn"
    bottom_count = (4, 4)
    top_count = (4, 4)
    no_gradient: tuple[int, ...] = (0, 1, 2, 3)
    has_backward = False

    positive_overlap = 0.7
    negative_overlap = 0.3
    clobber_positives = False  # below negative_overlap is none, though the best of a box
    fg_fraction = 0.5
    batch_size = 256
    inside_weights = (1.0, 1.0, 1.0, 1.0)
    positive_weight = -1.0  # of all outside weights; below 0: every anchor that counts weighs the same
    # subtract the means and divide by the stds; py-R-FCN's TRAIN.RPN_NORMALIZE_TARGETS
    normalize_targets = False
    normalize_means = (0.0, 0.0, 0.0, 0.0)
    normalize_stds = (0.1, 0.1, 0.2, 0.2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.stride, ratios, scales, self.border = anchor_params(self)
        self.anchors = generate_anchors(ratios=ratios, scales=scales)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        count = len(self.anchors)
        if len(bottom[0].shape) != 4 or bottom[0].shape[:2] != (1, 2 * count):
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; expected, for one image and {count} anchors, "
                f"(1, {2 * count}, height, width)"
            )
        if bottom[2].shape != (1, 3):
            raise self.error(
                f"bottom[2] has the shape {bottom[2].shape}; expected (1, 3): height, width, scale"
            )
        height, width = bottom[0].shape[2:]
        top[0].reshape(1, 1, count * height, width)
        for blob in top[1:]:
            blob.reshape(1, 4 * count, height, width)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        anchors = anchors_on_map(self.anchors, self.stride, height, width)
        inside = self._inside(anchors, bottom[2].data[0])
        values = self._targets(anchors[inside], boxes_with_class(self, bottom[1])[:, :4])
        for blob, value in zip(top, everywhere(len(anchors), inside, values, top[0].dtype), strict=True):
            on_map = value.reshape(height, width, -1).transpose(2, 0, 1)
            blob.data[...] = on_map.reshape(blob.shape)

    def _targets(self, anchors: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, ...]:
        """Labels n x 1, and deltas, inside and outside weights n x 4, of these anchors."""
        boxes = boxes.astype(np.float64)
        overlap = np.empty((len(anchors), len(boxes)))
        overlaps(anchors, boxes, overlap)
        labels = self._labels(overlap)
        self._sample(labels)
        deltas = np.empty((len(anchors), 4))
        encode(anchors, boxes, overlap.argmax(axis=1), deltas)
        inside_weights = np.where(labels[:, None] == 1, self.inside_weights, 0)
        outside_weights = np.repeat(self._weights(labels)[:, None], 4, axis=1)
        return labels[:, None], self._normalized(deltas), inside_weights, outside_weights

    def _normalized(self, deltas: np.ndarray) -> np.ndarray:
        if not self.normalize_targets:
            return deltas
        targets = deltas.astype(np.float32)
        targets -= self.normalize_means  # float32 after each step, as the reference rounds
        targets /= self.normalize_stds
        return targets

    def _inside(self, anchors: np.ndarray, im_info: np.ndarray) -> np.ndarray:
        height, width = (float(size) for size in im_info[:2])
        first = (anchors[:, :2] >= -self.border).all(axis=1)
        rows = np.flatnonzero(
            first & (anchors[:, 2:] < [width + self.border, height + self.border]).all(axis=1)
        )
        if not rows.size:
            raise self.error(
                f"none of the {len(anchors)} anchors lies in the image of {height:g} x {width:g} pixels; "
                "make the image larger, or the scales smaller"
            )
        return rows

    def _labels(self, overlap: np.ndarray) -> np.ndarray:
        most = overlap.max(axis=1)
        labels = np.full(most.size, -1)
        none = most < self.negative_overlap
        labels[none] = 0
        labels[(overlap == overlap.max(axis=0)).any(axis=1) | (most >= self.positive_overlap)] = 1
        if self.clobber_positives:
            labels[none] = 0
        return labels

    def _sample(self, labels: np.ndarray) -> None:
        if self.batch_size == -1:
            return
        most_objects = int(self.fg_fraction * self.batch_size)
        for label in (1, 0):
            rows = np.flatnonzero(labels == label)
            most = most_objects if label else self.batch_size - np.count_nonzero(labels == 1)
            if rows.size > most:
                labels[np.random.choice(rows, size=rows.size - most, replace=False)] = -1

    def _weights(self, labels: np.ndarray) -> np.ndarray:
        objects, others = int((labels == 1).sum()), int((labels == 0).sum())
        if self.positive_weight < 0:
            return (labels >= 0) / max(objects + others, 1)
        each = self.positive_weight / max(objects, 1), (1 - self.positive_weight) / max(others, 1)
        return np.where(labels == 1, each[0], np.where(labels == 0, each[1], 0))


def everywhere(
    count: int, rows: np.ndarray, values: Sequence[np.ndarray], dtype: np.dtype
) -> Iterator[np.ndarray]:
    """What `values` have for `rows` among `count` rows; others do not count: they have the label -1, and 0."""
    for value, fill in zip(values, (-1, 0, 0, 0), strict=True):
        result = np.full((count, value.shape[1]), fill, dtype)
        result[rows] = value
        yield result
