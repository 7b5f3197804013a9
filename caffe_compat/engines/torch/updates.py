"""How solvers move params that are on a device: the rules of layers/kernels/updates.py, for tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe_compat.blob import Blob
from caffe_compat.engines.torch import memory
from caffe_compat.engines.torch.params import Params

Terms = tuple[float, float, float, float]  # clip, share, l2, l1


def _gradient(terms: Terms, diff: Tensor, data: Tensor) -> Tensor:
    """Turn the raw diff into the gradient: times clip and share, plus the decay. Returns the diff."""
    clip, share, l2, l1 = map(float, terms)
    if clip * share != 1:
        diff.mul_(clip).mul_(share)
    if l2:
        diff.add_(data, alpha=l2)
    if l1:
        diff.add_(torch.sign(data), alpha=l1)
    return diff


def sgd(terms: Terms, rate: float, momentum: float, history: Tensor, diff: Tensor, data: Tensor) -> None:
    history.mul_(float(momentum)).add_(_gradient(terms, diff, data), alpha=float(rate))
    data.sub_(diff.copy_(history))


def nesterov(terms: Terms, rate: float, momentum: float, history: Tensor, diff: Tensor, data: Tensor) -> None:
    momentum = float(momentum)
    old = history.clone()
    history.mul_(momentum).add_(_gradient(terms, diff, data), alpha=float(rate))
    data.sub_(torch.mul(history, 1 + momentum, out=diff).sub_(old, alpha=momentum))


def adagrad(terms: Terms, rate: float, delta: float, history: Tensor, diff: Tensor, data: Tensor) -> None:
    gradient = _gradient(terms, diff, data)
    history.addcmul_(gradient, gradient)
    data.sub_(gradient.div_(history.sqrt().add_(float(delta))).mul_(float(rate)))


def rmsprop(
    terms: Terms, rate: float, decay: float, delta: float, history: Tensor, diff: Tensor, data: Tensor
) -> None:
    gradient = _gradient(terms, diff, data)
    _average(history, gradient, decay)
    data.sub_(gradient.div_(history.sqrt().add_(float(delta))).mul_(float(rate)))


def adadelta(
    terms: Terms,
    rate: float,
    momentum: float,
    delta: float,
    gradients: Tensor,
    updates: Tensor,
    diff: Tensor,
    data: Tensor,
) -> None:
    delta = float(delta)
    update = _gradient(terms, diff, data)
    _average(gradients, update, momentum)
    update.mul_(((updates + delta) / (gradients + delta)).sqrt_())
    _average(updates, update, momentum)
    data.sub_(update.mul_(float(rate)))


def adam(
    terms: Terms,
    rate: float,
    beta1: float,
    beta2: float,
    delta: float,
    means: Tensor,
    squares: Tensor,
    diff: Tensor,
    data: Tensor,
) -> None:
    gradient = _gradient(terms, diff, data)
    means.mul_(float(beta1)).add_(gradient, alpha=1 - float(beta1))
    _average(squares, gradient, beta2)
    data.sub_(torch.div(means, squares.sqrt().add_(float(delta)), out=diff).mul_(float(rate)))


def _average(squares: Tensor, x: Tensor, momentum: float) -> None:
    """The running average of x * x."""
    squares.mul_(float(momentum)).addcmul_(x, x, value=1 - float(momentum))


class TorchUpdates:
    """See Updates in engines/base.py. Params and their histories stay on the device, in the Parameters' order."""

    def __init__(self, params: Params):
        self.params = params
        self.sgd, self.nesterov, self.adagrad = sgd, nesterov, adagrad
        self.rmsprop, self.adadelta, self.adam = rmsprop, adadelta, adam

    def zeros(self, blob: Blob) -> Tensor:
        return torch.zeros_like(self.params.of_blob(blob).data)

    def from_host(self, array: np.ndarray, blob: Blob) -> Tensor:
        like = self.params.of_blob(blob).data
        return torch.empty_like(like).copy_(torch.from_numpy(array).reshape(like.shape))

    def to_host(self, array: Tensor) -> np.ndarray:
        return array.cpu().numpy()

    def diff_and_data(self, blob: Blob) -> tuple[Tensor, Tensor]:
        data = self.params.of_blob(blob).data
        diff = self.params.gradient(blob)
        return torch.zeros_like(data) if diff is None else diff, data

    def moved(self, blob: Blob, diff: Tensor, data: Tensor) -> None:
        memory.set_diff(blob, diff)
        self.params.wrote(blob)

    def sum_of_squares(self, blob: Blob) -> float:
        return _sum_of_squares(self.params.gradient(blob))

    def sum_of_param_squares(self, blob: Blob) -> float:
        return _sum_of_squares(self.params.of_blob(blob).data)


def _sum_of_squares(array: Tensor | None) -> float:
    return 0.0 if array is None else float(torch.linalg.vector_norm(array, dtype=torch.float64)) ** 2
