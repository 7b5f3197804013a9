"""Warping by a flow of two channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.corners import Corners
from caffe_compat.layers.registry import register


@register("Warping")
class Warping(Layer):
    """Maps sampled where a flow says, those at the border going on outside.

    bottom[0]: N x C x H x W; bottom[1]: the flow, N x 2 x H x W, how far right and how far down. top: like bottom[0],
    the bilinear sample at (x + right, y + down), of pixels outside of the map that at the border. With three bottoms
    it is WarpingOfImages. Raises LayerError for other shapes.

    Source: WarpingLayer of lxx1991's Caffe (lxx1991/caffe_mpi), which has it on the GPU only.
    """

    reads: tuple[str, ...] | None = ()
    bottom_count = (2, 2)
    origin = "lxx1991"
    outside = MappingProxyType({"beyond": True})  # of Corners: what pixels outside are

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, flow = bottom[0].shape, bottom[1].shape
        if len(shape) != 4 or flow != (shape[0], 2, *shape[2:]) or 0 in shape[2:]:
            raise self.error(
                f"the bottoms have the shapes {shape} and {flow}; expected N x C x H x W and N x 2 x H x W"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for corners, maps, out in zip(self._corners(bottom), bottom[0].data, top[0].data, strict=True):
            self._sample(corners, maps.reshape(len(maps), out[0].size), out)

    def _sample(self, corners: Corners, maps: np.ndarray, out: np.ndarray) -> None:
        """Of one image: maps C x (H W), out C x H x W."""
        out[...] = corners.sample(maps).reshape(out.shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        maps, seeds = (
            array.reshape(*shape[:2], shape[2] * shape[3]) for array in (bottom[0].data, top[0].diff)
        )
        if propagate_down[0]:
            bottom[0].diff[...] = 0
        for n, corners in enumerate(self._corners(bottom)):
            if propagate_down[0]:
                corners.spread(seeds[n], bottom[0].diff[n].reshape(maps.shape[1:]))
            if propagate_down[1]:
                down, right = corners.slopes(maps[n], seeds[n])
                bottom[1].diff[n] = np.stack([right, down]).reshape(bottom[1].shape[1:])

    def _corners(self, bottom: Sequence[Blob]) -> Iterator[Corners]:
        """Of each image the pixels around its places."""
        height, width = bottom[0].shape[2:]
        rows, columns = np.divmod(np.arange(height * width), width)
        for right, down in bottom[1].data.reshape(len(bottom[1].data), 2, height * width):
            y, x = rows.astype(down.dtype) + down, columns.astype(right.dtype) + right
            yield Corners(y, x, (height, width), **self.outside)
