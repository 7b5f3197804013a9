"""Logs what debug_info asks for: the mean absolute value of every blob and param in forward and backward.

Source: Caffe's Net::ForwardDebugInfo, BackwardDebugInfo and Backward.
"""

from __future__ import annotations

import logging
import math

import numpy as np

from caffe_compat.net import Net

logger = logging.getLogger("caffe_compat.solver")


class DebugInfo:
    """Logs what passes through a net while `on` is true."""

    def __init__(self, net: Net, on: bool):
        self.net, self.on = net, on
        net.after_forward(self._forward)
        net.after_backward(self._backward)

    def _forward(self, index: int) -> None:
        if not self.on:
            return
        layer = self.net.layers[index]
        for name in self.net.top_names[layer.name]:
            mean = _mean(self.net.blobs[name].data)
            logger.info("    [Forward] Layer %s, top blob %s data: %g", layer.name, name, mean)
        for j, blob in enumerate(layer.blobs):
            name = self._display_name(index, j)
            logger.info("    [Forward] Layer %s, param blob %s data: %g", layer.name, name, _mean(blob.data))

    def _backward(self, index: int) -> None:
        if not self.on:
            return
        layer, plan = self.net.layers[index], self.net.plan[index]
        for name, flag in zip(self.net.bottom_names[layer.name], plan.propagate_down, strict=True):
            if flag:
                mean = _mean(self.net.blobs[name].diff)
                logger.info("    [Backward] Layer %s, bottom blob %s diff: %g", layer.name, name, mean)
        for j, blob in enumerate(layer.blobs):
            if layer.propagates_to(j):
                logger.info(
                    "    [Backward] Layer %s, param blob %d diff: %g", layer.name, j, _mean(blob.diff)
                )

    def all_params(self) -> None:
        """Log the norms of all params and their diffs, as Caffe does after backward."""
        if not self.on:
            return
        blobs = [self.net.param_blob(param) for param in self.net.learnable]
        data, diffs = [blob.data for blob in blobs], [blob.diff for blob in blobs if blob.has_diff]
        logger.info(
            "    [Backward] All net params (data, diff): L1 norm = (%g, %g); L2 norm = (%g, %g)",
            *(sum(float(np.abs(x).sum()) for x in arrays) for arrays in (data, diffs)),
            *(math.sqrt(sum(float(np.vdot(x, x)) for x in arrays)) for arrays in (data, diffs)),
        )

    def _display_name(self, index: int, j: int) -> str:
        specs = self.net.param.layer[index].param
        return specs[j].name if j < len(specs) and specs[j].name else str(j)


def _mean(array: np.ndarray) -> float:
    return float(np.abs(array).sum(dtype=np.float64)) / array.size if array.size else math.nan
