"""DenseBlock: what its params are and start as, which are learned, what it remembers, errors."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from layers.harness import Runner

X = np.random.default_rng(2).standard_normal((3, 4, 5, 6)) * 2 + 1
FILLERS = 'Filter_Filler { type: "gaussian" } BN_Scaler_Filler { value: 1 }'


def block(params: str, more: str = "", phase: int = 0) -> Runner:
    text = f"type: 'DenseBlock' {more} denseblock_param {{ {FILLERS} {params} }}"
    return Runner(text, [X], phase=phase, dtype=np.float64)


def test_params():
    made = block("numTransition: 2 growthRate: 3 use_BC: true").layer
    channels = [4, 7]
    of_norm = [(1, c, 1, 1) for c in channels] * 4
    assert [blob.shape for blob in made.blobs] == [
        *[(3, 12, 3, 3)] * 2,
        *of_norm,
        *[(12, c, 1, 1) for c in channels],
        *[(1, 12, 1, 1)] * 8,
        (1,),
    ]
    assert [int(spec.lr_mult) for spec in made.layer_param.param] == [1] * 6 + [0] * 4 + [1] * 6 + [0] * 5
    starts = [float(blob.data.flat[0]) for blob in made.blobs]
    assert starts[2:10] == starts[12:20] == [1, 1, 0, 0, 0, 0, 1, 1]


def test_what_it_remembers_and_tests_by():
    runner = block("numTransition: 1 growthRate: 3 moving_average_fraction: 0.25")
    (top,) = runner.forward()
    assert np.array_equal(top[:, :4], X) and top.shape == (3, 7, 5, 6)
    mean, variance = (blob.data.ravel() for blob in runner.layer.blobs[3:5])
    np.testing.assert_allclose(mean, X.mean(axis=(0, 2, 3)) / 4)
    np.testing.assert_allclose(variance, 0.75 + X.var(axis=(0, 2, 3), ddof=1) / 4)
    tested = block("numTransition: 1 growthRate: 3", phase=1)
    for mine, theirs in zip(tested.layer.blobs, runner.layer.blobs, strict=True):
        mine.data[...] = theirs.data
    normed = np.maximum((X - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None], 0)
    filters = runner.layer.blobs[0].data
    want = sum(normed[1, c, 1 - j + 1, 2 - k + 1] * filters[2, c, j, k] for c, j, k in np.ndindex(4, 3, 3))
    assert tested.forward()[0][1, 6, 1, 2] == pytest.approx(want, rel=1e-6)


def test_what_is_not_learned_gets_no_gradient():
    runner = block("numTransition: 2 growthRate: 3")
    runner.layer.param_propagate_down = [bool(spec.lr_mult) for spec in runner.layer.layer_param.param]
    runner.layer.param_propagate_down[1] = False
    (top,) = runner.forward()
    runner.backward([top])
    assert [bool(blob.diff.any()) for blob in runner.layer.blobs] == [True, False] + [True] * 4 + [False] * 5


def test_a_net_learns_it(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(f"""
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 5 dim: 3 }} }} }}
layer {{ name: "b" type: "DenseBlock" bottom: "x" top: "b"
  denseblock_param {{ numTransition: 2 growthRate: 3 {FILLERS} }} }}
layer {{ name: "loss" type: "Reduction" bottom: "b" top: "loss" loss_weight: 1 reduction_param {{ operation: SUMSQ }} }}
""")
    net = caffe.Net(path, caffe.TRAIN)
    net.blobs["x"].data[...] = X[:2, :, :, :3]
    net.forward()
    net.backward()
    assert [bool(blob.diff.any()) for blob in net.params["b"]] == [True] * 6 + [False] * 5
    assert sorted({param.lr_mult for param in net.layer_dict["b"].layer_param.param}) == [0, 1]


@pytest.mark.parametrize(
    ("params", "more", "message"),
    [
        ("numTransition: 0", "", "numTransition is 0 and growthRate 12"),
        ("growthRate: 0", "", "give at least 1"),
        ("numTransition: 1", "param { lr_mult: 1 }", "remove its param entries"),
    ],
)
def test_errors(params, more, message):
    with pytest.raises(LayerError, match=message):
        block(params, more)


def test_other_channels():
    with pytest.raises(LayerError, match="expected N x 4 x H x W"):
        block("numTransition: 1").feed([X[:, :3]])
