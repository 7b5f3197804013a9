"""Learning rates, against their formulas written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers.lr_policy import LearningRate


def rates(text: str, count: int) -> list[float]:
    rate = LearningRate(text_format.Parse(f"base_lr: 0.2 {text}", SolverParameter()))
    return [rate.at(i) for i in range(count)]


@pytest.mark.parametrize(
    "text, want",
    [
        ('lr_policy: "fixed" gamma: 7', lambda i: 0.2),
        ('lr_policy: "step" gamma: 0.1 stepsize: 3', lambda i: [0.2, 0.02, 0.002, 0.0002][i // 3]),
        ('lr_policy: "exp" gamma: 0.7', lambda i: 0.2 * math.exp(i * math.log(0.7))),
        ('lr_policy: "inv" gamma: 0.5 power: 0.75', lambda i: 0.2 / (1 + i / 2) ** 0.75),
        (
            'lr_policy: "multistep" gamma: 0.5 stepvalue: 2 stepvalue: 7',
            lambda i: 0.2 if i < 2 else 0.1 if i < 7 else 0.05,
        ),
        ('lr_policy: "poly" power: 2 max_iter: 12', lambda i: 0.2 * (12 - i) * (12 - i) / 144),
        ('lr_policy: "linear" dst_lr: 0.05 max_iter: 10', lambda i: 0.2 - 0.015 * min(i, 10)),
        ('lr_policy: "linear" dst_lr: 0.3 dst_iter: 4 max_iter: 10', lambda i: 0.2 + 0.025 * min(i, 4)),
        ('lr_policy: "sigmoid" gamma: -0.5 stepsize: 4', lambda i: 0.2 / (1 + math.exp(0.5 * (i - 4)))),
    ],
)
def test_formulas(text, want):
    np.testing.assert_allclose(rates(text, 12), [want(i) for i in range(12)], rtol=1e-6)


@pytest.mark.parametrize(
    "text, want",
    [
        ('lr_policy: "exp" gamma: 1e30', [0.2, 2e29, np.inf]),
        ('lr_policy: "inv" gamma: 1 power: -1e30', [0.2, np.inf]),
    ],
)
def test_powers_beyond_float_as_in_c(text, want):
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(np.float32(rates(text, len(want))), np.float32(want), rtol=1e-6)


@pytest.mark.parametrize(
    "text, want",
    [
        (
            'lr_policy: "multifixed" stagelr: 0.3 stagelr: 0.1 stagelr: 0.01 stageiter: 2 stageiter: 3 stageiter: 8',
            [0.3, 0.3, 0.3, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01],
        ),
        (
            'lr_policy: "step" gamma: 0.5 stepsize: 3 warmup_iter: 4 warmup_start_lr: 0.04',
            [0.04, 0.08, 0.12, 0.16, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025],
        ),
        (
            'lr_policy: "fixed" rampup_interval: 4 rampup_lr: 0.04',
            [0.04, 0.05, 0.08, 0.13, 0.2, 0.2],
        ),
        ('lr_policy: "exp" gamma: 0.5 min_lr: 0.03', [0.2, 0.1, 0.05, 0.03, 0.03]),
        ('lr_policy: "poly" power: 1 max_iter: 4 min_lr: 0.04', [0.2, 0.16, 0.12, 0.08, 0.04, 0.04]),
        (
            'lr_policy: "multistep" gamma: 0.5 stepvalue: 1 stepvalue: 4 warmup_iter: 2',
            [0, 0.1, 0.1, 0.1, 0.05],
        ),
    ],
)
def test_schedules_of_other_caffes(text, want):
    np.testing.assert_allclose(rates(text, len(want)), want, rtol=1e-6)


def test_multistep_takes_one_step_an_iteration():
    text = 'lr_policy: "multistep" gamma: 0.5 stepvalue: 1 stepvalue: 1 stepvalue: 4'
    np.testing.assert_allclose(rates(text, 6), [0.2, 0.1, 0.05, 0.05, 0.025, 0.025], rtol=1e-6)


def test_plateau_falls_after_iterations_without_a_lower_loss():
    text = 'base_lr: 0.2 lr_policy: "plateau" gamma: 0.5 plateau_winsize: 3 plateau_winsize: 2'
    rate = LearningRate(text_format.Parse(text, SolverParameter()))
    got = []
    for i, loss in enumerate([5, 4, 4, 4, 4, 3, 3.5, 3, 3, 3]):
        rate.see(i, loss)
        got.append(rate.at(i))
    np.testing.assert_allclose(got, [0.2] * 4 + [0.1] * 3 + [0.05] * 3, rtol=1e-6)
    assert (rate.current_step, rate.minimum_loss, rate.last_event) == (2, 3, 7)


def test_extremes():
    assert rates('lr_policy: "sigmoid" gamma: -500 stepsize: 1', 4)[-1] == 0
    assert rates('lr_policy: "poly" power: 0.5 max_iter: 2', 5)[2:] == [0, 0, 0]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "there is no lr_policy; known are fixed, step"),
        ("monitor_test: true", "monitor_test, a learning rate that follows the test loss, is not done"),
        ('lr_policy: "multistp"', "unknown lr_policy 'multistp'; did you mean 'multistep'?"),
        ('lr_policy: "zzz"', "unknown lr_policy 'zzz'; known are fixed"),
        ('lr_policy: "step" gamma: 0.1', "'step' needs a stepsize above 0, found 0"),
        ('lr_policy: "sigmoid" stepsize: -1', "'sigmoid' needs a stepsize above 0, found -1"),
        ('lr_policy: "exp" gamma: -1', "'exp' needs a gamma of at least 0, found -1"),
        ('lr_policy: "plateau"', "add plateau_winsize"),
        ('lr_policy: "multifixed"', "has 0 stagelr and 0 stageiter; give one of each a stage"),
        ('lr_policy: "multifixed" stagelr: 1', "has 1 stagelr and 0 stageiter"),
        (
            'lr_policy: "stepearly" stepearly: 1',
            "computed by no Caffe that is public; use 'step' or 'multistep'",
        ),
        ('lr_policy: "linear" dst_lr: 0.1', "'linear' reaches dst_lr at dst_iter, or at max_iter"),
        ('lr_policy: "poly" power: 1', "'poly' falls to 0 at max_iter; add max_iter"),
    ],
)
def test_errors(text, message):
    with pytest.raises(SolverError, match=message):
        rates(text, 1)
