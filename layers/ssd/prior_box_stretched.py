"""The default boxes of SSTD."""

from __future__ import annotations

from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.prior_box import SAME, PriorBox


@register("PriorBoxStretched")
class PriorBoxStretched(PriorBox):
    """Boxes around every pixel of a map, as PriorBox has them, that are min_size pixels high.

    A layer of type PriorBox in the dialect `sstd` is this one. For each min_size there are a square, one of the root of
    min_size times max_size if there are any, boxes that are aspect_ratio times as wide as high, and with `flip` as many
    that are aspect_ratio times as high as wide. The ratio 1 adds none, one that is given twice counts once, and 2 and
    0.5 are two, flipped or not. Only max_size has its fractions cut off.
    bottom[0], bottom[1], top[0]: as PriorBox's. Raises LayerError for params that do not fit.
    Source: PriorBoxLayer of SSTD's fork of Caffe; He et al., Single Shot Text Detector with Regional Attention (2017).
    """

    reads = ("prior_box_param",)
    origin = "SSTD"
    refused = {
        f"prior_box_param.{name}": "SSTD's boxes are those of min_size, max_size and aspect_ratio"
        for name in (
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

    def _size(self, size: float) -> float:
        return size

    def _shapes(self) -> list[tuple[float, float]]:
        ratios: list[float] = []
        for ratio in self.layer_param.prior_box_param.aspect_ratio:
            if ratio <= 0:
                raise self.error(f"aspect_ratio is {ratio:g}; it must be greater than 0")
            if all(abs(ratio - other) >= SAME for other in (1, *ratios)):
                ratios.append(ratio)
        wide = [(ratio, 1.0) for ratio in ratios]
        return wide + [(1.0, ratio) for ratio in ratios] * self.layer_param.prior_box_param.flip
