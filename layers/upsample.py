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
    """Puts each element back where a max pooling took it from, and 0 elsewhere (upsample_param).

    bottom[0]: N x C x H x W. bottom[1]: the mask, of its shape: the index in H' W' of each element's place, which
    is what Pooling gives as its second top. top: N x C x H' x W' with H' = upsample_h and W' = upsample_w, or
    H' = scale_h H and W' = scale_w W (scale is for both), 1 less where pad_out_h or pad_out_w is set, for a pooling
    of an odd size. Of elements with the same place the last one stands, and all take its gradient. The mask takes
    none. Raises LayerError for params that contradict each other, and for a mask with places outside of the top.

    Source: UpsampleLayer of SegNet's fork of Caffe, which takes the size from the first bottom it sees; Badrinarayanan,
    Kendall and Cipolla, SegNet (2015), section 3.
    """

    reads = ("upsample_param",)
    bottom_count = (2, 2)
    no_gradient = (1,)
    origin = "SegNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.upsample_param
        given = {field.name for field, _ in param.ListFields()}
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

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, param = bottom[0].shape, self.layer_param.upsample_param
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
        mask, (height, width) = bottom[1].data, top[0].shape[2:]
        wrong = ~((mask >= 0) & (mask < height * width))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise self.error(
                f"the mask has {mask[place]:g} at {list(place)}; the top's {height} x {width} pixels are 0 to "
                f"{height * width - 1}: give the size of the pooling's bottom as upsample_h and upsample_w"
            )
        kernels.scatter(_planes(bottom[0].data), _planes(mask), _planes(top[0].data))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            mask, diff = _planes(bottom[1].data), _planes(bottom[0].diff)
            kernels.gather(_planes(top[0].diff), mask, diff)


def _planes(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0] * array.shape[1], math.prod(array.shape[2:]))
