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

# docs/ohem.md has the experiments
OF_MINING = (
    "Hard example mining does not get such weights going: train the plain net first (sampled RoIs, USE_OHEM false), "
    "and go on from its weights with --weights"
)
OF_OTHERS = "Look at the data (check-data), the labels, the fillers, and base_lr"


class ChanceLevel:
    """A callback of `Solver.on_iteration` that logs a warning, once a loss, where a SoftmaxWithLoss layer's mean loss
    of the last 500 iterations is no better than the best constant answer's.

    That costs the entropy of the labels of these iterations: ln(classes) where all are as frequent. The first 500
    iterations do not count; of iter_size passes the last one is looked at. Losses that are not divided by their labels,
    or weigh these, are left out.
    """

    def __init__(self, net: Net):
        self._advice = (
            OF_MINING if any(isinstance(layer, HardRoIMining) for layer in net.layers) else OF_OTHERS
        )
        self._iterations = 0
        self._losses = [
            _Loss(name, layer, bottom, top)
            for name, layer, bottom, top in zip(
                net.layer_names, net.layers, net.bottoms, net.tops, strict=True
            )
            if _is_mean_log_loss(layer)
        ]

    def __call__(self, done: Iteration) -> None:
        self._iterations += 1
        for loss in self._losses:
            loss.see()
            if self._iterations % WINDOW:
                continue
            mean, constant = loss.close_window()
            if self._iterations > WINDOW and not loss.told and mean >= AT_CHANCE * constant > 0:
                loss.told = True
                logger.warning(
                    "Iteration %d, %s is %.4g over the last %d iterations, and always the same answer costs %.4g: the "
                    "net has learnt nothing yet. %s",
                    done.iter,
                    loss.name,
                    mean,
                    WINDOW,
                    constant,
                    self._advice,
                )


def _is_mean_log_loss(layer: Layer) -> bool:
    param = layer.layer_param.loss_param
    return (
        layer.type == "SoftmaxWithLoss"
        and normalization_mode(param) == VALID
        and not param.weight_by_label_freqs
    )


class _Loss:
    """What a loss layer saw and gave in the iterations of a window."""

    def __init__(self, name: str, layer: Layer, bottom: Sequence[Blob], top: Sequence[Blob]):
        self.name, self.told = name, False
        self._labels, self._value = bottom[1], top[0]
        self._ignored = ignored_label(layer.layer_param.loss_param)
        self._empty()

    def _empty(self) -> None:
        self._counts, self._sum, self._seen = np.zeros(0, np.int64), 0.0, 0

    def see(self) -> None:
        labels = self._labels.data.ravel()
        if self._ignored is not None:
            labels = labels[labels != self._ignored]
        if not labels.size:
            return
        counts = np.bincount(labels.astype(np.int64))
        if len(counts) < len(self._counts):
            counts, self._counts = self._counts, counts
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._sum += float(self._value.data.flat[0])
        self._seen += 1

    def close_window(self) -> tuple[float, float]:
        """The mean loss, and that of the best constant answer; begins the next window."""
        shares = self._counts[self._counts > 0] / max(1, self._counts.sum())
        mean, constant = self._sum / max(1, self._seen), float(-(shares * np.log(shares)).sum())
        self._empty()
        return mean, constant
