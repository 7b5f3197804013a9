"""Unpooling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import upsample as kernels
from caffe_compat.layers.registry import register
from caffe_compat.layers.upsample import check_mask, planes
from caffe_compat.prototxt.caffe_pb2 import UnpoolingParameter


@register("Unpooling")
class Unpooling(Layer):
    """The way back of a pooling (unpooling_param): windows of kernel_size (or kernel_h, kernel_w) at every stride.

    bottom[0]: N x C x H x W. top: N x C x H' x W' with H' = W' = unpool_size, or of unpool_h and unpool_w (or output_h
    and output_w), or scale times H x W, or kernel (H + 1) - stride. What lies behind the top's end is left out. unpool:
    - MAX: each element goes to where bottom[1] says, of its shape: the index in H' W', which is what Pooling gives as
      its second top; without bottom[1], into the first pixel of its window. 0 elsewhere; of elements with the same
      place the last one stands, and all take its gradient.
    - AVE: each element is shared out evenly over its window; where windows overlap their sum.
    - TILE: each element goes to every pixel of its window; where windows overlap their sum. Its gradient is the mean
      of its window's, as there, not their sum.
    The mask takes no gradient. Raises LayerError for params that contradict each other, for padding, which there is
    none of, and for a mask with places outside of the top.

    Source: UnpoolingLayer of HyeonwooNoh's Caffe (DeconvNet), in which AVE and TILE add to what stood in the top; the
    size without unpool_size is that of ShawnNew's; output_h, output_w and scale are those of FuseNet's, whose mask
    needs no window. Noh, Hong and Han, Learning Deconvolution Network (2015).
    """

    reads = ("unpooling_param",)
    bottom_count = (1, 2)
    no_gradient = (1,)
    refused = dict.fromkeys(
        ("unpooling_param.pad", "unpooling_param.pad_h", "unpooling_param.pad_w"),
        "a padded pooling cannot be undone: remove it, and crop the top",
    )
    origin = "DeconvNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.unpooling_param
        self.sizes = None
        for field, prefix in (("unpool_size", "unpool"), ("", "output")):
            if any(map(param.HasField, filter(None, (field, f"{prefix}_h", f"{prefix}_w")))):
                self.sizes = self._pair(field, prefix)
        has_mask = len(bottom) > 1 and (self.sizes or param.scale)  # which says all: there need be no window
        self.kernel = (1, 1) if has_mask and not _has_kernel(param) else self._pair("kernel_size", "kernel")
        self.stride = self._pair("stride", "stride")
        if len(bottom) > 1 and param.unpool != UnpoolingParameter.MAX:
            raise self.error("only unpool: MAX takes a mask; remove the second bottom")

    def _pair(self, field: str, prefix: str) -> tuple[int, int]:
        """(height, width) of a field that is given once, or as both prefix_h and prefix_w."""
        param = self.layer_param.unpooling_param
        names = f"{prefix}_h", f"{prefix}_w"
        given = [param.HasField(name) for name in names]
        if any(given) and ((field and param.HasField(field)) or not all(given)):
            alone = f"either {field} alone, or " if field else ""
            raise self.error(f"give {alone}both {names[0]} and {names[1]}")
        height, width = (getattr(param, name if any(given) else field) for name in names)
        if min(height, width) < 1:
            raise self.error(f"{field or prefix} is {height} x {width}; it must be at least 1")
        return height, width

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or bottom[-1].shape != shape:
            raise self.error(
                f"the bottoms have the shapes {', '.join(str(blob.shape) for blob in bottom)}; expected N x C x H x W, "
                "and a mask of the same shape"
            )
        scale = self.layer_param.unpooling_param.scale
        sizes = self.sizes or tuple(
            scale * size if scale else kernel * (size + 1) - stride
            for kernel, size, stride in zip(self.kernel, shape[2:], self.stride, strict=True)
        )
        if min(sizes) < 1:
            raise self.error(
                f"a kernel of {self.kernel} with stride {self.stride} gives no top; give unpool_size"
            )
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        if self.layer_param.unpooling_param.unpool == UnpoolingParameter.MAX:
            kernels.scatter(planes(x), planes(self._mask(bottom, top)), planes(y))
            return
        if self.layer_param.unpooling_param.unpool == UnpoolingParameter.AVE:
            x = x / self._window_sizes(x, y)
        y[...] = 0
        for place, rows, columns in self._places(x, y):
            y[place] += x[:, :, :rows, :columns]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x_diff, diff = bottom[0].diff, top[0].diff
        if self.layer_param.unpooling_param.unpool == UnpoolingParameter.MAX:
            kernels.gather(planes(diff), planes(self._mask(bottom, top)), planes(x_diff))
            return
        x_diff[...] = 0
        for place, rows, columns in self._places(x_diff, diff):
            x_diff[:, :, :rows, :columns] += diff[place]
        x_diff /= self._window_sizes(x_diff, diff)

    def _mask(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> np.ndarray:
        """Where each element goes: as bottom[1] says, or into the first pixel of its window, within the top."""
        if len(bottom) > 1:
            check_mask(self, bottom[1].data, top[0], "unpool_h and unpool_w")
            return bottom[1].data
        rows, columns = (
            np.minimum(np.arange(size) * stride, end - 1)
            for size, stride, end in zip(bottom[0].shape[2:], self.stride, top[0].shape[2:], strict=True)
        )
        places = (rows[:, None] * top[0].shape[3] + columns).astype(bottom[0].dtype)
        return np.broadcast_to(places, bottom[0].shape).copy()

    def _places(self, x: np.ndarray, y: np.ndarray) -> Iterator[tuple[tuple[slice, ...], int, int]]:
        """For each pixel of a window: where that is in y, of all windows that have it, and how many of them."""
        for at in np.ndindex(*self.kernel):
            counts = [
                min(size, max(0, -((start - end) // stride)))
                for size, start, end, stride in zip(x.shape[2:], at, y.shape[2:], self.stride, strict=True)
            ]
            parts = [
                slice(start, start + count * stride, stride)
                for start, count, stride in zip(at, counts, self.stride, strict=True)
            ]
            yield (slice(None), slice(None), *parts), counts[0], counts[1]

    def _window_sizes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How many pixels each element's window has within the top: H x W, 1 where it has none."""
        heights, widths = (
            np.clip(end - np.arange(size) * stride, 1, kernel)
            for size, stride, end, kernel in zip(
                x.shape[2:], self.stride, y.shape[2:], self.kernel, strict=True
            )
        )
        return (heights[:, None] * widths).astype(x.dtype)


def _has_kernel(param: UnpoolingParameter) -> bool:
    return any(map(param.HasField, ("kernel_size", "kernel_h", "kernel_w")))
