"""What losses that look wrong mean, in plain words: NaN, inf, and Caffe's 87.3365."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from caffe_compat.index_names import blob_place
from caffe_compat.net import Net

LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
MOST = -math.log(LEAST_PROBABILITY)  # 87.3365
WAY_OUT = "--check-finite (in Python, caffe_compat.check_finite) stops where it is born"


class LossWarnings:
    """Looks at a net's losses as its last forward left them: called, gives what is new to say about them, once each."""

    def __init__(self, net: Net):
        self.net = net
        self._warned: set[tuple[str, str]] = set()  # layers, and what was said of them

    def __call__(self) -> list[str]:
        result = []
        for i, node in enumerate(self.net.graph.nodes):
            for blob, weight in zip(node.tops, node.loss_weights, strict=True):
                if weight:
                    loss = float(self.net.blob_list[blob].data.sum())
                    told = self._look(i, loss)
                    if told is not None:
                        result.append(told)
        return result

    def _look(self, i: int, loss: float) -> str | None:
        from caffe_compat.layers.softmax_loss import SoftmaxWithLoss  # who has a net has it

        layer = self.net.param.layer[i]
        tell: Callable[[int, float], str]
        if not math.isfinite(loss):
            tell = self._not_finite
        elif isinstance(self.net.layers[i], SoftmaxWithLoss) and abs(loss / MOST - 1) < 1e-5:
            tell = self._most
        else:
            return None
        blame = layer.name, tell.__name__
        if blame in self._warned:
            return None
        self._warned.add(blame)
        return f"layer '{layer.name}' ({layer.type}): {tell(i, loss)}"

    def _not_finite(self, i: int, loss: float) -> str:
        for blob in self.net.graph.nodes[i].bottoms:
            array = self.net.blob_list[blob].data
            bad = np.flatnonzero(~np.isfinite(array))
            if bad.size:
                index = tuple(int(k) for k in np.unravel_index(bad[0], array.shape))
                place = blob_place(self.net, i, blob, index)
                name, value = self.net.blob_names[blob], array[index]
                return f"the loss is {loss:g}, for its bottom '{name}' is {value:g} at {place}; {WAY_OUT}"
        return f"the loss is {loss:g}, though its bottoms are finite; {WAY_OUT}"

    def _most(self, i: int, loss: float) -> str:
        scores = self.net.bottoms[i][0].data
        text = (
            f"a loss of {loss:.4f} is -log(FLT_MIN), the most there is: each label has probability 0. The scores go "
            f"from {scores.min():g} to {scores.max():g}"
        )
        grown = self._growth(i)
        if grown is not None:
            name, below, above = grown
            text += f"; values grow most in layer '{name}', from {below:.3g} to {above:.3g}"
        return (
            text
            + ". Look at the learning rate, the fillers (or were weights not loaded?) and the inputs' scale"
        )

    def _growth(self, end: int) -> tuple[str, float, float] | None:
        """The layer before `end` whose tops are most times larger than its bottoms, and how large both are."""
        found: tuple[float, str, float, float] | None = None
        sizes: dict[int, float] = {}
        for node in self.net.graph.nodes[:end]:
            for blob in node.tops:
                sizes[blob] = float(np.abs(self.net.blob_list[blob].data).max(initial=0))
            above = max((sizes[blob] for blob in node.tops), default=0.0)
            below = max((sizes[blob] for blob in node.bottoms), default=0.0)
            if below > 0 and above > below and (found is None or above / below > found[0]):
                found = above / below, node.param.name, below, above
        return found and found[1:]
