"""Computes a layer again from what the reference had below it, with something changed: how a hypothesis is checked.

Where the reference does not know what stands between two layers (blobs changed in place), both are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.compare.blob_versions import Version
from caffe_compat.compare.layer_runner import LayerRunner
from caffe_compat.compare.reference import Reference
from caffe_compat.layers.registry import create_layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.rng import caffe_rng, set_random_seed

MOST = 12  # layers computed again at once


@dataclass
class LayerInputs:
    """A layer as it is about to run: its LayerParameter, phase, the arrays in its bottoms and its params."""

    param: LayerParameter
    phase: int
    bottoms: list[np.ndarray]
    params: list[np.ndarray]
    seed: int | None = None  # of the random numbers; None: those that the net draws here


@dataclass
class Hypothesis:
    """Something that the reference may have done differently: `change` makes it so in a copy of the LayerInputs.

    text: as a sentence about the reference.
    """

    text: str
    change: Callable[[LayerInputs], LayerInputs]
    layer: str = ""


@dataclass
class Recomputation:
    """Layers to compute again, in net order, and the data of every blob version that they start from."""

    runner: LayerRunner
    layers: list[int] = field(default_factory=list)
    given: dict[Version, np.ndarray] = field(default_factory=dict)

    def inputs(self, i: int, bottoms: list[np.ndarray]) -> LayerInputs:
        layer = self.runner.net.layers[i]
        return LayerInputs(layer.layer_param, layer.phase, bottoms, [blob.data for blob in layer.blobs])

    def compute(self, hypothesis: Hypothesis | None = None, at: int = -1) -> list[np.ndarray]:
        """The tops of the last layer, with layer `at` changed by the hypothesis."""
        values = dict(self.given)
        state, numpy_state = caffe_rng().get_state(), np.random.get_state()
        tops: list[np.ndarray] = []
        try:
            for i in self.layers:
                inputs = self.inputs(i, [values[v] for v in self.runner.versions.bottoms[i]])
                if hypothesis is not None and i == at:
                    inputs = hypothesis.change(inputs)
                tops = self._run(i, inputs)
                values.update(zip(self.runner.versions.tops[i], tops, strict=True))
        finally:
            caffe_rng().set_state(state)
            np.random.set_state(numpy_state)
        return tops

    def bottoms(self, i: int) -> list[np.ndarray]:
        """What stands in the bottoms of layer i, with nothing changed."""
        wanted = self.runner.versions.bottoms[i]
        if all(version in self.given for version in wanted):
            return [self.given[version] for version in wanted]
        part = Recomputation(self.runner, [k for k in self.layers if k < i], self.given)
        values = dict(self.given)
        for k in part.layers:
            inputs = part.inputs(k, [values[v] for v in self.runner.versions.bottoms[k]])
            values.update(zip(self.runner.versions.tops[k], self._run(k, inputs), strict=True))
        return [values[version] for version in wanted]

    def _run(self, i: int, inputs: LayerInputs) -> list[np.ndarray]:
        rng = caffe_rng()
        if inputs.seed is None:
            if i < len(self.runner.rng_before):
                rng.set_state(self.runner.rng_before[i])
        else:
            set_random_seed(inputs.seed)
        net = self.runner.net
        layer = create_layer(
            inputs.param, inputs.phase, settings=net.layer_settings, python_layers=net.python_layers
        )
        for array in inputs.params:
            layer.blobs.add_blob(*array.shape).data[...] = array
        bottoms = [Blob(array.shape) for array in inputs.bottoms]
        for blob, array in zip(bottoms, inputs.bottoms, strict=True):
            blob.data[...] = array
        tops = [Blob() for _ in self.runner.net.tops[i]]
        state = caffe_rng().get_state()
        layer.setup(bottoms, tops)
        layer.reshape(bottoms, tops)
        caffe_rng().set_state(state)
        layer.forward(bottoms, tops)
        return [top.data for top in tops]


def recomputation(runner: LayerRunner, reference: Reference, i: int) -> Recomputation | None:
    """What is needed to compute layer i again; None where it has no bottoms, or too much would be needed.

    To be called when the layers up to i have run, each fed with the reference's data where known.
    """
    result = Recomputation(runner)
    if i in runner.sources or not _add(result, reference, i, i):
        return None
    result.layers.sort()
    return result


def _add(result: Recomputation, reference: Reference, i: int, end: int) -> bool:
    runner = result.runner
    if len(result.layers) == MOST:
        return False
    result.layers.append(i)
    for blob, version in zip(runner.net.bottoms[i], runner.versions.bottoms[i], strict=True):
        if version in result.given or version.index in result.layers:
            continue
        known = reference.data(version)
        whole = known.shaped(blob.shape) if known is not None else None
        if whole is not None:
            result.given[version] = whole.copy()
        elif _stands(runner, version, end) and (version.index in runner.sources or known is not None):
            result.given[version] = blob.data.copy()  # it agreed when it was made, as far as known
        elif version.index in runner.sources or not _add(result, reference, version.index, end):
            return False
    return True


def _stands(runner: LayerRunner, version: Version, end: int) -> bool:
    """Whether no layer up to `end` has overwritten this version of its blob."""
    writers = [k for k in range(end + 1) for v in runner.versions.tops[k] if v.blob == version.blob]
    return max(writers) == version.index
