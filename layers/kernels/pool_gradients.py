"""Gradients of pooling with small windows: each pixel asks the windows that it lies in.

The pixels of a phase (every stride-th row and column) that are one tap of their windows find these at one distance, in
rows of windows that lie one behind the other, with room for what hangs over; so do those of all planes of a chunk. So
nothing is scattered, and all is vectors. A pixel's windows are added in their order, as Caffe adds them. See
pool_windows.py for window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import FLOAT, floats
from caffe_compat.layers.kernels.lay_out import by_vectors, read_pixels
from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.pool_averages import count_elements
from caffe_compat.layers.kernels.pool_maxima import LOWEST
from caffe_compat.layers.kernels.shared import share_of, shared
from caffe_compat.layers.kernels.vectors import LANES, Vectors

AT_ONCE = 512  # places of windows in a chunk


def _emit_find(stride: int) -> Any:
    def emit(typingctx, plane, height, width, row, column, kernel_h, kernel_w, windows, found):
        """Emit the loop over vectors of windows (numba hands over types here, LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            plane, height, width, row, column, kernel_h, kernel_w, windows, found = args
            v, word, real = Vectors(builder), ir.IntType(64), ir.FloatType()
            plane, found, lowest = v.pointer(plane), v.pointer(found), v.spread(real(float(LOWEST)))
            best, which = cgutils.alloca_once(builder, v.kind), cgutils.alloca_once(builder, v.kind)
            chunks = builder.sdiv(builder.add(windows, word(LANES - 1)), word(LANES))
            with cgutils.for_range(builder, chunks) as chunk:
                begin = builder.mul(chunk.index, word(LANES))
                left = builder.add(column, builder.mul(begin, word(stride)))
                builder.store(lowest, best)
                builder.store(v.spread(real(-1.0)), which)
                with cgutils.for_range(builder, kernel_h) as i:
                    at, first = builder.add(row, i.index), builder.mul(i.index, kernel_w)
                    with builder.if_then(builder.icmp_unsigned("<", at, height)):
                        pixels = builder.gep(plane, [builder.mul(at, width)])
                        with cgutils.for_range(builder, kernel_w) as j:
                            x = read_pixels(v, pixels, builder.add(left, j.index), width, stride, lowest)
                            number = v.spread(builder.sitofp(builder.add(first, j.index), real))
                            greater = builder.fcmp_ordered(">", x, builder.load(best))
                            builder.store(builder.select(greater, x, builder.load(best)), best)
                            builder.store(builder.select(greater, number, builder.load(which)), which)
                v.write(builder.load(which), found, begin)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), codegen

    return intrinsic(emit)


# find(plane, height, width, row, column, kernel_h, kernel_w, windows, found): found = the number of the first tap that
# is the greatest of each window, as float32, -1 where there is none; of a row of windows, the first of which begins at
# (row, column) of the plane, the others one or two columns apart. plane, found: addresses
_find_by_one, _find_by_two = _emit_find(1), _emit_find(2)


def _emit_ask(maxima: bool) -> Any:
    def emit(typingctx, diffs, found, vectors, shifts, numbers, taps, out):
        """Emit the loop over vectors of pixels (numba hands over types here, LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            diffs, found, vectors, shifts, numbers, taps, out = args
            v, word = Vectors(builder), ir.IntType(64)
            diffs, found, out, numbers = (v.pointer(x) for x in (diffs, found, out, numbers))
            shifts = builder.inttoptr(shifts, word.as_pointer())
            total = cgutils.alloca_once(builder, v.kind)
            with cgutils.for_range(builder, vectors) as loop:
                begin = builder.mul(loop.index, word(LANES))
                builder.store(v.zero, total)
                with cgutils.for_range(builder, taps) as tap:
                    place = builder.sub(begin, builder.load(builder.gep(shifts, [tap.index])))
                    value = v.read(diffs, place)
                    if maxima:
                        number = v.spread(builder.load(builder.gep(numbers, [tap.index])))
                        hit = builder.fcmp_ordered("==", v.read(found, place), number)
                        value = builder.select(hit, value, v.zero)
                    builder.store(builder.fadd(builder.load(total), value), total)
                v.write(builder.load(total), out, begin)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), codegen

    return intrinsic(emit)


# ask(diffs, found, vectors, shifts, numbers, taps, out): out = the sum, over taps, of the diffs of the windows that
# have a pixel as this tap: those `shifts` before the pixel; of maxima only those that found this tap's number there
_ask_maxima, _ask_all = _emit_ask(True), _emit_ask(False)


def _emit_join(typingctx, even, odd, first, width, out):
    """Emit the loop over vectors of a row (numba hands over types here, LLVM values to `codegen`)."""

    def codegen(context, builder, signature, args):
        even, odd, first, width, out = args
        v, word, i32 = Vectors(builder), ir.IntType(64), ir.IntType(32)
        even, odd, out = (v.pointer(x) for x in (even, odd, out))
        count = builder.sdiv(builder.add(builder.sub(width, first), word(2 * LANES - 1)), word(2 * LANES))
        with cgutils.for_range(builder, count) as loop:
            place = builder.mul(loop.index, word(LANES))
            x, y = v.read(even, place), v.read(odd, place)
            for half in range(2):
                lanes = [half * LANES // 2 + lane // 2 + (LANES if lane % 2 else 0) for lane in range(LANES)]
                both = builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(i32, LANES), lanes))
                at = builder.add(first, builder.add(builder.mul(place, word(2)), word(half * LANES)))
                v.write(both, out, at, v.inside(at, width))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


# join(even, odd, first, width, out): out[first + 2 x] = even[x], out[first + 2 x + 1] = odd[x], inside of 0 to width
_join: Any = intrinsic(_emit_join)


@piece()
def _taps_of_phases(window, pitch, ends, shifts, numbers):
    """By phases: where a phase's taps end, and of each tap, the last first, its distance within the phase, and its
    number."""
    (kernel_h, stride_h, _), (kernel_w, stride_w, _) = window[0], window[1]
    done = 0
    for a in range(stride_h):
        for b in range(stride_w):
            for i in range(kernel_h - 1, -1, -1):
                for j in range(kernel_w - 1, -1, -1):
                    if i % stride_h == a and j % stride_w == b:
                        shifts[done] = i // stride_h * pitch + j // stride_w
                        numbers[done] = i * kernel_w + j
                        done += 1
            ends[a * stride_w + b] = done


@piece()
def _divide(shares, divisors):
    for i in range(len(shares)):
        shares[i] /= divisors[i]


@piece()
def _find_maxima(bottom, window, top_shape, pitch, found):
    """The first maximum of each window of a plane."""
    height, width = bottom.shape
    (kernel_h, stride_h, pad_h), (kernel_w, stride_w, pad_w) = window[0], window[1]
    for y in range(top_shape[0]):
        arguments = height, width, y * stride_h - pad_h, -pad_w, kernel_h, kernel_w, top_shape[1]
        if stride_w == 1:
            _find_by_one(bottom.ctypes.data, *arguments, found + FLOAT * y * pitch)
        else:
            _find_by_two(bottom.ctypes.data, *arguments, found + FLOAT * y * pitch)


@piece()
def _copy(row, to):
    for i in range(len(row)):
        to[i] = row[i]


@piece()
def _join_phases(phases, size, window, tall, pitch, height, width, out):
    """A plane (height x width) from its phases, `size` numbers apart: what lies beyond them is 0."""
    (_, stride_h, pad_h), (_, stride_w, pad_w) = window[0], window[1]
    plane = floats(out, height * width).reshape(height, width)
    for h in range(height):
        row, a = (h + pad_h) // stride_h, (h + pad_h) % stride_h
        line = phases + FLOAT * (a * stride_w * size + row * pitch)
        covered = min(width, pitch * stride_w - pad_w) if row < tall else 0
        if covered < width:
            plane[h] = 0
        if stride_w == 2:
            _join(line, line + FLOAT * size, -pad_w, covered, out + FLOAT * h * width)
        else:
            _copy(floats(line + FLOAT * pad_w, covered), plane[h])


@piece()
def _divisors(window, height, width, top_shape, places):
    """What the average of the window at each place is divided by; 1 at places (tall x pitch) without one."""
    counts, result = np.empty(top_shape, np.float32), np.ones(places, np.float32)
    count_elements(window, height, width, counts)
    for y in range(top_shape[0]):
        _copy(counts[y], result[y])
    return result.reshape(-1)


@piece()
def _ask(maxima, diffs, found, vectors, ends, shifts, numbers, out, size):
    """The gradients of all phases, `size` apart."""
    first = 0
    for phase in range(len(ends)):
        place, taps = out + FLOAT * phase * size, ends[phase] - first
        if maxima:
            _ask_maxima(
                diffs, found, vectors, shifts[first:].ctypes.data, numbers[first:].ctypes.data, taps, place
            )
        else:
            _ask_all(diffs, 0, vectors, shifts[first:].ctypes.data, 0, taps, place)
        first = ends[phase]


@shared()
def pool_gradients(bottom, window, maxima, top_diff, bottom_diff, part, parts):
    """bottom_diff = the gradient: of maxima, the sum of the diffs of the windows whose first maximum a pixel is, else
    the sum of all windows' diffs, each divided by its window's elements.

    Arrays: planes x height x width, float32. The kernel is at least as large as the stride, which is 1 or 2 along the
    width.
    """
    planes, height, width = bottom_diff.shape
    top_shape = top_diff.shape[1:]
    (kernel_h, stride_h, _), (kernel_w, stride_w, _) = window[0], window[1]
    tall, pitch = top_shape[0] + (kernel_h - 1) // stride_h, top_shape[1] + (kernel_w - 1) // stride_w
    plane, phases, taps = tall * pitch, stride_h * stride_w, kernel_h * kernel_w
    chunk = max(1, AT_ONCE // plane)
    size = chunk * plane + 2 * LANES
    shifts, ends, numbers = np.empty(taps, np.int64), np.empty(phases, np.int64), np.empty(taps, np.float32)
    _taps_of_phases(window, pitch, ends, shifts, numbers)
    divisors = _divisors(window, height, width, top_shape, (tall, pitch))
    # a plane of zeros before the first one: what lies before the first window
    diffs, found = np.zeros(plane + size, np.float32), np.zeros(plane + size, np.float32)
    grads = np.zeros(phases * size, np.float32)
    begin, end = share_of(planes, part, parts)
    for low in range(begin, end, chunk):
        # in the loop: numba gives an array back after the last use of its name
        spread, firsts, out = diffs[plane:].ctypes.data, found[plane:].ctypes.data, grads.ctypes.data
        count = min(chunk, end - low)
        for p in range(count):
            source, place = top_diff[low + p].ctypes.data, FLOAT * p * plane
            by_vectors(
                1, source, top_shape[0], top_shape[1], 0, 0, 1, tall, pitch, np.float32(0), spread + place
            )  # fmt: skip
            if maxima:
                _find_maxima(bottom[low + p], window, top_shape, pitch, firsts + place)
            else:
                _divide(floats(spread + place, plane), divisors)
        diffs[plane + count * plane :] = 0
        vectors = -(-count * plane // LANES)
        _ask(maxima, spread, firsts, vectors, ends, shifts, numbers, out, size)
        for p in range(count):
            place, to = out + FLOAT * p * plane, bottom_diff[low + p].ctypes.data
            _join_phases(place, size, window, tall, pitch, height, width, to)
