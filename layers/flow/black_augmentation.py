"""BlackAugmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.flow.generators import check_generator, drawn
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

ONE = np.float32(1)


@register("BlackAugmentation")
class BlackAugmentation(Layer):
    """Of some examples no motion at all, of some a black border.

    bottoms: images N x 3 x H x W and flows N x 2 x H x W; tops: as many, of their shapes. For each example
    black_augmentation_param draws: where `black` gives something else than 0, all images are the last of them, and
    flows are 0; else where `border` does, that share of the width, of the height, or of both, by a third draw, is 0 at
    each border of all bottoms. In both phases. Forward only. Raises LayerError for other shapes, and for a generator
    that cannot be.

    Source: BlackAugmentationLayer of lmb-freiburg/flownet2, its GPU kernel: there is none for the CPU. Unlike there the
    image that the others become is written, too, and the third draw is one of Caffe's stream.
    """

    reads = ("black_augmentation_param",)
    bottom_count = (1, None)
    top_count = (1, None)
    equal_bottom_top = True
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.black_augmentation_param
        for name in ("black", "border"):
            check_generator(self, name, getattr(self.param, name))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        first = bottom[0].shape
        for blob, out in zip(bottom, top, strict=True):
            shape = blob.shape
            if len(shape) != 4 or shape[1] not in (2, 3) or (shape[0], *shape[2:]) != (first[0], *first[2:]):
                raise self.error(
                    f"the bottoms have the shapes {[one.shape for one in bottom]}; expected N x 3 x H x W, images, and "
                    "N x 2 x H x W, flows"
                )
            out.reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for n in range(bottom[0].num):
            images = [blob.data[n] for blob in bottom if blob.channels == 3]
            if drawn(self.param.black, ONE, 0, bool):
                for out in top:
                    out.data[n] = images[-1] if out.channels == 3 else 0
                continue
            for blob, out in zip(bottom, top, strict=True):
                out.data[n] = blob.data[n]
            border = drawn(self.param.border, ONE, 0)
            if border:
                self._blacken([out.data[n] for out in top], border)

    def _blacken(self, parts: list[np.ndarray], border: np.float32) -> None:
        """Make the borders of C x H x W, all of one size, 0."""
        height, width = parts[0].shape[1:]
        which = caffe_rng().draw() % 3
        left, above = (cut_off(float(border * np.float32(size))) for size in (width, height))
        left, above = left * (which != 1), above * (which != 0)
        rows, columns = np.arange(height)[:, None], np.arange(width)
        kept = (columns >= left) & (columns < width - left) & (rows >= above) & (rows < height - above)
        for part in parts:
            part[:, ~kept] = 0
