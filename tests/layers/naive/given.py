"""What a naive layer gets to see, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from layers.harness import Runner


@dataclass
class Given:
    """bottom and blobs (the params): float64, with the values that the layer has in float32. tops: how many.

    phase: TRAIN or TEST. seed: of the global random numbers, set just before forward.
    """

    param: LayerParameter
    bottom: list[np.ndarray]
    blobs: list[np.ndarray]
    tops: int
    phase: int
    seed: int


def given_to(runner: Runner, seed: int = 0) -> Given:
    """What the runner's layer has before forward."""
    layer = runner.layer
    bottoms, blobs = ([b.data.astype(np.float64) for b in blobs] for blobs in (runner.bottom, layer.blobs))
    return Given(layer.layer_param, bottoms, blobs, len(runner.top), layer.phase, seed)


def like(values: list, x: np.ndarray) -> np.ndarray:
    """Numbers in the shape of x."""
    return np.array(values, np.float64).reshape(x.shape)


def lines(x: np.ndarray, axis: int) -> np.ndarray:
    """A copy, outer x size x inner, of x with all axes before `axis` and all behind it made one."""
    axis = range(x.ndim)[axis]
    outer = inner = 1
    for i, dim in enumerate(x.shape):
        outer *= dim if i < axis else 1
        inner *= dim if i > axis else 1
    return x.reshape(outer, x.shape[axis], inner).copy()


def taken(shape, source: Callable[[tuple[int, ...]], float]) -> np.ndarray:
    """The blob of this shape whose element at each place is source(place)."""
    top = np.zeros(shape)
    for at in np.ndindex(*shape):
        top[at] = source(at)
    return top


def with_axis(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])
