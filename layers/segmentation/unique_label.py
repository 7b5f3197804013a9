"""UniqueLabel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("UniqueLabel")
class UniqueLabel(Layer):
    """Which labels each image has (unique_label_param).

    bottom: N x 1 x H x W. top: N x max_labels x 1 x 1, the labels in ascending order, then -1. Labels that are an
    ignore_label are left out, those that are a force_label are always there. Forward only. Raises LayerError for
    another number of channels, for a max_labels that has no room for one more than those of force_label, and for an
    image with more labels than max_labels.

    Source: UniqueLabelLayer of DeepLab's fork of Caffe.
    """

    reads = ("unique_label_param",)
    has_backward = False
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.unique_label_param
        if param.max_labels <= len(set(param.force_label)):
            raise self.error(
                f"max_labels is {param.max_labels}; it must be more than the {len(set(param.force_label))} of "
                "force_label"
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != 1:
            raise self.error(f"the bottom has the shape {shape}, expected N x 1 x H x W")
        top[0].reshape(shape[0], self.layer_param.unique_label_param.max_labels, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.unique_label_param
        top[0].data[...] = -1
        for labels, out in zip(bottom[0].data, top[0].data, strict=True):
            found = labels[~np.isin(np.trunc(labels), param.ignore_label)]
            unique = np.union1d(found, np.array(param.force_label, found.dtype))
            if len(unique) > param.max_labels:
                raise self.error(f"an image has {len(unique)} labels; raise max_labels ({param.max_labels})")
            out[: len(unique), 0, 0] = unique
