"""Windows of an image as columns of a matrix, and back, for a block of output rows."""

from __future__ import annotations

from numba import njit, prange


@njit(cache=True, error_model="numpy")
def _inside(size, start, stride, count):
    """The i of 0..count for which start + i * stride lies in 0..size, as the ends of a range."""
    low = min(max((stride - 1 - start) // stride, 0), count)
    high = min(max((size + stride - 1 - start) // stride, low), count)
    return low, high


@njit(cache=True, error_model="numpy", parallel=True)
def im2col(image, window, row, width_out, columns):
    """columns[(c, i, j), (y, x)] = the pixel under element (i, j) of the window of output (row + y, x).

    Pixels outside the image are 0.
    image: C x H x W. window: int64, the rows kernel, stride, pad, dilation; the columns height, width.
    columns: C * kernel_h * kernel_w x rows * width_out.
    """
    channels, height, width = image.shape
    kernel_h, kernel_w = window[0]
    stride_h, stride_w = window[1]
    rows = columns.shape[1] // width_out
    for k in prange(channels * kernel_h * kernel_w):
        c, i, j = k // (kernel_h * kernel_w), k // kernel_w % kernel_h, k % kernel_w
        top = row * stride_h - window[2, 0] + i * window[3, 0]
        left = j * window[3, 1] - window[2, 1]
        low, high = _inside(width, left, stride_w, width_out)
        for y in range(rows):
            line = columns[k, y * width_out : (y + 1) * width_out]
            source = top + y * stride_h
            if source < 0 or source >= height:
                line[:] = 0
                continue
            line[:low] = 0
            line[high:] = 0
            pixels = image[c, source]
            if stride_w == 1:  # a loop of its own, which vectorises
                for x in range(low, high):
                    line[x] = pixels[left + x]
            else:
                for x in range(low, high):
                    line[x] = pixels[left + x * stride_w]


@njit(cache=True, error_model="numpy", parallel=True)
def col2im(columns, window, row, width_out, image):
    """Add every element of the columns to the pixel that `im2col` takes it from, if it lies inside."""
    channels, height, width = image.shape
    kernel_h, kernel_w = window[0]
    stride_h, stride_w = window[1]
    rows = columns.shape[1] // width_out
    for c in prange(channels):
        for ij in range(kernel_h * kernel_w):
            i, j = ij // kernel_w, ij % kernel_w
            top = row * stride_h - window[2, 0] + i * window[3, 0]
            left = j * window[3, 1] - window[2, 1]
            low, high = _inside(width, left, stride_w, width_out)
            for y in range(rows):
                source = top + y * stride_h
                if source < 0 or source >= height:
                    continue
                line = columns[c * kernel_h * kernel_w + ij, y * width_out : (y + 1) * width_out]
                pixels = image[c, source]
                if stride_w == 1:
                    for x in range(low, high):
                        pixels[left + x] += line[x]
                else:
                    for x in range(low, high):
                        pixels[left + x * stride_w] += line[x]
