"""Products of rows with rows: several of each side by side, as memory serves several streams sooner than one.

Sums are of vectors, whose lanes are added up at the end.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.vectors import Vectors

LEFT, RIGHT = 3, 4  # rows of both that are multiplied at a time, if there are so many


def _emit(typingctx, left, right, x, w, depth, y):
    """Emit the products (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        _, _, x, w, depth, y = args
        v, word = Vectors(builder), ir.IntType(64)
        x, w, y = (v.pointer(address) for address in (x, w, y))
        rows, columns = range(left.literal_value), range(right.literal_value)
        places = [[builder.mul(depth, word(k)) for k in count] for count in (rows, columns)]
        sums = [[cgutils.alloca_once_value(builder, v.zero) for _ in columns] for _ in rows]

        def add(begin: ir.Value, mask: ir.Value | None) -> None:
            values = [v.read(x, builder.add(place, begin), mask) for place in places[0]]
            for j, place in enumerate(places[1]):
                weights = v.read(w, builder.add(place, begin), mask)
                for value, of_row in zip(values, sums, strict=True):
                    builder.store(v.plus_product(builder.load(of_row[j]), value, weights), of_row[j])

        v.each(depth, add)
        for i, of_row in enumerate(sums):
            for j, total in enumerate(of_row):
                total = v.across(builder.fadd, builder.load(total))
                builder.store(total, builder.gep(y, [word(i * len(of_row) + j)]))
        return context.get_dummy_value()

    return types.void(left, right, *[types.int64] * 4), codegen


# products(left, right, x, w, depth, y): y (left x right) = x w^T, x: left x depth, w: right x depth; addresses. left
# and right are numbers that the compiler knows
products: Any = intrinsic(prefer_literal=True)(_emit)
