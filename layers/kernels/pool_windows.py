"""Windows over planes, of pooling: what of them is inside, and how many rows of them a loop goes through.

One plane is one channel of one image. window: int64 2 x 3, for height and width (rows): kernel, stride, pad.
"""

from __future__ import annotations

from caffe_compat.layers.kernels.pieces import piece


@piece()
def window_range(window, axis, index, size):
    """The part of a window that lies inside the plane, as the ends of a range."""
    start = index * window[axis, 1] - window[axis, 2]
    return max(start, 0), min(start + window[axis, 0], size)


_AT_ONCE = 512  # numbers of rows of windows that one loop goes through


@piece()
def rows_at_once(window, width):
    """How many rows of windows a loop goes through, and the numbers in a row: pixels, and what else windows reach."""
    kernel, stride, _ = window[1]
    wide = width + kernel + max(kernel, stride)
    return max(1, _AT_ONCE // wide), wide
