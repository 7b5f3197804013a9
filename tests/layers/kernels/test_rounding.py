"""c_round against C's own round."""

from __future__ import annotations

import ctypes
import ctypes.util

import numpy as np
import pytest

from caffe_compat.layers.kernels.rounding import c_round


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_halves_go_away_from_zero(dtype):
    halves = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, 7.49, -7.51], dtype)
    assert [c_round(x) for x in halves] == [1, 2, 3, -1, -2, -3, 0, 7, -8]


def test_the_float_below_a_half_is_zero():
    for dtype in (np.float32, np.float64):
        below = np.nextafter(dtype(0.5), dtype(0))
        assert c_round(below) == 0 and c_round(-below) == 0


def test_against_the_c_library():
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    library.roundf.restype, library.roundf.argtypes = ctypes.c_float, [ctypes.c_float]
    rng = np.random.RandomState(0)
    values = np.concatenate(
        [rng.uniform(-1e3, 1e3, 2000), rng.uniform(-1e9, 1e9, 500), np.arange(-50, 50) / 2]
    )
    for x in values.astype(np.float32):
        assert c_round(x) == library.roundf(float(x))
