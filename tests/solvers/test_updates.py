"""The update kernels, and what leads to them, against plain Python written after the formulas of the papers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_compat.blob import Blob
from caffe_compat.engines.host_updates import HostUpdates
from caffe_compat.layers.kernels.updates import BLOCK
from caffe_compat.solvers.types import SOLVERS
from solvers.nets import TYPES, make

NET = """\
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
        param { lr_mult: 0.5 decay_mult: 3 name: "w" regularization_type: "L1" } param { lr_mult: 2 decay_mult: 0 }
        inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 0.5 } bias_filler { value: 0.2 } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { lr_mult: 0 }
        inner_product_param { num_output: 3 bias_filler { value: -0.3 } } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c"
        inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } bias_filler { value: 0.2 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "t" top: "loss" }
"""
MULTS = [(0.5, 3), (2, 0), (0, 1), (1, 1), (1, 1)]  # of a's weight (b's too) and bias, b's bias, c's
RATE, DECAY, MOMENTUM, DELTA = 0.1, 0.02, 0.8, 1e-3
SETTINGS = (
    f'base_lr: {RATE} lr_policy: "fixed" weight_decay: {DECAY} delta: {DELTA} momentum2: 0.95 rms_decay: 0.7'
)


def naive(kind: str, gradient: float, history: list[float], rate: float, steps: int) -> float:
    """The update of one number; changes its history."""
    g, m = gradient, MOMENTUM
    if kind == "SGD":
        history[0] = m * history[0] + rate * g
        return history[0]
    if kind == "Nesterov":
        old, history[0] = history[0], m * history[0] + rate * g
        return (1 + m) * history[0] - m * old
    if kind == "AdaGrad":
        history[0] += g**2
        return rate * g / (math.sqrt(history[0]) + DELTA)
    if kind == "RMSProp":
        history[0] = 0.7 * history[0] + 0.3 * g**2
        return rate * g / (math.sqrt(history[0]) + DELTA)
    if kind == "AdaDelta":
        history[0] = m * history[0] + (1 - m) * g**2
        move = g * math.sqrt(history[1] + DELTA) / math.sqrt(history[0] + DELTA)
        history[1] = m * history[1] + (1 - m) * move**2
        return rate * move
    assert kind == "Adam"
    history[0] = m * history[0] + (1 - m) * g
    history[1] = 0.95 * history[1] + 0.05 * g**2
    bias_free = math.sqrt(1 - 0.95**steps) / (1 - m**steps)
    return rate * bias_free * history[0] / (math.sqrt(history[1]) + DELTA)


def numbers(solver) -> list[tuple[int, np.ndarray, np.ndarray]]:
    return [
        (i, solver.net.param_blob(param).data.reshape(-1), solver.net.param_blob(param).diff.reshape(-1))
        for i, param in enumerate(solver.net.learnable)
    ]


def test_every_type_has_a_reference():
    assert set(TYPES) == set(SOLVERS)


@pytest.mark.parametrize("regularisation", ["L1", "L2"])
@pytest.mark.parametrize("options", ["", "clip_gradients: 0.3 iter_size: 3"])
@pytest.mark.parametrize("kind", TYPES)
def test_against_plain_python(kind, options, regularisation, tmp_path):
    momentum = f"momentum: {MOMENTUM}" if "momentum" in TYPES[kind] else ""
    text = f'type: "{kind}" {SETTINGS} {momentum} {options} regularization_type: "{regularisation}" random_seed: 2'
    solver = make(tmp_path, text, NET, data=False)
    rng = np.random.RandomState(0)
    for name in "xt":
        solver.net.blobs[name].data[...] = rng.standard_normal(solver.net.blobs[name].shape)
    solver.net.params["c"][0].data[0, 0] = 0  # of no sign
    before: list = []
    solver.add_callback(
        lambda: None, lambda: before.append([(d.copy(), g.copy()) for _, d, g in numbers(solver)])
    )
    histories: dict[tuple[int, int], list[float]] = {}
    for step in range(1, 4):
        solver.step(1)
        raw = before[-1]
        norm = math.sqrt(sum(float(g) ** 2 for _, diff in raw for g in diff))
        scale = 1 / 3 * min(1, 0.3 / norm) if options else 1
        for i, data, diff in numbers(solver):
            lr_mult, decay_mult = MULTS[i]
            for j in range(data.size):
                weight = float(raw[i][0][j])
                squares = regularisation == "L2" and i > 0  # a's weight states its own kind
                penalty = weight if squares else float(np.sign(weight))
                gradient = float(raw[i][1][j]) * scale + DECAY * decay_mult * penalty
                history = histories.setdefault((i, j), [0.0, 0.0])
                update = naive(kind, gradient, history, RATE * lr_mult, step)
                assert data[j] == pytest.approx(weight - update, rel=2e-5, abs=2e-6)
                if lr_mult:
                    assert diff[j] == pytest.approx(update, rel=2e-4, abs=1e-6)


def test_a_frozen_param_costs_nothing(tmp_path):
    solver = make(tmp_path, f"{SETTINGS} momentum: 0.8", NET, data=False)
    solver.step(2)
    assert not solver.net.params["b"][1].has_diff
    assert [solver.history.has(i) for i in range(5)] == [True, True, False, True, True]
    assert not list(solver.history.get())[2].any()


def test_momentum_of_a_param_that_was_frozen_later_runs_out(tmp_path):
    solver = make(tmp_path, f"{SETTINGS} momentum: 0.8", NET, data=False)
    history = list(solver.history.get())
    history[2] = np.array([1, 2, -4], np.float32)
    solver.history.set(history)
    solver.step(1)
    np.testing.assert_allclose(solver.net.params["b"][1].data, -0.3 - 0.8 * np.array([1, 2, -4]), rtol=1e-6)


def test_sum_of_squares():
    for size in (0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 5):
        x = np.random.RandomState(size).standard_normal(size).astype(np.float32)
        want = float((x.astype(np.float64) ** 2).sum())
        blob = Blob((size,))
        blob.diff[...] = x
        assert HostUpdates().sum_of_squares(blob) == pytest.approx(want, rel=1e-5)
