"""Whether a window fits into an image anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.warn_once import warn_once


def check_fit(layer: Layer, counts: Sequence[int], window: str, shape: Sequence[int]) -> None:
    """Warn, once for a layer, where no window fits into a bottom of this shape, and so the top is empty.

    counts: how many windows there are along each axis, as C++ counts them. Raises LayerError for less than 0.
    """
    if min(counts, default=0) < 0:
        raise layer.error(f"{window} does not fit into a bottom of shape {tuple(shape)}")
    if 0 in counts and 0 not in shape:
        warn_once(
            layer,
            f"{window} does not fit into a bottom of shape {tuple(shape)}; the top is empty, as in Caffe",
        )
