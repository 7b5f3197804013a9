"""Runs what the original Caffe answered (tests/golden, see its README) through Net and compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import caffe_compat as caffe
from caffe_compat.graph import with_state
from caffe_compat.prototxt.reader import parse_net

GOLDEN = Path(__file__).parent / "golden"


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def net_of(text: str, phase: int = caffe.TRAIN, propagate_down: str = "replaces", **options) -> caffe.Net:
    """A net from the text of a prototxt."""
    param, source = parse_net(text)
    return caffe.Net.from_param(with_state(param, phase), source, propagate_down, **options)


def assert_close(got: np.ndarray, want: np.ndarray, what: str, tolerance: float = 1e-4) -> None:
    """The tolerance of the recordings: `tolerance` times the largest value, or times 1e-3 where that is smaller."""
    assert got.size == want.size, f"{what}: {got.shape} where {want.shape} was recorded"
    error = np.abs(got.reshape(want.shape) - want).max(initial=0)
    bound = tolerance * max(np.abs(want).max(initial=0), 1e-3)
    assert error <= bound, f"{what}: off by {error:.3g}, allowed {bound:.3g}"


def replay(net: caffe.Net, record: dict[str, np.ndarray], tolerance: float = 1e-4) -> None:
    """Feed inputs and params, run forward, and backward where diffs were recorded; compare everything."""
    for key, value in record.items():
        kind, _, name = key.partition(":")
        if kind == "in":
            net.blobs[name].reshape(*value.shape)
            net.blobs[name].data[...] = value
        elif kind == "param":
            layer, _, index = name.rpartition(":")
            net.params[layer][int(index)].data[...] = value
    net.forward()
    for key, value in record.items():
        if key.startswith("data:"):
            assert_close(net.blobs[key[5:]].data, value, key, tolerance)
    if not any(key.startswith("diff:") for key in record):
        return
    for key, value in record.items():
        if key.startswith("seed:"):
            net.blobs[key[5:]].diff[...] = value
    net.backward()
    for key, value in record.items():
        kind, _, name = key.partition(":")
        if kind == "diff":
            assert_close(net.blobs[name].diff, value, key, tolerance)
        elif kind == "pdiff":
            layer, _, index = name.rpartition(":")
            assert_close(net.params[layer][int(index)].diff, value, key, tolerance)
