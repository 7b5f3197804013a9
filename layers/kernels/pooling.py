"""Maxima, averages and draws over windows of planes. One plane is one channel of one image.

window: int64 2 x 3, for height and width (rows): kernel, stride, pad.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

# Caffe starts its maxima here, in double precision too: what is not greater (NaN, -inf) is never a maximum
LOWEST = -np.finfo(np.float32).max


@njit(cache=True, error_model="numpy")
def _range(window, axis, index, size):
    """The part of a window that lies inside the plane, as the ends of a range."""
    start = index * window[axis, 1] - window[axis, 2]
    return max(start, 0), min(start + window[axis, 0], size)


@njit(cache=True, error_model="numpy")
def _raise_to(pixels, out):
    for x in range(len(out)):
        out[x] = pixels[x] if pixels[x] > out[x] else out[x]


@njit(cache=True, error_model="numpy")
def _raise_to_every(pixels, stride, out):
    if stride == 2:  # a number that the compiler knows vectorises
        for x in range(len(out)):
            out[x] = pixels[2 * x] if pixels[2 * x] > out[x] else out[x]
    else:
        for x in range(len(out)):
            out[x] = pixels[stride * x] if pixels[stride * x] > out[x] else out[x]


@njit(cache=True, error_model="numpy")
def _max_of_rows(plane, window, line, top):
    """top (H' x W') = the maxima: first down the columns into the line, then across, a row at a time."""
    height, width = plane.shape
    kernel, stride, pad = window[1]
    for y in range(top.shape[0]):
        line[:] = LOWEST
        low, high = _range(window, 0, y, height)
        for h in range(low, high):
            _raise_to(plane[h], line)
        row = top[y]
        row[:] = LOWEST
        for w in range(kernel):
            low = min((max(pad - w, 0) + stride - 1) // stride, len(row))  # the first window with pixel w
            high = max(min((width - 1 + pad - w) // stride + 1, len(row)), low)
            _raise_to_every(line[low * stride + w - pad :], stride, row[low:high])


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def max_of_plane(plane, window, top):
    """The maxima of few large windows: each window by itself."""
    height, width = plane.shape
    for y in range(top.shape[0]):
        for x in range(top.shape[1]):
            above, below = _range(window, 0, y, height)
            left, right = _range(window, 1, x, width)
            best = plane.dtype.type(LOWEST)
            for h in range(above, below):
                for w in range(left, right):
                    best = plane[h, w] if plane[h, w] > best else best
            top[y, x] = best


@njit(cache=True, error_model="numpy", parallel=True)
def max_forward(bottom, window, work, top):
    """top = the maxima. bottom: planes x H x W; top: planes x H' x W'.

    work: scratch, threads x 2 x at least (H' + kernel - 1) (W' + kernel - 1) for stride 1, else W. A thread has planes
    that lie together, as threads that write to the same lines of a cache wait for each other.
    """
    threads, planes = len(work), len(bottom)
    for thread in prange(threads):
        for p in range(planes * thread // threads, planes * (thread + 1) // threads):
            if window[0, 1] == 1 and window[1, 1] == 1:
                _max_at_once(bottom[p], window, work[thread, 0], work[thread, 1], top[p])
            else:
                _max_of_rows(bottom[p], window, work[thread, 0, : bottom.shape[2]], top[p])


@njit(cache=True, error_model="numpy")
def _raise_down(pixels, first, best, places):
    for x in range(len(pixels)):
        greater = pixels[x] > best[x]
        best[x] = pixels[x] if greater else best[x]
        places[x] = first + np.int32(x) if greater else places[x]


@njit(cache=True, error_model="numpy")
def _raise_across(values, positions, best, places):
    for x in range(len(best)):
        earlier = (values[x] > best[x]) | ((values[x] == best[x]) & (positions[x] < places[x]))
        best[x] = values[x] if earlier else best[x]
        places[x] = positions[x] if earlier else places[x]


_AT_ONCE = 512  # numbers of rows of windows that one loop goes through


@njit(cache=True, error_model="numpy")
def _rows_at_once(window, width):
    """How many rows of windows a loop goes through, and the numbers in a row: pixels, and what else windows reach."""
    kernel, stride, _ = window[1]
    wide = width + kernel + max(kernel, stride)
    return max(1, _AT_ONCE // wide), wide


@njit(cache=True, error_model="numpy")
def _first_maxima(plane, window, first, best, places):
    """places[0] (as `_rows_at_once` says) = where in the flat plane the first maximum of each window lies.

    Of the rows of windows from `first` on, and of each window that begins at a pixel, or in the padding before. Where
    none is: not less than H W. First down the columns, then across, with the rows one behind the other. best (like
    places): scratch.
    """
    height, width = plane.shape
    kernel, pad = window[1, 0], window[1, 2]
    best[0] = LOWEST
    places[0] = height * width
    for i in range(places.shape[1]):
        low, high = _range(window, 0, first + i, height)
        line, found = best[0, i, pad : pad + width], places[0, i, pad : pad + width]
        for h in range(low, high):
            _raise_down(plane[h], np.int32(h * width), line, found)
    values, positions = best.reshape(2, -1), places.reshape(2, -1)
    values[1] = values[0]
    positions[1] = positions[0]
    for w in range(1, kernel):
        end = values.shape[1] - w
        _raise_across(values[1, w:], positions[1, w:], values[0, :end], positions[0, :end])


@njit(cache=True, error_model="numpy", parallel=True)
def max_positions(bottom, window, threads, mask):
    """mask = where in the flat plane the first maximum lies, -1 where there is none."""
    planes, height, width = bottom.shape
    stride = window[1, 1]
    rows, wide = _rows_at_once(window, width)
    rows = min(rows, mask.shape[1])
    for thread in prange(threads):
        best, places = np.empty((2, rows, wide), bottom.dtype), np.empty((2, rows, wide), np.int32)
        for p in range(planes * thread // threads, planes * (thread + 1) // threads):
            for first in range(0, mask.shape[1], rows):
                _first_maxima(bottom[p], window, first, best, places)
                for y in range(min(rows, mask.shape[1] - first)):
                    for x in range(mask.shape[2]):
                        place = places[0, y, stride * x]
                        mask[p, first + y, x] = place if place < height * width else -1


@njit(cache=True, error_model="numpy", parallel=True)
def max_backward(bottom, window, top_diff, threads, bottom_diff):
    """bottom_diff = the sum of the diffs of the windows whose first maximum this is."""
    planes, height, width = bottom.shape
    stride = window[1, 1]
    rows, wide = _rows_at_once(window, width)
    rows = min(rows, top_diff.shape[1])
    for thread in prange(threads):
        best, places = np.empty((2, rows, wide), bottom.dtype), np.empty((2, rows, wide), np.int32)
        for p in range(planes * thread // threads, planes * (thread + 1) // threads):
            diff = bottom_diff[p].reshape(-1)
            diff[:] = 0
            for first in range(0, top_diff.shape[1], rows):
                _first_maxima(bottom[p], window, first, best, places)
                for y in range(min(rows, top_diff.shape[1] - first)):
                    for x in range(top_diff.shape[2]):
                        place = places[0, y, stride * x]
                        if place < height * width:
                            diff[place] += top_diff[p, first + y, x]


@njit(cache=True, error_model="numpy")
def _elements(window, y, x, height, width):
    """What an average divides by: the window's elements, padding included, but not what lies beyond it."""
    count = 1
    for axis, index, size in ((0, y, height), (1, x, width)):
        start = index * window[axis, 1] - window[axis, 2]
        count *= min(start + window[axis, 0], size + window[axis, 2]) - start
    return count


@njit(cache=True, error_model="numpy")
def count_elements(window, height, width, counts):
    """counts (H' x W') = what the average of each window divides by."""
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            counts[y, x] = _elements(window, y, x, height, width)


@njit(cache=True, error_model="numpy")
def average_of_plane(plane, window, top):
    """What `average_forward` does, of one plane."""
    height, width = plane.shape
    for y in range(top.shape[0]):
        for x in range(top.shape[1]):
            above, below = _range(window, 0, y, height)
            left, right = _range(window, 1, x, width)
            total = np.float32(0)
            for h in range(above, below):
                for w in range(left, right):
                    total += plane[h, w]
            top[y, x] = total / top.dtype.type(_elements(window, y, x, height, width))


@njit(cache=True, error_model="numpy", parallel=True)
def average_forward(bottom, window, top):
    """top = the averages, in which padding counts as zeros."""
    for p in prange(len(bottom)):
        average_of_plane(bottom[p], window, top[p])


@njit(cache=True, error_model="numpy")
def _add(values, total):
    for x in range(len(total)):
        total[x] += values[x]


@njit(cache=True, error_model="numpy", parallel=True)
def average_backward(top_diff, window, bottom_diff):
    """bottom_diff = the sum of the windows' diffs, each divided by its window's elements.

    First across, with the rows of windows one behind the other, then down the columns.
    """
    planes, height, width = bottom_diff.shape
    kernel, stride, pad = window[1]
    rows, wide = _rows_at_once(window, width)
    for p in prange(planes):
        bottom_diff[p] = 0
        shares, spread = np.empty((rows, wide), top_diff.dtype), np.empty((rows, wide), top_diff.dtype)
        for first in range(0, top_diff.shape[1], rows):
            some = min(rows, top_diff.shape[1] - first)
            shares[:some] = 0
            for y in range(some):
                for x in range(top_diff.shape[2]):
                    count = top_diff.dtype.type(_elements(window, first + y, x, height, width))
                    shares[y, stride * x] = top_diff[p, first + y, x] / count
            values, total = shares[:some].reshape(-1), spread[:some].reshape(-1)
            total[:] = values
            for w in range(1, kernel):
                _add(values, total[w:])
            for y in range(some):
                above, below = _range(window, 0, first + y, height)
                for h in range(above, below):
                    _add(spread[y, pad : pad + width], bottom_diff[p, h])


@njit(cache=True, error_model="numpy")
def _sum(plane, window, y, x):
    above, below = _range(window, 0, y, plane.shape[0])
    left, right = _range(window, 1, x, plane.shape[1])
    total = np.float32(0)
    for h in range(above, below):
        for w in range(left, right):
            total += plane[h, w]
    return total


@njit(cache=True, error_model="numpy")
def _drawn(plane, window, y, x, draw):
    """The index in the flat plane of the element where a window's running sum reaches `draw` of the whole.

    -1 where it never does, as it may among negative numbers.
    """
    height, width = plane.shape
    top, bottom = _range(window, 0, y, height)
    left, right = _range(window, 1, x, width)
    threshold, total = draw * _sum(plane, window, y, x), np.float32(0)
    for h in range(top, bottom):
        for w in range(left, right):
            total += plane[h, w]
            if total >= threshold:
                return h * width + w
    return -1


@njit(cache=True, error_model="numpy", parallel=True)
def drawn_forward(bottom, window, draws, positions, top):
    """top = one element of each window, chosen by a number from 0 to 1; positions = where in the flat plane.

    Where none is chosen: 0 and -1.
    """
    for p in prange(len(bottom)):
        plane = bottom[p].reshape(-1)
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                index = _drawn(bottom[p], window, y, x, draws[p, y, x])
                positions[p, y, x] = index
                top[p, y, x] = plane[index] if index >= 0 else np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def drawn_backward(positions, top_diff, bottom_diff):
    """bottom_diff = the sum of the diffs of the windows that chose this element."""
    for p in prange(len(bottom_diff)):
        diff = bottom_diff[p].reshape(-1)
        diff[:] = 0
        for y in range(top_diff.shape[1]):
            for x in range(top_diff.shape[2]):
                if positions[p, y, x] >= 0:
                    diff[positions[p, y, x]] += top_diff[p, y, x]


@njit(cache=True, error_model="numpy", parallel=True)
def weighted_forward(bottom, window, top):
    """top = the mean of each window with the elements themselves as weights, 0 where their sum is not positive."""
    planes, height, width = bottom.shape
    for p in prange(planes):
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                above, below = _range(window, 0, y, height)
                left, right = _range(window, 1, x, width)
                squares = np.float32(0)
                for h in range(above, below):
                    for w in range(left, right):
                        squares += bottom[p, h, w] * bottom[p, h, w]
                total = _sum(bottom[p], window, y, x)
                top[p, y, x] = squares / total if total > np.float32(0) else np.float32(0)


@njit(cache=True, error_model="numpy", parallel=True)
def weighted_backward(bottom, window, top, top_diff, bottom_diff):
    """bottom_diff = the sum of the windows' diffs times (2 element - mean) / sum."""
    planes, height, width = bottom.shape
    for p in prange(planes):
        bottom_diff[p] = 0
        for y in range(top.shape[1]):
            for x in range(top.shape[2]):
                above, below = _range(window, 0, y, height)
                left, right = _range(window, 1, x, width)
                total = _sum(bottom[p], window, y, x)
                if total > np.float32(0):
                    share = top_diff[p, y, x] / total
                    for h in range(above, below):
                        for w in range(left, right):
                            bottom_diff[p, h, w] += share * (np.float32(2) * bottom[p, h, w] - top[p, y, x])
