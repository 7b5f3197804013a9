"""C3D's softmax loss of every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, check_label_count, loss_weight
from caffe_compat.layers.kernels import softmax as kernels
from caffe_compat.layers.registry import register
from caffe_compat.layers.softmax_loss import LEAST_PROBABILITY


@register("VoxelSoftmaxLoss")
class VoxelSoftmaxLoss(LossLayer):
    """Multinomial logistic loss of the softmax over the channels, averaged over all places.

    bottom[0]: scores, N x C x L x H x W (or any other axes behind C); bottom[1]: one whole label for each place. A
    label that is no class costs nothing, but counts in the average; as in the original its place has the gradient of a
    label that is none of the classes, which lowers all scores (a negative one reads outside its memory there).
    top[0]: the loss. Raises LayerError for shapes that do not fit.

    Source: VoxelWiseSoftmaxWithLossLayer of C3D's first version (facebookarchive/C3D; VOXEL_SOFTMAX_LOSS there).
    """

    reads = ()
    origin = "C3D"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom[0].shape) < 2:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}, expected N x C x ...")
        self.view = check_label_count(self, bottom, axis=1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        outer, classes, inner = self.view
        values = bottom[1].data.reshape(outer, inner)
        self.labels = np.where((values > -1) & (values < classes), values, classes).astype(np.int64)
        self.prob = np.empty(self.view, bottom[0].dtype)
        kernels.softmax(bottom[0].data.reshape(self.view), self.prob)
        counting = np.where(self.labels < classes, self.labels, -1)
        top[0].data[...] = kernels.log_loss(self.prob, counting, LEAST_PROBABILITY) / (outer * inner)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.prob.dtype.type(loss_weight(top) / self.labels.size)
            kernels.softmax_loss_backward(self.prob, self.labels, scale, bottom[0].diff.reshape(self.view))
