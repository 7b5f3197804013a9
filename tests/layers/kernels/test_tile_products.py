"""Products in tile registers against numpy's in double precision, and against float32's own rounding."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from caffe_compat.layers.kernels import tile_products
from caffe_compat.layers.kernels.blas import add_in_parts, gemm
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.kernels.tile_products import DEPTH, LEAST_PRODUCTS, PANELS, pays
from caffe_compat.layers.kernels.tile_registers import AVAILABLE, SIDE

pytestmark = pytest.mark.skipif(
    not AVAILABLE, reason="this processor, or system, has no tile registers (AMX)"
)

SIZES = [  # rows, products, columns
    (SIDE, DEPTH, SIDE),
    (33, LEAST_PRODUCTS + 1, 2 * SIDE * PANELS + 18),
    (97, DEPTH + 33, 71),
    (130, 2 * DEPTH + 5, 49),
    (1, 1, 1),
    (15, 31, 17),
]


def product(a, b, out, trans_a=False, trans_b=False, add=False, at_once=0):
    """The product by tiles, however few there are; what scratch is left to it is NaN."""
    (m, n), depth = out.shape, a.shape[0] if trans_a else a.shape[1]
    scratch((2**21,), np.dtype(np.float32), "products")[:] = np.nan
    tile_products.multiply(
        trans_a, trans_b, m, n, depth, a.ctypes.data, a.strides[0] // 4, b.ctypes.data, b.strides[0] // 4, add,
        out.ctypes.data, out.strides[0] // 4, at_once,
    )  # fmt: skip
    return out


def factors(m, k, n, trans_a=False, trans_b=False, seed=1):
    """Blocks of larger arrays, whose other numbers are NaN."""
    rng, result = np.random.default_rng(seed), []
    for rows, columns in ((k, m) if trans_a else (m, k), (n, k) if trans_b else (k, n)):
        whole = np.full((rows, columns + 7), np.nan, np.float32)
        whole[:, 3 : 3 + columns] = rng.standard_normal((rows, columns))
        result.append(whole[:, 3 : 3 + columns])
    return result


def exact(a, b, trans_a, trans_b):
    return (a.T if trans_a else a).astype(np.float64) @ (b.T if trans_b else b)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("add", [False, True])
def test_products_round_no_more_than_float32(threads, trans_a, trans_b, add):
    before = numba.get_num_threads()
    for m, k, n in SIZES:
        a, b = factors(m, k, n, trans_a, trans_b)
        out = np.full((m, n + 5), 9 if add else np.nan, np.float32)
        numba.set_num_threads(min(threads, before))
        try:
            product(a, b, out[:, 2 : 2 + n], trans_a, trans_b, add)
        finally:
            numba.set_num_threads(before)
        want = exact(a, b, trans_a, trans_b) + (9 if add else 0)
        sizes = exact(abs(a), abs(b), trans_a, trans_b) + 9
        assert (abs(out[:, 2 : 2 + n] - want) / sizes).max() < 2e-7 * np.sqrt(k)
        edges = np.delete(out, range(2, 2 + n), axis=1)
        assert (edges == 9).all() if add else np.isnan(edges).all()


def test_each_of_24_bits_counts():
    """Products of numbers with all bits set, of which each sum has but one: right to the last two bits."""
    odd = np.float32(2 - 2**-23)
    a, b = np.zeros((SIDE, 3 * SIDE), np.float32), np.zeros((3 * SIDE, SIDE), np.float32)
    numbers = odd * 2.0 ** np.arange(-8, SIDE - 8)
    a[np.arange(SIDE), np.arange(SIDE) + SIDE] = numbers
    b[np.arange(SIDE) + SIDE, np.arange(SIDE)[::-1]] = odd
    got = product(a, b, np.full((SIDE, SIDE), np.nan, np.float32))
    want = (numbers.astype(np.float64) * np.float64(odd)).astype(np.float32)
    np.testing.assert_allclose(got[np.arange(SIDE), np.arange(SIDE)[::-1]], want, rtol=2**-22, atol=0)
    assert (got != 0).sum() == SIDE


@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("add", [False, True])
def test_infinite_numbers_and_nan(trans_a, trans_b, add):
    for m, k, n in SIZES[:4]:
        a, b = factors(m, k, n, trans_a, trans_b)
        (a.T if trans_a else a)[m - 3, k - 2] = np.inf
        (b.T if trans_b else b)[5, n - 1] = -np.inf
        (a.T if trans_a else a)[4, 7] = np.nan
        a_row, b_row = (a.T if trans_a else a), (b.T if trans_b else b)
        a_row[m // 2] = 1  # times infinite, without other bits
        out = np.full((m, n), 9 if add else np.nan, np.float32)
        with np.errstate(invalid="ignore"):
            want = a_row.astype(np.float64) @ b_row + (9 if add else 0)
            got = product(a, b, out, trans_a, trans_b, add)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_array_equal(got[np.isinf(want)], want[np.isinf(want)].astype(np.float32))
        assert np.isinf(want).sum() > m
        finite = np.isfinite(want)
        np.testing.assert_allclose(got[finite], want[finite], rtol=1e-4, atol=1e-4)


def test_large_and_small_numbers():
    rng = np.random.default_rng(3)
    a, b = (rng.uniform(1, 2, shape).astype(np.float32) for shape in ((65, 90), (90, 70)))
    for size, other in ((2.0**126, 2.0**-20), (2.0**-100, 2.0**90), (2.0**60, 2.0**-60)):
        out = product(a * np.float32(size), b * np.float32(other), np.full((65, 70), np.nan, np.float32))
        np.testing.assert_allclose(out, exact(a, b, False, False) * size * other, rtol=1e-6)
    a[:, 1:], b[1:] = 0, 1
    a[:, 0], b[0] = np.finfo(np.float32).max, np.float32(0.25)  # whose nearest bfloat16 is infinite
    out = product(a, b, np.full((65, 70), np.nan, np.float32))
    np.testing.assert_array_equal(out, np.full((65, 70), np.finfo(np.float32).max / 4))


def test_parts_have_the_numbers_of_calls_of_their_own():
    a, b = (np.ascontiguousarray(x) for x in factors(70, 5 * 60, 66, trans_b=True))
    at_once, together = 60, np.ones((70, 66), np.float32)
    assert pays(70, 66, at_once)
    one_by_one = together.copy()
    add_in_parts(a, b, together, at_once)
    for begin in range(0, a.shape[1], at_once):
        part = slice(begin, begin + at_once)
        gemm(a[:, part], b[:, part], one_by_one, trans_b=True, beta=1)
    np.testing.assert_array_equal(together, one_by_one)


def test_gemm_takes_tiles_where_they_pay(monkeypatch):
    a, b = factors(96, 300, 130)
    by_tiles, by_vectors = np.empty((96, 130), np.float32), np.empty((96, 130), np.float32)
    gemm(a, b, by_tiles)
    np.testing.assert_array_equal(by_tiles, product(a, b, np.empty_like(by_tiles)))
    monkeypatch.setattr(tile_products, "AVAILABLE", False)
    gemm(a, b, by_vectors)
    assert (by_tiles != by_vectors).any()
    np.testing.assert_allclose(by_tiles, by_vectors, atol=1e-4)
