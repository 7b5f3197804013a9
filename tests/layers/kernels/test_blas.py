"""gemm against np.matmul in float64."""

from __future__ import annotations

import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

from caffe_compat.layers.kernels import blas

SHAPES = [(5, 7, 3), (130, 33, 65), (33, 130, 65), (1, 9, 4), (9, 1, 4), (1, 1, 1), (6, 4, 1)]
SHAPES += [(4, 10, 17), (7, 13, blas.LONG + 5), (16, 3, blas.LONG)]  # those that are read as they are
needs_openblas = pytest.mark.skipif(blas._blas is None, reason="numpy comes without its OpenBLAS here")


@pytest.fixture(params=["openblas", "numpy"])
def backend(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(blas, "_blas", None)
    elif blas._blas is None:
        pytest.skip("numpy comes without its OpenBLAS here")


def matrices(m, n, k, trans_a, trans_b, dtype=np.float32):
    rng = np.random.RandomState(m + 10 * n + 100 * k)
    a = rng.standard_normal((k, m) if trans_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if trans_b else (k, n)).astype(dtype)
    return a, b, rng.standard_normal((m, n)).astype(dtype)


def wanted(a, b, out, trans_a, trans_b, beta):
    left, right = (x.astype(np.float64) for x in (a, b))
    product = (left.T if trans_a else left) @ (right.T if trans_b else right)
    return product + beta * out.astype(np.float64) if beta else product


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("beta", [0, 1, -0.5])
@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
def test_against_numpy(backend, trans_a, trans_b, beta, dtype, rtol):
    for m, n, k in SHAPES:
        a, b, out = matrices(m, n, k, trans_a, trans_b, dtype)
        if beta == 0:
            out[...] = np.nan
        want = wanted(a, b, out, trans_a, trans_b, beta)
        blas.gemm(a, b, out, trans_a, trans_b, beta)
        np.testing.assert_allclose(out, want, rtol=0, atol=rtol * max(abs(want).max(), np.sqrt(k)))


@pytest.mark.parametrize("trans_a, trans_b, beta", [(False, False, 0), (False, True, 1), (True, False, 0)])
def test_groups_against_one_by_one(backend, trans_a, trans_b, beta):
    groups = [matrices(6, 9, 5, trans_a, trans_b) for _ in range(3)]
    for i, (a, b, out) in enumerate(groups):
        a += i
        b -= i
        out[...] = out if beta else np.nan
    want = [wanted(*group, trans_a, trans_b, beta) for group in groups]
    a, b, out = (np.stack(arrays) for arrays in zip(*groups, strict=True))
    wide = np.full((18, 30), 7, np.float32)  # the groups' rows one after the other, as images have them
    block = wide[:, 4:13]
    block[...] = out.reshape(18, 9)
    blas.gemm_groups(a, b, block.reshape(3, 6, 9), trans_a, trans_b, beta)
    np.testing.assert_allclose(block.reshape(3, 6, 9), want, rtol=0, atol=2e-5)
    assert (wide[:, :4] == 7).all() and (wide[:, 13:] == 7).all()


def test_blocks_of_columns(backend):
    a, b, _ = matrices(6, 20, 9, False, False)
    wide = np.full((6, 50), 7, np.float32)
    blas.gemm(a, b[:, 3:11], wide[:, 20:28])
    np.testing.assert_allclose(wide[:, 20:28], a @ b[:, 3:11], rtol=1e-5, atol=1e-5)
    assert (wide[:, :20] == 7).all() and (wide[:, 28:] == 7).all()
    row = np.full((1, 50), 7, np.float32)[:, 4:9]
    blas.gemm(a[:1], b[:, 3:8], row)
    np.testing.assert_allclose(row, a[:1] @ b[:, 3:8], rtol=1e-5, atol=1e-5)


def test_other_strides_are_right_too(backend):
    a, b, out = matrices(6, 8, 9, True, False)
    blas.gemm(a.T, b, out)
    np.testing.assert_allclose(out, a.T @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("m, n, k", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_empty(backend, m, n, k):
    out = np.full((m, n), 2, np.float32)
    blas.gemm(np.zeros((m, k), np.float32), np.zeros((k, n), np.float32), out, beta=1)
    assert (out == 2).all()
    blas.gemm(np.zeros((m, k), np.float32), np.zeros((k, n), np.float32), out)
    assert (out == 0).all()


@needs_openblas
def test_any_number_of_threads():
    a, b, out = matrices(40, 7, 50, False, False)
    before = numba.get_num_threads()
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            out[...] = np.nan
            blas.gemm(a, b, out)
            np.testing.assert_allclose(out, a @ b, rtol=1e-5, atol=1e-5)
    finally:
        numba.set_num_threads(before)


@needs_openblas
def test_numpy_keeps_its_threads():
    a, b, out = matrices(40, 7, 50, False, False)
    before = blas._blas.get_num_threads()
    try:
        for threads in (1, 2):
            blas._blas.set_num_threads(threads)
            with blas.one_thread_blas():
                assert blas._blas.get_num_threads() == 1
                blas.gemm(a, b, out)
                assert blas._blas.get_num_threads() == 1
            assert blas._blas.get_num_threads() == threads
            with pytest.raises(ZeroDivisionError), blas.one_thread_blas():
                raise ZeroDivisionError
            assert blas._blas.get_num_threads() == threads
    finally:
        blas._blas.set_num_threads(before)


@needs_openblas
def test_from_several_python_threads():
    jobs = [(*matrices(60, 50 + i, 70, False, False),) for i in range(4)]
    before = blas._blas.get_num_threads()
    workers = [threading.Thread(target=lambda job=job: [blas.gemm(*job) for _ in range(20)]) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for a, b, out in jobs:
        np.testing.assert_allclose(out, a @ b, rtol=1e-4, atol=1e-5)
    assert blas._blas.get_num_threads() == before


@needs_openblas
def test_the_compiled_product_is_cached(tmp_path):
    program = (
        "import numpy as np\n"
        "from caffe_compat.layers.kernels import blas, products\n"
        "out = np.zeros((3, 4), np.float32)\n"
        "blas.gemm(np.full((3, 5), 2, np.float32), np.ones((5, 4), np.float32), out)\n"
        "assert (out == 10).all()\n"
        "print(sum(products._multiply.stats.cache_hits.values()))\n"
    )
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    hits = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert hits == ["0", "1"]


@pytest.mark.parametrize("rows", [1, 3, blas.FEW_ROWS])
@pytest.mark.parametrize("beta", [0, 1, 2.5])
def test_few_rows(rows, beta):
    rng = np.random.RandomState(rows)
    a, b, out = (
        rng.standard_normal(shape).astype(np.float32) for shape in ((rows, 301), (77, 301), (rows, 77))
    )
    want = a @ b.T + beta * out
    if beta == 0:
        out[...] = np.nan
    blas.gemm(a, b, out, trans_b=True, beta=beta)
    np.testing.assert_allclose(out, want, rtol=1e-4, atol=1e-4)
