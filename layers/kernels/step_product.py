"""What the step of an InnerProduct computes (see engines/fast/steps/product.py).

Weights are read where they are, each row of them once for a few rows of the bottom.
"""

from __future__ import annotations

from functools import cache

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.bent import bent
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.row_products import LEFT, RIGHT, products
from caffe_compat.layers.kernels.step import SIGNATURE, step_at


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
                products(images, outputs, s.bottom + i * row, s.filters + j * row, s.depth, sums.ctypes.data)
                for k in range(images):
                    for c in range(outputs):
                        value = sums[k * outputs + c] * scale[j + c] + bias[j + c]
                        y[(i + k) * s.outputs + j + c] = bent(value, slope[j + c], s.limit)

    return Callee(SIGNATURE, of_all)


def at_once(images: int, outputs: int) -> tuple[int, int]:
    """How many rows of a bottom and of weights are multiplied at a time."""
    return min(images, LEFT), RIGHT if outputs >= RIGHT else 1
