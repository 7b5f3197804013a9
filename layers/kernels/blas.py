"""Matrix products on numba's own threads: one pool of threads for the kernels and for BLAS.

Several products at once, and kernels that ask for it, take the one-thread sgemm of the OpenBLAS that numpy brings
along. Alternating between BLAS's threads and numba's would cost a fifth to a third of the time: each pool spins for
a while after its work, on the cores that the other one needs.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.products import multiply
from caffe_compat.layers.kernels.row_products import LEFT, RIGHT, products
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.vectors import LANES

# Compiled code is cached with this name in it and finds the address when it is loaded, whatever numpy it is
_SYMBOL = "caffe_compat_sgemm"
_ROW_MAJOR, _NO_TRANS, _TRANS = 101, 111, 112  # cblas.h


class _Blas(NamedTuple):
    """How many threads numpy's BLAS uses for its own calls: get and set."""

    get_num_threads: Callable[[], int]
    set_num_threads: Callable[[int], None]


def _find() -> _Blas | None:
    """Make sgemm known to compiled code; None where numpy has no OpenBLAS with 64-bit integers."""
    package = "numpy._core" if hasattr(np, "_core") else "numpy.core"
    try:
        library = ctypes.CDLL(importlib.import_module(f"{package}._multiarray_umath").__file__)
    except OSError:
        return None
    for prefix in ("scipy_", ""):  # numpy's wheels of today, and those before 1.26
        try:
            sgemm = getattr(library, f"{prefix}cblas_sgemm64_")
            blas = _Blas(
                getattr(library, f"{prefix}openblas_get_num_threads64_"),
                getattr(library, f"{prefix}openblas_set_num_threads64_"),
            )
        except AttributeError:
            continue
        binding.add_symbol(_SYMBOL, ctypes.cast(sgemm, ctypes.c_void_p).value)
        return blas
    return None


_blas = _find()
_lock = threading.RLock()


@contextmanager
def one_thread_blas() -> Iterator[None]:
    """BLAS uses one thread inside, and as many as before afterwards (numpy's setting belongs to the user)."""
    assert _blas is not None
    with _lock:
        threads = _blas.get_num_threads()
        _blas.set_num_threads(1)
        try:
            yield
        finally:
            _blas.set_num_threads(threads)


def _call_sgemm(typingctx, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    """Emit the call of cblas_sgemm (numba hands over types here, and LLVM values to `codegen`)."""
    i64, f32 = types.int64, types.float32
    signature = types.void(types.boolean, types.boolean, *[i64] * 7, f32, i64, i64)

    def codegen(context, builder, signature, args):
        trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc = args
        enum, integer, real = ir.IntType(32), ir.IntType(64), ir.FloatType()
        pointer = real.as_pointer()
        function_type = ir.FunctionType(
            ir.VoidType(),
            [enum] * 3 + [integer] * 3 + [real] + [pointer, integer] * 2 + [real] + [pointer, integer],
        )
        function = cgutils.get_or_insert_function(builder.module, function_type, _SYMBOL)

        def op(trans):
            return builder.select(trans, enum(_TRANS), enum(_NO_TRANS))

        def address(value):
            return builder.inttoptr(value, pointer)

        left, right = [address(a), lda], [address(b), ldb]
        head = [enum(_ROW_MAJOR), op(trans_a), op(trans_b), m, n, k, real(1.0)]
        builder.call(function, [*head, *left, *right, beta, address(c), ldc])
        return context.get_dummy_value()

    return signature, codegen


# sgemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc): c = op(a) @ op(b) + beta * c, row-major
# float32, on one thread, in kernels that run within `one_thread_blas`. trans_a, trans_b: bool. a, b, c:
# addresses (array.ctypes.data) of arrays that the kernel's caller holds. m, n, k, and the strides of rows in
# elements: int64. beta: float32. Typed Any, since mypy would ask for the typing context in every call.
sgemm: Any = intrinsic(_call_sgemm)


# up to so many rows of a, packing b takes longer than the product; SOME_ROWS where sums are long. Wider tiles pay off
# sooner
FEW_ROWS, SOME_ROWS, LONG = 4, 64 if LANES < 16 else 16, 256


@piece(fastmath={"reassoc", "contract", "nsz"})
def dot(x, y):
    total = np.float32(0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@piece()
def _several_rows(a, b, beta, out, begin, end):
    """What `_few_rows` does, for rows `begin` to `end` of b, RIGHT at a time; returns the first that is left."""
    sums = np.empty((LEFT, RIGHT), np.float32)
    while begin + RIGHT <= end:
        for first in range(0, len(a), LEFT):
            low = min(first, len(a) - LEFT)
            products(LEFT, RIGHT, a[low:].ctypes.data, b[begin:].ctypes.data, a.shape[1], sums.ctypes.data)
            for i in range(first, min(first + LEFT, len(a))):
                for c in range(RIGHT):
                    total = sums[i - low, c]
                    out[i, begin + c] = total if beta == 0 else total + beta * out[i, begin + c]
        begin += RIGHT
    return begin


@shared()
def _few_rows(a, b, beta, out, part, parts):
    """out = a b^T + beta out, reading b once, as it is."""
    begin, end = share_of(b.shape[0], part, parts)
    if len(a) >= LEFT:
        begin = _several_rows(a, b, beta, out, begin, end)
    for j in range(begin, end):
        row = b[j]
        for i in range(a.shape[0]):
            total = dot(a[i], row)
            out[i, j] = total if beta == 0 else total + beta * out[i, j]


def reads_rows(rows: int, depth: int) -> bool:
    """Whether `gemm` takes the products of so many rows, of `depth` numbers, with those of b as they are."""
    return rows <= FEW_ROWS or (rows <= SOME_ROWS and depth >= LONG)


def gemm(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    trans_a: bool = False,
    trans_b: bool = False,
    beta: float = 0.0,
) -> None:
    """out = op(a) @ op(b) + beta * out, where op is the transpose if asked for.

    a, b, out: 2-D, C-contiguous or blocks of columns of such an array; out overlaps neither a nor b. With
    beta 0 what stood in `out` is not read. See products.py; float64 takes np.matmul.
    """
    if not (_fits(a) and _fits(b) and _fits(out)):
        _matmul(a.T if trans_a else a, b.T if trans_b else b, out, beta)
        return
    m, n = out.shape
    as_they_are = trans_b and not trans_a and all(x.flags.c_contiguous for x in (a, b, out))
    if as_they_are and reads_rows(m, a.shape[1]):
        _few_rows(a, b, np.float32(beta), out)
        return
    if beta not in (0, 1):
        out *= beta
    depth = a.shape[0] if trans_a else a.shape[1]
    multiply(trans_a, trans_b, m, n, depth, *_address(a), *_address(b), bool(beta), *_address(out))


def add_in_parts(a: np.ndarray, b: np.ndarray, out: np.ndarray, at_once: int) -> None:
    """out += a @ b^T, so many products at a time: the numbers of as many calls of `gemm` with beta 1, one a part.

    a, b, out: float32, 2-D, C-contiguous.
    """
    m, n = out.shape
    multiply(False, True, m, n, a.shape[1], *_address(a), *_address(b), True, *_address(out), at_once)


@shared()
def _sgemm_groups(
    trans_a, trans_b, m, n, k, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, groups, part, parts
):
    item = 4
    for g in range(*share_of(groups, part, parts)):
        a_block, b_block, c_block = a + item * step_a * g, b + item * step_b * g, c + item * step_c * g
        sgemm(trans_a, trans_b, m, n, k, a_block, lda, b_block, ldb, beta, c_block, ldc)


def gemm_groups(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    trans_a: bool = False,
    trans_b: bool = False,
    beta: float = 0.0,
) -> None:
    """out[g] = op(a[g]) @ op(b[g]) + beta * out[g] for each g. The threads share the products, not their blocks.

    a, b, out: 3-D; each of their matrices as `gemm` takes it.
    """
    if len(out) == 1 or _blas is None or not (_fits(a) and _fits(b) and _fits(out)):
        for left, right, result in zip(a, b, out, strict=True):
            gemm(left, right, result, trans_a, trans_b, beta)
        return
    groups, m, n = out.shape
    k = a.shape[1] if trans_a else a.shape[2]
    left, right, result = ((*_address(x), x.strides[0] // 4) for x in (a, b, out))
    with one_thread_blas():
        _sgemm_groups(trans_a, trans_b, m, n, k, *left, *right, np.float32(beta), *result, groups)


def _fits(x: np.ndarray) -> bool:
    return x.dtype == np.float32 and x.size > 0 and x.strides[-1] == 4


def _address(x: np.ndarray) -> tuple[int, int]:
    """The address, and the stride of the rows in elements (numpy leaves that of a single row undefined)."""
    return x.ctypes.data, max(x.strides[-2] // 4, x.shape[-1])


def _matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray, beta: float) -> None:
    if beta == 0:
        np.matmul(a, b, out=out)
    else:
        out *= beta
        out += a @ b
