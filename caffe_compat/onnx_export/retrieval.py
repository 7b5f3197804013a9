"""Layers of image retrieval: lengths of rows, and signed roots."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.metric import of_length_one, squares
from caffe_compat.onnx_export.operators import Operators


@converts("SignedSqrt")
def signed_sqrt(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", write("Sign", *bottoms), write("Sqrt", write("Abs", *bottoms)))]


@converts("L2Normalize")
def l2_normalize(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [of_length_one(write, *bottoms)]


@converts("Normalization", "NormalizationL2")
def normalization(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    sums = squares(write, bottoms[0], range(1, write.axes[bottoms[0]]))
    sums = write("Max", sums, write.floats(np.finfo(np.float32).tiny))  # of zeros, zeros
    return [write("Div", *bottoms, write("Sqrt", sums))]
