"""Prior boxes of given widths and heights."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.prior_box import PriorBox


@register("PriorBoxClustered")
class PriorBoxClustered(PriorBox):
    """Boxes around every pixel of a map, as PriorBox has them, of the pairs of prior_box_param's width and height.

    Widths and heights are in pixels of the image, fractions too; they come from a clustering of the objects.
    bottom[0], bottom[1], top[0]: as PriorBox's. Raises LayerError for params that do not fit.
    Source: OpenVINO's fork of Caffe, by the description of its operation PriorBoxClustered-1.
    """

    reads = ("prior_box_param",)
    origin = "OpenVINO"
    refused = {
        f"prior_box_param.{name}": "the boxes are those of width and height"
        for name in (
            "min_size",
            "max_size",
            "aspect_ratio",
            "denser_prior_boxes",
            "use_default",
            "fixed_size",
            "fixed_ratio",
            "density",
            "offset_w",
            "offset_h",
        )
    }
    without_effect = ("prior_box_param.flip",)

    def _sizes(self) -> np.ndarray:
        param = self.layer_param.prior_box_param
        widths, heights = list(param.width), list(param.height)
        if not widths or len(widths) != len(heights) or not min(widths + heights) > 0:
            raise self.error(
                f"width is {widths}, height {heights}; expected as many of each, at least one, all above 0"
            )
        return np.column_stack([widths, heights]).astype(np.float32)
