"""CreateMaskVector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import CreateMaskVectorParameter


@register("CreateMaskVector")
class CreateMaskVector(Layer):
    """Which classes a map of labels has (MAX), or how large their parts of it are (AVE).

    bottom: N x 1 x H x W labels, cut off to whole numbers; those that are none of num_label classes do not count. top:
    N x num_label x 1 x 1: 1 or 0, or the number of pixels over H W. As there, each image counts the labels of those
    before it in the batch as well. Raises LayerError for other shapes and a num_label below 1.
    Source: CreateMaskVectorLayer of TGPnet (curious999).
    """

    reads = ("create_mask_vector_param",)
    origin = "TGPnet"
    no_gradient = (0,)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.classes = self.layer_param.create_mask_vector_param.num_label
        if self.classes < 1:
            raise self.error(f"num_label is {self.classes}; it must be at least 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4 or bottom[0].channels != 1:
            raise self.error(f"the bottom has the shape {bottom[0].shape}; expected N x 1 x H x W")
        top[0].reshape(bottom[0].num, self.classes, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        labels = bottom[0].data.reshape(bottom[0].num, bottom[0].height * bottom[0].width)
        image, pixel = np.nonzero((labels > -1) & (labels < self.classes))
        found = labels[image, pixel].astype(np.int64) + image * self.classes
        counts = np.bincount(found, minlength=len(labels) * self.classes).reshape(len(labels), self.classes)
        counts = counts.cumsum(axis=0)
        if self.layer_param.create_mask_vector_param.pool == CreateMaskVectorParameter.MAX:
            top[0].data[...] = (counts > 0).reshape(top[0].shape)
        else:
            top[0].data[...] = (counts / max(labels.shape[1], 1)).reshape(top[0].shape)
