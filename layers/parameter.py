"""A param as a blob."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register


@register("Parameter")
class Parameter(Layer):
    """The top is the layer's only param, of parameter_param.shape; zeros until weights are loaded, or
    what its blob_filler says, which is of happynear's Caffe, or its filler, of OpenVINO's training toolbox. Raises
    LayerError for both.

    Source: ParameterLayer of BVLC's Caffe. There top and param are one memory, so that a second backward
    replaces the param's gradient; here it adds to it, as for all params.
    """

    reads = ("parameter_param",)
    bottom_count = (0, 0)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.parameter_param
        if param.HasField("filler") and param.HasField("blob_filler"):
            raise self.error("parameter_param has a filler and a blob_filler; remove one of them")
        filler = param.filler if param.HasField("filler") else param.blob_filler
        set_up_params(self, (tuple(param.shape.dim), filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*self.blobs[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.copyto(top[0].data, self.blobs[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if self.propagates_to(0):
            self.blobs[0].diff[...] += top[0].diff
