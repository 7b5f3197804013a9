"""Resize: maps of another size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.corners import Corners
from caffe_compat.layers.registry import register


@register("Resize")
class Resize(Layer):
    """Maps of height x width, or of out_height_scale H x out_width_scale W with is_pyramid_test (resize_param).

    bottom: N x C x H x W; top: N x C x h x w: the bilinear sample at row i H / h and column j W / w, where pixels
    outside of the map count 0: the last rows and columns of a map that is made larger fade. Scaled sizes are rounded
    down. Raises LayerError for other axes, and where no size is given.

    Source: ResizeLayer of xiaolonw's Caffe (3D surface normals, poses).
    """

    reads = ("resize_param",)
    origin = "xiaolonw"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.resize_param
        names = ("out_height_scale", "out_width_scale") if param.is_pyramid_test else ("height", "width")
        missing = [name for name in names if not getattr(param, name) > 0]
        if missing:
            raise self.error(f"resize_param gives no {' and no '.join(missing)} above 0")
        # made where they are needed: they take several times the top's memory
        self.corners: Corners | None = None
        self.made_for: tuple = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape, kind = self.layer_param.resize_param, bottom[0].shape, bottom[0].dtype.type
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        if param.is_pyramid_test:
            scales = kind(param.out_height_scale), kind(param.out_width_scale)
            sizes = tuple(int(scale * size) for scale, size in zip(scales, shape[2:], strict=True))
        else:
            sizes = param.height, param.width
        if 0 in sizes:
            raise self.error(f"a bottom of shape {shape} comes out with {sizes[0]} x {sizes[1]} pixels")
        top[0].reshape(*shape[:2], *sizes)
        self.view, self.out_view = (
            (shape[0] * shape[1], height * width) for height, width in (shape[2:], sizes)
        )
        if (shape[2:], sizes) != self.made_for:
            self.corners, self.made_for = None, (shape[2:], sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        corners = self._corners(bottom[0].shape[2:], top[0].shape[2:])
        top[0].data.reshape(self.out_view)[...] = corners.sample(bottom[0].data.reshape(self.view))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = 0
            corners = self._corners(bottom[0].shape[2:], top[0].shape[2:])
            corners.spread(top[0].diff.reshape(self.out_view), bottom[0].diff.reshape(self.view))

    def _corners(self, size: tuple[int, ...], out_size: tuple[int, ...]) -> Corners:
        """The pixels around each of the top's places."""
        if self.corners is None:
            kind = np.dtype(self.dtype).type
            rows, columns = (
                np.arange(new).astype(kind) * kind(old / new) for old, new in zip(size, out_size, strict=True)
            )
            places = np.repeat(rows, out_size[1]), np.tile(columns, out_size[0])
            self.corners = Corners(*places, (size[0], size[1]))
        return self.corners
