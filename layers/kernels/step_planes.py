"""What the step of a convolution computes whose channels have one filter of 3 x 3 each."""

from __future__ import annotations

from functools import cache

from caffe_compat.layers.kernels.addresses import FLOAT, floats, integers
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.plane_by_columns import filter_by_columns
from caffe_compat.layers.kernels.plane_by_rows import filter_by_rows
from caffe_compat.layers.kernels.planes import SIDE
from caffe_compat.layers.kernels.shared import share_of
from caffe_compat.layers.kernels.step import SIGNATURE, step_at

LINE = 64  # bytes of a cache's line
NEAR = 2**12  # numbers of a plane (16 kB) that stay in a core's first cache


def planes(stride: int, area: int) -> Callee:
    """The function for planes of so many pixels: top = f(filters * bottom + bias), of images x groups planes.

    starts: row and column of the first pixel.
    """
    return _planes(stride, area > 2 * NEAR)


@cache
def _planes(stride: int, is_large: bool) -> Callee:
    def of_all(pointer, part, parts):
        s = step_at(pointer)
        zeros = s.scratch + FLOAT * part * s.scratch_size
        floats(zeros, s.scratch_size)[:] = 0
        zeros += LINE  # as much before a row is read as `pad` has
        bias, slope, starts = floats(s.bias, s.groups), floats(s.slope, s.groups), integers(s.starts, 2)
        area, band = s.out_height * s.out_width, NEAR // (stride * s.width) + SIDE
        for plane in range(*share_of(s.images * s.groups, part, parts)):
            c, top = plane % s.groups, s.top + FLOAT * plane * area
            source, filters = s.bottom + FLOAT * plane * s.height * s.width, s.filters + FLOAT * c * SIDE**2
            if is_large:
                filter_by_rows(
                    stride, source, zeros, s.height, s.width, starts[0], starts[1], filters, bias[c], slope[c],
                    s.limit, s.out_height, s.out_width, area, top,
                )  # fmt: skip
                continue
            for first in range(0, s.out_height, band):
                place = first * s.out_width
                filter_by_columns(
                    stride, source, zeros, s.height, s.width, starts[0] + first * stride, starts[1], filters,
                    bias[c], slope[c], s.limit, min(band, s.out_height - first), s.out_width, area - place,
                    top + FLOAT * place,
                )  # fmt: skip

    return Callee(SIGNATURE, of_all)
