"""The bottoms of ChWick's CTC layers: scores, indicators of sequences, labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer


def check_sequences(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raise LayerError unless the bottoms are T x N x C (and ones), and T x N (and ones) each."""
    shape = bottom[0].shape
    if len(shape) < 3 or bottom[0].count == 0 or set(shape[3:]) - {1}:
        raise layer.error(f"bottom[0] has the shape {shape}, expected T x N x classes")
    for i, blob in enumerate(bottom[1:], 1):
        if blob.shape[:2] != shape[:2] or set(blob.shape[2:]) - {1}:
            raise layer.error(
                f"bottom[{i}] has the shape {blob.shape}, expected {shape[:2]} as bottom[0] has it"
            )


def lengths(indicators: np.ndarray) -> list[int]:
    """Of N sequences; indicators: T x N. A sequence ends before the first 0 behind the first row."""
    ends = np.vstack([indicators[1:] == 0, np.ones(indicators.shape[1], bool)])
    return (ends.argmax(axis=0) + 1).tolist()
