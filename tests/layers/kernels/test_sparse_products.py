"""Products of which zeros are left out, against numpy's in double precision."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from caffe_compat.layers.kernels.sparse_products import COLUMNS, DEPTH, ROWS, gemm_sparse


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("bad", [0, np.nan, np.inf])
def test_zeros_are_left_out_but_of_products_with_what_is_not_finite(threads, trans_a, trans_b, beta, bad):
    rng = np.random.default_rng(1)
    before = numba.get_num_threads()
    sizes = ((3, 5, 7), (1, 1, 1), (5, 2 * DEPTH + 9, 4 * COLUMNS + 3), (2 * ROWS + 30, DEPTH, COLUMNS + 1))
    for m, k, n in sizes:
        a, b = (rng.standard_normal(size).astype(np.float32) for size in ((m, k), (k, n)))
        a[rng.random(a.shape) < 0.7] = 0
        a[m // 2] = 0
        b[k // 2, n - 1] += bad
        out = rng.standard_normal((m, n)).astype(np.float32) if beta else np.full((m, n), np.nan, np.float32)
        with np.errstate(invalid="ignore"):
            want = a.astype(np.float64) @ b.astype(np.float64) + (out if beta else 0)
        left, right = (np.ascontiguousarray(x.T) if t else x for x, t in ((a, trans_a), (b, trans_b)))
        numba.set_num_threads(min(threads, before))
        try:
            gemm_sparse(left, right, out, trans_a, trans_b, beta)
        finally:
            numba.set_num_threads(before)
        np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-5)
