"""Notices a training that stays at chance: its net answers no better than one that says the same of everything."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.loss import VALID, ignored_label, normalization_mode
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.net import Net
from caffe_compat.solvers.solver import Iteration

logger = logging.getLogger("caffe_compat.solver")
WINDOW = 500  # iterations that are looked at together
AT_CHANCE = 0.97  # of what the best constant answer costs, from which a loss is no better
TELLS_NOTHING = (
    0.05  # of the entropy of the labels: what a net's answers say of a RoI, below which it is nothing
)


class ChanceLevel:
    """A callback of `Solver.on_iteration` that logs a warning, once a layer, where the last 500 iterations say that the
    net has learnt nothing. The first 500 do not count; of iter_size passes the last one is looked at.

    A SoftmaxWithLoss layer: its mean loss is no better than the best constant answer's, the entropy of its labels:
    ln(classes) where all are as frequent. Losses that are not divided by their labels, or weigh these, are left out.

    A net that mines is looked at where all RoIs are scored, as the mined ones cost much whatever it knows: the
    probabilities of the RoIs of a pass hardly differ. docs/ohem.md has the experiments.
    """

    def __init__(self, net: Net):
        layers = list(zip(net.layer_names, net.layers, net.bottoms, net.tops, strict=True))
        mining = [
            _Mining(name, bottom) for name, layer, bottom, _ in layers if isinstance(layer, HardRoIMining)
        ]
        losses = [
            _Loss(name, layer, bottom, top) for name, layer, bottom, top in layers if _is_mean_log_loss(layer)
        ]
        self._watched: Sequence[_Mining | _Loss] = mining or losses
        self._told: set[str] = set()
        self._iterations = 0

    def __call__(self, done: Iteration) -> None:
        self._iterations += 1
        for one in self._watched:
            one.see()
            if self._iterations % WINDOW:
                continue
            fault = one.close_window()
            if fault and self._iterations > WINDOW and one.name not in self._told:
                self._told.add(one.name)
                logger.warning("Iteration %d, in the last %d %s: %s", done.iter, WINDOW, one.name, fault)


def _is_mean_log_loss(layer: Layer) -> bool:
    param = layer.layer_param.loss_param
    return (
        layer.type == "SoftmaxWithLoss"
        and normalization_mode(param) == VALID
        and not param.weight_by_label_freqs
    )


class _Labels:
    """How often each label was seen."""

    def __init__(self) -> None:
        self._counts = np.zeros(0, np.int64)

    def add(self, labels: np.ndarray) -> None:
        counts = np.bincount(labels.astype(np.int64), minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def entropy(self) -> float:
        """In nats: what the best constant answer costs."""
        return float(_entropy(self._counts / max(1, self._counts.sum())))


def _entropy(chances: np.ndarray) -> np.ndarray:
    """In nats, along the last axis."""
    return -(chances * np.log(np.maximum(chances, 1e-30))).sum(axis=-1)


class _Loss:
    """What a loss layer saw and gave in the iterations of a window."""

    def __init__(self, name: str, layer: Layer, bottom: Sequence[Blob], top: Sequence[Blob]):
        self.name = name
        self._bottom, self._value = bottom[1], top[0]
        self._ignored = ignored_label(layer.layer_param.loss_param)
        self._labels, self._costs = _Labels(), list[float]()

    def see(self) -> None:
        labels = self._bottom.data.ravel()
        if self._ignored is not None:
            labels = labels[labels != self._ignored]
        if labels.size:
            self._labels.add(labels)
            self._costs.append(float(self._value.data.flat[0]))

    def close_window(self) -> str:
        """What is wrong, or nothing; begins the next window."""
        constant, cost = self._labels.entropy(), float(np.mean(self._costs)) if self._costs else 0.0
        self._labels, self._costs = _Labels(), []
        if cost < AT_CHANCE * constant or constant == 0:
            return ""
        return (
            f"the mean loss is {cost:.4g}, and always the same answer costs {constant:.4g}, so the net has learnt "
            "nothing yet; look at the data (check-data), the labels, the fillers, and base_lr"
        )


class _Mining:
    """The probabilities and labels of all RoIs that a mining layer got in the iterations of a window."""

    def __init__(self, name: str, bottom: Sequence[Blob]):
        self.name = name
        self._chances, self._bottom = bottom[0], bottom[3]
        self._labels, self._told = _Labels(), list[float]()

    def see(self) -> None:
        chances = self._chances.data.reshape(self._chances.num, -1).astype(np.float64)
        self._told.append(float(_entropy(chances.mean(axis=0)) - _entropy(chances).mean()))
        self._labels.add(self._bottom.data.ravel())

    def close_window(self) -> str:
        """As of _Loss."""
        entropy, told = self._labels.entropy(), float(np.mean(self._told))
        self._labels, self._told = _Labels(), []
        if told >= TELLS_NOTHING * entropy:
            return ""
        return (
            f"the net says nearly the same of all RoIs (its answers tell {told:.2g} nats of one, their labels "
            f"{entropy:.2g}); hard example mining does not get such weights going: train the plain net first, with "
            "sampled RoIs, and go on from its weights with --weights, or lower base_lr to a tenth (docs/ohem.md)"
        )
