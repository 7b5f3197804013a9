"""FlowAugmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.flow.augmenting import all_but, check_rows
from caffe_compat.layers.flow.coefficients import from_row
from caffe_compat.layers.flow.transformation import matrix, places
from caffe_compat.layers.registry import register

F = np.float32


@register("FlowAugmentation")
class FlowAugmentation(Layer):
    """The flow between two images that were transformed, each in its own way.

    bottom[0]: the flow between the images as they were, N x 2 x H x W, how far right and how far down; bottom[1] and
    bottom[2]: the coefficients of both images, N x 42 x 1 x 1. top: N x 2 x crop_height x crop_width: a pixel of the
    first crop, back in its image, moves by the flow of the pixel nearest to it, and from there into the second crop;
    how far apart both are. NaN, a missing flow, stays. Forward only. Raises LayerError for other shapes, and without
    both sizes.

    Source: FlowAugmentationLayer of lmb-freiburg/flownet2, its GPU kernel: there is none for the CPU.
    """

    reads = ("augmentation_param",)
    without_effect = all_but("crop_width", "crop_height")
    bottom_count = (3, 3)
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.augmentation_param
        self.crop = param.crop_height, param.crop_width
        if min(self.crop) < 1:
            raise self.error("give crop_width and crop_height, those of the images")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != 2 or min(shape[2:]) < 1:
            raise self.error(f"the flow has the shape {shape}; expected N x 2 x H x W")
        for i in (1, 2):
            check_rows(self, bottom[i].shape, shape[0], f"bottom[{i}]")
        top[0].reshape(*shape[:2], *self.crop)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        size = bottom[0].shape[2:]
        columns, rows = np.arange(self.crop[1], dtype=F), np.arange(self.crop[0], dtype=F)[:, None]
        for n, flow in enumerate(bottom[0].data):
            first, second = (
                matrix(from_row(blob.data[n].ravel()), self.crop, size).astype(self.dtype)
                for blob in bottom[1:]
            )
            x, y = places(first, self.crop)
            at = _nearest(y, size[0]), _nearest(x, size[1])
            moved_x, moved_y = x + flow[0][at], y + flow[1][at]
            a, b = _inverse(second)
            top[0].data[n, 0] = moved_x * a[0] + moved_y * a[1] + a[2] - columns
            top[0].data[n, 1] = moved_x * b[0] + moved_y * b[1] + b[2] - rows


def _nearest(at: np.ndarray, size: int) -> np.ndarray:
    """The pixel nearest to each place; of one outside the image, the one at its border."""
    whole = np.trunc(np.fmax(np.fmin(at + F(0.5), F(size - 1)), F(0)))
    return whole.astype(np.int64)


def _inverse(transformation: np.ndarray) -> np.ndarray:
    """2 x 3, of 3 x 3 that ends with 0 0 1; where nothing leads back, inf and NaN, as in the original."""
    (a, c, e), (b, d, f) = transformation[:2]
    with np.errstate(all="ignore"):
        result: np.ndarray = np.array([[d, -c, c * f - d * e], [-b, a, b * e - a * f]]) / (a * d - b * c)
    return result
