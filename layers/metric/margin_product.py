"""What SphereFace's and L-Softmax's products share: own scores at a multiple of their angle, and lambda."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer, canonical_axis
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.common.loss import class_labels
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.prototxt.caffe_pb2 import LargeMarginInnerProductParameter, MarginInnerProductParameter

SINGLE, DOUBLE, TRIPLE, QUADRUPLE = range(4)  # of both messages


class MarginProduct(Layer):
    """bottom[0]: M rows of K numbers (the axes from `axis` on are one); bottom[1]: M labels. params[0]: num_output x K.
    top[0]: the rows times the params; the own class's score mixed, lambda to 1, with one at `type` times its angle.
    top[1], if wanted: lambda, 1 number: base (1 + gamma k)^-power, at least lambda_min, k counting forwards from
    iteration + 1 on.

    Raises LayerError for num_output 0, other shapes, and labels that are no class.
    """

    bottom_count = (2, 2)
    top_count = (1, 2)
    no_gradient = (1,)
    param_axes = (("output", "input"),)
    size: np.ndarray

    def param(self) -> MarginInnerProductParameter | LargeMarginInnerProductParameter:
        """The layer's message."""
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param()
        if param.num_output < 1:
            raise self.error(f"num_output is {param.num_output}; it must be at least 1")
        self.inputs = math.prod(bottom[0].shape[canonical_axis(self, param.axis, bottom[0]) :])
        self.iteration = param.iteration
        set_up_params(self, ((param.num_output, self.inputs), param.weight_filler))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, param = bottom[0].shape, self.param()
        axis = canonical_axis(self, param.axis, bottom[0])
        rows, inputs = math.prod(shape[:axis]), math.prod(shape[axis:])
        if inputs != self.inputs or bottom[1].count != rows:
            raise self.error(
                f"the bottoms have the shapes {shape} and {bottom[1].shape}; expected rows of {self.inputs} numbers "
                f"from axis {axis} on, and a label for each row"
            )
        top[0].reshape(*shape[:axis], param.num_output)
        if len(top) > 1:
            top[1].reshape(1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param()
        self.iteration += 1
        self.weight = self._lambda()
        if len(top) > 1:
            top[1].data[...] = self.weight
        x, y = self.rows(bottom[0].data), top[0].data.reshape(-1, param.num_output)
        gemm(x, self.blobs[0].data, y, trans_b=True)
        if param.type != SINGLE:
            own = self.own = np.arange(len(x)), class_labels(self, bottom[1], param.num_output)
            self.find_angles(x, y[own])
            product = self.size * self.multiple
            y[own] = (product + self.weight * y[own]) / (1 + self.weight)

    def find_angles(self, x: np.ndarray, scores: np.ndarray) -> None:
        """Set size, what the own scores are the cosines times of, and call `multiply` with the cosines."""
        raise NotImplementedError

    def multiply(self, cosines: np.ndarray) -> None:
        """Set multiple, the cosines at type times the angle (going on beyond pi), its slope, and rest.

        rest: cosine * slope - multiple, what the gradient has of the vectors themselves.
        """
        self.multiple, self.slope = multiple_angle(self.param().type, cosines)
        self.rest = cosines * self.slope - self.multiple

    def rows(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, self.inputs)

    def _lambda(self) -> float:
        param = self.param()
        with np.errstate(all="ignore"):
            decay = np.float64(1 + param.gamma * self.iteration) ** -param.power
        return float(max(param.base * decay, param.lambda_min))

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])


def multiple_angle(type: int, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(-1)^k cos(m angle) - 2k of angles with the cosines c, where k = floor(m angle / pi); and its slope by c.

    Source: Liu et al., Large-Margin Softmax Loss (2016), equation 7, in the polynomials of its code.
    """
    sign, square = np.sign(c), c * c
    if type == DOUBLE:
        return 2 * sign * square - 1, 4 * sign * c
    if type == TRIPLE:
        third = np.sign(np.abs(c) - 0.5)
        return third * (4 * square - 3) * c + sign * (1 + third) - 2, third * (12 * square - 3)
    eighth = sign * np.sign(2 * square - 1)
    value = eighth * (8 * square * square - 8 * square + 1) + 2 * sign + eighth - 3
    return value, eighth * (32 * square - 16) * c
