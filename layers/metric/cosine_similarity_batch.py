"""CosineSimilarityBatch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.repetitions import check_pairs
from caffe_compat.layers.registry import register


@register("CosineSimilarityBatch")
class CosineSimilarityBatch(Layer):
    """The cosine of each pair of a batch's features, and whether their labels are equal.

    bottom[0]: N x C features (axes behind are 1), bottom[1]: N labels, which take no gradient. top[0]: P x 1 x 1 x 1
    cosines of the P = N (N - 1) / 2 pairs: of the first one with all behind it, and so on; top[1]: of that shape,
    cosine_similarity_batch_param.pos_label where the labels are equal, else neg_label, cut off to whole numbers.
    A feature of zeros has the cosine 0, where the original divides by 0. Raises LayerError for other shapes.
    Source: CosineSimilarityBatchLayer of madkn's HistogramLoss and others; Ustinova and Lempitsky, Learning Deep
    Embeddings with Histogram Loss (2016).
    """

    reads = ("cosine_similarity_batch_param",)
    origin = "HistogramLoss"
    bottom_count = (2, 2)
    top_count = (2, 2)
    no_gradient = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) < 2 or bottom[1].count != bottom[0].num:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected N x C, and N labels"
            )
        check_pairs(self, bottom[0].num, "examples", bytes_each=32)
        self.pairs = np.triu_indices(bottom[0].num, 1)
        for blob in top:
            blob.reshape(len(self.pairs[0]), 1, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, labels = self.layer_param.cosine_similarity_batch_param, bottom[1].data.ravel()
        units, _ = self._units(bottom[0])
        first, second = self.pairs
        top[0].data[...] = (units @ units.T)[first, second].reshape(top[0].shape)
        kinds = cut_off(param.pos_label), cut_off(param.neg_label)
        top[1].data[...] = np.where(labels[first] == labels[second], *kinds).reshape(top[1].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        units, scales = self._units(bottom[0])
        slopes = np.zeros((len(units), len(units)), units.dtype)
        slopes[self.pairs] = top[0].diff.ravel()
        slopes += slopes.T
        along = np.einsum("ij,ij->i", slopes, units @ units.T)[:, None]
        np.multiply(slopes @ units - along * units, scales, out=bottom[0].diff.reshape(units.shape))

    @staticmethod
    def _units(features: Blob) -> tuple[np.ndarray, np.ndarray]:
        """The features over their lengths, and 1 over these, N x 1 (of a feature of zeros: 0)."""
        x = features.data.reshape(features.num, features.count // max(features.num, 1))
        squares = np.einsum("nc,nc->n", x, x)[:, None]
        scales = np.divide(1, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)
        return x * scales, scales
