"""Atlas: a place where Tengine's Caffe runs a compiled model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register


@register("Atlas")
class Atlas(Layer):
    """Stands for a model that is compiled for Huawei's Atlas, which only that device runs: a warning says so.

    Any bottoms. tops: of the shapes atlas_param.output_shape, one each; they keep what is written into them, as an
    Input layer's do, so that what the model gave there can be put in and the rest of the net be run. Raises LayerError
    for another number of shapes than tops. Source: AtlasLayer of Tengine's fork of Caffe (wangshankun/Tengine_Atlas),
    by its prototxts.
    """

    reads = ("atlas_param",)
    origin = "Tengine"
    bottom_count = (0, None)
    top_count = (1, None)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = self.layer_param.atlas_param.output_shape
        if len(shapes) != len(top):
            raise self.error(f"has {len(top)} tops and {len(shapes)} output_shape; give one for each")
        warnings.warn(
            f"layer '{self.name}' (Atlas): the model '{self.layer_param.atlas_param.model_name}' runs on Huawei's "
            "Atlas only; write what it gives into the tops before each forward",
            stacklevel=3,
        )
        for blob, shape in zip(top, shapes, strict=True):
            blob.reshape(*shape.dim)
