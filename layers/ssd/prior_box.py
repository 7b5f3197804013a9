"""The default boxes of SSD."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.registry import register

SAME = 1e-6  # ratios that differ by less are one


@register("PriorBox")
class PriorBox(Layer):
    """Boxes around every pixel of a map, in normalized coordinates: what SSD's predictions are relative to.

    bottom[0]: the map, N x C x H x W. bottom[1]: the image, N x C x height x width, unless img_size (or img_h and
    img_w, in pixels) is given. Only their shapes count.
    top[0]: 1 x 2 x 4HWP; P boxes a pixel, x1 y1 x2 y2 in parts of the image's width and height, and then their
    variances (0.1 unless given, one or four). P: for each min_size a square of it, a square of the root of
    min_size times max_size if there are any, and boxes of the area of the first in each other aspect_ratio (and its
    inverse, with `flip`). Fractions of min_size and max_size are cut off, as in Caffe. Centres are `step` pixels
    apart (image over map unless given), the first at `offset` steps. denser_prior_boxes: behind each box comes the
    same box centred a whole step below the edge of the pixel. `clip` cuts the boxes off at the image.
    With use_default: false there are no squares.
    Raises LayerError for params that do not fit, and for bottoms that are no images.
    Source: PriorBoxLayer of the SSD fork of Caffe; Liu et al., SSD: Single Shot MultiBox Detector (2016),
    section 2.2; denser_prior_boxes is TextBoxes++'s, use_default BDIG's (03100076), where a max_size or an aspect_ratio
    of 1 beside it writes outside its memory or leaves some of it unset.
    """

    reads = ("prior_box_param",)
    origin = "SSD"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False
    refused = {
        "prior_box_param.width": "it is for PriorBoxClustered",
        "prior_box_param.height": "it is for PriorBoxClustered",
        "prior_box_param.fixed_size": "the boxes are those of prior_box_param.fixed_size",
        "prior_box_param.fixed_ratio": "it goes with fixed_size",
        "prior_box_param.density": "it goes with fixed_size",
    }

    moves = np.zeros((1, 2))  # of the boxes, in pixels of the image

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.sizes = self._sizes()
        self.variance = list(self.layer_param.prior_box_param.variance) or [0.1]
        if len(self.variance) not in (1, 4) or min(self.variance) <= 0:
            raise self.error(f"variance is {self.variance}; expected one or four numbers greater than 0")
        self.image = self._pair("img_size", "img_w", "img_h")
        self.step = self._pair("step", "step_w", "step_h")
        param = self.layer_param.prior_box_param
        self.offsets = [(param.offset, param.offset)]
        if param.denser_prior_boxes:
            self.offsets.append((param.offset, 1.0))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, blob in enumerate(bottom[: 1 if self.image else 2]):
            if len(blob.shape) != 4 or (i == 1 and 0 in blob.shape[2:]):
                raise self.error(
                    f"bottom[{i}] has the shape {blob.shape}; expected N x C x height x width"
                    + i * " with pixels"
                )
        top[0].reshape(1, 2, bottom[0].height * bottom[0].width * self.count * 4)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not top[0].count:
            return
        size = bottom[0].width, bottom[0].height
        image = self.image or (bottom[1].width, bottom[1].height)
        step = self.step or (np.float32(image[0]) / size[0], np.float32(image[1]) / size[1])
        shape = 2, size[1], size[0], len(self.sizes), len(self.offsets), 4
        boxes, variances = top[0].data.reshape(shape)
        for i, offsets in enumerate(zip(*self.offsets, strict=True)):
            start = np.arange(size[i], dtype=np.float32)[:, None] + np.array(offsets, np.float32)
            centre = (start * np.float32(step[i]))[:, None]
            centre = centre[None] if i == 0 else centre[:, None]
            centre = centre + self.moves[:, None, i]
            half = self.sizes[:, None, i].astype(np.float64) / 2
            boxes[..., i] = (centre - half) / image[i]
            boxes[..., i + 2] = (centre + half) / image[i]
        if self.layer_param.prior_box_param.clip:
            np.clip(boxes, 0, 1, out=boxes)
        variances[...] = self.variance

    @property
    def count(self) -> int:
        """How many boxes there are around a pixel."""
        return len(self.sizes) * len(self.offsets)

    def _sizes(self) -> np.ndarray:
        """Width and height in pixels of the boxes around a pixel, P x 2."""
        param = self.layer_param.prior_box_param
        least, most = list(param.min_size), list(param.max_size)
        if not least or not all(size >= 1 for size in least):
            raise self.error(f"min_size is {least}; expected one or more sizes of at least 1 pixel")
        if most and (
            len(most) != len(least) or any(high <= low for low, high in zip(least, most, strict=True))
        ):
            raise self.error(f"max_size is {most}; expected none, or one that is larger for each of {least}")
        shapes = self._shapes()
        squares = param.use_default
        if not squares and (most or not shapes):
            raise self.error(
                "use_default: false leaves the boxes of other aspect_ratios alone; give some, no max_size"
            )
        sizes = []
        for i, low in enumerate(map(self._size, least)):
            sizes += [(low, low)] * squares
            if most:
                sizes.append(((low * cut_off(most[i])) ** 0.5,) * 2)
            sizes += [(low * width, low * height) for width, height in shapes]
        return np.array(sizes, np.float32)

    def _size(self, size: float) -> float:
        """min_size as it counts."""
        return cut_off(size)

    def _shapes(self) -> list[tuple[float, float]]:
        """Width and height of the boxes that are no squares, in parts of min_size."""
        return [(ratio**0.5, 1 / ratio**0.5) for ratio in self._ratios()]

    def _ratios(self) -> list[float]:
        """The aspect ratios besides 1, each once."""
        ratios = [1.0]
        for ratio in self.layer_param.prior_box_param.aspect_ratio:
            if not 0 < ratio < math.inf:
                raise self.error(f"aspect_ratio is {ratio:g}; it must be greater than 0")
            if all(abs(ratio - other) >= SAME for other in ratios):
                ratios += [ratio, 1 / ratio] if self.layer_param.prior_box_param.flip else [ratio]
        return ratios[1:]

    def _pair(self, both: str, x: str, y: str) -> tuple[float, float] | None:
        """The values along x and y, where either one for both is given or each of them."""
        param = self.layer_param.prior_box_param
        given = [name for name in (both, x, y) if param.HasField(name)]
        if not given:
            return None
        if given not in ([both], [x, y]) or min(getattr(param, name) for name in given) <= 0:
            raise self.error(f"expected either {both}, or {x} and {y}, greater than 0; given: {given}")
        return getattr(param, given[0]), getattr(param, given[-1])
