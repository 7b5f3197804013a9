"""UnitNormalize: what happynear's Caffe calls Normalize."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.loss import NO_LABEL_WEIGHTS
from caffe_compat.layers.common.pixels import four_axes
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_happynears(layer_param: LayerParameter) -> bool:
    """Whether a layer of type Normalize has a message of happynear's."""
    return layer_param.HasField("normalize_param") or layer_param.softmax_param.HasField("normalize_type")


@register_form("UnitNormalize", of="Normalize", describes=is_happynears)
class UnitNormalize(InPlaceLayer):
    """Divides the channels of each pixel by their norm: without params, unlike SSD's Normalize.

    A layer of type Normalize with a normalize_param, or with a softmax_param.normalize_type, is this one.
    bottom[0]: N x C, up to N x C x H x W; top[0]: N x C x H x W, missing axes 1. top[1], if wanted: the norms,
    N x 1 x H x W; with bp_norm its gradient is taken too. normalize_type L2: the root of the sum of squares plus 1e-6;
    L1: the sum of absolute values, plus 1e-6. Raises LayerError for another type or number of axes.
    Source: NormalizeLayer of happynear's Caffe; Wang et al., NormFace (2017).
    """

    reads = ("softmax_param", "normalize_param")
    origin = "happynear"
    top_count = (1, 2)
    without_effect = ("softmax_param.axis", "normalize_param.fix_gradient")  # the fork's GPU alone fixes it
    refused = NO_LABEL_WEIGHTS

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, older = self.layer_param.normalize_param, self.layer_param.softmax_param
        of_param = param.HasField("normalize_type") or not older.HasField("normalize_type")
        self.norm_type = param.normalize_type if of_param else older.normalize_type
        if self.norm_type not in ("L1", "L2"):
            raise self.error(f"normalize_type is '{self.norm_type}'; expected L1 or L2")
        self.tops = len(top)
        self.takes_norms = param.bp_norm and self.tops > 1

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        images, channels, *pixels = four_axes(self, bottom[0].shape)
        self.view = images, channels, math.prod(pixels)
        top[0].reshape(images, channels, *pixels)
        if len(top) > 1:
            top[1].reshape(images, 1, *pixels)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data.reshape(self.view)
        if self.norm_type == "L2":
            self.norms = np.sqrt(np.einsum("ncp,ncp->np", x, x) + x.dtype.type(1e-6))[:, None]
        else:
            self.norms = np.abs(x).sum(axis=1, keepdims=True) + x.dtype.type(1e-6)
        self.unit = x / self.norms
        np.copyto(top[0].data.reshape(self.view), self.unit)
        if len(top) > 1:
            np.copyto(top[1].data.reshape(self.norms.shape), self.norms)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        seed, diff = (blob.diff.reshape(self.view) for blob in (top[0], bottom[0]))
        slope = self.unit if self.norm_type == "L2" else np.sign(self.unit)
        along = np.einsum("ncp,ncp->np", self.unit, seed)[:, None]
        np.divide(seed - slope * along, self.norms, out=diff)
        if self.takes_norms:
            diff += slope * top[1].diff.reshape(self.norms.shape)
