"""HardRoIMining, and the OHEMDataLayer of the reference nets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import class_labels
from caffe_compat.layers.common.param_str import num_classes
from caffe_compat.layers.kernels.nms import nms_groups
from caffe_compat.layers.kernels.roi_losses import roi_losses
from caffe_compat.layers.registry import register

BOTTOMS = (
    "cls_prob", "bbox_pred", "rois", "labels", "bbox_targets", "bbox_inside_weights", "bbox_outside_weights"
)  # fmt: skip


@register("HardRoIMining")
class HardRoIMining(Layer):
    """Online hard example mining: of all RoIs, hands on the `batch_size` that cost most.

    The bottoms are `BOTTOMS`: probabilities R x classes; box outputs, targets and weights R x 4 classes; rois
    R x 5 (image, x1 y1 x2 y2); whole labels R. A RoI costs the log loss of its class plus the smooth L1 loss
    of its box. Among the RoIs of one image and label, those that overlap a costlier one by an intersection
    over union above `nms_thresh` are left out first (unless use_nms is false). The tops are the last five
    bottoms with the chosen rows only, costliest first; fewer than batch_size where no more are left.

    After each forward, `losses` (R, float64) is what each RoI costs, and `selected` (int64) the chosen rows of
    the bottoms. Nothing takes a gradient.
    Raises LayerError for shapes that do not agree, labels that are no class, and losses that are not finite.
    Equal losses stand in the order of a stable ascending sort, reversed, before the NMS and after it.
    Source: OHEMDataLayer of abhi2610/ohem; Shrivastava, Gupta, Girshick, Training Region-based Object
    Detectors with Online Hard Example Mining (2016), section 4.
    """

    reads = ("hard_roi_mining_param",)
    origin = "this project"
    bottom_count = (7, 7)
    top_count = (5, 5)
    no_gradient = tuple(range(7))
    has_backward = False
    counts_rows = True

    batch_size = 64
    use_nms = True
    nms_thresh = 0.7

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._read_params(bottom)
        if self.batch_size < 1:
            raise self.error(f"batch_size is {self.batch_size}; at least one RoI must be chosen")
        self.selected, self.losses = np.zeros(0, np.int64), np.zeros(0)
        self._shape_tops(bottom, top, 1)

    def _read_params(self, bottom: Sequence[Blob]) -> None:
        param = self.layer_param.hard_roi_mining_param
        self.num_classes = param.num_classes or bottom[0].channels
        self.batch_size, self.use_nms, self.nms_thresh = param.batch_size, param.use_nms, param.nms_thresh

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs the tops have is known after forward."""
        columns = (self.num_classes, bottom[1].channels, 5, 1, *[bottom[1].channels] * 3)
        for name, blob, width in zip(BOTTOMS, bottom, columns, strict=True):
            if blob.num != bottom[2].num or blob.count != blob.num * width:
                expected = (bottom[2].num, width) if width > 1 else (bottom[2].num,)
                raise self.error(f"{name} has the shape {blob.shape}, expected {expected}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[2].num == 0:
            raise self.error("there are no RoIs to choose from")
        losses = self._losses(bottom)
        rows = self._without_overlaps(bottom, losses) if self.use_nms else np.arange(losses.size)
        hardest = np.argsort(losses[rows], kind="stable")[::-1]
        selected = rows[hardest[: self.batch_size]]
        self.selected, self.losses = selected, losses
        self._shape_tops(bottom, top, selected.size)
        for blob, all_rows in zip(top, bottom[2:], strict=True):
            np.take(all_rows.data, selected, axis=0, out=blob.data)

    def _shape_tops(self, bottom: Sequence[Blob], top: Sequence[Blob], rows: int) -> None:
        for blob, all_rows in zip(top, bottom[2:], strict=True):
            blob.reshape(rows, *all_rows.shape[1:])

    def _losses(self, bottom: Sequence[Blob]) -> np.ndarray:
        labels = class_labels(self, bottom[3], self.num_classes)
        count = labels.size
        prob, pred, target, inside, outside = (bottom[i].data.reshape(count, -1) for i in (0, 1, 4, 5, 6))
        loss = np.empty(count)
        roi_losses(prob, labels, pred, target, inside, outside, loss)
        if not np.isfinite(loss).all():
            row = int(np.argmin(np.isfinite(loss)))
            chance = prob[row, labels[row]]
            raise self.error(
                f"RoI {row} of label {labels[row]} (probability {chance}) has the loss {loss[row]}; "
                "has the training diverged? look for NaN and inf in the bottoms, and lower the learning rate"
            )
        return loss

    def _without_overlaps(self, bottom: Sequence[Blob], loss: np.ndarray) -> np.ndarray:
        """The rows that stay: by image, then by label, costliest first."""
        rois, labels = bottom[2].data.reshape(-1, 5), bottom[3].data.ravel()
        order = np.lexsort((loss.astype(np.float32), -labels, -rois[:, 0]))[::-1]
        group = np.stack([rois[order, 0], labels[order]])
        starts = np.flatnonzero(np.append(True, (group[:, 1:] != group[:, :-1]).any(axis=0)))
        keep = np.empty(order.size, bool)
        nms_groups(rois[order, 1:], starts, rois.dtype.type(self.nms_thresh), keep)
        return order[keep]


class OHEMDataLayer(HardRoIMining):
    """HardRoIMining as `python_param { module: "roi_data_layer.layer" layer: "OHEMDataLayer" }` has it.

    param_str gives num_classes; batch_size, use_nms and nms_thresh are what a configuration may set.
    """

    type = HardRoIMining.type

    def _read_params(self, bottom: Sequence[Blob]) -> None:
        self.num_classes = num_classes(self)
