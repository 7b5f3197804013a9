"""Windows of an image as columns of a matrix, and back, for a block of output rows.

Arrays: image C x H x W; window int64 4 x 2, the kernel, stride, pad and dilation of height and width; columns
(C * kernel_h * kernel_w) x (rows * width_out), of the rows from output row `row` on.
"""

from __future__ import annotations

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared


@piece()
def place(window, axis, first, element, size, count):
    """Where one element of the kernel falls, for the outputs from `first` on: (low, high, start).

    It lies inside the image for the outputs low to high - 1 (of `count`), and at pixel `start` for the first.
    """
    stride = window[1, axis]
    origin = first * stride - window[2, axis] + element * window[3, axis]
    low = min(max((stride - 1 - origin) // stride, 0), count)
    high = min(max((size + stride - 1 - origin) // stride, low), count)
    return low, high, origin + low * stride


@shared()
def im2col(image, window, row, width_out, columns, part, parts):
    """columns[(c, i, j), (y, x)] = pixel (i, j) of the window of output (row + y, x), 0 outside the image."""
    channels, height, width = image.shape
    kernel_h, kernel_w = window[0]
    stride_h, stride_w = window[1]
    rows = columns.shape[1] // width_out
    for k in range(*share_of(channels * kernel_h * kernel_w, part, parts)):
        c, i, j = k // (kernel_h * kernel_w), k // kernel_w % kernel_h, k % kernel_w
        above, below, top = place(window, 0, row, i, height, rows)
        low, high, left = place(window, 1, 0, j, width, width_out)
        lines, plane = columns[k], image[c]
        if above > 0 or below < rows or low > 0 or high < width_out:
            for x in range(len(lines)):
                lines[x] = 0
        for y in range(above, below):
            # each array is made at one place: made in branches, threads would count references to it
            line = lines[y * width_out + low : y * width_out + high]
            pixels = plane[top + (y - above) * stride_h, left:]
            if stride_w == 1:  # loops of their own, which vectorise
                for x in range(len(line)):
                    line[x] = pixels[x]
            elif stride_w == 2:
                for x in range(len(line)):
                    line[x] = pixels[x * 2]
            else:
                for x in range(len(line)):
                    line[x] = pixels[x * stride_w]


@shared()
def col2im(columns, window, row, width_out, image, part, parts):
    """Add every element of the columns to the pixel that `im2col` takes it from, if it lies inside."""
    channels, height, width = image.shape
    kernel_h, kernel_w = window[0]
    stride_h, stride_w = window[1]
    rows = columns.shape[1] // width_out
    for c in range(*share_of(channels, part, parts)):
        plane = image[c]
        for ij in range(kernel_h * kernel_w):
            above, below, top = place(window, 0, row, ij // kernel_w, height, rows)
            low, high, left = place(window, 1, 0, ij % kernel_w, width, width_out)
            lines = columns[c * kernel_h * kernel_w + ij]
            for y in range(above, below):
                pixels = plane[top + (y - above) * stride_h, left:]
                line = lines[y * width_out + low : y * width_out + high]
                if stride_w == 1:
                    for x in range(len(line)):
                        pixels[x] += line[x]
                else:
                    for x in range(len(line)):
                        pixels[x * stride_w] += line[x]
