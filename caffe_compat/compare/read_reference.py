"""Reads the reference of whichever kind, and brings a net into the state in which it can be held against it."""

from __future__ import annotations

import numpy as np

from caffe_compat import weights as weight_files
from caffe_compat.compare.layer_runner import Arrays, LayerRunner, record
from caffe_compat.compare.read_log import read_log
from caffe_compat.compare.reference import Reference, read_recording
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn import feed
from caffe_compat.glog import CREATING, DEBUG_INFO, log_lines
from caffe_compat.net import Net

ZIP = b"PK\x03\x04"


def kind_of(path: str) -> str:
    """What a file is, by what stands in it: "recording", "log" or "net". Raises DataError."""
    try:
        with open(path, "rb") as file:
            if file.read(4) == ZIP:
                return "recording"
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", file=path) from error
    logged = any(DEBUG_INFO.search(line) or CREATING in line for line in log_lines(path))
    return "log" if logged else "net"


def read_reference(path: str) -> Reference:
    """Read a recording or a log. Raises DataError."""
    return read_recording(path) if kind_of(path) == "recording" else read_log(path)


def own_inputs(net: Net, path: str | None, seed: int) -> Arrays:
    """What the net's inputs and data layers give: of an .npz, or without one a drawn sample or noise; by blob."""
    if path is not None:
        feed.feed_inputs(net, path)
    else:
        feed.feed_sample(net, seed)
    result: Arrays = {}
    for i, node in enumerate(net.graph.nodes):
        if not node.bottoms:
            net.run_layer(i)
            result.update((net.blob_names[blob], net.blob_list[blob].data.copy()) for blob in node.tops)
    return result


def own_seeds(net: Net, inputs: Arrays, seed: int) -> Arrays:
    """Random diffs for the outputs that are no losses, by blob."""
    runner = LayerRunner(net, inputs, {}, seed)
    runner.rewind()
    for i in range(len(net.layers)):
        runner.forward(i)
    runner.rewind()
    rng = np.random.RandomState(seed)
    outputs = [i for i in net.graph.outputs if not net.graph.loss_weights[i]]
    return {
        net.blob_names[i]: rng.standard_normal(net.blob_list[i].shape).astype(np.float32) for i in outputs
    }


def record_net(net: Net, inputs: Arrays, seed: int) -> Reference:
    """Run a net and keep all of it, as a reference for another net."""
    runner = LayerRunner(net, inputs, own_seeds(net, inputs, seed), seed)
    return record(runner, net.source.name if net.source else net.name)


def load_params(net: Net, reference: Reference) -> list[str]:
    """Give the net the params that the reference has, whole and of their shapes; returns the layers that got some."""
    loaded = []
    for layer, blobs in net.params.items():
        for j, blob in enumerate(blobs):
            value = reference.param("param", [(layer, j)])
            whole = value.shaped(blob.shape) if value is not None else None
            if whole is not None:
                blob.data[...] = whole
                loaded.append(layer)
    return list(dict.fromkeys(loaded))


def weights_by_name(reference: Reference, path: str | None) -> dict[str, list[np.ndarray]]:
    """The params of all layers of a weights file, or without one of the reference, by layer."""
    if path is not None:
        return {
            stored.name: [array for _, array in sorted(stored.arrays.items())]
            for stored in weight_files.read(path)
        }
    result: dict[str, list[np.ndarray]] = {}
    arrays = reference.arrays("param")
    for key in sorted(arrays, key=_by_layer_and_index):
        result.setdefault(key.rpartition(":")[0], []).append(arrays[key])
    return result


def _by_layer_and_index(key: str) -> tuple[str, int]:
    layer, _, index = key.rpartition(":")
    return layer, int(index)
