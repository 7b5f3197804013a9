"""Maxima over windows of planes. See pool_windows.py for window."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pool_windows import rows_at_once, window_range
from caffe_compat.layers.kernels.shared import share_of, shared

# Caffe starts its maxima here, in double precision too: what is not greater (NaN, -inf) is never a maximum
LOWEST = -np.finfo(np.float32).max


@piece()
def _raise_to(pixels, out):
    for x in range(len(out)):
        out[x] = pixels[x] if pixels[x] > out[x] else out[x]


@piece()
def _raise_to_every(pixels, stride, out):
    if stride == 2:  # a number that the compiler knows vectorises
        for x in range(len(out)):
            out[x] = pixels[2 * x] if pixels[2 * x] > out[x] else out[x]
    else:
        for x in range(len(out)):
            out[x] = pixels[stride * x] if pixels[stride * x] > out[x] else out[x]


@piece()
def _max_of_rows(plane, window, line, top):
    """top (H' x W') = the maxima: first down the columns into the line, then across, a row at a time."""
    height, width = plane.shape
    kernel, stride, pad = window[1]
    for y in range(top.shape[0]):
        line[:] = LOWEST
        low, high = window_range(window, 0, y, height)
        for h in range(low, high):
            _raise_to(plane[h], line)
        row = top[y]
        row[:] = LOWEST
        for w in range(kernel):
            low = min((max(pad - w, 0) + stride - 1) // stride, len(row))  # the first window with pixel w
            high = max(min((width - 1 + pad - w) // stride + 1, len(row)), low)
            _raise_to_every(line[low * stride + w - pad :], stride, row[low:high])


@piece()
def _max_at_once(plane, window, padded, across, top):
    """The same for stride 1: rows lie one behind the other, with their padding, so that one loop does all of them.

    padded and across: at least (H' + kernel - 1) x (W' + kernel - 1) numbers.
    """
    height, width = plane.shape
    kernel_h, kernel_w, (pad_h, pad_w) = window[0, 0], window[1, 0], window[:, 2]
    wide = top.shape[1] + kernel_w - 1
    size = (top.shape[0] + kernel_h - 1) * wide
    padded, across = padded[:size], across[:size]
    padded[:] = LOWEST
    rows = padded.reshape(-1, wide)
    for y in range(min(height, len(rows) - pad_h)):
        line = rows[y + pad_h]
        for x in range(min(width, wide - pad_w)):
            line[x + pad_w] = plane[y, x]
    across[:] = LOWEST
    for w in range(kernel_w):
        _raise_to(padded[w:], across[: len(padded) - w])
    down = padded[: top.shape[0] * wide]
    down[:] = LOWEST
    for h in range(kernel_h):
        _raise_to(across[h * wide :], down)
    for y in range(top.shape[0]):
        for x in range(top.shape[1]):
            top[y, x] = down[y * wide + x]


@piece()
def max_of_plane(plane, window, top):
    """The maxima of few large windows: each window by itself."""
    height, width = plane.shape
    for y in range(top.shape[0]):
        for x in range(top.shape[1]):
            above, below = window_range(window, 0, y, height)
            left, right = window_range(window, 1, x, width)
            best = plane.dtype.type(LOWEST)
            for h in range(above, below):
                for w in range(left, right):
                    best = plane[h, w] if plane[h, w] > best else best
            top[y, x] = best


@shared()
def max_forward(bottom, window, work, top, part, parts):
    """top = the maxima. bottom: planes x H x W; top: planes x H' x W'.

    work: scratch, threads x 2 x at least (H' + kernel - 1) (W' + kernel - 1) for stride 1, else W. A thread has planes
    that lie together, as threads that write to the same lines of a cache wait for each other.
    """
    threads, planes = len(work), len(bottom)
    for thread in range(*share_of(threads, part, parts)):
        for p in range(*share_of(planes, thread, threads)):
            if window[0, 1] == 1 and window[1, 1] == 1 and window[1, 0] <= top.shape[2]:
                _max_at_once(bottom[p], window, work[thread, 0], work[thread, 1], top[p])
            else:
                _max_of_rows(bottom[p], window, work[thread, 0, : bottom.shape[2]], top[p])


@piece()
def _raise_down(pixels, first, best, places):
    for x in range(len(pixels)):
        greater = pixels[x] > best[x]
        best[x] = pixels[x] if greater else best[x]
        places[x] = first + np.int32(x) if greater else places[x]


@piece()
def _raise_across(values, positions, best, places):
    for x in range(len(best)):
        earlier = (values[x] > best[x]) | ((values[x] == best[x]) & (positions[x] < places[x]))
        best[x] = values[x] if earlier else best[x]
        places[x] = positions[x] if earlier else places[x]


@piece()
def _raise_first(values, positions):
    """The same for one window, which ends in its first number."""
    best, place = values[0], positions[0]
    for x in range(1, len(values)):
        if values[x] > best or (values[x] == best and positions[x] < place):
            best, place = values[x], positions[x]
    values[0], positions[0] = best, place


@piece()
def _first_maxima(plane, window, first, windows, best, places):
    """places[0] (as `rows_at_once` says) = where in the flat plane the first maximum of each window lies.

    Of the rows of windows from `first` on, and of each window that begins at a pixel, or in the padding before. Where
    none is: not less than H W. First down the columns, then across, with the rows one behind the other, or where there
    are fewer `windows` in a row than one has columns, each of these by itself. best (like places): scratch.
    """
    height, width = plane.shape
    kernel, stride, pad = window[1]
    best[0] = LOWEST
    places[0] = height * width
    for i in range(places.shape[1]):
        low, high = window_range(window, 0, first + i, height)
        line, found = best[0, i, pad : pad + width], places[0, i, pad : pad + width]
        for h in range(low, high):
            _raise_down(plane[h], np.int32(h * width), line, found)
    if kernel > windows:
        for i in range(places.shape[1]):
            for at in range(0, stride * windows, stride):
                _raise_first(best[0, i, at : at + kernel], places[0, i, at : at + kernel])
        return
    values, positions = best.reshape(2, -1), places.reshape(2, -1)
    for x in range(values.shape[1]):
        values[1, x] = values[0, x]
        positions[1, x] = positions[0, x]
    for w in range(1, kernel):
        end = values.shape[1] - w
        _raise_across(values[1, w:], positions[1, w:], values[0, :end], positions[0, :end])


@shared()
def max_positions(bottom, window, mask, part, parts):
    """mask = where in the flat plane the first maximum lies, -1 where there is none."""
    planes, height, width = bottom.shape
    stride = window[1, 1]
    rows, wide = rows_at_once(window, width)
    rows = min(rows, mask.shape[1])
    best, places = np.empty((2, rows, wide), bottom.dtype), np.empty((2, rows, wide), np.int32)
    for p in range(*share_of(planes, part, parts)):
        for first in range(0, mask.shape[1], rows):
            _first_maxima(bottom[p], window, first, mask.shape[2], best, places)
            for y in range(min(rows, mask.shape[1] - first)):
                for x in range(mask.shape[2]):
                    place = places[0, y, stride * x]
                    mask[p, first + y, x] = place if place < height * width else -1


@piece()
def _to_maxima_of_pairs(upper, lower, diffs, upper_diff, lower_diff):
    """Of windows of 2 x 2, one behind the other: the first maximum gets the window's diff, the other three 0."""
    lowest, zero = upper.dtype.type(LOWEST), upper.dtype.type(0)
    for x in range(len(diffs)):
        a, b, c, d = upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]
        best = a if a > lowest else lowest
        is_b = b > best
        best = b if is_b else best
        is_c = c > best
        best = c if is_c else best
        is_d = d > best
        left = zero if is_d else diffs[x]
        lower_diff[2 * x + 1] = diffs[x] if is_d else zero
        lower_diff[2 * x] = left if is_c else zero
        left = zero if is_c else left
        upper_diff[2 * x + 1] = left if is_b else zero
        upper_diff[2 * x] = zero if is_b else left if a > lowest else zero


@shared()
def max_backward_of_pairs(bottom, top_diff, bottom_diff, part, parts):
    """The same for windows of 2 x 2 that cover the planes, each pixel once."""
    for p in range(*share_of(len(bottom), part, parts)):
        plane, diffs, diff = bottom[p], top_diff[p], bottom_diff[p]
        for y in range(len(diffs)):
            _to_maxima_of_pairs(plane[2 * y], plane[2 * y + 1], diffs[y], diff[2 * y], diff[2 * y + 1])


@shared()
def max_backward(bottom, window, top_diff, bottom_diff, part, parts):
    """bottom_diff = the sum of the diffs of the windows whose first maximum this is."""
    planes, height, width = bottom.shape
    stride = window[1, 1]
    rows, wide = rows_at_once(window, width)
    rows = min(rows, top_diff.shape[1])
    best, places = np.empty((2, rows, wide), bottom.dtype), np.empty((2, rows, wide), np.int32)
    for p in range(*share_of(planes, part, parts)):
        diff = bottom_diff[p].reshape(-1)
        diff[:] = 0
        for first in range(0, top_diff.shape[1], rows):
            _first_maxima(bottom[p], window, first, top_diff.shape[2], best, places)
            for y in range(min(rows, top_diff.shape[1] - first)):
                for x in range(top_diff.shape[2]):
                    place = places[0, y, stride * x]
                    if place < height * width:
                        diff[place] += top_diff[p, first + y, x]
