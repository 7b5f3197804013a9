"""SparseHistogramExtractor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.colorize.places import check_places
from caffe_compat.layers.registry import register

FAR = 2**40  # beyond all windows, as what is no number is, too


@register("SparseHistogramExtractor")
class SparseHistogramExtractor(Layer):
    """Histograms of windows around places.

    bottom[0]: N x P x 2 places, y and x, cut off to whole ones; bottom[1]: N x bins x H x W. Each top, one for each
    `size` of sparse_histogram_extractor_param: (N P) x bins, the sums over the size x size pixels around the place that
    are in the image, divided by the sum of all bins; where that is not above 0, all are 1 / bins. Forward only. Raises
    LayerError for other shapes and numbers of tops.

    Source: SparseHistogramExtractorLayer of gustavla/autocolorize.
    """

    reads = ("sparse_histogram_extractor_param",)
    bottom_count = (2, 2)
    top_count = (1, None)
    no_gradient = (0, 1)
    has_backward = False
    origin = "autocolorize"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.sizes = list(self.layer_param.sparse_histogram_extractor_param.size)
        if len(self.sizes) != len(top) or min(self.sizes) < 1:
            raise self.error(
                f"the sizes are {self.sizes}; expected one, at least 1, for each of {len(top)} tops"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_places(self, bottom[0], [bottom[1]])
        for blob in top:
            blob.reshape(bottom[0].num * bottom[0].shape[1], bottom[1].channels)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sums = np.pad(
            bottom[1].data.astype(np.float64).cumsum(axis=2).cumsum(axis=3), ((0, 0), (0, 0), (1, 0), (1, 0))
        )
        places = np.fmax(np.fmin(bottom[0].data, FAR), -FAR).astype(np.int64)
        images = np.arange(bottom[0].num)[:, None]
        for size, blob in zip(self.sizes, top, strict=True):
            first = places - size // 2
            limits = np.array(bottom[1].shape[2:])
            (y0, x0), (y1, x1) = (np.moveaxis(np.clip(at, 0, limits), 2, 0) for at in (first, first + size))
            found = (
                sums[images, :, y1, x1]
                - sums[images, :, y0, x1]
                - sums[images, :, y1, x0]
                + sums[images, :, y0, x0]
            )
            found = found.reshape(blob.shape)
            total = found.sum(axis=1, keepdims=True)
            blob.data[...] = np.where(total > 0, found / np.where(total > 0, total, 1), 1 / blob.channels)
