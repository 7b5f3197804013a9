"""Layers that single projects added: Flip, Insanity, SelectChannels."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.insanity import Insanity
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Flip")
def flip(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.flip_param, write.axes[bottoms[0]]
    turned = [axis for axis, flag in ((2, param.flip_height), (3, param.flip_width)) if flag and axis < axes]
    if not turned:
        return [write("Identity", *bottoms)]
    first, last, step = (write.ints([value] * len(turned)) for value in (-1, np.iinfo(np.int64).min, -1))
    return [write("Slice", *bottoms, first, last, write.ints(turned), step)]


@converts("Insanity")
def insanity(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Insanity)
    if layer.phase == TRAIN:
        raise layer.error("cannot be exported to ONNX in phase TRAIN, in which its slopes are random")
    return [write("LeakyRelu", *bottoms, alpha=1 / layer.mean_slope)]


@converts("SelectChannels")
def select_channels(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.filter_param
    kept = np.flatnonzero(layer.blobs[0].data)[: param.num_output]
    axis = param.axis % write.axes[bottoms[0]]
    return [write("Gather", bottom, write.ints(kept.tolist()), axis=axis) for bottom in bottoms]
