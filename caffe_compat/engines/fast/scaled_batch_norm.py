"""BatchNorm and the Scale behind it, both in place, in one pass over the blob, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from caffe_compat.backward_plan import LayerPlan
from caffe_compat.blob import Blob
from caffe_compat.graph import Graph, Node
from caffe_compat.layers.base import Layer
from caffe_compat.layers.batch_norm import BatchNorm
from caffe_compat.layers.common import channels
from caffe_compat.layers.scale import Scale


class ScaledBatchNorm:
    """Computes what both layers do, of a batch's statistics; they stand as if each had run, and either may run next.

    What the Scale keeps of its input is what the BatchNorm keeps, standardized: it is made when somebody asks for it.
    """

    def __init__(self, norm: BatchNorm, scale: Scale):
        self.norm, self.scale = norm, scale
        self._standardized: partial[None] | None = None  # of the last forward

    @property
    def has_run(self) -> bool:
        """Whether both layers ran here the last time, and neither by itself since."""
        return self._standardized is not None and self.scale.keeps_later is self._standardized

    def settle(self) -> None:
        """Let the Scale keep its input by itself, before the BatchNorm runs by itself."""
        if self.has_run:
            self.scale.keep_now()

    def forward(self, blob: Blob) -> None:
        """Both layers have been reshaped."""
        norm, scale = self.norm, self.scale
        x, kept = blob.data.reshape(norm.view), norm.room_to_keep([blob], [blob])
        assert kept is not None
        bias = None if scale.bias is None else scale.bias.data
        norm.mean, variance, norm.factor = channels.standardize(
            x, norm.eps, x, kept, scale.blobs[0].data, bias
        )
        norm.remember(variance)
        self._standardized = partial(_standardize, kept, norm.view, norm.mean, norm.factor)
        scale.keep_later(blob, self._standardized)

    def backward(self, blob: Blob) -> None:
        """Add the gradients of the Scale's params, and write that of the BatchNorm's input into the blob's diff."""
        norm, scale = self.norm, self.scale
        x, diff = norm.kept_input([blob], [blob]).reshape(norm.view), blob.diff.reshape(norm.view)
        factors = scale.blobs[0].data
        total, product = channels.standardize_backward(x, norm.mean, norm.factor, diff, diff, factors)
        if scale.propagates_to(0):
            scale.blobs[0].diff[...] += product * norm.factor
        if scale.bias is not None and scale.propagates_to(1):
            scale.bias.diff[...] += total


def _standardize(
    kept: np.ndarray, view: tuple[int, int, int], mean: np.ndarray, factor: np.ndarray, result: np.ndarray
) -> None:
    channels.affine(kept.reshape(view), factor, result.reshape(view), centre=mean)


def find_scaled(
    graph: Graph, layers: Sequence[Layer], plan: Sequence[LayerPlan]
) -> Iterator[tuple[int, ScaledBatchNorm]]:
    """The pairs of a net, each with the place of its BatchNorm: those through which a gradient flows."""
    for i in range(len(layers) - 1):
        norm, scale = layers[i : i + 2]
        if (
            type(norm) is BatchNorm
            and type(scale) is Scale
            and _are_in_place(graph.nodes[i : i + 2])
            and plan[i + 1].need_backward
            and plan[i].propagate_down[0]
            and not (norm.use_global_stats or norm.has_scale_bias)
            and scale.layer_param.scale_param.axis == 1
            and scale.blobs[0].shape == norm.blobs[0].shape
        ):
            yield i, ScaledBatchNorm(norm, scale)


def _are_in_place(nodes: Sequence[Node]) -> bool:
    """Whether all read and write one blob alone."""
    blobs = nodes[0].tops
    return all(node.bottoms == node.tops == blobs and not any(node.loss_weights) for node in nodes)
