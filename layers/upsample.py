"""Upsample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels import upsample as kernels
from caffe_compat.layers.registry import register


@register("Upsample")
class Upsample(Layer):
    """With two bottoms: puts each element back where a max pooling took it from, and 0 elsewhere (upsample_param).

    With one bottom, N x C x H x W, each pixel becomes scale x scale equal ones; scale is 1 there unless it is given.

    bottom[0]: N x C x H x W. bottom[1]: the mask, of its shape: the index in H' W' of each element's place, which
    is what Pooling gives as its second top. top: N x C x H' x W' with H' = upsample_h and W' = upsample_w, or
    H' = scale_h H and W' = scale_w W (scale is for both), 1 less where pad_out_h or pad_out_w is set, for a pooling
    of an odd size. Of elements with the same place the last one stands, and all take its gradient. The mask takes
    none. Raises LayerError for params that contradict each other, and for a mask with places outside of the top.

    Source: UpsampleLayer of eric612's Caffe (YOLO) for one bottom; for two, of SegNet's fork of Caffe, which takes the
    size from the first bottom it sees; Badrinarayanan, Kendall and Cipolla, SegNet (2015), section 3.
    """

    reads = ("upsample_param",)
    bottom_count = (1, 2)
    no_gradient = (1,)
    origin = "SegNet, YOLO"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.upsample_param
        given = {field.name for field, _ in param.ListFields()}
        self.is_nearest = len(bottom) == 1
        if self.is_nearest:
            self._set_up_nearest(given)
            return
        self.sized = {"upsample_h", "upsample_w"} <= given
        self.scales = (param.scale,) * 2
        if {"scale_h", "scale_w"} & given:
            self.scales = param.scale_h, param.scale_w
            if not self.sized and ("scale" in given or not {"scale_h", "scale_w"} <= given):
                raise self.error("give either scale alone, or both scale_h and scale_w")
        sizes = (param.upsample_h, param.upsample_w) if self.sized else self.scales
        if min(sizes) < 2:
            names = "upsample_h and upsample_w are" if self.sized else "the scales are"
            raise self.error(f"{names} {sizes[0]} and {sizes[1]}; they must be above 1")
        self.pads = int(param.pad_out_h), int(param.pad_out_w)
        if not self.sized and any(
            pad and scale != 2 for pad, scale in zip(self.pads, self.scales, strict=True)
        ):
            raise self.error(
                f"pad_out_h and pad_out_w are for a scale of 2, found {self.scales}; remove them"
            )

    def _set_up_nearest(self, given: set[str]) -> None:
        param = self.layer_param.upsample_param
        if given - {"scale"}:
            raise self.error(
                f"{min(given - {'scale'})} is for two bottoms; give scale, or the mask of a pooling"
            )
        self.factor = param.scale if param.HasField("scale") else 1
        if self.factor < 1:
            raise self.error(f"scale is {self.factor}; it must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, param = bottom[0].shape, self.layer_param.upsample_param
        if self.is_nearest:
            if len(shape) != 4:
                raise self.error(f"the bottom has the shape {shape}, expected 4 axes: N x C x H x W")
            top[0].reshape(*shape[:2], *(size * self.factor for size in shape[2:]))
            return
        if len(shape) != 4 or bottom[1].shape != shape:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected N x C x H x W, "
                "and a mask of the same shape"
            )
        sizes: Sequence[int] = (param.upsample_h, param.upsample_w)
        if not self.sized:
            sizes = [n * s - p for n, s, p in zip(shape[2:], self.scales, self.pads, strict=True)]
        top[0].reshape(*shape[:2], *sizes)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.is_nearest:
            patches = self._patches(top[0].data)
            for column in range(self.factor):  # loops of one number are slow in numpy
                patches[:, :, :, 0, :, column] = bottom[0].data
            patches[:, :, :, 1:] = patches[:, :, :, :1]
            return
        mask = bottom[1].data
        check_mask(self, mask, top[0], "upsample_h and upsample_w")
        kernels.scatter(planes(bottom[0].data), planes(mask), planes(top[0].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.is_nearest:
            np.sum(self._patches(top[0].diff), axis=(3, 5), out=bottom[0].diff)
        else:
            mask, diff = planes(bottom[1].data), planes(bottom[0].diff)
            kernels.gather(planes(top[0].diff), mask, diff)

    def _patches(self, array: np.ndarray) -> np.ndarray:
        """The top seen as N x C x H x scale x W x scale."""
        scale, (height, width) = self.factor, array.shape[2:]
        return array.reshape(*array.shape[:2], height // scale, scale, width // scale, scale)


def check_mask(layer: Layer, mask: np.ndarray, top: Blob, fields: str) -> None:
    """Raise LayerError where a mask has places outside of the top's planes; fields: those that give their size."""
    height, width = top.shape[2:]
    wrong = ~((mask >= 0) & (mask < height * width))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise layer.error(
            f"the mask has {mask[place]:g} at {list(place)}; the top's {height} x {width} pixels are 0 to "
            f"{height * width - 1}: give the size of the pooling's bottom as {fields}"
        )


def planes(array: np.ndarray) -> np.ndarray:
    """An array of N x C x H x W, each map flat."""
    return array.reshape(array.shape[0] * array.shape[1], math.prod(array.shape[2:]))
