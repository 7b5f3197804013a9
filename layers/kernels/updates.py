"""What solvers do with each param: one pass over its data, diff and history; flat arrays of one size.

`terms` is (clip, share, l2, l1): what the raw diff is multiplied with (gradient clipping, then 1 / iter_size), and
the decay that is added of the weight or of its sign. Each kernel moves the weight by the update and leaves the
update in the diff, as Caffe does; but for sgd, where the update is the history.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.shared import share_of, shared

BLOCK = 1 << 14  # elements that are summed in float32 before they are added up in float64


@piece()
def _gradient(diff, weight, terms):
    clip, share, l2, l1 = terms
    sign = np.float32(weight > 0) - np.float32(weight < 0)  # without a branch the loops vectorise
    return diff * clip * share + l2 * weight + l1 * sign


@shared()
def sgd(terms, rate, momentum, history, diff, data, part, parts):
    """history <- momentum * history + rate * gradient, which is the update."""
    low, high = share_of(data.size, part, parts)
    history, diff, data = history[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        update = rate * _gradient(diff[i], data[i], terms) + momentum * history[i]
        history[i] = update
        data[i] -= update


@shared()
def nesterov(terms, rate, momentum, history, diff, data, part, parts):
    """The history of sgd; the update steps back by the old one, and over by the new one."""
    ahead = np.float32(1) + momentum
    low, high = share_of(data.size, part, parts)
    history, diff, data = history[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        old = history[i]
        new = rate * _gradient(diff[i], data[i], terms) + momentum * old
        update = ahead * new - momentum * old
        history[i] = new
        diff[i] = update
        data[i] -= update


@shared()
def adagrad(terms, rate, delta, history, diff, data, part, parts):
    """The history sums the squares of the gradients."""
    low, high = share_of(data.size, part, parts)
    history, diff, data = history[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        gradient = _gradient(diff[i], data[i], terms)
        squares = history[i] + gradient * gradient
        update = rate * (gradient / (np.sqrt(squares) + delta))
        history[i] = squares
        diff[i] = update
        data[i] -= update


@shared()
def rmsprop(terms, rate, decay, delta, history, diff, data, part, parts):
    """The history averages the squares of the gradients."""
    fresh = np.float32(1) - decay
    low, high = share_of(data.size, part, parts)
    history, diff, data = history[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        gradient = _gradient(diff[i], data[i], terms)
        squares = fresh * (gradient * gradient) + decay * history[i]
        update = rate * (gradient / (np.sqrt(squares) + delta))
        history[i] = squares
        diff[i] = update
        data[i] -= update


@shared()
def adadelta(terms, rate, momentum, delta, gradients, updates, diff, data, part, parts):
    """The histories average the squares of the gradients, and of the updates before the learning rate."""
    fresh = np.float32(1) - momentum
    low, high = share_of(data.size, part, parts)
    gradients, updates, diff, data = gradients[low:high], updates[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        gradient = _gradient(diff[i], data[i], terms)
        squares = fresh * (gradient * gradient) + momentum * gradients[i]
        update = gradient * np.sqrt((delta + updates[i]) / (delta + squares))
        gradients[i] = squares
        updates[i] = fresh * (update * update) + momentum * updates[i]
        update *= rate
        diff[i] = update
        data[i] -= update


@shared()
def adam(terms, rate, beta1, beta2, delta, means, squares, diff, data, part, parts):
    """The histories average the gradients and their squares. `rate` has the correction for their start at zero."""
    fresh1, fresh2 = np.float32(1) - beta1, np.float32(1) - beta2
    low, high = share_of(data.size, part, parts)
    means, squares, diff, data = means[low:high], squares[low:high], diff[low:high], data[low:high]
    for i in range(data.size):
        gradient = _gradient(diff[i], data[i], terms)
        mean = fresh1 * gradient + beta1 * means[i]
        square = fresh2 * (gradient * gradient) + beta2 * squares[i]
        update = rate * (mean / (np.sqrt(square) + delta))
        means[i] = mean
        squares[i] = square
        diff[i] = update
        data[i] -= update


@piece(fastmath={"reassoc"})
def _squares(x):
    total = np.float32(0)
    for i in range(x.size):
        total += x[i] * x[i]
    return total


@njit(cache=True, error_model="numpy", parallel=True)
def sum_of_squares(x, blocks):
    """The sum of x * x in float64, the same for any number of threads; blocks: ceil(x.size / BLOCK) float64."""
    for b in prange(blocks.size):
        start = np.intp(b) * BLOCK
        blocks[b] = _squares(x[start : start + BLOCK])
    total = 0.0
    for b in range(blocks.size):
        total += blocks[b]
    return total
