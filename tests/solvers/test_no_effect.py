"""A solver that trains nothing says why, and which of its fields change nothing."""

from __future__ import annotations

import logging

import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.cli import run_prototxt
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers.idle_fields import idle_fields
from caffe_compat.solvers.types import SOLVERS
from solvers.nets import make

DATA = """
layer { name: "in" type: "DummyData" top: "x" top: "t"
        dummy_data_param { shape { dim: 2 dim: 4 } shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" %s
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }"""
LOSS = 'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" %s }'
OWN = """layer { name: "own" type: "Python" bottom: "y" bottom: "t" top: "loss" %s
                 python_param { module: "losses_of_mine" layer: "Euclidean" } }"""
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"
OF_MINE = """
import caffe
class Euclidean(caffe.Layer):
    def setup(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top):
        self.d = bottom[0].data - bottom[1].data
        top[0].data[0] = (self.d ** 2).sum() / 4
    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = top[0].diff[0] * self.d / 2
"""
OWN_LOSS = (
    "nothing learns: no layer is a loss; a Python layer is one with loss_weight: 1 (here layer 'own', which has a "
    "backward)"
)
FIXED = 'base_lr: 0.1 lr_policy: "fixed"'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "losses_of_mine.py").write_text(OF_MINE)
    return tmp_path


@pytest.mark.parametrize(
    ("net", "solver", "told"),
    [
        (DATA % "" + OWN % "", FIXED, OWN_LOSS),
        (
            DATA % "",
            FIXED,
            "nothing learns: no layer is a loss; end it in one, such as SoftmaxWithLoss, or give the",
        ),
        (DATA % FROZEN + LOSS % "", FIXED, "nothing learns: each param has lr_mult: 0"),
        (DATA % "" + LOSS % "propagate_down: false propagate_down: false", FIXED, "no loss reaches a param"),
        (
            DATA.split("layer")[0] + "layer" + DATA.split("layer")[1],
            FIXED,
            "nothing learns: the net has no params",
        ),
        (DATA % "" + LOSS % "", 'lr_policy: "fixed"', "nothing learns: base_lr is 0, or not given"),
        (DATA % "" + LOSS % "", f"{FIXED} clip_gradients: 0", "nothing learns: clip_gradients is 0"),
        (DATA % "" + OWN % "loss_weight: 1", FIXED, None),
        (DATA % "" + LOSS % "", FIXED, None),
    ],
)
def test_what_keeps_a_net_from_learning_is_told_once(folder, caplog, net, solver, told):
    trained = make(folder, solver, net, data=False)
    params = [blob for blobs in trained.net.params.values() for blob in blobs]
    before = [blob.data.copy() for blob in params]
    trained.step(1)
    trained.step(2)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    if told is None:
        assert warned == [] and any(
            (blob.data != old).any() for blob, old in zip(params, before, strict=True)
        )
    else:
        assert len(warned) == 1 and told in warned[0]
        assert not any((blob.data != old).any() for blob, old in zip(params, before, strict=True))


def test_run_prototxt_tells_it_of_a_net_too(folder, capsys):
    (folder / "net.prototxt").write_text(DATA % "" + OWN % "")
    assert run_prototxt.main(["net.prototxt", "--quiet"]) == 0
    assert f"warning: {OWN_LOSS}" in capsys.readouterr().err.splitlines()
    (folder / "net.prototxt").write_text(DATA % "")  # as a deploy net, which is meant to have no loss
    assert run_prototxt.main(["net.prototxt", "--quiet"]) == 0
    assert "nothing learns" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (FIXED, []),
        (
            f"{FIXED} test_interval: 500",
            ["test_interval has no effect: there is no test_iter, so nothing is tested"],
        ),
        (f"{FIXED} test_interval: 500 test_iter: 3", []),
        (
            f"{FIXED} gamma: 0.1 stepsize: 100 power: 0.75",
            ["gamma and power and stepsize have no effect: lr_policy is 'fixed'"],
        ),
        (
            'lr_policy: "step" gamma: 0.1 stepsize: 9 stepvalue: 4',
            ["stepvalue has no effect: lr_policy is 'step'"],
        ),
        (
            f'{FIXED} type: "Adam" momentum: 0.9 momentum2: 0.9 rms_decay: 0.98 delta: 1e-6',
            ["rms_decay has no effect: the solver's type is Adam"],
        ),
        (f"{FIXED} momentum2: 0.9", ["momentum2 has no effect: the solver's type is SGD"]),
        (f"{FIXED} momentum2: 0.999 snapshot: 5 display: 0", []),  # what the default is anyway
        (
            f'{FIXED} snapshot_prefix: "a" snapshot_after_train: false',
            ["snapshot_prefix has no effect: no snapshot is taken"],
        ),
        (f'{FIXED} snapshot_prefix: "a" snapshot: 4 snapshot_after_train: false', []),
        (
            f'{FIXED} regularization_type: "L1"',
            ["regularization_type has no effect: there is no weight_decay"],
        ),
        (
            f"{FIXED} debug_info: true",
            ["debug_info has no effect: it speaks where the log does, and there is no display"],
        ),
        (f"{FIXED} larc_eta: 0.5 warmup_start_lr: 0.1", 2),
        (
            'lr_policy: "multistep" gamma: 0.1',
            ["the learning rate stays as it is: lr_policy is 'multistep', and there is no stepvalue"],
        ),
        (
            'lr_policy: "multistep" gamma: 0.1 stepvalue: 80 stepvalue: 40',
            [
                "stepvalue is [80, 40], in this order; a step before one that is smaller waits, and both come at once"
            ],
        ),
    ],
)
def test_fields_without_effect_are_told_with_the_reason(text, told):
    param = text_format.Parse(text, SolverParameter())
    found = idle_fields(param, param.type, SOLVERS[param.type].fields_of_others())
    assert len(found) == told if isinstance(told, int) else found == told


def test_they_are_in_the_log_with_the_file(folder, caplog):
    make(folder, f"{FIXED} test_interval: 500", DATA % "" + LOSS % "", data=False)
    assert caplog.messages == [
        f"{folder}/solver.prototxt: test_interval has no effect: there is no test_iter, so nothing is tested"
    ]


def test_a_state_behind_the_end_is_told(folder, caplog):
    solver = make(folder, f'{FIXED} max_iter: 3 snapshot_prefix: "s"', DATA % "" + LOSS % "", data=False)
    solver.solve()
    again = caffe.get_solver("solver.prototxt")
    caplog.clear()
    again.solve("s_iter_3.solverstate")
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == ["Nothing is left to train: iteration 3 is done, and max_iter is 3"]
