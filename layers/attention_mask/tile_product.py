"""TileProduct."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.segmentation.spatial_product import SpatialProduct


@register("TileProduct")
class TileProduct(SpatialProduct):
    """All channels times one map: another name of SpatialProduct.

    bottom[0]: N x C x H x W; bottom[1]: N x 1 x H x W; top: N x C x H x W. Both take a gradient. Raises LayerError for
    other shapes.
    Source: TileProductLayer of chwilms/AttentionMask, whose gradient of the map adds channels up while others do.
    """

    origin = "AttentionMask"
