"""Interp."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.common.bilinear import BilinearLayer
from caffe_compat.layers.registry import register


@register("Interp")
class Interp(BilinearLayer):
    """Bilinear resizing, corner pixels on corner pixels (interp_param).

    bottom[0]: N x C x H x W; first -pad_beg pixels are cut off at the top and left, and -pad_end at the bottom and
    right (they are at most 0), leaving h x w. top: N x C x H' x W' with H' = (h - 1) / shrink_factor + 1, rounded
    down, or H' = (h - 1) zoom_factor + 1 (with zoom_whole h zoom_factor), or both, one after the other; or of the
    given height and width, which count only where not exactly one of the factors is given. W' likewise. bottom[1], with
    use_blob_size: true, has 4 axes and gives H' and W'; only its shape counts, and its gradient is 0. Nothing is
    smoothed before shrinking. Raises LayerError for params that give no size, or none above 0.

    Source: InterpLayer of DeepLab's and PSPNet's forks of Caffe; bottom[1] after soeaver's nets; zoom_whole is what
    OpenVINO's model optimizer takes zoom_factor for.
    """

    reads = ("interp_param",)
    origin = "DeepLab, PSPNet"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.interp_param
        if max(param.pad_beg, param.pad_end) > 0:
            raise self.error(
                f"pad_beg is {param.pad_beg} and pad_end {param.pad_end}; they can only cut off: "
                "give 0, or less than 0"
            )
        self.pads = param.pad_beg, param.pad_end
        self.by_blob = param.use_blob_size
        if self.by_blob != (len(bottom) == 2):
            raise self.error("a second bottom and use_blob_size: true belong together; give both, or none")
        if self.by_blob:
            return
        self.shrinks, self.zooms = param.HasField("shrink_factor"), param.HasField("zoom_factor")
        self.sized = self.shrinks == self.zooms and param.HasField("height") and param.HasField("width")
        if not (self.shrinks or self.zooms or self.sized):
            raise self.error("there is no size; give zoom_factor, shrink_factor, or both height and width")
        for name in ("height", "width") if self.sized else ("shrink_factor", "zoom_factor"):
            if getattr(param, name) < 1:
                raise self.error(f"{name} is {getattr(param, name)}; it must be at least 1")

    def sizes(self, bottom: Sequence[Blob], height: int, width: int) -> tuple[int, ...]:
        param = self.layer_param.interp_param
        if self.by_blob:
            return bottom[1].shape[2:]
        return (param.height, param.width) if self.sized else (self._size(height), self._size(width))

    def _size(self, size: int) -> int:
        param = self.layer_param.interp_param
        steps = (size - 1) // param.shrink_factor  # a factor not given is 1
        return (steps + 1) * param.zoom_factor if param.zoom_whole else steps * param.zoom_factor + 1
