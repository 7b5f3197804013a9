"""What steps are made of: exp, the layout of an image, tiles of outputs."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from caffe_compat.layers.kernels.exponential import exponential
from caffe_compat.layers.kernels.filter_tile import tile_height
from caffe_compat.layers.kernels.lay_out import call_lay_out, lay_out
from caffe_compat.layers.kernels.micro_kernel import LANES, ROWS


@njit
def exponentials(x, y):
    for i in range(len(x)):
        y[i] = exponential(x[i])


def test_exponential():
    x = np.linspace(-87.3, 88, 100_001, dtype=np.float32)
    y = np.empty_like(x)
    exponentials(x, y)
    np.testing.assert_allclose(y, np.exp(x.astype(np.float64)), rtol=2.4e-7)
    x = np.array([np.nan, 0, -0.0, -np.inf, -100], np.float32)
    y = np.empty_like(x)
    exponentials(x, y)
    np.testing.assert_array_equal(y, [np.nan, 1, 1, 0, 0])


@njit
def _lay_out(function, source, height, width, row, column, stride_h, rows, pitch, out):
    call_lay_out(function, (source, height, width, row, column, stride_h, rows, pitch, np.float32(9), out))


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [3, 16, 41])
def test_lay_out(stride, width):
    """Every pixel, and the fill outside; as wide as the row and the padding, whatever lies beyond the plane."""
    height, row, column, rows = 7, -2, -3, 5
    pitch = (width + 7) // stride + 1
    memory = np.full(height * width + 200, np.nan, np.float32)
    plane = memory[100:-100].reshape(height, width)
    plane[:] = np.random.RandomState(1).standard_normal(plane.shape)
    out = np.full(rows * pitch + LANES, np.nan, np.float32)
    _lay_out(
        lay_out(stride).address,
        plane.ctypes.data,
        height,
        width,
        row,
        column,
        2,
        rows,
        pitch,
        out.ctypes.data,
    )
    padded = np.full((height + 20, width + 40), 9, np.float32)
    padded[10 : 10 + height, 20 : 20 + width] = plane
    want = padded[10 + row :: 2, 20 + column :: stride][:rows, :pitch]
    np.testing.assert_array_equal(out[: rows * pitch].reshape(rows, pitch), want)


def test_tiles_waste_little():
    for outputs in range(1, 600):
        rows = tile_height(outputs)
        assert 1 <= rows <= ROWS
        assert -(-outputs // rows) * rows <= max(1.13 * outputs, outputs + 3)
    assert tile_height(ROWS) == ROWS
    panels = -(-64 // tile_height(64, 2))
    assert panels % 2 == 0 or ROWS < 8
