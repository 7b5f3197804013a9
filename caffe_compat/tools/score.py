"""Scores a net: the mean of its outputs over passes, logged in the words of `caffe test`."""

from __future__ import annotations

import logging

from caffe_compat.errors import GraphError
from caffe_compat.net import Net
from caffe_compat.solvers.outputs import Means, loss_part

logger = logging.getLogger("caffe_compat.tools")


def score(net: Net, iterations: int) -> Means:
    """Run a net forward `iterations` times; returns the means of its loss and of its outputs.

    Logs each number of each output in each pass, then the means. Raises GraphError where nothing feeds its inputs.
    Source: the action `test` of the caffe binary.
    """
    check_fed(net)
    logger.info("Running for %d iterations.", iterations)
    means = Means()
    for i in range(iterations):
        for name, values in means.forward(net).items():
            for value in values:
                logger.info("Batch %d, %s = %g", i, name, value)
    logger.info("Loss: %g", means.loss)
    weights = net.blob_loss_weights
    for name, values in means.scores.items():
        for value in values:
            logger.info("%s = %g%s", name, value, loss_part(weights[name], value))
    return means


def check_fed(net: Net) -> None:
    """Raise GraphError where inputs have no data: what follows from zeros means nothing."""
    if net.inputs:
        names = ", ".join(f"'{name}'" for name in net.inputs)
        raise GraphError(
            f"nothing feeds the inputs {names}; put a data layer in their place, or give arrays with "
            "run-prototxt --phase test --inputs",
            file=net.source.name if net.source else None,
        )
