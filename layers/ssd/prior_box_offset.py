"""The default boxes of tl_ssd, for small objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.ssd.prior_box import SAME, PriorBox
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def has_offsets(layer: LayerParameter) -> bool:
    return bool(layer.prior_box_param.offset_w or layer.prior_box_param.offset_h)


@register_form("PriorBoxOffset", of="PriorBox", describes=has_offsets)
class PriorBoxOffset(PriorBox):
    """Boxes around several places in every pixel of a map, in normalized coordinates.

    A layer of type PriorBox with offset_w or offset_h is this one. The places are each of offset_w with each of
    offset_h, in parts of a step from the pixel's corner. Around each there are, for each min_size (fractions cut off),
    boxes of its area in each aspect_ratio (and its inverse, with `flip`), and no squares. max_size is not read either.
    bottom[0], bottom[1], top[0]: as PriorBox's. Raises LayerError for params that do not fit, and for the ratio 1,
    whose boxes the original leaves unwritten.
    Source: PriorBoxLayer of julimueller/tl_ssd; Mueller and Dietmayer, Detecting Traffic Lights by Single Shot
    Detection (2018).
    """

    reads = ("prior_box_param",)
    origin = "tl_ssd"
    refused = {
        f"prior_box_param.{name}": "the boxes are those of offset_w, offset_h, min_size and aspect_ratio"
        for name in (
            "offset",
            "denser_prior_boxes",
            "use_default",
            "fixed_size",
            "fixed_ratio",
            "density",
            "width",
            "height",
        )
    }
    without_effect = ("prior_box_param.max_size",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.prior_box_param
        super().setup(bottom, top)
        self.offsets = [(0.0, 0.0)]
        across, down = list(param.offset_w), list(param.offset_h)
        if not across or not down or not all(0 <= offset <= 1 for offset in across + down):
            raise self.error(
                f"offset_w is {across}, offset_h {down}; expected at least one of each, from 0 to 1"
            )
        self.places = np.array([(x, y) for x in across for y in down])
        self.shapes = self.sizes
        self.sizes = np.tile(self.shapes, (len(self.places), 1))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not top[0].count:
            return
        image = self.image or (bottom[1].width, bottom[1].height)
        step = self.step or (image[0] / bottom[0].width, image[1] / bottom[0].height)
        self.moves = np.repeat(self.places * step, len(self.shapes), axis=0)
        super().forward(bottom, top)

    def _sizes(self) -> np.ndarray:
        param = self.layer_param.prior_box_param
        sizes = list(param.min_size)
        if not sizes or not all(size >= 1 for size in sizes):
            raise self.error(f"min_size is {sizes}; expected one or more sizes of at least 1 pixel")
        if not param.aspect_ratio or any(abs(ratio - 1) < SAME for ratio in param.aspect_ratio):
            raise self.error(
                f"aspect_ratio is {list(param.aspect_ratio)}; expected one or more, none of them 1, where offset_w is"
            )
        return np.array(
            [
                (cut_off(size) * width, cut_off(size) * height)
                for size in sizes
                for width, height in self._shapes()
            ],
            np.float32,
        )
