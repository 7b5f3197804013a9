"""Mean and variance normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common import channels
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.registry import register


@register("MVN")
class MVN(InPlaceLayer):
    """Each image's channels by themselves, or with across_channels each image: x - mean, over deviation + eps.

    bottom: at most 4 axes; top: N x C x H x W, with 1 for axes that the bottom lacks. mvn_param: with
    normalize_variance: false the mean is taken away only. The gradient is that of eps = 0 with the deviation
    and eps in place of the deviation. Raises LayerError for more than 4 axes.
    Source: Caffe's MVNLayer, whose gradient in place is wrong; here it is right.
    """

    reads = ("mvn_param",)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        blob, param = bottom[0], self.layer_param.mvn_param
        if len(blob.shape) > 4:
            raise self.error(f"the bottom has the shape {blob.shape}, expected at most 4 axes")
        if top[0] is not blob:
            top[0].reshape(blob.num, blob.channels, blob.height, blob.width)
        image = blob.height * blob.width
        each = (1, blob.channels * image) if param.across_channels else (blob.channels, image)
        self.view = 1, blob.num * each[0], each[1]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mvn_param
        x = bottom[0].data.reshape(self.view)
        self.mean, variance = channels.moments(x)
        deviation = np.sqrt(variance) + x.dtype.type(param.eps)
        self.factor = 1 / deviation if param.normalize_variance else np.ones_like(deviation)
        y, kept = top[0].data.reshape(self.view), self.room_to_keep(bottom, top)
        channels.affine(x, self.factor, y, centre=self.mean, kept=kept)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not (propagate_down[0] and bottom[0].count):
            return
        diff, x_diff = top[0].diff.reshape(self.view), bottom[0].diff.reshape(self.view)
        if self.layer_param.mvn_param.normalize_variance:
            x = self.kept_input(bottom, top).reshape(self.view)
            channels.standardize_backward(x, self.mean, self.factor, diff, x_diff)
        else:
            np.subtract(diff, diff.mean(axis=2, keepdims=True), out=x_diff)
