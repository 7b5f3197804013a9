"""MaskPooling."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.spatial_product import SpatialProduct


@register("MaskPooling")
class MaskPooling(SpatialProduct):
    """Features of RoIs, R x C x H x W, times masks, R x 1 x H x W; both take a gradient.

    Source: MaskPoolingLayer of daijifeng001/caffe-mnc, its GPU kernel: there is none for the CPU.
    """

    origin = "MNC"
