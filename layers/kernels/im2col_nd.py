"""Windows of an image of any number of spatial axes as columns of a matrix, and back, for a block of output rows.

Arrays: image C x pixels; sizes int64, the image's spatial axes; window int64 4 x axes, the kernel, stride, pad and
dilation of each; outs int64, the block's outputs along each axis, along the first from output `row` on; columns
(C * the kernel's elements) x the block's outputs. A line is what runs along the last axis.
"""

from __future__ import annotations

from caffe_compat.layers.kernels.im2col import place
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def _line(line, element, sizes, window, row, outs):
    """The first pixel of the image's line that a line of outputs sees for an element; -1: it lies outside."""
    last = len(sizes) - 1
    element //= window[0, last]
    pixel, step = 0, sizes[last]
    for axis in range(last - 1, -1, -1):
        out = line % outs[axis] + (row if axis == 0 else 0)
        at = out * window[1, axis] - window[2, axis] + element % window[0, axis] * window[3, axis]
        if at < 0 or at >= sizes[axis]:
            return -1
        pixel += at * step
        step *= sizes[axis]
        line //= outs[axis]
        element //= window[0, axis]
    return pixel


@piece()
def _along(element, sizes, window, row, outs):
    """`place` along the last axis."""
    last = len(sizes) - 1
    first = row if last == 0 else 0
    return place(window, last, first, element % window[0, last], sizes[last], outs[last])


@shared()
def im2col_nd(image, sizes, window, row, outs, columns, part, parts):
    """columns[(c, element), output] = the element's pixel in the output's window, 0 outside the image."""
    width = outs[-1]
    elements = columns.shape[0] // image.shape[0]
    stride = window[1, -1]
    for k in range(*share_of(columns.shape[0], part, parts)):
        c, element = k // elements, k % elements
        low, high, left = _along(element, sizes, window, row, outs)
        lines = columns[k].reshape(-1, width)
        lines[:] = 0
        for y in range(len(lines)):
            pixel = _line(y, element, sizes, window, row, outs)
            if pixel >= 0:
                pixel += left
                for x in range(low, high):
                    lines[y, x] = image[c, pixel]
                    pixel += stride


@shared()
def col2im_nd(columns, sizes, window, row, outs, image, part, parts):
    """Add every element of the columns to the pixel that `im2col_nd` takes it from, if it lies inside."""
    width = outs[-1]
    elements = columns.shape[0] // image.shape[0]
    stride = window[1, -1]
    for c in range(*share_of(image.shape[0], part, parts)):
        for element in range(elements):
            low, high, left = _along(element, sizes, window, row, outs)
            lines = columns[c * elements + element].reshape(-1, width)
            for y in range(len(lines)):
                pixel = _line(y, element, sizes, window, row, outs)
                if pixel >= 0:
                    pixel += left
                    for x in range(low, high):
                        image[c, pixel] += lines[y, x]
                        pixel += stride
