"""Stops a net or a solver at the first value that is not finite, and says which layer made it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from caffe_compat.debug.replay import Before, write
from caffe_compat.errors import NotFiniteError
from caffe_compat.files import check_writable
from caffe_compat.index_names import blob_place, param_place
from caffe_compat.net import Net
from caffe_compat.rng import caffe_rng
from caffe_compat.solvers import Iteration, Solver

TOP, PARAM, UPDATE = "top", "param", "update"
TOP_GRADIENT, BOTTOM_GRADIENT, PARAM_GRADIENT = "gradient at top", "gradient at bottom", "gradient of param"
FORWARD = (PARAM, TOP, UPDATE)


@dataclass
class Range:
    """What an array holds: the least and the greatest finite value (None if there is none), and the numbers of all
    values, of NaNs and of infinite ones."""

    what: str
    name: str
    shape: tuple[int, ...]
    least: float | None
    greatest: float | None
    count: int
    nan: int
    inf: int

    @classmethod
    def of(cls, what: str, name: str, array: np.ndarray) -> Range:
        finite = array[np.isfinite(array)]
        least, greatest = (float(finite.min()), float(finite.max())) if finite.size else (None, None)
        nan = int(np.isnan(array).sum())
        return cls(what, name, array.shape, least, greatest, array.size, nan, array.size - finite.size - nan)


@dataclass
class NotFinite:
    """The first value that is not finite.

    what: top, param, gradient at top, gradient at bottom, gradient of param, or update (of a param). name: the name of
    the blob, or the number of the param. value: nan, inf or -inf. index: where it is first in the array; place: the
    same in words. found: the Range of that array. inputs: the Ranges of what the layer read. replay: the path of the
    file that was written; empty without one. iteration: the solver's; None without a solver.
    """

    what: str
    layer: str
    type: str
    name: str
    value: str
    index: tuple[int, ...]
    place: str
    found: Range
    inputs: list[Range] = field(default_factory=list)
    replay: str = ""
    iteration: int | None = None

    @property
    def born_here(self) -> bool:
        """Whether everything that the layer read is finite."""
        return not any(one.nan or one.inf for one in self.inputs)

    def sentence(self) -> str:
        where = f" at {self.index}: {self.place}" if self.index else f" ({self.place})"
        when = "" if self.iteration is None else f" in iteration {self.iteration}"
        after = " after the update" if self.what == UPDATE else ""
        subject = f"param {self.name}" if self.what == UPDATE else f"{self.what} {_quoted(self.name)}"
        bad = self.found.nan + self.found.inf
        text = (
            f"{subject} is {self.value}{after}{when}{where}; {bad} of {self.found.count} value(s) not finite"
        )
        if self.inputs and self.what in (TOP, BOTTOM_GRADIENT, PARAM_GRADIENT) and self.born_here:
            text += ", all that the layer read is finite"
        return text + (f"; alone: caffe-compat replay {self.replay}" if self.replay else "")

    def as_dict(self) -> dict[str, Any]:
        """The finding as dicts, lists, strings and finite numbers, for JSON."""
        return {**asdict(self), "born_here": self.born_here}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NotFinite:
        """The finding that `as_dict` returned, read from JSON."""
        own = {name: value for name, value in values.items() if name != "born_here"}
        own["index"], own["found"] = tuple(own["index"]), Range(**own["found"])
        return cls(**{**own, "inputs": [Range(**one) for one in own["inputs"]]})


def _quoted(name: str) -> str:
    return name if name.isdigit() else f"'{name}'"


@contextmanager
def check_finite(net: Net | Solver, folder: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """While the block runs, a net (or a solver with its nets) stops at its first value that is not finite.

    It checks a layer's params before its forward and its tops after it; the gradients at outputs before its backward,
    and those at its bottoms and of its params after it; and a solver's params after each update. folder: where
    replay_LAYER.npz is written, from which the layer can be run again (see replay.py); None: no file is written.

    Raises NotFiniteError, whose `finding` is a NotFinite, from within forward, backward or the solver's step.
    """
    with ExitStack() as stack:
        stack.enter_context(np.errstate(all="ignore"))  # numpy would warn of what is found here
        if isinstance(net, Solver):
            for one in (net.net, *net.test_nets):
                stack.enter_context(_Check(one, folder, net).watching())
            stack.enter_context(_updates(net, folder))
        else:
            stack.enter_context(_Check(net, folder).watching())
        yield


class _Check:
    def __init__(self, net: Net, folder: str | os.PathLike[str] | None, solver: Solver | None = None):
        if folder is not None:
            check_writable(os.path.join(folder, "replay.npz"))
        self.net, self.folder, self.solver = net, folder, solver
        self.before: list[Before] = [Before() for _ in net.layers]

    @contextmanager
    def watching(self) -> Iterator[None]:
        callbacks = {
            "before_forward": self.before_forward,
            "after_forward": self.after_forward,
            "before_backward": self.before_backward,
            "after_backward": self.after_backward,
        }
        for when, callback in callbacks.items():
            getattr(self.net, when)(callback)
        try:
            yield
        finally:
            for callback in callbacks.values():
                self.net.remove_callback(callback)

    def before_forward(self, i: int) -> None:
        node = self.net.graph.nodes[i]
        changed = {j: self.net.blob_list[b].data.copy() for j, b in enumerate(node.bottoms) if b in node.tops}
        self.before[i] = Before(changed, {}, caffe_rng().get_state(), np.random.get_state(legacy=True))
        for j, blob in enumerate(self.net.layers[i].blobs):
            self._check(i, PARAM, str(j), blob.data)

    def after_forward(self, i: int) -> None:
        for blob in self.net.graph.nodes[i].tops:
            self._check(i, TOP, self._name(blob), self.net.blob_list[blob].data, blob)

    def before_backward(self, i: int) -> None:
        node = self.net.graph.nodes[i]
        for j, blob in enumerate(node.tops):
            if blob in node.bottoms:
                self.before[i].gradients[j] = self.net.blob_list[blob].diff.copy()
            if blob in self.net.graph.outputs:
                self._check(i, TOP_GRADIENT, self._name(blob), self.net.blob_list[blob].diff, blob)

    def after_backward(self, i: int) -> None:
        for blob, flows in zip(self.net.graph.nodes[i].bottoms, self.net.plan[i].propagate_down, strict=True):
            if flows:
                self._check(i, BOTTOM_GRADIENT, self._name(blob), self.net.blob_list[blob].diff, blob)
        layer = self.net.layers[i]
        for j, param in enumerate(layer.blobs):
            if layer.propagates_to(j) and param.has_diff:
                self._check(i, PARAM_GRADIENT, str(j), param.diff)

    def _name(self, blob: int) -> str:
        return self.net.blob_names[blob]

    def _check(self, i: int, what: str, name: str, array: np.ndarray, blob: int | None = None) -> None:
        if not is_finite(array):
            self.stop(i, what, name, array, blob)

    def stop(self, i: int, what: str, name: str, array: np.ndarray, blob: int | None = None) -> None:
        """Raise NotFiniteError for the first value of this array that is not finite."""
        net, node = self.net, self.net.param.layer[i]
        first = int(np.flatnonzero(~np.isfinite(array))[0])
        index = tuple(int(k) for k in np.unravel_index(first, array.shape))
        place = param_place(net, i, int(name), index) if blob is None else blob_place(net, i, blob, index)
        if what == TOP_GRADIENT and any(net.graph.nodes[i].loss_weights):
            place = "the loss_weight of the layer"
        finding = NotFinite(
            what, node.name, node.type, name, f"{array.reshape(-1)[first]:g}", index, place,
            Range.of(what, name, array), self._inputs(i, what, name),
            iteration=self.solver.iter if self.solver else None,
        )  # fmt: skip
        if self.folder is not None:
            path = os.path.join(self.folder, f"replay_{node.name.replace('/', '_')}.npz")
            finding.replay = os.path.normpath(path)
            write(finding.replay, net, i, self.before[i], what not in FORWARD, finding.as_dict())
        raise NotFiniteError(finding.sentence(), node.name, node.type, finding)

    def _inputs(self, i: int, what: str, name: str) -> list[Range]:
        bottoms = self.before[i].bottoms(self.net, i)
        names = [self._name(blob) for blob in self.net.graph.nodes[i].bottoms]
        result = [Range.of("bottom", *one) for one in zip(names, bottoms, strict=True)]
        result += [Range.of(PARAM, str(j), blob.data) for j, blob in enumerate(self.net.layers[i].blobs)]
        if what == UPDATE:
            result.append(Range.of(UPDATE, name, self.net.layers[i].blobs[int(name)].diff))
        elif what not in FORWARD:
            tops = [self._name(blob) for blob in self.net.graph.nodes[i].tops]
            gradients = self.before[i].top_gradients(self.net, i)
            result += [Range.of(TOP_GRADIENT, *one) for one in zip(tops, gradients, strict=True)]
        return result


@contextmanager
def _updates(solver: Solver, folder: str | os.PathLike[str] | None) -> Iterator[None]:
    check = _Check(solver.net, folder, solver)

    def after_update(done: Iteration) -> None:
        for param in solver.net.learnable:
            i, j = param.uses[0]
            array = solver.net.layers[i].blobs[j].data
            if not is_finite(array):
                solver.iter = done.iter  # the iteration of this update, not the next one
                with solver.net.located():
                    check.stop(i, UPDATE, str(j), array)

    solver.on_iteration(after_update)
    try:
        yield
    finally:
        solver.remove_on_iteration(after_update)


def is_finite(array: np.ndarray) -> bool:
    """Whether all values are finite. Needs no temporary array, as min and max are NaN where any value is."""
    return not array.size or (math.isfinite(array.min()) and math.isfinite(array.max()))
