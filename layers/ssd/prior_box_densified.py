"""The default boxes of FaceBoxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.ssd.prior_box import PriorBox
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_densified(layer: LayerParameter) -> bool:
    return bool(layer.prior_box_param.fixed_size)


MOST_DENSITY = 100  # boxes along each side of a pixel


@register_form("PriorBoxDensified", of="PriorBox", describes=is_densified)
class PriorBoxDensified(PriorBox):
    """Boxes around every pixel of a map, as PriorBox has them, several of each size side by side.

    A layer of type PriorBox with fixed_size is this one. Of each fixed_size, in pixels of the image, there are squares
    (in each fixed_ratio instead, if there are any) and boxes in each other aspect_ratio. Of each of these there are
    density rows of density boxes each, whose centres fill a square of the size around the pixel evenly. Boxes are cut
    off where they begin before the image or end behind it.
    bottom[0], bottom[1], top[0]: as PriorBox's. Raises LayerError for params that do not fit.
    Source: PriorBoxLayer of FaceBoxes' fork; Zhang et al., FaceBoxes (2017), section 3.3.
    """

    reads = ("prior_box_param",)
    origin = "FaceBoxes"
    refused = {
        f"prior_box_param.{name}": "the boxes are those of prior_box_param.fixed_size"
        for name in (
            "min_size",
            "max_size",
            "denser_prior_boxes",
            "use_default",
            "width",
            "height",
            "offset_w",
            "offset_h",
        )
    }

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        boxes = top[0].data[0, 0].reshape(-1, 4)
        np.maximum(boxes[:, :2], 0, out=boxes[:, :2])
        np.minimum(boxes[:, 2:], 1, out=boxes[:, 2:])

    def _sizes(self) -> np.ndarray:
        param = self.layer_param.prior_box_param
        if len(param.density) != len(param.fixed_size) or not all(
            number >= 1 for number in (*param.density, *param.fixed_size)
        ):
            raise self.error(
                f"fixed_size is {list(param.fixed_size)}, density {list(param.density)}; expected as many of each, all "
                "at least 1"
            )
        if param.fixed_ratio and (
            param.aspect_ratio or not all(0 < ratio < np.inf for ratio in param.fixed_ratio)
        ):
            raise self.error(
                "fixed_ratio has to be above 0, and is given instead of aspect_ratio; remove one of them"
            )
        for density in param.density:
            check_repetitions(self, "density", cut_off(density), MOST_DENSITY)
        sizes, moves = [], []
        for size, density in zip(param.fixed_size, map(int, param.density), strict=True):
            shift = cut_off(size / density)
            places = np.arange(density) * shift + shift / 2 - cut_off(size) // 2
            for ratio in param.fixed_ratio or [1.0, *self._ratios()]:
                sizes += [(size * ratio**0.5, size / ratio**0.5)] * density**2
                moves += [(x, y) for y in places for x in places]
        self.moves = np.array(moves)
        return np.array(sizes, np.float32)
