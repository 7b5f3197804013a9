"""What the step of an InnerProduct computes (see engines/fast/steps/product.py).

Weights are read where they are, each row of them once for a few rows of the bottom, and several rows side by side, as
memory serves several streams sooner than one. Sums are of vectors, whose lanes are added up at the end.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bent import bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.micro_kernel import LANES, Vectors
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

IMAGES, OUTPUTS = (
    3,
    4,
)  # rows of the bottom and of the weights that are multiplied at a time, if there are so many


def _emit(typingctx, images, outputs, x, w, depth, y):
    """Emit the products (numba hands over types here, and LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        _, _, x, w, depth, y = args
        v, word = Vectors(builder), ir.IntType(64)
        x, w, y = (v.pointer(address) for address in (x, w, y))
        rows, columns = range(images.literal_value), range(outputs.literal_value)
        places = [[builder.mul(depth, word(k)) for k in count] for count in (rows, columns)]
        sums = [[cgutils.alloca_once_value(builder, v.zero) for _ in columns] for _ in rows]

        def add(begin: ir.Value, mask: ir.Value | None) -> None:
            def read(base: ir.Value, place: ir.Value) -> ir.Value:
                at = builder.add(place, begin)
                return v.read(base, at) if mask is None else v.read_some(base, at, mask, v.zero)

            values = [read(x, place) for place in places[0]]
            for j, place in enumerate(places[1]):
                weights = read(w, place)
                for value, of_row in zip(values, sums, strict=True):
                    builder.store(v.plus_product(builder.load(of_row[j]), value, weights), of_row[j])

        whole = builder.mul(builder.sdiv(depth, word(LANES)), word(LANES))
        with cgutils.for_range(builder, builder.sdiv(depth, word(LANES))) as loop:
            add(builder.mul(loop.index, word(LANES)), None)
        with builder.if_then(builder.icmp_signed("<", whole, depth)):
            add(whole, v.inside(whole, depth))
        for i, of_row in enumerate(sums):
            for j, total in enumerate(of_row):
                total = v.across(builder.fadd, builder.load(total))
                builder.store(total, builder.gep(y, [word(i * len(of_row) + j)]))
        return context.get_dummy_value()

    return types.void(images, outputs, *[types.int64] * 4), codegen


# products(images, outputs, x, w, depth, y): y (images x outputs) = x w^T, x: images x depth, w: outputs x depth;
# addresses. images and outputs are numbers that the compiler knows
_products: Any = intrinsic(prefer_literal=True)(_emit)


@cache
def product(images: int, outputs: int) -> Callee:
    """The function for a bottom of so many rows, at least, and as many outputs: those of `at_once`.

    top (images x outputs) = f(bottom (images x depth) filters^T (outputs x depth) * scale + bias). Where rows are left
    over, some are computed twice.
    """

    def of_all(pointer, part, parts):
        s = step_at(pointer)
        y, row = floats(s.top, s.images * s.outputs), FLOAT * s.depth
        scale, bias, slope = floats(s.scale, s.outputs), floats(s.bias, s.outputs), floats(s.slope, s.outputs)
        room = s.scratch + FLOAT * part * s.scratch_size  # another thread may write the same outputs
        sums = floats(room, images * outputs)
        blocks = -(-s.outputs // outputs)
        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            j = min(block * outputs, s.outputs - outputs)
            for n in range(0, s.images, images):
                i = min(n, s.images - images)
                _products(images, outputs, s.bottom + i * row, s.filters + j * row, s.depth, sums.ctypes.data)
                for k in range(images):
                    for c in range(outputs):
                        value = sums[k * outputs + c] * scale[j + c] + bias[j + c]
                        y[(i + k) * s.outputs + j + c] = bent(value, slope[j + c], s.limit)

    return Callee(SIGNATURE, of_all)


def at_once(images: int, outputs: int) -> tuple[int, int]:
    """How many rows of a bottom and of weights are multiplied at a time."""
    return min(images, IMAGES), OUTPUTS if outputs >= OUTPUTS else 1
