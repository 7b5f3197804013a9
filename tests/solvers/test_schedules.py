"""Momentum, weight decay and rates by norms, against their formulas; a step with them against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers import schedules
from solvers.nets import make

NET = """\
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { lr_mult: 3 }
        inner_product_param { num_output: 2 bias_term: false weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "t" top: "loss" }
"""


def param(text: str) -> SolverParameter:
    return text_format.Parse(
        f"base_lr: 0.2 momentum: 0.8 weight_decay: 0.1 max_iter: 10 {text}", SolverParameter()
    )


@pytest.mark.parametrize(
    "text, rate, want",
    [
        ("", 0.2, 0.8),
        ('momentum_policy: "poly" max_momentum: 0.9 momentum_power: 2', 0.2, 0.8 + 0.1 * 0.16),
        ('momentum_policy: "opt"', 0.04, 0.9**2),
        ('momentum_policy: "opt" max_momentum: 0.7', 0.04, 0.7),
        ("warmup_iter: 8 warmup_start_lr: 0.04", 0.12, 0.8 * 0.12 / 0.1),
        ("warmup_iter: 5", 0.16, 0.8 * 4 / 3),
    ],
)
def test_momentum(text, rate, want):
    assert schedules.momentum(param(text), 4, rate) == pytest.approx(want, rel=1e-6)


def test_momentum_of_a_warm_up_from_0():
    assert schedules.momentum(param("warmup_iter: 5"), 1, 0.04) == pytest.approx(0.8)


def test_weight_decay():
    found = param('weight_decay_policy: "poly" max_weight_decay: 0.5 weight_decay_power: 2')
    assert schedules.weight_decay(found, 5) == pytest.approx(0.1 + 0.4 / 4)
    assert schedules.weight_decay(param(""), 5) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "text, lr_mult, norms, want",
    [
        ("", 3, (2, 5), 0.6),
        ("larc: true larc_eta: 0.01", 3, (2, 5), 0.2 * 0.2 * 0.01 * 2 / 5),
        ('larc: true larc_policy: "clip" larc_eta: 0.01', 3, (2, 5), 0.2 * 0.01 * 2 / 5),
        ('larc: true larc_policy: "clip" larc_eta: 50', 3, (2, 5), 0.2),
        ("larc: true", 0, (2, 5), 0),
        ("larc: true", 3, (0, 5), 0.2),
        ("local_lr_auto: true local_gw_ratio: 0.01", 3, (2, 5), 0.2 * 0.01 * 2 / (5 + 0.1 * 2)),
    ],
)
def test_rates_by_norms(text, lr_mult, norms, want):
    assert schedules.own_rate(param(text), 0.2, lr_mult, lambda: norms) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("engine", ["fast", "torch"])
def test_a_step(engine, tmp_path):
    """Rate by norms of the clipped gradient before weight decay, momentum and decay of the iteration."""
    if engine == "torch":
        pytest.importorskip("torch")
    text = (
        'base_lr: 0.2 lr_policy: "fixed" momentum: 0.5 weight_decay: 0.1 max_iter: 4 random_seed: 3 '
        "larc: true larc_eta: 0.3 clip_gradients: 0.7 "
        'momentum_policy: "poly" max_momentum: 0.9 weight_decay_policy: "poly" max_weight_decay: 0.5'
    )
    solver = make(tmp_path, text, NET, data=False, engine=engine)
    rng = np.random.RandomState(0)
    for name in "xt":
        solver.net.blobs[name].data[...] = rng.standard_normal(solver.net.blobs[name].shape)
    x, t = (solver.net.blobs[name].data.copy() for name in "xt")
    weights, history = solver.net.params["a"][0].data.copy(), 0
    for i in range(3):
        solver.step(1)
        gradient = (x @ weights.T - t).T @ x / 4
        gradient *= min(1, 0.7 / np.linalg.norm(gradient))
        rate = 0.2 * 0.5 * 0.3 * np.linalg.norm(weights) / np.linalg.norm(gradient)
        gradient += (0.1 + 0.4 * i / 4) * weights
        history = (0.5 + 0.4 * i / 4) * history + rate * gradient
        weights = weights - history
        np.testing.assert_allclose(solver.net.params["a"][0].data, weights, rtol=1e-5)


@pytest.mark.parametrize(
    "text, message",
    [
        ('momentum_policy: "up"', "unknown momentum_policy 'up'; known are fixed, poly, opt"),
        ('larc_policy: "up"', "unknown larc_policy 'up'; known are scale, clip"),
        ('weight_decay_policy: "poly"', "weight_decay_policy 'poly' ends at max_iter; add max_iter"),
        ("larc_turbo: true", "larc_turbo is not done"),
        ('larc: true type: "Adam"', "larc is for solvers of type SGD, this is one of type Adam"),
    ],
)
def test_errors(text, message, tmp_path):
    with pytest.raises(SolverError, match=message):
        make(tmp_path, f'base_lr: 0.1 lr_policy: "fixed" {text}', NET, data=False)


EXCITED = """\
layer { name: "in" type: "DummyData" top: "x" top: "rows" top: "more" dummy_data_param {
        shape { dim: 1 dim: 2 dim: 3 dim: 4 } shape { dim: 1 dim: 1 dim: 2 dim: 5 } shape { dim: 1 dim: 3 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "excited" type: "AssistedExcitation" bottom: "y" bottom: "rows" bottom: "more" top: "z" }
layer { name: "loss" type: "Reduction" bottom: "z" top: "loss" loss_weight: 1 }
"""


def test_layers_that_follow_the_training_know_how_far_it_is(tmp_path):
    solver = make(tmp_path, 'base_lr: 0.1 lr_policy: "fixed" max_iter: 8', EXCITED, data=False)
    layer = solver.net.layer_dict["excited"]
    assert layer.progress == 0
    seen = []
    solver.on_iteration(lambda _: seen.append(layer.progress))
    solver.step(3)
    assert seen == [0, 1 / 8, 2 / 8]
