"""Writes the operators and constants of an ONNX graph, and names its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from caffe_compat.blob import Blob

OPSET = 17  # since 2022; without what later ones add, so that older runtimes read it
LOWEST = np.finfo(np.float32).min  # the score of a box that is no candidate
END = np.iinfo(np.int64).max  # as the end of a Slice: whatever is there


class Operators:
    """Adds operators, in order, and constants to a graph.

    `axes` has the number of axes of each value that is at a bottom. A value is known by its name; those that an
    operator writes are called after `scope`, which is the name of the layer that is converted, and a number. `bytes` is
    what the constants take.
    """

    def __init__(self, graph: onnx.GraphProto, scope: str = "") -> None:
        self.graph = graph
        self.axes: dict[str, int] = {}
        self.scope = scope
        self.bytes = 0
        self._names: dict[str, int] = {}
        self._params: dict[tuple[int, tuple[int, ...]], str] = {}

    def fresh(self, scope: str) -> str:
        """A name that no value has yet."""
        self._names[scope] = self._names.get(scope, 0) + 1
        return f"{scope}:{self._names[scope]}"

    def __call__(self, type: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of one output; returns the output."""
        return self.many(type, 1, *inputs, **attributes)[0]

    def many(self, type: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator of several outputs; returns the outputs."""
        names = [self.fresh(self.scope) for _ in range(outputs)]
        self.graph.node.append(helper.make_node(type, inputs, names, name=names[0], **attributes))
        return names

    def param(self, blob: Blob) -> str:
        """A layer's param as it is; layers that share it share the constant."""
        key = blob.data.__array_interface__["data"][0], blob.shape
        if key not in self._params:
            self._params[key] = self._constant(blob.data, "param")
        return self._params[key]

    def floats(self, values: Any) -> str:
        """A float32 constant."""
        return self._constant(np.asarray(values, np.float32))

    def ints(self, values: int | Sequence[int] | np.ndarray) -> str:
        """An int64 constant: a scalar, of one axis, or as an array has them."""
        return self._constant(np.asarray(values, np.int64))

    def _constant(self, array: np.ndarray, kind: str = "constant") -> str:
        name = self.fresh(f"{self.scope}:{kind}")
        self.bytes += array.nbytes
        self.graph.initializer.add(  # in its place at once: weights are large, and copies of them take seconds
            name=name,
            dims=array.shape,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            raw_data=array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes(),
        )
        return name

    def dims(self, value: str, start: int, end: int) -> str:
        """The dims of the axes start to end (not included) of a value, as a vector."""
        return self.slice(self("Shape", value), start, end, 0)

    def slice(self, value: str, start: int, end: int, axis: int) -> str:
        """What lies from start to end (not included) along an axis."""
        return self("Slice", value, self.ints([start]), self.ints([end]), self.ints([axis]))

    def reverse(self, value: str, axis: int) -> str:
        """The value with an axis from its end to its begin."""
        first, last, step = self.ints([-1]), self.ints([np.iinfo(np.int64).min]), self.ints([-1])
        return self("Slice", value, first, last, self.ints([axis]), step)

    def count_up(self, count: str) -> str:
        """0, 1, ... below the one number of an int64 vector."""
        return self("Range", self.ints(0), self("Squeeze", count, self.ints([0])), self.ints(1))

    def size(self, value: str, axis: int) -> str:
        """The size of an axis, as a float32 vector of one number."""
        return self.cast(self.dims(value, axis, axis + 1), np.float32)

    def places(self, value: str, axis: int) -> str:
        """0, 1, ... below the size of an axis, in float32."""
        return self.cast(self.count_up(self.dims(value, axis, axis + 1)), np.float32)

    def cast(self, value: str, dtype: Any) -> str:
        """The value as another of numpy's dtypes."""
        return self("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def suppress(self, boxes: str, scores: str, most: str, overlap: float, least: float) -> str:
        """NonMaxSuppression of N x P x 4 boxes by N x C x P scores: image, class and box of each that stays, D x 3.

        Of each class the `most` best; scores are above `least`, and a box goes that overlaps a better one by more
        than `overlap` (as intersection over union).
        """
        limits = self.floats([min(max(overlap, 0), 1)]), self.floats([least])
        return self("NonMaxSuppression", boxes, scores, most, *limits)

    def reshape(self, value: str, *dims: int) -> str:
        """The value with another shape: 0 is the dim that it has at this axis, -1 what makes the counts equal."""
        return self("Reshape", value, self.ints(dims))

    def four_axes(self, value: str, axes: int) -> str:
        """The value, which has so many axes, with further ones of one number each behind them, up to four."""
        return value if axes == 4 else self("Unsqueeze", value, self.ints(list(range(axes, 4))))

    def rename(self, names: dict[str, str]) -> None:
        """Call values by other names: old name -> new name."""
        _rename(self.graph.node, names)


def _rename(nodes: Iterable[onnx.NodeProto], names: dict[str, str]) -> None:
    for node in nodes:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
        for attribute in node.attribute:
            _rename(attribute.g.node, names)  # a loop's body reads values from outside
