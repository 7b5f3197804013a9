"""The outputs of a net as Caffe logs them.

Source: Caffe's Solver::Step and Solver::Test.
"""

from __future__ import annotations

import logging

import numpy as np

from caffe_compat.net import Net

logger = logging.getLogger("caffe_compat.solver")


def outputs(net: Net) -> dict[str, np.ndarray]:
    """The data of each output blob, copied and flat."""
    return {name: net.blobs[name].data.reshape(-1).copy() for name in net.outputs}


class Means:
    """The means of the loss and of each number of each output, over several passes of a net."""

    def __init__(self) -> None:
        self.passes = 0
        self._loss = 0.0
        self._sums: dict[str, np.ndarray] = {}

    def forward(self, net: Net) -> dict[str, np.ndarray]:
        """Run a pass; returns its outputs."""
        self._loss += net.forward_from_to()
        found = outputs(net)
        self._sums = {name: self._sums[name] + x for name, x in found.items()} if self.passes else found
        self.passes += 1
        return found

    @property
    def loss(self) -> float:
        return self._loss / self.passes

    @property
    def scores(self) -> dict[str, np.ndarray]:
        return {name: total / np.float32(self.passes) for name, total in self._sums.items()}


def log_outputs(net: Net, kind: str, values: dict[str, np.ndarray]) -> None:
    """Log one line for each number. kind: "Train" or "Test"."""
    weights = net.blob_loss_weights
    number = 0
    for name, scores in values.items():
        for score in scores:
            logger.info(
                "    %s net output #%d: %s = %g%s", kind, number, name, score, loss_part(weights[name], score)
            )
            number += 1


def loss_part(weight: float, score: float) -> str:
    """What Caffe writes behind the value of an output that is a loss; empty for other outputs."""
    return f" (* {weight:g} = {np.float32(weight) * score:g} loss)" if weight else ""
