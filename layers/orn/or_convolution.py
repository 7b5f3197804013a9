"""ORConvolution: what a Convolution with orientations is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.convolution.convolution import Convolution
from caffe_compat.layers.registry import register_form
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

RING = (0, 1, 2, 5, 8, 7, 6, 3)  # the pixels around the middle of 3 x 3, clockwise


def is_oriented(layer_param: LayerParameter) -> bool:
    """Whether a layer of type Convolution turns its filters."""
    return bool(layer_param.orn_param.orientations > 1)


@register_form("ORConvolution", of="Convolution", describes=is_oriented)
class ORConvolution(Convolution):
    """A Convolution whose filters are turned in orn_param.orientations steps, 4 or 8.

    A layer of type Convolution with orn_param.orientations above 1 is this one. Its channels, of the bottom and of the
    top, are groups of one for each orientation. Of the params' filters only those of the first orientation are learned:
    `forward` writes the others, each 3 x 3 turned clockwise by a step of its ring, and its bottom channels, which are
    orientations too, moved on by one; their gradient goes to the first. The bias is one for each channel. All else is
    as in Convolution. Raises LayerError for other numbers, for kernels that are not 1 x 1 or 3 x 3, for groups, and
    where orientations do not divide both channels.

    Source: ConvolutionLayer of ORN (ZhouYanzhao), whose copy RRD (MhLiao) uses; Zhou et al., Oriented Response
    Networks (2017), section 3.1.
    """

    reads = ("convolution_param", "orn_param")
    refused = {"convolution_param.group": "its filters see all channels; remove it"}
    changes_params = True
    origin = "ORN"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        count, kernel = self.layer_param.orn_param.orientations, self.geometry.kernel
        if count not in (4, 8) or kernel not in ((1, 1), (3, 3)):
            raise self.error(
                f"orientations is {count}, the kernel {kernel}; expected 4 or 8 orientations, and 1 x 1 or 3 x 3 pixels"
            )
        if self._num_output % count or self._channels % count:
            raise self.error(
                f"num_output {self._num_output} and the {self._channels} channels of the bottom must be multiples of "
                f"orientations {count}"
            )
        self.places = _places(count, kernel[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        filters = self._by_orientation(self.blobs[0].data)
        first = filters[:, 0].copy()
        for turned, places in enumerate(self.places):
            filters[:, turned][..., places] = first
        super().forward(bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not self.propagates_to(0):
            super().backward(top, propagate_down, bottom)
            return
        diff, before = self.blobs[0].diff, self.blobs[0].diff.copy()
        diff[...] = 0
        super().backward(top, propagate_down, bottom)
        by_orientation = self._by_orientation(diff)
        total = sum(by_orientation[:, turned][..., places] for turned, places in enumerate(self.places))
        diff[...] = before
        by_orientation[:, 0] += total

    def _by_orientation(self, filters: np.ndarray) -> np.ndarray:
        """outputs x orientation x inputs x all that turns: orientations of an input, and pixels."""
        count = len(self.places)
        return filters.reshape(self._num_output // count, count, self._channels // count, -1)


def _places(count: int, kernel: int) -> np.ndarray:
    """Of each orientation, where a filter's numbers go that orientations of its bottom and pixels have."""
    pixels, ring = np.arange(kernel * kernel), np.array(RING)
    result = []
    for turned in range(count):
        moved = pixels.copy()
        if kernel == 3:
            moved[ring] = np.roll(ring, -turned * 8 // count)
        result.append((((np.arange(count) + turned) % count)[:, None] * len(pixels) + moved).ravel())
    return np.array(result)
