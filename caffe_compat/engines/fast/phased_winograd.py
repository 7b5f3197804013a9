"""Convolutions of 5 x 5 or 6 x 6 with stride 2, as those of 3 x 3 with stride 1 that winograd.py does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.winograd import Winograd, pays
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution
from caffe_compat.layers.kernels import phases


class PhasedWinograd(Im2colConvolution):
    """Computes what Im2colConvolution does, for filters of 5 x 5 or 6 x 6 with stride 2: as 3 x 3.

    A phase of an image has every second row and every second column. Row 2 a + i of a filter is applied to row y + a of
    phase i, so each phase has a filter of 3 x 3 with stride 1 (with zeros where 5 x 5 has no sixth row or column).
    """

    @staticmethod
    def fits(geometry: ConvGeometry, group: int, filters: tuple[int, ...], dtype: np.dtype) -> bool:
        """Whether it can take the place of an Im2colConvolution with filters of this shape."""
        return (
            dtype == np.float32
            and group == 1
            and geometry.kernel in ((5, 5), (6, 6))
            and (geometry.stride, geometry.dilation) == ((2, 2), (1, 1))
            and geometry.pad[0] == geometry.pad[1]
        )

    def __init__(self, geometry: ConvGeometry, group: int):
        super().__init__(geometry, group)
        self._inner = Winograd(ConvGeometry((3, 3), (1, 1), (0, 0), (1, 1)), 1)
        self._phases, self._small = Blob(), Blob()

    def is_faster(self, images: Sequence[int], outs: Sequence[int]) -> bool:
        return pays(4 * images[1], outs)

    def forward(
        self, images: np.ndarray, filters: np.ndarray, bias: np.ndarray | None, outs: np.ndarray
    ) -> None:
        if not pays(4 * images.shape[1], outs.shape):
            super().forward(images, filters, bias, outs)
            return
        self._inner.forward(self._phases_of(images, outs), self._split(filters), bias, outs)

    def add_filters_gradient(
        self, images: np.ndarray, out_diffs: np.ndarray, filters_diff: np.ndarray
    ) -> None:
        if not pays(4 * images.shape[1], out_diffs.shape):
            super().add_filters_gradient(images, out_diffs, filters_diff)
            return
        small = self._small_memory(filters_diff)
        small[...] = 0
        self._inner.add_filters_gradient(self._phases_of(images, out_diffs), out_diffs, _merged(small))
        phases.add_split_filters(small, filters_diff)

    def image_gradient(self, out_diffs: np.ndarray, filters: np.ndarray, image_diffs: np.ndarray) -> None:
        if not pays(4 * image_diffs.shape[1], out_diffs.shape):
            super().image_gradient(out_diffs, filters, image_diffs)
            return
        diffs = self._memory(image_diffs, out_diffs)
        self._inner.image_gradient(out_diffs, self._split(filters), _merged(diffs))
        phases.from_phases(diffs, self._geometry.pad[0], image_diffs)

    def _split(self, filters: np.ndarray) -> np.ndarray:
        """The filters of the phases: M x 4 C x 3 x 3."""
        small = self._small_memory(filters)
        phases.split_filters(filters, small)
        return _merged(small)

    def _small_memory(self, filters: np.ndarray) -> np.ndarray:
        self._small.reshape(len(filters), 4, filters.shape[1], 3, 3)
        return self._small.data

    def _phases_of(self, images: np.ndarray, outs: np.ndarray) -> np.ndarray:
        memory = self._memory(images, outs)
        phases.to_phases(images, self._geometry.pad[0], memory)
        return _merged(memory)

    def _memory(self, images: np.ndarray, outs: np.ndarray) -> np.ndarray:
        """Memory for the part of the phases that the outputs see: N x 4 x C x (H' + 2) x (W' + 2)."""
        self._phases.reshape(len(images), 4, images.shape[1], outs.shape[2] + 2, outs.shape[3] + 2)
        return self._phases.data


def _merged(array: np.ndarray) -> np.ndarray:
    """The four phases as four times the channels."""
    return array.reshape(len(array), -1, *array.shape[3:])
