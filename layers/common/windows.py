"""Maxima and sums over windows of any number of axes, one axis at a time.

Arrays: planes x D1 x D2 ... A window along one axis is (kernel, stride, pad).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

Window = tuple[int, int, int]
LOWEST = -float(np.finfo(np.float32).max)  # Caffe's maxima start here: what is not greater is none


def overlaps(window: Window, size: int, count: int, dilation: int = 1) -> Iterator[tuple[int, slice, slice]]:
    """For each element k of the kernel: k, which windows of `count` have it inside an axis of this size, and where.

    Elements that lie outside in all windows are left out. dilation: how far apart the elements are.
    """
    kernel, stride, pad = window
    least = max(0, -((((count - 1) * stride) - pad) // dilation))
    for k in range(least, min(kernel, (size - 1 + pad) // dilation + 1)):
        at = k * dilation - pad
        first = max(0, -(at // stride))
        behind = min(count, (size - 1 - at) // stride + 1)
        if first < behind:
            start = first * stride + at
            yield k, slice(first, behind), slice(start, start + (behind - first - 1) * stride + 1, stride)


def _overlaps(window: Window, size: int, count: int, dilation: int = 1) -> Iterator[tuple[slice, slice]]:
    for _, windows, places in overlaps(window, size, count, dilation):
        yield windows, places


def _at(axis: int, part: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, part)


def maxima(
    x: np.ndarray, windows: Sequence[Window], counts: Sequence[int], dilations: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The windows' maxima, and the indices of the first ones in their flat planes.

    -1 and LOWEST where nothing is greater than that. counts: how many windows along each axis. dilations: how far
    apart the elements of a kernel are along each axis; 1 unless given.
    """
    dilations = dilations or [1] * len(windows)
    best, places = x, np.broadcast_to(np.arange(x[0].size).reshape(x.shape[1:]), x.shape)
    for axis in reversed(range(1, x.ndim)):  # the last axis first, so that the first of equal ones is found
        shape = (*best.shape[:axis], counts[axis - 1], *best.shape[axis + 1 :])
        top, found = np.full(shape, LOWEST, x.dtype), np.full(shape, -1)
        for out, inside in _overlaps(windows[axis - 1], x.shape[axis], counts[axis - 1], dilations[axis - 1]):
            out_at, in_at = _at(axis, out), _at(axis, inside)
            greater = best[in_at] > top[out_at]
            np.copyto(top[out_at], best[in_at], where=greater)
            np.copyto(found[out_at], places[in_at], where=greater)
        best, places = top, found
    return best, places


def spread_to(places: np.ndarray, diff: np.ndarray, out: np.ndarray) -> None:
    """out = at each place the sum of the diffs of the windows that name it; -1 is none."""
    flat = places.reshape(len(places), -1)
    index = flat + np.arange(len(flat))[:, None] * out[0].size
    named = flat >= 0
    sums = np.bincount(index[named], diff.reshape(flat.shape)[named], out.size)
    out[...] = sums.reshape(out.shape)


def spread_to_equal(
    x: np.ndarray, top: np.ndarray, diff: np.ndarray, windows: Sequence[Window], out: np.ndarray
) -> None:
    """out = for each element the sum of the diffs of the windows whose maximum it equals."""
    out[...] = 0
    axes = [_overlaps(*each) for each in zip(windows, x.shape[1:], top.shape[1:], strict=True)]
    for pairs in itertools.product(*map(list, axes)):
        at, inside = ((slice(None), *parts) for parts in zip(*pairs, strict=True))
        out[inside] += diff[at] * (x[inside] == top[at])


def sums(x: np.ndarray, windows: Sequence[Window], counts: Sequence[int]) -> np.ndarray:
    """The windows' sums; what lies outside counts 0."""
    for axis in range(1, x.ndim):
        total = np.zeros((*x.shape[:axis], counts[axis - 1], *x.shape[axis + 1 :]), x.dtype)
        for out, inside in _overlaps(windows[axis - 1], x.shape[axis], counts[axis - 1]):
            total[_at(axis, out)] += x[_at(axis, inside)]
        x = total
    return x


def spread(diff: np.ndarray, windows: Sequence[Window], out: np.ndarray) -> None:
    """out = for each element the sum of the diffs of the windows that it is in."""
    for axis in reversed(range(1, diff.ndim)):
        total = np.zeros((*diff.shape[:axis], out.shape[axis], *diff.shape[axis + 1 :]), diff.dtype)
        for at, inside in _overlaps(windows[axis - 1], out.shape[axis], diff.shape[axis]):
            total[_at(axis, inside)] += diff[_at(axis, at)]
        diff = total
    out[...] = diff


def elements(windows: Sequence[Window], shape: Sequence[int], counts: Sequence[int]) -> np.ndarray:
    """How many elements each window has inside the padded planes, 1 at least."""
    result = np.ones((), np.int64)
    for (kernel, stride, pad), size, count in zip(windows, shape, counts, strict=True):
        starts = np.arange(count) * stride - pad
        result = np.multiply.outer(result, np.minimum(starts + kernel, size + pad) - starts)
    return np.maximum(result, 1)
