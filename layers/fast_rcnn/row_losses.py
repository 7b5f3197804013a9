"""What the smooth L1 losses of Fast R-CNN and R-FCN share: what each row costs, and what the sum is divided by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import normalization_mode, normalizer


def check_same_size(layer: Layer, bottom: Sequence[Blob]) -> None:
    """Raises LayerError unless all bottoms have as many rows and elements as the first."""
    for index, blob in enumerate(bottom):
        if blob.num != bottom[0].num or blob.count != bottom[0].count:
            one_box = bottom[0].channels == 8 and blob.num == bottom[0].num
            raise layer.error(
                f"bottom[{index}] has the shape {blob.shape}, bottom[0] {bottom[0].shape}"
                + (
                    "; a net with one box for all classes takes TRAIN.AGNOSTIC: give its --cfg"
                    if one_box
                    else ""
                )
            )


def row_shape(bottom: Sequence[Blob]) -> tuple[int, ...]:
    """The shape of what each row costs: R x 1 x H x W, or R where the targets have two axes.

    Labels of such a net are R, and the losses of labels and boxes are added.
    """
    rows = bottom[0].num
    return (rows,) if len(bottom[1].shape) == 2 else (rows, 1, *bottom[0].shape[2:])


def row_sums(errors: np.ndarray, bottom: Sequence[Blob]) -> np.ndarray:
    """What each row costs, in its shape: the errors, as many as elements of bottom[0], summed over its axis 1."""
    rows, channels = bottom[0].num, bottom[0].channels
    return errors.reshape(rows, channels, -1).sum(axis=1).reshape(row_shape(bottom))


def row_normalizer(layer: Layer, bottom: Sequence[Blob], default: int) -> float:
    """What the sum is divided by, as loss_param.normalization says; every row counts at each of its places."""
    param = layer.layer_param.loss_param
    rows = bottom[0].num
    places = bottom[0].count // (rows * bottom[0].channels)
    counts = rows, places, rows * places
    return normalizer(normalization_mode(param, default), *counts, param.pre_fixed_normalizer)
