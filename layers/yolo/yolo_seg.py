"""The loss of MobileNet-YOLO's segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.common.sigmoid import sigmoid
from caffe_compat.layers.registry import register


@register("YoloSeg")
class YoloSeg(LossLayer):
    """The squares of sigmoid(bottom[0]) - bottom[1], times yolo_seg_param.object_scale, summed and divided by N.

    bottom[0]: N x C x H x W; bottom[1]: as many labels from 0 to 1. bottom[2], if there is one: N x C, how many pixels
    each class has; where a label is above 0.5, the difference then counts 2 - p / (H W N - p) times, p being all that
    the class has. The gradient at bottom[0] is the difference so weighted, divided by N, which is not that of the
    loss: the original's. Raises LayerError for shapes that do not fit.
    Source: YoloSegLayer of the Caffe of MobileNet-YOLO.
    """

    reads = ("yolo_seg_param",)
    origin = "MobileNet-YOLO"
    bottom_count = (2, 3)
    no_gradient = (1, 2)
    without_effect = tuple(
        f"yolo_seg_param.{name}"
        for name in ("num_class", "class_scale", "use_logic_gradient", "use_hardsigmoid")
    )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        if len(shapes[0]) != 4 or bottom[1].count != bottom[0].count:
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x C x H x W, and as many labels"
            )
        if len(bottom) == 3 and bottom[2].count != bottom[0].num * bottom[0].channels:
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x C numbers of pixels in the third"
            )

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is not finite says so
    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        labels = bottom[1].data.reshape(bottom[0].shape)
        weight = np.full(labels.shape, self.layer_param.yolo_seg_param.object_scale, labels.dtype)
        if len(bottom) == 3:
            weight *= np.where(labels > 0.5, self._balance(bottom), 1)
        self.difference = (sigmoid(bottom[0].data) - labels) * weight
        top[0].data[...] = np.square(self.difference).sum() / bottom[0].num

    def _balance(self, bottom: Sequence[Blob]) -> np.ndarray:
        """One factor a class, along axis 1."""
        n, channels, height, width = bottom[0].shape
        pixels = bottom[2].data.reshape(n, channels).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = pixels / (height * width * n - pixels)
        return (2 - share)[:, None, None]

    @np.errstate(over="ignore", invalid="ignore")
    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = bottom[0].dtype.type(loss_weight(top) / bottom[0].num)
            np.multiply(self.difference, scale, out=bottom[0].diff)
