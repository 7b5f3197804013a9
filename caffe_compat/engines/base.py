"""Engine: what runs the layers of one net, and what a solver asks of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import CaffeCompatError
from caffe_compat.net import Net


@dataclass
class LayerGroup:
    """The layers first to last (both included), which run forward at once.

    main: the layer that the time of the whole group is attributed to. hidden: ids of blobs that the group need not
    write. after: first layers of the groups that must run earlier in the same pass; if one of them has not, the layers
    of this group run one by one.
    """

    first: int
    last: int
    main: int
    hidden: list[int] = field(default_factory=list)
    after: tuple[int, ...] = ()


class Updates(Protocol):
    """How solvers move params where the engine keeps them. Arrays: numpy's, or what the engine has in their place.

    The rules take `terms` (clip, share, l2, l1), numbers, one flat array for each that is remembered, the diff and the
    data: they move the data, and leave in the diff what it was moved by.
    """

    sgd: Any
    nesterov: Any
    adagrad: Any
    rmsprop: Any
    adadelta: Any
    adam: Any

    def zeros(self, shape: Sequence[int]) -> Any: ...
    def from_host(self, array: np.ndarray) -> Any: ...
    def to_host(self, array: Any) -> np.ndarray: ...
    def diff_and_data(self, blob: Blob) -> tuple[Any, Any]: ...
    def moved(self, blob: Blob, diff: Any, data: Any) -> None: ...
    def sum_of_squares(self, blob: Blob) -> float: ...


class Workers(Protocol):
    """This worker among several that train one net; see engines/torch/workers.py."""

    rank: int
    count: int

    def iteration(self, net: Net) -> AbstractContextManager[None]: ...
    def agree(self, loss: float, stop: bool, snapshot: bool) -> tuple[float, bool, bool]: ...
    def add_up(self, blobs: Iterable[Blob]) -> None: ...
    def is_first_to_end(self) -> bool: ...
    def close(self) -> None: ...


class WorkerLost(Exception):  # noqa: N818
    """Another worker does not answer any more."""


class Engine:
    """Runs one net, forward and backward, as its plan says.

    net: the net, built. device, precision: see caffe_compat.engine.EngineChoice. groups: layers that run at once.
    updates: what moves params. workers: the others that train the same net; None where it is one alone.
    """

    name = ""
    updates: Updates

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32"):
        self.net, self.device, self.precision = net, device, precision
        self.groups: list[LayerGroup] = []
        self.workers: Workers | None = None

    @classmethod
    def check(cls, device: str, precision: str) -> None:
        """Raise CaffeCompatError where this engine cannot compute there."""
        if (device, precision) != ("cpu", "float32"):
            raise CaffeCompatError(
                f"the engine '{cls.name}' computes on the cpu in float32; for device {device} and precision "
                f"{precision} choose the engine torch"
            )

    def forward(self, start: int, end: int) -> float:
        """Run the layers start to end (both included); returns the weighted sum of their losses."""
        raise NotImplementedError

    def backward(self, start: int, end: int) -> None:
        """Run the layers start down to end (both included) backward, as the plan says."""
        raise NotImplementedError

    def run_layer(self, index: int, backward: bool = False) -> None:
        """Run one layer by itself, forward (it is reshaped before) or backward."""
        raise NotImplementedError

    def train(self) -> None:
        """The net is a solver's, which trains it: time to find the other workers, where there are some."""

    def wait(self) -> None:
        """Wait until all is computed that the engine was asked for: for who measures times."""

    def get_state(self) -> dict[str, np.ndarray]:
        """What an exact resume needs of the engine, for snapshots. Names without a slash."""
        return {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from where `get_state` stood."""
