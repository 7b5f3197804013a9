"""SpatialTransformer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.corners import Corners
from caffe_compat.layers.registry import register
from caffe_compat.layers.spatial_transformer.grid import grid

THETAS = [f"theta_{i}_{j}" for i in (1, 2) for j in (1, 2, 3)]


@register("SpatialTransformer")
class SpatialTransformer(Layer):
    """Maps sampled at places that an affine transformation says (st_param).

    bottom[0]: N x C x H x W; bottom[1]: N of the six numbers theta, row by row, without those that st_param fixes
    (theta_1_1 and so on). top: N x C x output_H x output_W, H and W unless given.

    With s = 2 i / output_H - 1 and t = 2 j / output_W - 1 the top's pixel (i, j) is the bilinear sample at row
    H (p + 1) / 2 and column W (q + 1) / 2, p = theta_11 s + theta_12 t + theta_13 and q likewise with the second row:
    the first coordinate is the row, not x as in the paper. Pixels outside of the map count 0. With to_compute_dU: false
    bottom[0]'s gradient is 0. Other transform_types are TransformedMaps. Raises LayerError for another
    sampler_type than bilinear, and for numbers that do not make six.

    Source: SpatialTransformerLayer of daerduoCarey's Caffe, its GPU kernel: the CPU's says not to use it, and leaves
    out fixed numbers. Jaderberg et al., Spatial Transformer Networks (2015).
    """

    reads = ("st_param",)
    bottom_count = (2, 2)
    refused = {
        "st_param.transform_type": (
            "there are affine, translation, translation_scaling, projective and similarity: write one of these"
        ),
        "st_param.sampler_type": "there is only bilinear: remove it",
    }
    origin = "daerduoCarey"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.st_param
        for name in ("output_H", "output_W"):
            if param.HasField(name) and getattr(param, name) < 1:
                raise self.error(f"{name} is {getattr(param, name)}; it must be at least 1")
        self.fixed = np.array([param.HasField(name) for name in THETAS])
        self.learned = 6 - int(self.fixed.sum())
        self.theta = np.array([getattr(param, name) for name in THETAS], self.dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.st_param, bottom[0].shape
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"bottom[0] has the shape {shape}, expected N x C x H x W")
        if bottom[1].num != shape[0] or bottom[1].count != self.learned * shape[0]:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; expected {self.learned} numbers for each of {shape[0]} "
                f"images: six, less the {6 - self.learned} that st_param fixes"
            )
        self.sizes = (
            param.output_H if param.HasField("output_H") else shape[2],
            param.output_W if param.HasField("output_W") else shape[3],
        )
        top[0].reshape(*shape[:2], *self.sizes)
        self.grid = grid(*self.sizes, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for corners, maps, out in zip(self._corners(bottom), bottom[0].data, top[0].data, strict=True):
            out[...] = corners.sample(maps.reshape(len(maps), -1)).reshape(out.shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param, shape = self.layer_param.st_param, bottom[0].shape
        maps = bottom[0].data.reshape(*shape[:2], shape[2] * shape[3])
        seeds = top[0].diff.reshape(*shape[:2], len(self.grid))
        if propagate_down[0]:
            bottom[0].diff[...] = 0
        for n, corners in enumerate(self._corners(bottom)):
            if propagate_down[0] and param.to_compute_dU:
                corners.spread(seeds[n], bottom[0].diff[n].reshape(shape[1], -1))
            if propagate_down[1]:
                of_y, of_x = corners.slopes(maps[n], seeds[n])
                of_theta = np.stack([of_y * (shape[2] / 2), of_x * (shape[3] / 2)]) @ self.grid
                bottom[1].diff.reshape(shape[0], self.learned)[n] = of_theta.ravel()[~self.fixed]

    def _corners(self, bottom: Sequence[Blob]) -> Iterator[Corners]:
        """Of each image the pixels around its places."""
        height, width = bottom[0].shape[2:]
        theta = self.theta.copy()
        for learned in bottom[1].data.reshape(bottom[0].num, self.learned):
            theta[~self.fixed] = learned
            p, q = theta.reshape(2, 3) @ self.grid.T
            yield Corners((p + 1) / 2 * height, (q + 1) / 2 * width, (height, width))
