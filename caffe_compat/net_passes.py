"""What pycaffe's Python half adds to Net: passes by layer names and with arrays, in batches of any number of inputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import zip_longest
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import GraphError
from caffe_compat.graph import Graph
from caffe_compat.layers.base import Layer

Arrays = dict[str, np.ndarray]


class PycaffeNet:
    """The part of Net that needs only its names, blobs, `forward_from_to` and `backward_from_to`.

    Source: pycaffe's pycaffe.py.
    """

    layers: list[Layer]
    blobs: OrderedDict[str, Blob]
    inputs: list[str]
    outputs: list[str]
    top_names: OrderedDict[str, list[str]]
    bottom_names: OrderedDict[str, list[str]]
    layer_names: list[str]
    blob_names: list[str]
    blob_list: list[Blob]
    graph: Graph

    def forward_from_to(self, start: int = 0, end: int | None = None) -> float:
        raise NotImplementedError

    def backward_from_to(self, start: int | None = None, end: int = 0) -> None:
        raise NotImplementedError

    def located(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs
    ) -> Arrays:
        """Run forward; returns {blob name: data} of the outputs (or of layer `end`'s tops), and of `blobs` too.

        start, end: names of the first and the last layer to run. kwargs: an array for each input blob (all of
        them), of the input's shape. The arrays returned are the blobs' own: the next forward changes them.
        Raises ValueError for names and shapes that do not fit.
        """
        first = self._index(start) if start is not None else 0
        last = self._index(end) if end is not None else len(self.layers) - 1
        names = [*(self.top_names[end] if end is not None else self.outputs), *(blobs or [])]
        self._feed(kwargs, self.inputs, "data", "input")
        self.forward_from_to(first, last)
        return {name: self.blobs[name].data for name in names}

    def backward(
        self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs
    ) -> Arrays:
        """Run backward; returns {blob name: diff} of the inputs (or of layer `end`'s bottoms), and of `diffs` too.

        start, end: names of the first (top) and the last (bottom) layer to run. kwargs: a diff for each output
        blob (all of them); without, the diffs are what they are, and a loss has its weight. Param diffs are added
        to: see clear_param_diffs. Raises ValueError for names and shapes that do not fit.
        """
        first = self._index(start) if start is not None else len(self.layers) - 1
        last = self._index(end) if end is not None else 0
        names = [*(self.bottom_names[end] if end is not None else self.inputs), *(diffs or [])]
        self._feed(kwargs, self.outputs, "diff", "output")
        self.backward_from_to(first, last)
        return {name: self.blobs[name].diff for name in names}

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs) -> Arrays:
        """Run forward in batches over any number of inputs; returns {blob name: array of all outputs}."""
        return self._all(blobs, (), False, kwargs)[0]

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs
    ) -> tuple[Arrays, Arrays]:
        """Run forward and backward in batches; returns ({blob: data}, {blob: diff}) over all batches.

        kwargs: arrays of any equal length for the inputs (their data) and the outputs (their diffs).
        """
        return self._all(blobs, diffs, True, kwargs)

    def _all(self, blobs, diffs, backward: bool, arrays: Arrays) -> tuple[Arrays, Arrays]:
        if not arrays:
            raise ValueError(f"give an array for each input blob; they are {self.inputs}")
        data: dict[str, list] = {}
        grad: dict[str, list] = {}
        nothing: dict[str, Any] = {}
        ins = self._batch({name: array for name, array in arrays.items() if name not in self.outputs})
        outs = self._batch({name: array for name, array in arrays.items() if name in self.outputs})
        for batch_in, batch_out in zip_longest(ins, outs, fillvalue=nothing):
            for name, value in self.forward(blobs=blobs, **batch_in).items():
                data.setdefault(name, []).extend(np.atleast_1d(value).copy())
            if backward:
                for name, value in self.backward(diffs=diffs, **batch_out).items():
                    grad.setdefault(name, []).extend(np.atleast_1d(value).copy())
        count = len(next(iter(arrays.values())))
        first, second = (
            {name: np.asarray(rows)[:count] for name, rows in part.items()} for part in (data, grad)
        )
        return first, second

    def _batch(self, blobs: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
        """The arrays in pieces of the net's batch size, the last one padded with zeros."""
        if not blobs:
            return
        size = next(iter(self.blobs.values())).shape[0]
        for i in range(0, len(next(iter(blobs.values()))), size):
            batch = {}
            for name, array in blobs.items():
                part = np.asarray(array[i : i + size])
                padding = np.zeros((size - len(part), *part.shape[1:]), part.dtype)
                batch[name] = np.concatenate([part, padding])
            yield batch

    def _feed(self, arrays: Arrays, names: list[str], what: str, kind: str) -> None:
        if arrays and set(arrays) != set(names):
            raise ValueError(f"the net's {kind} blobs are {names}, got arrays for {sorted(arrays)}")
        for name, array in arrays.items():
            blob = self.blobs[name]
            if np.shape(array)[:1] != blob.shape[:1]:
                raise _misfit(kind, name, blob, array)
            try:
                getattr(blob, what)[...] = array
            except ValueError as error:
                raise _misfit(kind, name, blob, array) from error

    def _index(self, layer: str) -> int:
        if layer not in self.layer_names:
            raise ValueError(f"the net has no layer '{layer}'; its layers are {self.layer_names}")
        return self.layer_names.index(layer)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Serve these arrays from the MemoryData layer that the net begins with; see its `reset`."""
        from caffe_compat.layers.data.memory_data import MemoryData  # OpenCV takes long to import

        layer = self.layers[0]
        if not isinstance(layer, MemoryData):
            raise GraphError(f"the first layer is no MemoryData, but {layer.type}", layer.name)
        with self.located():
            layer.reset(data, labels)

    # ---- what pycaffe itself calls by names with an underscore ------------------------------------------------
    _set_input_arrays = set_input_arrays

    def _forward(self, start: int, end: int) -> float:
        return self.forward_from_to(start, end)

    def _backward(self, start: int, end: int) -> None:
        self.backward_from_to(start, end)

    def _bottom_ids(self, index: int) -> list[int]:
        return self.graph.nodes[index].bottoms

    def _top_ids(self, index: int) -> list[int]:
        return self.graph.nodes[index].tops

    _layer_names = property(lambda self: self.layer_names)
    _blob_names = property(lambda self: self.blob_names)
    _blobs = property(lambda self: self.blob_list)
    _inputs = property(lambda self: self.graph.inputs)
    _outputs = property(lambda self: self.graph.outputs)
    _blob_loss_weights = property(lambda self: self.graph.loss_weights)


def _misfit(kind: str, name: str, blob: Blob, array: np.ndarray) -> ValueError:
    return ValueError(f"{kind} '{name}' has shape {blob.shape}, got an array of shape {np.shape(array)}")
