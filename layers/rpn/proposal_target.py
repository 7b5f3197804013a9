"""ProposalTargetLayer of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.param_str import background_label, num_classes
from caffe_compat.layers.kernels.anchors import encode
from caffe_compat.layers.kernels.boxes import overlaps
from caffe_compat.layers.rpn.anchors import boxes_with_class


class ProposalTargetLayer(Layer):
    """`python_param { module: "rpn.proposal_target_layer" layer: "ProposalTargetLayer" }`: samples RoIs.

    bottom[0]: N x 5 RoIs (0, x1, y1, x2, y2) of one image. bottom[1]: gt_boxes, G x 5 (x1 y1 x2 y2 class),
    which are RoIs too. The tops have R <= batch_size rows, foreground first: rois R x 5, labels R, and R x
    4 classes box targets, inside weights and outside weights (not 0 for the RoI's own class only; with `agnostic`,
    for class 1 whatever the foreground's class is, so that num_classes is 2). A sixth top has another label, R: the
    sixth column of gt_boxes, of background param_str's bg_aux_label.
    A RoI is foreground where it overlaps a box by fg_thresh or more, and background from bg_thresh_lo to below
    bg_thresh_hi; at most fg_fraction of batch_size are foreground; -1 keeps all. Drawn from numpy's global RandomState.
    The attributes below are what a configuration may set; param_str gives num_classes. Raises LayerError for
    shapes that do not agree, a sixth top without a sixth column, RoIs of another image than 0, and boxes whose class is
    none.
    Source: rpn.proposal_target_layer of py-faster-rcnn, and of py-R-FCN, whose tops have two more axes of 1;
    Girshick, Fast R-CNN (2015), section 2.3. The sixth top: ShuangLI59/person_search.
    """

    origin = "py-faster-rcnn"
    bottom_count = (2, 2)
    top_count = (5, 6)
    no_gradient: tuple[int, ...] = (0, 1)
    has_backward = False
    counts_rows = True

    batch_size = 128
    fg_fraction = 0.25
    fg_thresh = 0.5
    bg_thresh_hi = 0.5
    bg_thresh_lo = 0.1
    inside_weights = (1.0, 1.0, 1.0, 1.0)
    agnostic = False  # py-R-FCN's TRAIN.AGNOSTIC
    normalize_targets = False  # subtract the means and divide by the stds
    normalize_means = (0.0, 0.0, 0.0, 0.0)
    normalize_stds = (0.1, 0.1, 0.2, 0.2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.num_classes, self.background_label = num_classes(self), background_label(self)
        self._has_labels = len(top) > 5
        self._shape_tops(top, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the RoIs; how many are sampled is known after forward."""
        if bottom[0].count != 5 * bottom[0].num:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; expected N x 5: image, x1, y1, x2, y2"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        boxes = self._boxes(bottom[1])
        own = np.column_stack([np.zeros(len(boxes), boxes.dtype), boxes[:, :4]])
        rois = np.concatenate([bottom[0].data.reshape(-1, 5), own])
        if rois[:, 0].any():
            raise self.error("a RoI is of another image than 0; a minibatch holds one image")
        corners, gt_boxes = rois[:, 1:].astype(np.float64), boxes[:, :4].astype(np.float64)
        overlap = np.empty((len(rois), len(boxes)))
        overlaps(corners, gt_boxes, overlap)
        foreground, background = self._sample(overlap.max(axis=1))
        rows = np.concatenate([foreground, background])
        best = overlap.argmax(axis=1)[rows]
        deltas = np.empty((rows.size, 4))
        encode(corners[rows], gt_boxes, best, deltas)
        if self.normalize_targets:
            deltas = (deltas - self.normalize_means) / self.normalize_stds
        self._shape_tops(top, rows.size)
        top[0].data[...] = rois[rows]
        top[1].data[...] = boxes[best, 4]
        top[1].data[foreground.size :] = 0
        if self._has_labels:
            top[5].data[...] = boxes[best, 5]
            top[5].data[foreground.size :] = self.background_label
        self._write_targets(top, deltas, foreground.size)

    def _boxes(self, blob: Blob) -> np.ndarray:
        boxes = boxes_with_class(self, blob)
        if self._has_labels and boxes.shape[1] < 6:
            raise self.error(
                f"gt_boxes has the shape {blob.shape}; a sixth top needs a sixth column, its label"
            )
        classes = boxes[:, 4]
        known = np.isfinite(classes) if self.agnostic else classes < self.num_classes
        wrong = np.flatnonzero(~((classes >= 1) & known & (classes == np.floor(classes))))
        if wrong.size:
            most = "" if self.agnostic else f" to {self.num_classes - 1}"
            raise self.error(
                f"box {wrong[0]} of gt_boxes has the class {classes[wrong[0]]:g}; "
                f"expected a whole number from 1{most}"
            )
        return boxes

    def _sample(self, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows drawn as foreground and as background, by the most that each overlaps a box."""
        foreground = np.flatnonzero(most >= self.fg_thresh)
        background = np.flatnonzero((most < self.bg_thresh_hi) & (most >= self.bg_thresh_lo))
        if self.batch_size == -1:
            return _draw(foreground, foreground.size), _draw(background, background.size)
        foreground = _draw(foreground, int(np.round(self.fg_fraction * self.batch_size)))
        return foreground, _draw(background, self.batch_size - foreground.size)

    def _shape_tops(self, top: Sequence[Blob], rows: int) -> None:
        wide = [4 * self.num_classes]
        for blob, rest in zip(top, ([5], [], wide, wide, wide, []), strict=False):
            blob.reshape(rows, *rest)

    def _write_targets(self, top: Sequence[Blob], deltas: np.ndarray, foreground: int) -> None:
        rows = np.arange(foreground)[:, None]
        classes = top[1].data[:foreground, None].astype(int)
        columns = 4 * (np.ones_like(classes) if self.agnostic else classes) + np.arange(4)
        weights = np.asarray(self.inside_weights)
        for blob, value in zip(top[2:5], (deltas[:foreground], weights, weights > 0), strict=True):
            blob.data[...] = 0
            blob.data[rows, columns] = value


def _draw(rows: np.ndarray, count: int) -> np.ndarray:
    # the reference draws, in a new order, even where it keeps all
    return np.random.choice(rows, size=min(count, rows.size), replace=False) if rows.size else rows
