"""M d M^T of many small squares d at once, M being one of Winograd's matrices: for 4 x 4 outputs of a 3 x 3 filter, and
for 2 x 2 of a 5 x 5 one, which see 6 x 6 pixels both, at the same points.

Emitted as straight vector code from the matrices. COLUMNS squares lie side by side, a number of each: those of element
(i, j) of q x q are COLUMNS float32 at `d + (i q + j) d_step`.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), section 4.3.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.micro_kernel import COLUMNS
from caffe_compat.layers.kernels.vectors import LANES, Vectors

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
SQUARE = 2  # a side of the outputs of a 5 x 5 filter
G_5: Matrix = [
    [1 / 4, 0, 0, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6, 1 / 3, 2 / 3],
    [1 / 24, -1 / 12, 1 / 6, -1 / 3, 2 / 3],
    [0, 0, 0, 0, 1],
]
A_T_5: Matrix = [
    [1, 1, 1, 1, 1, 0],
    [0, 1, -1, 2, -2, 1],
]


def _transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _transform(vectors: Vectors, matrix: Matrix, place, to) -> None:
    """Emit the transform of LANES squares: element k is read at place(k), and one of the result written at to(k)."""
    rows, columns = len(matrix), len(matrix[0])

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
            vectors.write(combined(matrix[j], half[i]), *to(i * rows + j))


def _in_steps(vectors: Vectors, base, step, first):
    """Places of elements that lie `step` apart, the first one `first` behind the base."""
    i64 = ir.IntType(64)
    return lambda k: (base, vectors.builder.add(first, vectors.builder.mul(step, i64(k))))


def _intrinsic(matrix: Matrix) -> Any:
    def emit(typingctx, d, d_step, out, out_step, vector_step):
        signature = types.void(*[types.int64] * 5)

        def codegen(context, builder, signature, args):
            d, d_step, out, out_step, vector_step = args
            vectors, i64 = Vectors(builder), ir.IntType(64)
            d, out = vectors.pointer(d), vectors.pointer(out)
            with cgutils.for_range(builder, i64(COLUMNS // LANES)) as each:
                place = _in_steps(vectors, d, d_step, builder.mul(each.index, i64(LANES)))
                to = _in_steps(vectors, out, out_step, builder.mul(each.index, vector_step))
                _transform(vectors, matrix, place, to)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(emit)


# of_pixels(d, d_step, out, out_step, vector_step) and so on: element (i, j) of the p x p results, vector v of them, is
# LANES numbers at `out + (i p + j) out_step + v vector_step`. d and out are addresses (array.ctypes.data), steps count
# float32s. of_pixels: 6 x 6 to 6 x 6 points, of_filters: 3 x 3 to 6 x 6, to_outputs: 6 x 6 to 4 x 4; and, for the
# gradient of filters, of_outputs: 4 x 4 to 6 x 6, to_filters: 6 x 6 to 3 x 3; of 5 x 5 filters what ends in _5.
of_pixels, of_filters, to_outputs = _intrinsic(B_T), _intrinsic(G), _intrinsic(A_T)
of_outputs, to_filters = _intrinsic(_transposed(A_T)), _intrinsic(_transposed(G))
of_filters_5, to_filters_5 = _intrinsic(G_5), _intrinsic(_transposed(G_5))


def _emit_of_layout(typingctx, laid_out, offsets, count, out, out_step):
    """Emit the transform (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        laid_out, offsets, count, out, out_step = args
        vectors, i64 = Vectors(builder), ir.IntType(64)
        laid_out, out = vectors.pointer(laid_out), vectors.pointer(out)
        offsets = builder.inttoptr(offsets, i64.as_pointer())
        distances = [builder.load(builder.gep(offsets, [i64(k)])) for k in range(len(B_T) ** 2)]
        with cgutils.for_range(builder, count) as each:
            first = builder.mul(each.index, i64(LANES))
            begin = builder.gep(laid_out, [first])
            to = _in_steps(vectors, out, out_step, first)
            _transform(vectors, B_T, lambda k: (begin, distances[k]), to)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


# of_layout(laid_out, offsets, count, out, out_step): of_pixels of `count` vectors of squares, one behind the other,
# whose elements lie `offsets` (int64, 36) behind their places. laid_out, offsets and out are addresses.
of_layout: Any = intrinsic(_emit_of_layout)


def _with_square(matrix: Matrix, is_read: bool) -> Any:
    def emit(typingctx, points, step, square, row, column):
        """Emit the transform (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            points, step, square, row, column = args
            vectors, i64 = Vectors(builder), ir.IntType(64)
            points, square = vectors.pointer(points), vectors.pointer(square)

            def in_square(first: ir.Value) -> Any:
                def place(k: int) -> tuple[ir.Value, ir.Value]:
                    down, right = builder.mul(row, i64(k // SQUARE)), builder.mul(column, i64(k % SQUARE))
                    return square, builder.add(builder.add(down, right), first)

                return place

            with cgutils.for_range(builder, i64(COLUMNS // LANES)) as each:
                first = builder.mul(each.index, i64(LANES))
                places = in_square(first), _in_steps(vectors, points, step, first)
                _transform(vectors, matrix, *(places if is_read else places[::-1]))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), codegen

    return intrinsic(emit)


# to_square(points, step, square, row, column): 6 x 6 points, `step` apart, to the 2 x 2 outputs of 5 x 5 filters, whose
# element (i, j) is at square + i row + j column; of_square: back, for the gradient of filters. COLUMNS numbers each.
to_square, of_square = _with_square(A_T_5, False), _with_square(_transposed(A_T_5), True)
