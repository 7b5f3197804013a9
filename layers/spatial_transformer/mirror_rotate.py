"""MirrorRotate: DSCLRCN's SpatialTransformer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, MirrorRotateParameter


def turns(layer_param: LayerParameter) -> bool:
    """Whether a layer of type SpatialTransformer has DSCLRCN's message, or its single bottom."""
    return layer_param.HasField("spatialtransformer_param") or len(layer_param.bottom) == 1


@register_form("MirrorRotate", of="SpatialTransformer", describes=turns)
class MirrorRotate(Layer):
    """Maps mirrored, then turned clockwise; or back (spatialtransformer_param).

    A layer of type SpatialTransformer with a spatialtransformer_param, or with one bottom, is this one. bottom: N x C x
    H x W; top: of that shape, or N x C x W x H for a quarter turn and three. mirror, which is the default, swaps left
    and right. operation UNTRANSFORM makes of a transformed map what it was: it turns back, then mirrors.
    Raises LayerError for other axes. Source: SpatialTransformerLayer of DSCLRCN (nian-liu).
    """

    reads = ("spatialtransformer_param",)
    origin = "DSCLRCN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.spatialtransformer_param
        self.mirrors, self.quarters = param.mirror, int(param.rotate)
        self.is_back = param.operation == MirrorRotateParameter.UNTRANSFORM

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        top[0].reshape(*shape[:2], *(shape[:1:-1] if self.quarters % 2 else shape[2:]))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = self._transformed(bottom[0].data, self.is_back)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff[...] = self._transformed(top[0].diff, not self.is_back)

    def _transformed(self, maps: np.ndarray, is_back: bool) -> np.ndarray:
        if is_back:
            turned = np.rot90(maps, self.quarters, axes=(2, 3))
            return turned[..., ::-1] if self.mirrors else turned
        return np.rot90(maps[..., ::-1] if self.mirrors else maps, -self.quarters, axes=(2, 3))
