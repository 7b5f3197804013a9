"""The kernels in vector code against numpy: products of a tile, transposed squares, Winograd's transforms."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from caffe_compat.layers.kernels import winograd_transforms
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, ROWS, multiply
from caffe_compat.layers.kernels.transpose import transpose
from caffe_compat.layers.kernels.vectors import LANES


@njit
def run_multiply(a, b, c, ldc, add):
    multiply(a.shape[0], a.ctypes.data, b.ctypes.data, c.ctypes.data, ldc, add)


@njit
def run_transpose(sources, offset, targets, target_offset):
    transpose(sources.ctypes.data, offset, targets.ctypes.data, target_offset)


def jitted(transform):
    @njit
    def run(d, d_step, out, out_step, vector_step):
        transform(d.ctypes.data, d_step, out.ctypes.data, out_step, vector_step)

    return run


TRANSFORMS = {
    "of_pixels": np.array(winograd_transforms.B_T),
    "of_filters": np.array(winograd_transforms.G),
    "to_outputs": np.array(winograd_transforms.A_T),
    "of_outputs": np.array(winograd_transforms.A_T).T,
    "to_filters": np.array(winograd_transforms.G).T,
}


def noise(*shape):
    return np.random.RandomState(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("depth", [0, 1, 37])
@pytest.mark.parametrize("add", [False, True])
def test_multiply(depth, add):
    a, b = noise(depth, ROWS), noise(depth, COLUMNS)
    c = noise(ROWS, COLUMNS + 5) if add else np.full((ROWS, COLUMNS + 5), np.nan, np.float32)
    want = c.copy()
    want[:, :COLUMNS] = a.T @ b + (c[:, :COLUMNS] if add else 0)
    run_multiply(a, b, c, c.shape[1], add)
    np.testing.assert_allclose(c, want, rtol=1e-5, atol=1e-5)


def test_transpose():
    """From anywhere to anywhere: every second row of a matrix, behind one another into a longer one."""
    matrix, out = noise(2 * LANES, LANES + 7), np.full((LANES, LANES + 3), 9, np.float32)
    sources = np.array([matrix[2 * r].ctypes.data for r in range(LANES)])
    targets = np.array([row.ctypes.data for row in out])
    run_transpose(sources, 5, targets, 2)
    np.testing.assert_array_equal(out[:, 2 : 2 + LANES], matrix[::2, 5 : 5 + LANES].T)
    assert (out[:, :2] == 9).all() and (out[:, 2 + LANES :] == 9).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms(name):
    matrix = TRANSFORMS[name]
    p, q = matrix.shape
    d, out = noise(q, q, COLUMNS + 3), np.full((p, p, COLUMNS + 8), np.nan, np.float32)
    jitted(getattr(winograd_transforms, name))(d, COLUMNS + 3, out, COLUMNS + 8, LANES + 2)
    got = np.concatenate(
        [out[:, :, v * (LANES + 2) :][:, :, :LANES] for v in range(COLUMNS // LANES)], axis=2
    )
    want = np.einsum("ia,abl,jb->ijl", matrix, d[:, :, :COLUMNS].astype(np.float64), matrix)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_winograd_convolves():
    """One tile by the three matrices is the 4 x 4 outputs of a 3 x 3 filter."""
    d, g = noise(6, 6).astype(np.float64), noise(3, 3).astype(np.float64)
    b_t, g_m, a_t = (
        np.array(m, np.float64)
        for m in (winograd_transforms.B_T, winograd_transforms.G, winograd_transforms.A_T)
    )
    want = [[(d[y : y + 3, x : x + 3] * g).sum() for x in range(4)] for y in range(4)]
    np.testing.assert_allclose(a_t @ ((b_t @ d @ b_t.T) * (g_m @ g @ g_m.T)) @ a_t.T, want, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these processors are x86's")
@pytest.mark.parametrize("features, lanes", [("+avx,+avx2,+fma", 8), ("+sse2", 4)])
def test_narrower_processors(features, lanes, tmp_path):
    """The same on what processors without AVX512, and without AVX, can do."""
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "x86-64",
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    code = (
        "import pytest, sys\n"
        "from caffe_compat.layers.kernels.vectors import LANES\n"
        f"assert LANES == {lanes}\n"
        "sys.exit(pytest.main(['-q', '-n0', sys.argv[1], '-k', 'not narrower']))\n"
    )
    command = [sys.executable, "-c", code, __file__]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
