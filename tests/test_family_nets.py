"""A small net of each family of forks builds, runs forward and backward, alike by the strict and the fast engine."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.graph import has_loss, with_state
from caffe_compat.prototxt.reader import read_net

NETS = sorted(Path(__file__).parent.glob("families/*.prototxt"))


def fill(net: caffe.Net) -> None:
    rng = np.random.RandomState(1)
    for name in net.inputs:
        blob = net.blobs[name]
        blob.data[...] = rng.uniform(0, 1, blob.shape) if blob.count > 8 else 0


def run(path: Path, phase: int, engine: str) -> dict[str, np.ndarray]:
    """The outputs, and the gradients of the params where there is a loss."""
    caffe.set_random_seed(1)
    np.random.seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = caffe.Net(path, phase, engine=engine)
        fill(net)
        net.forward()
    found = {name: net.blobs[name].data.copy() for name in net.outputs}
    if phase == caffe.TRAIN:
        net.backward()
        found |= {
            f"{name} {i}": blob.diff.copy()
            for name, blobs in net.params.items()
            for i, blob in enumerate(blobs)
        }
    return found


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.stem)
def test_a_net_of_each_family(path):
    param, _ = read_net(path)
    phases = [] if param.HasField("state") else [caffe.TEST]  # some are nets to train alone, and say so
    if has_loss(with_state(param, caffe.TRAIN)):
        phases.append(caffe.TRAIN)
    for phase in phases:
        want = run(path, phase, "strict")
        assert want and all(np.isfinite(array).all() for array in want.values())
        got = run(path, phase, "fast")
        assert got.keys() == want.keys()
        for name, array in want.items():
            scale = max(np.abs(array).max(initial=0), 1e-3)
            np.testing.assert_allclose(got[name], array, rtol=0, atol=1e-5 * scale, err_msg=name)
        if phase == caffe.TRAIN:
            assert any(array.any() for name, array in want.items() if " " in name), "nothing learns"


def test_there_is_a_net_of_twenty_families_at_least():
    assert len(NETS) >= 20
