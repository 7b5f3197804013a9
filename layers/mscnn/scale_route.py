"""ScaleRoute."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.selected_rows import SelectedRows
from caffe_compat.layers.registry import register

MIDDLE = np.float32(256)  # without both limits


@register("ScaleRoute")
class ScaleRoute(SelectedRows):
    """Passes on the RoIs of one level of a feature pyramid, and what belongs to them (scale_route_param).

    bottom[0]: R x 5 RoIs (image, x1, y1, x2, y2); each other bottom: R rows. Tops: the rows of those RoIs whose scale,
    the root of their area in pixels, is at least low_scale and below high_scale (without one, there is no limit). Where
    that is none, the one RoI whose scale is nearest, in octaves, to the middle of the two, to the one that is given,
    or to 256. Nothing takes a gradient. Raises LayerError where then all RoIs are empty.

    Source: ScaleRouteLayer of zhaoweicai/cascade-rcnn; Lin et al., Feature Pyramid Networks (2017), section 4.2.
    """

    reads = ("scale_route_param",)
    origin = "Cascade R-CNN"
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        param = self.layer_param.scale_route_param
        given = [getattr(param, name) for name in ("low_scale", "high_scale") if param.HasField(name)]
        if not all(0 < scale < np.inf for scale in given) or given != sorted(given):
            raise self.error(
                f"low_scale is {param.low_scale:g} and high_scale {param.high_scale:g}; expected numbers above 0, the "
                "first not above the second"
            )
        self.low = np.float32(param.low_scale)
        self.high = np.float32(param.high_scale if param.HasField("high_scale") else np.inf)
        self.middle = (
            np.sqrt(np.prod(given, dtype=np.float32)) if len(given) == 2 else np.float32(*given or [MIDDLE])
        )

    def choose(self, bottom: Sequence[Blob]) -> np.ndarray:
        scale = scales(bottom[0].data.reshape(-1, 5)[:, 1:])
        chosen = np.flatnonzero((scale >= self.low) & (scale < self.high))
        if len(chosen):
            return chosen
        with np.errstate(divide="ignore"):
            octaves = np.abs(np.log2(scale / self.middle))
        nearest = int(np.argmin(octaves))
        if not np.isfinite(octaves[nearest]):
            raise self.error(
                "every RoI ends before it starts, or is not finite; look for NaN in the predictions"
            )
        return np.array([nearest])


def scales(boxes: np.ndarray) -> np.ndarray:
    """The roots of the areas of boxes x1 y1 x2 y2, both corners inside; 0 for one that ends before it starts."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.sqrt(np.where((size >= 0).all(axis=1), (size + np.float32(1)).prod(axis=1), 0))
