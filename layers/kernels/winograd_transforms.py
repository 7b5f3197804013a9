"""M d M^T of many small squares d at once, M being one of Winograd's matrices for 4 x 4 outputs of a 3 x 3 filter.

Emitted as straight vector code from the matrices. COLUMNS squares lie side by side, a number of each: those of element
(i, j) of q x q are COLUMNS float32 at `d + (i q + j) d_step`.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), section 4.3.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.micro_kernel import COLUMNS, LANES, Vectors

OUTPUTS, PIXELS = 4, 6  # a side of a tile: what it writes, what it reads
POINTS = PIXELS**2

Matrix = list[list[float]]

B_T: Matrix = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
G: Matrix = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
A_T: Matrix = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 0],
    [0, 1, 1, 4, 4, 0],
    [0, 1, -1, 8, -8, 1],
]


def _transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _transform(vectors: Vectors, matrix: Matrix, place, out, first, out_step) -> None:
    """Emit the transform of LANES squares: element k is read at place(k); results are `out_step` apart from `first`."""
    rows, columns = len(matrix), len(matrix[0])
    builder, i64 = vectors.builder, ir.IntType(64)

    def combined(factors, terms):
        total = None
        for factor, term in zip(factors, terms, strict=True):
            if factor:
                total = vectors.plus_multiple(total, factor, term)
        return total

    inner = [[vectors.read(*place(i * columns + j)) for j in range(columns)] for i in range(columns)]
    half = [[combined(row, column) for column in zip(*inner, strict=True)] for row in matrix]
    for i in range(rows):
        for j in range(rows):
            to = builder.add(first, builder.mul(out_step, i64(i * rows + j)))
            vectors.write(combined(matrix[j], half[i]), out, to)


def _intrinsic(matrix: Matrix) -> Any:
    def emit(typingctx, d, d_step, out, out_step, vector_step):
        signature = types.void(*[types.int64] * 5)

        def codegen(context, builder, signature, args):
            d, d_step, out, out_step, vector_step = args
            vectors, i64 = Vectors(builder), ir.IntType(64)
            d, out = vectors.pointer(d), vectors.pointer(out)
            for v in range(COLUMNS // LANES):

                def place(k: int, v: int = v) -> tuple[ir.Value, ir.Value]:
                    return d, builder.add(builder.mul(d_step, i64(k)), i64(v * LANES))

                _transform(vectors, matrix, place, out, builder.mul(vector_step, i64(v)), out_step)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(emit)


# of_pixels(d, d_step, out, out_step, vector_step) and so on: element (i, j) of the p x p results, vector v of them, is
# LANES numbers at `out + (i p + j) out_step + v vector_step`. d and out are addresses (array.ctypes.data), steps count
# float32s. of_pixels: 6 x 6 to 6 x 6 points, of_filters: 3 x 3 to 6 x 6, to_outputs: 6 x 6 to 4 x 4; and, for the
# gradient of filters, of_outputs: 4 x 4 to 6 x 6, to_filters: 6 x 6 to 3 x 3.
of_pixels, of_filters, to_outputs = _intrinsic(B_T), _intrinsic(G), _intrinsic(A_T)
of_outputs, to_filters = _intrinsic(_transposed(A_T)), _intrinsic(_transposed(G))


def _emit_of_layout(typingctx, laid_out, offsets, starts, out, out_step):
    """Emit the transform (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        laid_out, offsets, starts, out, out_step = args
        vectors, i64 = Vectors(builder), ir.IntType(64)
        laid_out, out = vectors.pointer(laid_out), vectors.pointer(out)
        offsets, starts = (builder.inttoptr(x, i64.as_pointer()) for x in (offsets, starts))
        distances = [builder.load(builder.gep(offsets, [i64(k)])) for k in range(len(B_T) ** 2)]
        for v in range(COLUMNS // LANES):
            begin = builder.gep(laid_out, [builder.load(builder.gep(starts, [i64(v)]))])
            _transform(
                vectors, B_T, lambda k, begin=begin: (begin, distances[k]), out, i64(v * LANES), out_step
            )
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


# of_layout(laid_out, offsets, starts, out, out_step): of_pixels of squares whose elements lie `offsets` (int64, 36)
# behind their places; vector v has the LANES places from starts[v] (int64) on. All but the step are addresses.
of_layout: Any = intrinsic(_emit_of_layout)
