"""UnlabeledMatching."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.metric.matching import Matching
from caffe_compat.layers.registry import register


@register("UnlabeledMatching")
class UnlabeledMatching(Matching):
    """Scores of features with the last ones that had no label; backward puts those of the batch among them.

    bottom[0]: N x ... features, K numbers each; bottom[1]: a label for each, -1 for none. top: N x queue_size scores.
    params: features queue_size x K, 0 at first. They have no gradient: `backward` writes features without a label over
    the oldest ones unless lr_mult is 0. Where the next one goes is in the layer's state. Raises LayerError for shapes
    that do not agree.

    Source: UnlabeledMatchingLayer of Cysu's Caffe (faster-rcnn); Xiao et al. (2017), section 3.2.
    """

    reads = ("unlabeled_matching_param",)
    param_axes = (("place", "input"),)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.size, self.tail = self.layer_param.unlabeled_matching_param.queue_size, 0
        if self.size < 1:
            raise self.error(f"queue_size is {self.size}; it must be at least 1")
        self._set_up(bottom, self.size)

    def _keep(self, features: np.ndarray, labels: np.ndarray) -> None:
        if not self.propagates_to(0):
            return
        rows = np.flatnonzero(labels == -1)
        places = (self.tail + np.arange(rows.size)) % self.size
        self.blobs[0].data[places[-self.size :]] = features[rows[-self.size :]]
        self.tail = (self.tail + rows.size) % self.size

    def get_state(self) -> dict[str, np.ndarray]:
        return {"tail": np.array(self.tail)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.tail = int(state["tail"]) % self.size
