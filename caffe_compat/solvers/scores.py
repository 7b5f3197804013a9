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


def log_outputs(net: Net, kind: str, values: dict[str, np.ndarray]) -> None:
    """One line for each number. kind: "Train" or "Test"."""
    weights = net.blob_loss_weights
    number = 0
    for name, scores in values.items():
        for score in scores:
            weight = weights[name]
            loss = f" (* {weight:g} = {np.float32(weight) * score:g} loss)" if weight else ""
            logger.info("    %s net output #%d: %s = %g%s", kind, number, name, score, loss)
            number += 1
