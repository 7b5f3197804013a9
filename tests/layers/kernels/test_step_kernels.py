"""What steps are made of: exp, the layout of an image, tiles of outputs."""

from __future__ import annotations

import numpy as np
import pytest
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.filter_tile import tile_height
from caffe_compat.layers.kernels.functions import Functions
from caffe_compat.layers.kernels.lay_out import call_lay_out, lay_out
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.vectors import LANES


def _of_vector(name):
    """Writes a function of LANES numbers from one address to another."""

    def emit(typingctx, source, target):
        def codegen(context, builder, signature, args):
            v, start = Functions(builder), ir.IntType(64)(0)
            source, target = (v.pointer(address) for address in args)
            v.write(getattr(v, name)(v.read(source, start)), target, start)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return intrinsic(emit)


def of_all(name, x):
    """The function of each number of x, whose count LANES divides."""
    one = _of_vector(name)

    @njit
    def loop(source, target, count):
        for place in range(0, 4 * count, 4 * LANES):
            one(source + place, target + place)

    y = np.full_like(x, np.nan)
    loop(x.ctypes.data, y.ctypes.data, len(x))
    return y


SPECIAL = np.resize(np.array([np.nan, 0, -0.0, -np.inf, np.inf, -110, 100], np.float32), 4 * LANES)


def test_exponential():
    x = np.linspace(-87.3, 88.7, 6250 * 16, dtype=np.float32)
    np.testing.assert_allclose(of_all("exponential", x), np.exp(x.astype(np.float64)), rtol=2.4e-7)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(of_all("exponential", SPECIAL), np.exp(SPECIAL))
    small = np.linspace(-103, -87.4, 160, dtype=np.float32)  # below the smallest number with all digits
    np.testing.assert_allclose(
        of_all("exponential", small), np.exp(small.astype(np.float64)), rtol=1e-6, atol=1.5e-45
    )


def test_tanh_and_sigmoid():
    x = np.linspace(-20, 20, 6250 * 16, dtype=np.float32)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(of_all("tanh", x), np.tanh(exact), rtol=3e-7)
    np.testing.assert_allclose(of_all("sigmoid", x), 1 / (1 + np.exp(-exact)), rtol=3e-7)
    np.testing.assert_array_equal(of_all("tanh", SPECIAL), np.tanh(SPECIAL))


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
