"""MT19937's stream, and boost's distributions over it.

A stream is three arrays: words[624] is its state, draws[624] what that gives, position[0] how many of them are used up.
Sources: Matsumoto and Nishimura, "Mersenne Twister" (1998); Marsaglia and Tsang, "The Ziggurat Method for Generating
Random Variables" (2000), in the form of boost's `normal_distribution` and `exponential_distribution`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from caffe_compat.layers.kernels.pieces import piece

WORDS = 624  # of MT19937's state; also how many draws one twist gives
_AHEAD = 397  # how far ahead the recurrence looks
_UNIT = np.float32(2.0**-32)
_HALF = np.float32(0.5)


def _strips(density: Callable, inverse: Callable, count: int, start: float, tail: float):
    """The right ends of a ziggurat's strips, from the base strip up to 0, and the density at them (base: 0).

    start: where the base strip's rectangle ends and its tail, of area `tail`, begins.
    """
    area = start * density(start) + tail
    x = np.zeros(count + 1)
    x[0], x[1] = area / density(start), start  # the base strip is as wide as a rectangle of the same area
    for i in range(1, count - 1):
        x[i + 1] = inverse(density(x[i]) + area / x[i])
    y = np.array([density(v) for v in x])
    y[0] = 0
    return x, y


_NORMAL_START = 3.4426198558966521214
_NORMAL_X, _NORMAL_Y = _strips(
    lambda x: math.exp(-x * x / 2),
    lambda y: math.sqrt(-2 * math.log(y)),
    128,
    _NORMAL_START,
    math.sqrt(math.pi / 2) * math.erfc(_NORMAL_START / math.sqrt(2)),
)
_EXPONENTIAL_START = 7.6971174701310497140
_EXPONENTIAL_X, _EXPONENTIAL_Y = _strips(
    lambda x: math.exp(-x), lambda y: -math.log(y), 256, _EXPONENTIAL_START, math.exp(-_EXPONENTIAL_START)
)


@piece()
def _mix(word, following):
    y = (word & np.uint32(0x80000000)) | (following & np.uint32(0x7FFFFFFF))
    return (y >> np.uint32(1)) ^ (np.uint32(0x9908B0DF) * (following & np.uint32(1)))


@piece()
def _temper(words, draws):
    for i in range(WORDS):
        y = words[i]
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        draws[i] = y ^ (y >> np.uint32(18))


@piece()
def _twist(words, draws):
    # three loops, so that no index wraps around: the compiler then works on many words at once
    for i in range(WORDS - _AHEAD):
        words[i] = words[i + _AHEAD] ^ _mix(words[i], words[i + 1])
    for i in range(WORDS - _AHEAD, WORDS - 1):
        words[i] = words[i + _AHEAD - WORDS] ^ _mix(words[i], words[i + 1])
    words[WORDS - 1] = words[_AHEAD - 1] ^ _mix(words[WORDS - 1], words[0])
    _temper(words, draws)


@piece()
def _left(words, draws, position):
    """How many draws are left before the next twist; at least one."""
    if position[0] == WORDS:
        _twist(words, draws)
        position[0] = 0
    return WORDS - position[0]


@piece()
def _next(words, draws, position):
    _left(words, draws, position)
    position[0] += 1
    return draws[position[0] - 1]


@njit(cache=True, error_model="numpy")
def raw(words, draws, position, out):
    done = 0
    while done < out.size:
        n = min(_left(words, draws, position), out.size - done)
        given, kept = draws[position[0] : position[0] + n], out[done : done + n]
        for i in range(n):
            kept[i] = given[i]
        position[0] += n
        done += n


@njit(cache=True, error_model="numpy")
def at_most(words, draws, position, limit, out):
    done = 0
    while done < out.size:
        n = min(_left(words, draws, position), out.size - done)
        given, kept = draws[position[0] : position[0] + n], out[done : done + n]
        for i in range(n):
            kept[i] = given[i] <= limit
        position[0] += n
        done += n


# ---- boost's distributions, in float32
@piece()
def _unit(words, draws, position):
    """In [0, 1): the few draws that round up to 1 are thrown away."""
    while True:
        result = np.float32(_next(words, draws, position)) * _UNIT
        if result < np.float32(1):
            return result


@njit(cache=True, error_model="numpy")
def uniform(words, draws, position, low, high, out):
    done = 0
    while done < out.size:
        n = min(_left(words, draws, position), out.size - done)
        given = draws[position[0] : position[0] + n]
        for i in range(n):
            out[done] = np.float32(given[i]) * _UNIT * (high - low) + low
            done += not out[done] >= high  # one that rounds up to the end is thrown away
        position[0] += n


@piece()
def _strip(draw):
    """One draw gives both: which strip (8 bits) and where in it (24 bits, in [0, 1))."""
    return np.intp(draw & np.uint32(0xFF)), np.float32(draw >> np.uint32(8)) * np.float32(2.0**-24)


@piece()
def _exponential(words, draws, position):
    shift = np.float32(0)
    while True:
        i, where = _strip(_next(words, draws, position))
        left, right = np.float32(_EXPONENTIAL_X[i + 1]), np.float32(_EXPONENTIAL_X[i])
        x = where * right
        if x < left:
            return shift + x
        if i == 0:
            shift += left  # the tail looks like the whole
            continue
        up = _unit(words, draws, position)
        y = np.float32(_EXPONENTIAL_Y[i]) + up * np.float32(_EXPONENTIAL_Y[i + 1] - _EXPONENTIAL_Y[i])
        chord = np.float32(_EXPONENTIAL_X[i] - _EXPONENTIAL_X[i + 1]) * up - (right - x)
        if chord < np.float32(0) and y < math.exp(-x):
            return x + shift


@piece()
def _normal_of(draw):
    """The number that a draw gives, and whether it lies so far inside its strip that it needs no other draw."""
    bits, where = _strip(draw)
    x = where * np.float32(_NORMAL_X[bits >> 1])
    return x * np.float32((bits & 1) * 2 - 1), x < _NORMAL_X[(bits >> 1) + 1]


@piece()
def _normal(words, draws, position):
    start = np.float32(_NORMAL_START)
    while True:
        bits, where = _strip(_next(words, draws, position))
        i, sign = bits >> 1, np.float32((bits & 1) * 2 - 1)
        right = np.float32(_NORMAL_X[i])
        x = where * right
        if x < _NORMAL_X[i + 1]:
            return x * sign
        if i == 0:
            while True:
                x = _exponential(words, draws, position) / start
                if np.float32(2) * _exponential(words, draws, position) > x * x:
                    return (x + start) * sign
        up = _unit(words, draws, position)
        y = np.float32(_NORMAL_Y[i]) + up * np.float32(_NORMAL_Y[i + 1] - _NORMAL_Y[i])
        chord = np.float32(_NORMAL_X[i] - _NORMAL_X[i + 1]) * up - (right - x)
        tangent = y - (np.float32(_NORMAL_Y[i]) + (right - x) * np.float32(_NORMAL_Y[i]) * right)
        # the curve lies between the two lines; which of them is above depends on how it bends
        above, below = (chord, tangent) if _NORMAL_X[i] >= 1 else (tangent, chord)
        if above < np.float32(0) and (below < np.float32(0) or y < math.exp(-x * x * _HALF)):
            return x * sign


@njit(cache=True, error_model="numpy")
def gaussian(words, draws, position, mean, std, out):
    done = 0
    while done < out.size:
        n = min(_left(words, draws, position), out.size - done)
        given, made = draws[position[0] : position[0] + n], out[done : done + n]
        i = 0
        while i < n:
            x, is_inside = _normal_of(given[i])
            if not is_inside:
                break
            made[i] = x * std + mean
            i += 1
        position[0] += i
        done += i
        if i < n:  # one draw in a hundred
            out[done] = _normal(words, draws, position) * std + mean
            done += 1


# what Python calls by itself
@njit(cache=True, error_model="numpy")
def temper(words, draws):
    _temper(words, draws)


@njit(cache=True, error_model="numpy")
def unit(words, draws, position):
    return _unit(words, draws, position)


@njit(cache=True, error_model="numpy")
def exponential(words, draws, position):
    return _exponential(words, draws, position)
