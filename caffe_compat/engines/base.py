"""Engine: runs the layers of one net, and does what its solver asks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.group import Group
from caffe_compat.errors import CaffeCompatError
from caffe_compat.net import Net


@dataclass
class LayerGroup:
    """The layers first to last (both included), which run forward at once.

    main: the layer that the time of the whole group is attributed to. hidden: ids of blobs that the group need not
    write; hides_until: the last of the layers that make them. after: first layers of the groups that must run earlier
    in the same pass; if one of them has not, the layers of this group run one by one.
    """

    first: int
    last: int
    main: int
    hidden: list[int] = field(default_factory=list)
    hides_until: int = -1
    after: tuple[int, ...] = ()


class Updates(Protocol):
    """How solvers move params, in the memory where the engine keeps them: numpy arrays, or the engine's own kind.

    Each rule takes `terms` (clip, share, l2, l1; see layers/kernels/updates.py), its numbers, one array for each
    history, the diff and the data. It moves the data, and writes the move into the diff. The arrays of a param have its
    elements in the engine's own order and shape; `to_host` gives Caffe's order.
    """

    sgd: Any
    nesterov: Any
    adagrad: Any
    rmsprop: Any
    adadelta: Any
    adam: Any

    def zeros(self, blob: Blob) -> Any: ...
    def from_host(self, array: np.ndarray, blob: Blob) -> Any: ...
    def to_host(self, array: Any) -> np.ndarray: ...
    def diff_and_data(self, blob: Blob) -> tuple[Any, Any]: ...
    def moved(self, blob: Blob, diff: Any, data: Any) -> None: ...
    def sum_of_squares(self, blob: Blob) -> float: ...  # of the diff
    def sum_of_param_squares(self, blob: Blob) -> float: ...


class Workers(Protocol):
    """The view that one worker has of all that train the same net; see engines/torch/workers.py."""

    @property
    def group(self) -> Group: ...
    def iteration(self, net: Net, number: int) -> AbstractContextManager[None]: ...
    def forward_backward(self, is_last: bool) -> AbstractContextManager[None]: ...
    def agree(self, loss: float, stop: bool, snapshot: bool) -> tuple[float, bool, bool]: ...
    def images_read(self) -> list[int]: ...


class Engine:
    """Runs one net, forward and backward, as its plan says.

    net: a net that is built. device, precision, compiled: see caffe_compat.engine.EngineChoice.

    Attributes:
        groups    the layers that run at once
        updates   how solvers move the net's params
        workers   all workers that train the net together; None where there is only this one
    """

    name = ""
    updates: Updates

    def __init__(self, net: Net, device: str = "cpu", precision: str = "float32", compiled: bool = False):
        self.net, self.device, self.precision, self.compiled = net, device, precision, compiled
        self.groups: list[LayerGroup] = []
        self.workers: Workers | None = None

    @classmethod
    def check(cls, device: str, precision: str, compiled: bool = False) -> None:
        """Raise CaffeCompatError where this engine cannot compute on the device in the precision, or be compiled."""
        if compiled:
            raise CaffeCompatError(
                f"the engine '{cls.name}' is compiled as it is; only the engine torch takes --compile"
            )
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
        """Called once by the solver that trains the net: finds the other workers, if there are any."""

    def wait(self) -> None:
        """Wait until the engine has computed all that it was asked for, so that times can be measured."""

    def get_state(self) -> dict[str, np.ndarray]:
        """The state of the engine that snapshots keep for an exact resume. Names have no slash."""
        return {}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state that `get_state` returned."""
