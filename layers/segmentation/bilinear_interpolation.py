"""BilinearInterpolation."""

from __future__ import annotations

from caffe_compat.layers.common.bilinear import BilinearLayer
from caffe_compat.layers.registry import register


@register("BilinearInterpolation")
class BilinearInterpolation(BilinearLayer):
    """bottom[0], N x C x H x W, resized to the height and width of bottom[1], corner pixels on corner pixels.

    Only the shape of bottom[1], of 4 axes, counts: its gradient is 0. A top of one row or column takes the first one.

    Source: BilinearInterpolationLayer of ctensmeyer's Caffe, which divides by 0 there, and reads the pixel behind the
    last one, with the weight 0.
    """

    reads = ()
    bottom_count = (2, 2)
    origin = "ctensmeyer"
