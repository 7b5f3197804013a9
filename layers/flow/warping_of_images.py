"""Warping by flows of one channel each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.corners import Corners
from caffe_compat.layers.registry import register_form


@register_form("WarpingOfImages", of="Warping", describes=lambda param: len(param.bottom) == 3)
class WarpingOfImages(Layer):
    """Images sampled where two flows say: Warping with three bottoms.

    bottom[0]: images, N x C x H x W, which take no gradient; bottom[1] and bottom[2]: how far right and how far down,
    N x 1 x H x W. top: like bottom[0], the bilinear sample at (x + right, y + down), 0 where one of its four pixels is
    outside. A flow's gradient is half the difference of the top's pixels at either side, along its axis, times the
    top's gradient, summed over the channels; 0 at the ends of the axis. That is the slope of the warped image, which
    stands for that of the image, as there. Raises LayerError for other shapes.

    Source: WarpingLayer of Ravi-Garg/Unsupervised_Depth_Estimation, which has it on the GPU only; Garg et al.,
    Unsupervised CNN for Single View Depth Estimation: Geometry to the Rescue (2016), section 2.
    """

    reads = ()
    bottom_count = (3, 3)
    no_gradient = (0,)
    backward_reads_top = True
    origin = "Ravi Garg"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        flow = (*shape[:1], 1, *shape[2:])
        if len(shape) != 4 or 0 in shape[2:] or any(blob.shape != flow for blob in bottom[1:]):
            raise self.error(
                f"the bottoms have the shapes {', '.join(str(blob.shape) for blob in bottom)}; expected N x C x H x W, "
                "and twice N x 1 x H x W"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        rows, columns = np.divmod(np.arange(height * width), width)
        for maps, right, down, out in zip(*(blob.data for blob in bottom), top[0].data, strict=True):
            y, x = rows.astype(down.dtype) + down.ravel(), columns.astype(right.dtype) + right.ravel()
            corners = Corners(y, x, (height, width))
            inside = np.logical_and.reduce([corner.counts for corner in corners.all])
            samples = corners.sample(maps.reshape(len(maps), height * width))
            out[...] = np.where(inside, samples, 0).reshape(out.shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for index, axis in ((1, 3), (2, 2)):
            if not propagate_down[index]:
                continue
            diff = np.moveaxis(bottom[index].diff, axis, -1)
            y, seed = (np.moveaxis(array, axis, -1) for array in (top[0].data, top[0].diff))
            diff[...] = 0
            slope = (y[..., 2:] - y[..., :-2]) * y.dtype.type(0.5)
            diff[..., 1:-1] = (seed[..., 1:-1] * slope).sum(axis=1, keepdims=True)
