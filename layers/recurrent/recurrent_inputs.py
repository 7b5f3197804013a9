"""What the inputs of recurrent layers add to every step, all steps at once, and the gradients of that.

params: W_x rows x inputs, b, and W_static where there is a static input. bottom: x T x N x ..., cont, static N x ...
z: T x N x rows. static_steps: those that the static input counts in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.bias import fill_columns
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.kernels.scratch import scratch


def from_inputs(params: Sequence[Blob], bottom: Sequence[Blob], z: np.ndarray, static_steps: slice) -> None:
    """z = W_x x + b (+ W_static static)."""
    w_x, bias, *w_static = (blob.data for blob in params)
    rows = z.reshape(-1, len(bias))
    fill_columns(bias, rows)
    gemm(bottom[0].data.reshape(len(rows), w_x.shape[1]), w_x, rows, trans_b=True, beta=1)
    if w_static:
        product = scratch(z.shape[1:], z.dtype)
        gemm(_items(bottom[2].data), w_static[0], product, trans_b=True)
        z[static_steps] += product


def input_gradients(
    layer: Layer,
    params: Sequence[Blob],
    bottom: Sequence[Blob],
    wanted: Sequence[bool],
    z_diff: np.ndarray,
    static_steps: slice,
) -> None:
    """Add to the diffs of the params that the layer propagates to; write those of x and static where `wanted`."""
    rows = z_diff.reshape(-1, z_diff.shape[2])
    x, x_shape = bottom[0], (len(rows), params[0].shape[1])
    if layer.propagates_to(0):
        gemm(rows, x.data.reshape(x_shape), params[0].diff, trans_a=True, beta=1)
    if layer.propagates_to(1):
        params[1].diff[...] += rows.sum(axis=0)
    if wanted[0]:
        gemm(rows, params[0].data, x.diff.reshape(x_shape))
    if len(params) > 2:
        total = z_diff[static_steps].sum(axis=0)
        if layer.propagates_to(2):
            gemm(total, _items(bottom[2].data), params[2].diff, trans_a=True, beta=1)
        if wanted[2]:
            gemm(total, params[2].data, _items(bottom[2].diff))


def _items(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), math.prod(array.shape[1:]))
