"""What a solver remembers of each learnable param from one update to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.net import Net


class History:
    """`each` arrays a learnable param of the net, as its engine keeps them; zeros at first. Frozen params have none.

    Source: Caffe's SGDSolver::history_.
    """

    def __init__(self, net: Net, each: int):
        self._net, self._count = net, len(net.learnable)
        self._arrays: list[Any] = [None] * (self._count * each)

    def has(self, index: int) -> bool:
        """Whether there is anything of a learnable param."""
        return self._arrays[index] is not None

    def of(self, index: int) -> list[Any]:
        """The arrays of a learnable param, to be written to."""
        result = []
        for i in range(index, len(self._arrays), self._count):
            if self._arrays[i] is None:
                self._arrays[i] = self._net.engine.updates.zeros(self._blob(i))
            result.append(self._arrays[i])
        return result

    def get(self) -> Iterator[np.ndarray]:
        """All of it in the order of Caffe's states: the first arrays of all params, then all second ones.

        Those of frozen params are zeros.
        """
        for i, array in enumerate(self._arrays):
            shape = self._blob(i).shape
            if array is None:
                yield np.zeros(shape, np.float32)
            else:
                yield self._net.engine.updates.to_host(array).reshape(shape)

    def set(self, arrays: Sequence[np.ndarray]) -> None:
        """Go on from arrays in the order and the shapes of `get`."""
        used = [
            param.lr_mult.value != 0 or any(array.any() for array in arrays[i :: self._count])
            for i, param in enumerate(self._net.learnable)
        ]
        self._arrays = [
            self._net.engine.updates.from_host(np.array(array), self._blob(i))
            if used[i % self._count]
            else None
            for i, array in enumerate(arrays)
        ]

    def _blob(self, index: int) -> Blob:
        """The blob of the param that an array is of."""
        return self._net.param_blob(self._net.learnable[index % self._count])
