"""EvenDistLoss, MinQuantizeLoss and TransformLoss: DeepBit's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


class _OneSlope(LossLayer):
    """bottom[0]: N x ...; bottom[1]: of its shape, its numbers do not count; top[0]: a scalar. All of bottom[0] gets
    one gradient, `slope` over the count and over N, bottom[1] minus that, as there."""

    reads = ()
    origin = "DeepBit"
    no_gradient = ()
    slope = 0.0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if bottom[0].shape != bottom[1].shape:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected the same"
            )

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        step = loss_weight(top) * self.slope / bottom[0].count / bottom[0].num
        for blob, sign, wanted in zip(bottom, (1, -1), propagate_down, strict=True):
            if wanted:
                blob.diff.fill(sign * step)


@register("EvenDistLoss")
class EvenDistLoss(_OneSlope):
    """How far from one half each channel's share of numbers above 0.5 is: the sum over channels of the squared
    distances, over 2 N.

    bottom[0]: N x C (axes behind are not looked at); bottom[1]: of its shape, its numbers do not count. The gradient is
    the sum of the distances over the count and over N, the same for all, and minus that for bottom[1], as there.
    Raises LayerError for shapes that differ. Source: EvenDistLossLayer of kevinlin311tw's cvpr16-deepbit; Lin et al.,
    Learning Compact Binary Descriptors (2016).
    """

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, channels = bottom[0].num, bottom[0].channels
        # the original counts one number a channel, at multiples of the number of channels
        numbers = bottom[0].data.reshape(-1)[: images * channels].reshape(images, channels)
        distances = (numbers > 0.5).mean(axis=0) - 0.5
        self.slope = float(distances.sum())
        top[0].data[...] = np.square(distances).sum() / images / 2


@register("MinQuantizeLoss")
class MinQuantizeLoss(_OneSlope):
    """How far numbers are from 0, or from 1 where they are above 0.5: the sum of the squared distances over 2 N.

    bottoms as EvenDistLoss's. The gradient is the sum of distance times minus the number, over the count and over N,
    the same for all, and minus that for bottom[1]; the original adds that sum up from batch to batch. Raises LayerError
    for shapes that differ. Source: MinQuantizeLossLayer of kevinlin311tw's cvpr16-deepbit.
    """

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.astype(np.float64)
        distances = (x > 0.5) - x
        self.slope = float((distances * -x).sum())
        top[0].data[...] = np.square(distances).sum() / bottom[0].num / 2


@register("TransformLoss")
class TransformLoss(LossLayer):
    """The sum over examples of u v |a - b|^2, over 2 N: codes of an image and of one that is turned.

    bottom[0], bottom[1]: a and b, N x C (axes behind are 1); bottom[2], bottom[3]: N weights u and v; top[0]: a scalar.
    The gradient does not count the weights, as there. Raises LayerError for other shapes.
    Source: TransformLossLayer of kevinlin311tw's cvpr16-deepbit.
    """

    reads = ()
    origin = "DeepBit"
    bottom_count = (4, 4)
    no_gradient = (2, 3)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        if shapes[0] != shapes[1] or {blob.count for blob in bottom[2:]} != {bottom[0].num}:
            raise self.error(
                f"the bottoms have the shapes {shapes}; expected N x C twice, and N weights twice"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        gaps = (bottom[0].data - bottom[1].data).reshape(bottom[0].num, -1)
        weights = bottom[2].data.ravel() * bottom[3].data.ravel()
        top[0].data[...] = (np.einsum("nc,nc->n", gaps, gaps) * weights).sum() / len(gaps) / 2

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = bottom[0].dtype.type(loss_weight(top) / bottom[0].num)
        for blob, other, wanted in zip(bottom, bottom[1::-1], propagate_down, strict=False):
            if wanted:
                np.multiply(blob.data - other.data, scale, out=blob.diff)
