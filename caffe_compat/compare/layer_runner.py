"""Runs a net layer by layer, and feeds each layer with the values of the reference or with the net's own values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.compare.blob_versions import Version, Versions
from caffe_compat.compare.reference import Reference, Value
from caffe_compat.errors import DataError
from caffe_compat.layers.data.dummy_data import DummyData
from caffe_compat.layers.parameter import Parameter
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import Phase
from caffe_compat.prototxt.writer import net_text
from caffe_compat.rng import caffe_rng, set_random_seed

Arrays = dict[str, np.ndarray]


class LayerRunner:
    """A net, the arrays that its data layers and inputs give, the diffs of its outputs, and the seed of its draws.

    inputs: by blob, for every top of every layer without bottoms; these layers are not run. seeds: the diffs of
    outputs that are no losses, by blob. Raises DataError where an input is missing, or has the wrong size.
    """

    def __init__(self, net: Net, inputs: Arrays, seeds: Arrays, seed: int):
        self.net, self.seed, self.seeds = net, seed, seeds
        self.versions = Versions(net.graph)
        self.sources = [i for i, node in enumerate(net.graph.nodes) if not node.bottoms]
        self.inputs = inputs
        self.states = [layer.get_state() for layer in net.layers]
        self.rng_before: list[tuple] = []
        wanted = [version.blob for i in self.sources for version in self.versions.tops[i]]
        missing = [name for name in wanted if name not in inputs and not self._has_values(name)]
        if missing:
            raise DataError(f"no array for {', '.join(missing)}; give one with --inputs")

    def _has_values(self, blob: str) -> bool:
        """Whether a layer makes the values itself, from its params or its prototxt."""
        layer = next(i for i in self.sources if any(v.blob == blob for v in self.versions.tops[i]))
        return isinstance(self.net.layers[layer], (DummyData, Parameter))

    def rewind(self) -> None:
        """Begin anew: the seeds, what layers remember, and params without gradient."""
        for layer, state in zip(self.net.layers, self.states, strict=True):
            if state:
                layer.set_state({name: array.copy() for name, array in state.items()})
        set_random_seed(self.seed)
        np.random.seed(self.seed)  # of Python layers
        self.net.clear_param_diffs()
        self.rng_before = []

    def forward(self, i: int) -> list[Blob]:
        """Run layer i forward on what stands in its bottoms; returns its tops."""
        net, tops = self.net, self.net.tops[i]
        self.rng_before.append(caffe_rng().get_state())
        given = [self.inputs.get(version.blob) for version in self.versions.tops[i]]
        if i in self.sources and all(array is not None for array in given):
            for top, array in zip(tops, given, strict=True):
                assert array is not None
                top.reshape(*array.shape)
                top.data[...] = array
            return tops
        net.run_layer(i)
        return tops

    def seed_outputs(self) -> None:
        """Put the seeds into the diffs of the outputs, zeros into those of other outputs that are no losses.

        Raises DataError where a seed has another shape.
        """
        net = self.net
        for i in net.graph.outputs:
            if not net.graph.loss_weights[i]:
                name, blob = net.blob_names[i], net.blob_list[i]
                seed = self.seeds.get(name, np.zeros(blob.shape))
                if seed.shape != blob.shape:
                    raise DataError(
                        f"the gradient given at output '{name}' has the shape {seed.shape}, the net's {blob.shape}"
                    )
                blob.diff[...] = seed

    def backward(self, i: int) -> list[np.ndarray]:
        """Run layer i backward, as the plan says; returns the gradients at its bottoms, zeros where it makes none."""
        net, plan = self.net, self.net.plan[i]
        if plan.need_backward:
            net.run_layer(i, backward=True)
        return [
            blob.diff if self.flows(i, j) else np.zeros(blob.shape, blob.dtype)
            for j, blob in enumerate(net.bottoms[i])
        ]

    def flows(self, i: int, j: int) -> bool:
        """Whether layer i gives its bottom j a gradient."""
        return self.net.plan[i].propagate_down[j]

    # ---- what the reference has goes in ------------------------------------------------------------------------
    def feed_bottoms(self, i: int, reference: Reference) -> None:
        """Put the reference's data into the bottoms of layer i, where it has them in their shapes."""
        for blob, version in zip(self.net.bottoms[i], self.versions.bottoms[i], strict=True):
            _put(blob.data, reference.data(version))

    def feed_backward(self, i: int, reference: Reference) -> None:
        """Put the reference's data and gradients where layer i reads them when it runs backward.

        The data is what the last layer left in each blob. A loss keeps its weight.
        """
        net = self.net
        ends = [*self.versions.bottoms[i], *self.versions.tops[i]]
        for blob, version in zip([*net.bottoms[i], *net.tops[i]], ends, strict=True):
            _put(blob.data, reference.values.get(f"data:{version.blob}"))
        weights = net.graph.nodes[i].loss_weights
        for blob, version, weight in zip(net.tops[i], self.versions.tops[i], weights, strict=True):
            known = reference.diff(version)
            if not weight and known is not None and known.whole is not None:
                _put(blob.diff, known)


def _put(array: np.ndarray, value: Value | None) -> None:
    whole = None if value is None else value.shaped(array.shape)
    if whole is not None:
        array[...] = whole


def record(runner: LayerRunner, name: str) -> Reference:
    """Run a net and keep all its values, as a reference of the kind "net"."""
    net = runner.net
    result = Reference(name, "net", net_text(net.param), Phase.Name(net.phase), runner.seed)
    _keep(result, _of_params(net, "param"))
    _keep(result, ((f"in:{blob}", array) for blob, array in runner.inputs.items()))
    _keep(result, ((f"seed:{blob}", array) for blob, array in runner.seeds.items()))
    runner.rewind()
    for i in range(len(net.layers)):
        tops = [blob.data for blob in runner.forward(i)]
        _keep(result, _of_versions("data", runner.versions.tops[i], tops))
    _keep(result, ((f"data:{blob_name}", blob.data) for blob_name, blob in net.blobs.items()))
    runner.seed_outputs()
    for i in reversed(range(len(net.layers))):
        weights = net.graph.nodes[i].loss_weights
        losses = [j for j, weight in enumerate(weights) if weight]
        versions = [runner.versions.tops[i][j] for j in losses]
        _keep(result, _of_versions("diff", versions, [net.tops[i][j].diff for j in losses]))
        _keep(result, _of_versions("diff", runner.versions.bottoms[i], runner.backward(i)))
    _keep(result, _of_params(net, "pdiff"))
    return result


def _of_params(net: Net, what: str) -> Iterator[tuple[str, np.ndarray]]:
    for layer, blobs in net.params.items():
        for j, blob in enumerate(blobs):
            yield f"{what}:{layer}:{j}", blob.data if what == "param" else blob.diff


def _of_versions(
    what: str, versions: Sequence[Version], arrays: Sequence[np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    for version, array in zip(versions, arrays, strict=True):
        yield f"{what}@{version.layer}:{version.blob}", array


def _keep(reference: Reference, items: Iterable[tuple[str, np.ndarray]]) -> None:
    for key, array in items:
        reference.values[key] = Value(whole=array.copy())
