"""DomainTransform: an edge-preserving filter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.repetitions import check_repetitions
from caffe_compat.layers.registry import register

MOST_ITERATIONS = 500  # of more, 4^num_iter is no number


class DomainTransformForward(Layer):
    """The forward pass of DomainTransform, with what it says of bottoms and params."""

    reads = ("domain_transform_param",)
    bottom_count = (3, 3)
    no_gradient: tuple[int, ...] = (2,)
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.domain_transform_param
        for name in ("spatial_sigma", "range_sigma", "num_iter"):
            if not getattr(param, name) > 0:
                raise self.error(f"{name} is {getattr(param, name):g}; it must be above 0")
        check_repetitions(self, "num_iter", param.num_iter, MOST_ITERATIONS)
        if not param.min_weight >= 0:
            raise self.error(f"min_weight is {param.min_weight:g}; it must be at least 0")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, edges, sizes = (blob.shape for blob in bottom)
        if len(shape) != 4 or edges != (shape[0], 1, *shape[2:]) or bottom[2].count != 2 * shape[0]:
            raise self.error(
                f"the bottoms have the shapes {shape}, {edges} and {sizes}; expected N x C x H x W, N x 1 x H x W, "
                "and a height and a width for each image"
            )
        top[0].reshape(*shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data
        for n, (height, width) in enumerate(self._sizes(bottom)):
            values, edges = top[0].data[n, :, :height, :width], bottom[1].data[n, 0, :height, :width]
            for weight in self._weights(edges):
                for line, part in zip(_directions(values), _between(weight), strict=True):
                    _filter(line, part)

    def _sizes(self, bottom: Sequence[Blob]) -> np.ndarray:
        """The height and width of each image. Raises LayerError where one is no size within the map."""
        sizes = bottom[2].data.reshape(-1, 2)
        if not ((sizes > -1) & (sizes < np.array(bottom[0].shape[2:]) + 1)).all():
            raise self.error(
                f"bottom[2] has the sizes {sizes.tolist()}; they must be within {bottom[0].shape[2:]}"
            )
        return sizes.astype(np.int64)

    def _weights(self, edges: np.ndarray) -> Iterator[np.ndarray]:
        """How much of the pixel before goes into each pixel, iteration by iteration."""
        param = self.layer_param.domain_transform_param
        for i in range(param.num_iter):
            weight = np.exp(self._rate(i) * (1 + edges * edges.dtype.type(self._ratio())))
            yield np.clip(weight, np.float32(param.min_weight), 1).astype(edges.dtype)

    def _rate(self, iteration: int) -> float:
        param = self.layer_param.domain_transform_param
        count = param.num_iter
        sigma = (
            param.spatial_sigma * math.sqrt(3) * 2.0 ** (count - iteration - 1) / math.sqrt(4.0**count - 1)
        )
        return -math.sqrt(2) / sigma

    def _ratio(self) -> float:
        param = self.layer_param.domain_transform_param
        return param.spatial_sigma / param.range_sigma


@register("DomainTransform")
class DomainTransform(DomainTransformForward):
    """Smooths maps, but not across edges (domain_transform_param).

    bottom[0]: N x C x H x W; bottom[1]: how strong the edges are, N x 1 x H x W; bottom[2]: N heights and widths,
    which take no gradient: of each image only that corner is filtered, the rest stays. top: like bottom[0].

    num_iter times, from the left, the right, above and below, each pixel becomes y + w (before - y), with
    w = exp(-sqrt(2) / s (1 + edge spatial_sigma / range_sigma)), at least min_weight and at most 1, and
    s = spatial_sigma sqrt(3) 2^(num_iter - i) / sqrt(4^num_iter - 1) for i from 1. Raises LayerError for shapes or
    params that do not fit.

    The gradient at the edges is taken as if w had no bounds, as there. Source: DomainTransformLayer of DeepLab's fork
    of Caffe. Chen et al., Semantic Image Segmentation with Task-Specific Edge Detection Using CNNs and a
    Discriminatively Trained Domain Transform (2016).
    """

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not any(propagate_down):
            return
        diffs, of_edges = top[0].diff.copy(), np.zeros_like(bottom[1].data)
        for n, (height, width) in enumerate(self._sizes(bottom)):
            edges = bottom[1].data[n, 0, :height, :width]
            steps = self._steps(bottom[0].data[n, :, :height, :width].copy(), edges)
            diff = diffs[n, :, :height, :width]
            for i, (weight, differences) in reversed(list(enumerate(steps))):
                of_weight = np.zeros_like(weight)
                passes = zip(
                    _directions(diff), _between(weight), _between(of_weight), differences, strict=True
                )
                for line, part, of_part, difference in reversed(list(passes)):
                    _filter_backward(line, part, of_part, difference)
                scale = of_edges.dtype.type(self._rate(i) * self._ratio())
                of_edges[n, 0, :height, :width] += scale * of_weight * weight
        for index, values in enumerate((diffs, of_edges)):
            if propagate_down[index]:
                bottom[index].diff[...] = values

    def _steps(self, values: np.ndarray, edges: np.ndarray) -> list[tuple[np.ndarray, list[np.ndarray]]]:
        """Of each iteration the weights, and what each pass found between a pixel and the one before."""
        return [
            (weight, [_filter(*each) for each in zip(_directions(values), _between(weight), strict=True)])
            for weight in self._weights(edges)
        ]


@register("DomainTransformForwardOnly")
class DomainTransformForwardOnly(DomainTransformForward):
    """DomainTransform without a backward pass. Source: DomainTransformForwardOnlyLayer of DeepLab's fork of Caffe."""

    no_gradient = ()
    has_backward = False


def _directions(values: np.ndarray) -> list[np.ndarray]:
    """Views of C x H x W with the axis that is filtered along first: from the left, the right, above, below."""
    across, down = np.moveaxis(values, 2, 0), np.moveaxis(values, 1, 0)
    return [across, across[::-1], down, down[::-1]]


def _between(weight: np.ndarray) -> list[np.ndarray]:
    """Views of H x W: for each of the directions the weight of each pixel but the first for the one before it."""
    across, down = weight.T[1:], weight[1:]
    return [across, across[::-1], down, down[::-1]]


def _filter(line: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Filter in place along the first axis; returns how far the pixel before was from each."""
    differences = np.empty_like(line[1:])
    for i in range(1, len(line)):
        differences[i - 1] = line[i - 1] - line[i]
        line[i] += weight[i - 1] * differences[i - 1]
    return differences


def _filter_backward(
    line: np.ndarray, weight: np.ndarray, of_weight: np.ndarray, differences: np.ndarray
) -> None:
    """Bring the gradient back through a pass, in place; adds that at the weights to of_weight."""
    for i in range(len(line) - 1, 0, -1):
        of_weight[i - 1] += (line[i] * differences[i - 1]).sum(axis=0)
        line[i - 1] += weight[i - 1] * line[i]
        line[i] *= 1 - weight[i - 1]
