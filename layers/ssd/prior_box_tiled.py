"""The default boxes of FaceBoxes' published nets."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.prior_box import PriorBox

TILES = {32: 4, 64: 2}  # boxes in a row, by min_size


@register("PriorBoxTiled")
class PriorBoxTiled(PriorBox):
    """Boxes around every pixel of a map, as PriorBox has them, many of the small sizes.

    A layer of type PriorBox in the dialect `faceboxes` is this one. For each min_size, with fractions cut off, there is
    a square that is 1 pixel smaller. For 32 there are 4 rows of 4, with centres at -16, -8, 0 and 8 pixels from the
    pixel's, for 64 there are 2 rows of 2, at -16 and 0.
    bottom[0], bottom[1], top[0]: as PriorBox's. Raises LayerError for params that do not fit.
    Source: PriorBoxLayer of FaceBoxes' first fork; Zhang et al., FaceBoxes (2017), section 3.3.
    """

    reads = ("prior_box_param",)
    origin = "FaceBoxes"
    refused = {
        f"prior_box_param.{name}": "FaceBoxes' boxes are squares of min_size"
        for name in (
            "max_size",
            "aspect_ratio",
            "denser_prior_boxes",
            "use_default",
            "fixed_size",
            "fixed_ratio",
            "density",
            "width",
            "height",
            "offset_w",
            "offset_h",
        )
    }
    without_effect = ("prior_box_param.flip",)

    def _sizes(self) -> np.ndarray:
        squares, moves = [], []
        for size in super()._sizes()[:, 0]:
            tiles = TILES.get(int(size), 1)
            places = (np.arange(tiles) - tiles // 2) * 8 * (4 // tiles)
            squares += [(size - 1, size - 1)] * tiles**2
            moves += [(x, y) for y in places for x in places]
        self.moves = np.array(moves)
        return np.array(squares, np.float32)
