"""Person search's matching: products with the features that are kept."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.metric.labeled_matching import LabeledMatching
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("LabeledMatching")
def labeled_matching(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, LabeledMatching)
    label = bottoms[1]
    whole = write.cast(write.cast(label, np.int64), np.float32)
    below = write("Less", whole, write.floats(0))
    above = write("GreaterOrEqual", whole, write.floats(layer.classes))
    known = write("Where", write("Or", below, above), write.floats(-1), label)
    return [*unlabeled_matching(write, layer, bottoms), known]


@converts("UnlabeledMatching")
def unlabeled_matching(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    rows = write("Flatten", bottoms[0], axis=1)
    return [write("Gemm", rows, write.param(layer.blobs[0]), transB=1)]
