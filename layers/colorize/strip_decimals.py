"""StripDecimals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("StripDecimals")
class StripDecimals(Layer):
    """Numbers cut off to whole ones, towards 0. bottom, top: any shape. Forward only.

    Source: StripDecimalsLayer of gustavla/autocolorize.
    """

    reads = ()
    no_gradient = (0,)
    has_backward = False
    origin = "autocolorize"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        np.trunc(bottom[0].data, out=top[0].data)
