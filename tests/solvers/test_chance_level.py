"""A training that stays at chance is noticed: once, with both costs, and what to do; one that learns is not."""

import logging
import math

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.fast_rcnn.feed import feed_sample
from caffe_compat.prototxt import zoo
from caffe_compat.solvers import Iteration, chance_level
from caffe_compat.solvers.chance_level import ChanceLevel

NET = """
input: "data" input_dim: 6 input_dim: 3 input_dim: 1 input_dim: 1
input: "label" input_dim: 6 input_dim: 1 input_dim: 1 input_dim: 1
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score"
        inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "cost" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "cost" %s }
"""


def told(
    tmp_path, monkeypatch, caplog, learnable: bool, loss_param: str = "", iterations: int = 200
) -> list[str]:
    """The warnings of a training on labels 0, 2 and 3 (a half, a quarter, a quarter), some ignored."""
    monkeypatch.setattr(chance_level, "WINDOW", 50)
    (tmp_path / "train.prototxt").write_text(NET % loss_param)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path / "train.prototxt"}" base_lr: 0.02 lr_policy: "fixed" snapshot_after_train: false'
    )
    caffe.set_random_seed(3)
    solver = caffe.get_solver(tmp_path / "solver.prototxt")
    rng = np.random.RandomState(5)

    def fill() -> None:
        label = rng.choice([0, 0, 2, 3], 6)
        data = rng.standard_normal((6, 3))
        if learnable:
            data += 6 * np.eye(4)[label][:, 1:]
        if "ignore_label" in loss_param:
            label[rng.randint(6)] = -1
        solver.net.blobs["data"].data[...] = data[:, :, None, None]
        solver.net.blobs["label"].data[...] = label[:, None, None, None]

    solver.add_callback(fill, lambda: None)
    solver.on_iteration(ChanceLevel(solver.net))
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        solver.step(iterations)
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("loss_param", ["", "loss_param { ignore_label: -1 }"])
def test_a_net_that_cannot_learn_is_noticed_once(tmp_path, monkeypatch, caplog, loss_param):
    (line,) = told(tmp_path, monkeypatch, caplog, False, loss_param)
    assert line.startswith("Iteration 99, in the last 50 cost: the mean loss is 1.")
    constant = float(line.split("answer costs ")[1].split(",")[0])
    assert constant == pytest.approx(1.5 * math.log(2), abs=0.08)  # of a half and two quarters
    assert "look at the data" in line and "\n" not in line


def test_a_net_that_learns_is_not(tmp_path, monkeypatch, caplog):
    assert told(tmp_path, monkeypatch, caplog, True) == []


def test_the_first_window_does_not_count(tmp_path, monkeypatch, caplog):
    assert told(tmp_path, monkeypatch, caplog, False, iterations=99) == []


def test_losses_divided_by_something_else_are_left_out(tmp_path, monkeypatch, caplog):
    assert told(tmp_path, monkeypatch, caplog, False, "loss_param { normalization: NONE }") == []


@pytest.mark.parametrize("knows", [False, True])
def test_a_net_that_mines_is_looked_at_where_all_rois_are_scored(monkeypatch, caplog, knows):
    """With random weights it is told to begin with plain sampling, though the mined RoIs cost as much either way."""
    monkeypatch.setattr(chance_level, "WINDOW", 2)
    caffe.set_random_seed(2)
    net = caffe.Net(zoo.path("shapes_ohem_train"), caffe.TRAIN)
    watch = ChanceLevel(net)
    feed_sample(net, 3)
    with caplog.at_level(logging.WARNING, "caffe_compat"):
        for i in range(6):
            net.forward(end="hard_roi_mining")
            if knows:
                labels = net.blobs["labels"].data.ravel().astype(int)
                net.blobs["cls_prob_readonly"].data[...] = 0.9 * np.eye(21)[labels].reshape(-1, 21) + 0.1 / 21
            else:
                net.blobs["cls_prob_readonly"].data[...] = np.full(21, 1 / 21)
            watch(Iteration(i, 3.0, 3.0, 0.001, 0.1))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == (not knows)
    if not knows:
        assert lines[0].startswith(
            "Iteration 3, in the last 2 hard_roi_mining: the net says nearly the same of all"
        )
        assert "--weights" in lines[0] and "\n" not in lines[0]
