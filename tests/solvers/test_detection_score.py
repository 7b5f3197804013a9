"""eval_type "detection": test nets are scored by the mean average precision of their DetectionEvaluate."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers.detection_score import VERSIONS, average_precision
from solvers.nets import make

NET = """
layer { name: "in" type: "DummyData" top: "x" top: "t" include { phase: TRAIN }
        dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 2 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" include { phase: TRAIN }
        inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" include { phase: TRAIN } }
layer { name: "found" type: "Input" top: "found" top: "objects" include { phase: TEST }
        input_param { shape { dim: 1 dim: 1 dim: 6 dim: 7 } shape { dim: 1 dim: 1 dim: 5 dim: 8 } } }
layer { name: "e" type: "DetectionEvaluate" bottom: "found" bottom: "objects" top: "score" include { phase: TEST }
        detection_evaluate_param { num_classes: 4 evaluate_difficult_gt: false } }
"""
SOLVER = (
    'base_lr: 0.1 lr_policy: "fixed" max_iter: 1 test_iter: 2 test_interval: 1 snapshot_after_train: false '
)
BOX, AWAY = [0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]


NO_SCORE = NET[: NET.index('layer { name: "found"')].replace(" include { phase: TRAIN }", "")


def detection(text: str):
    solver = make_solver(text)
    net = solver.test_nets[0]
    # class 1: right, wrong; class 2: wrong, right, and one of a difficult object; class 3: nothing found
    found = [
        (0, 1, 0.9, BOX),
        (0, 1, 0.8, AWAY),
        (0, 2, 0.7, AWAY),
        (1, 2, 0.6, BOX),
        (2, 2, 0.95, BOX),
        (-1, -1, 0, BOX),
    ]
    objects = [(0, 1, BOX, 0), (0, 2, BOX, 0), (1, 2, BOX, 0), (2, 2, BOX, 1), (2, 3, BOX, 0)]
    net.blobs["found"].data[0, 0] = [[n, c, s, *b] for n, c, s, b in found]
    net.blobs["objects"].data[0, 0] = [[n, c, 0, *b, d] for n, c, b, d in objects]
    return solver


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_solver(text: str, net: str = NET):
    return make(Path(), SOLVER + text, net, data=False)


def test_the_mean_of_the_classes_is_the_score(caplog):
    caplog.set_level(logging.INFO, "caffe_compat.solver")
    solver = detection('eval_type: "detection" ap_version: "Integral" show_per_class_result: true')
    told = []
    solver.on_test(told.append)
    assert solver.test_all()
    # both passes count: of class 1, 2 of 2 objects at a precision of 1; of class 2, 2 of 4 at 1/3 and 2/4
    second = (1 / 3 + 2 / 4) / 4
    assert told[0].scores["score"] == pytest.approx([(1 + second + 0) / 3])
    assert caplog.messages[-5:] == [
        "Iteration 0, Testing net (#0)",
        "class1: 1",
        f"class2: {second:g}",
        "Missing true_pos for label: 3",
        f"    Test net output #0: score = {(1 + second) / 3:g}",
    ]


def test_classification_is_the_mean_of_all_numbers():
    solver = detection("")
    told = []
    solver.on_test(told.append)
    solver.test_all()
    assert told[0].scores["score"].size == 5 * (3 + 5)


def naive(right, objects: int, version: str) -> float:
    """Right or wrong, the best first."""
    hits = np.cumsum(right)
    precision, recall = hits / np.arange(1, len(right) + 1), hits / objects
    if version == "11point":
        tenths = [[p for p, r in zip(precision, recall, strict=True) if r >= j / 10] for j in range(11)]
        return sum(max(found, default=0) for found in tenths) / 11
    best = [max(precision[i:]) if version == "MaxIntegral" else p for i, p in enumerate(precision)]
    return sum(p * (r - before) for p, r, before in zip(best, recall, [0, *recall], strict=False))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "right, objects", [([1], 1), ([0], 1), ([0, 1, 1, 0, 1, 0, 0, 1], 7), ([1, 0, 0, 1, 1, 1, 0, 1], 5)]
)
def test_average_precision(version, right, objects):
    scores = np.linspace(0.9, 0.1, len(right)).astype(np.float32)
    order = np.random.RandomState(1).permutation(len(right))
    got = average_precision(scores[order], np.array(right, bool)[order], objects, version)
    assert got == pytest.approx(naive(right, objects, version), rel=1e-6)
    assert average_precision(scores, np.array(right, bool), 0, version) == 0


@pytest.mark.parametrize(
    "text, message",
    [
        ('eval_type: "detektion"', "unknown eval_type 'detektion'; known are classification, detection"),
        ('ap_version: "7point"', "unknown ap_version '7point'; known are 11point, MaxIntegral, Integral"),
    ],
)
def test_what_is_not_known(text, message):
    with pytest.raises(SolverError, match=message):
        make_solver(text)


def test_outputs_that_are_no_detections():
    solver = make_solver('eval_type: "detection"', NO_SCORE)
    with pytest.raises(
        SolverError, match=r"the output 'loss' has the shape \(\), not 1 x 1 x rows x 5: end it in a"
    ):
        solver.test_all()
