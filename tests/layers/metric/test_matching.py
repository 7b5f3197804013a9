"""What person search's layers keep, their gradient, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from layers.harness import Runner

RNG = np.random.RandomState(3)
LABELED = "type: 'LabeledMatching' labeled_matching_param { num_classes: 4 momentum: 0.25 }"
UNLABELED = "type: 'UnlabeledMatching' unlabeled_matching_param { queue_size: 3 }"


def test_features_of_a_class_are_averaged_over_time():
    x = np.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]])
    runner = Runner(LABELED, [x, np.array([2, -1, 0, 2, 4])], tops=2)
    table, ages = (blob.data for blob in runner.layer.blobs)
    scores, labels = runner.forward()
    assert not scores.any() and not table.any()
    np.testing.assert_array_equal(labels, [2, -1, 0, 2, -1])
    runner.backward([np.ones((5, 4)), np.zeros(5)])
    # 0.25 (0.75 (1, 2)) + 0.75 (7, 8): one example after the other
    np.testing.assert_allclose(table, [[3.75, 4.5], [0, 0], [5.4375, 6.375], [0, 0]])
    np.testing.assert_array_equal(ages, [0, 1, 0, 1])
    np.testing.assert_allclose(runner.forward()[0], x @ table.T)
    runner.feed([x, np.full(5, 3)])
    runner.backward([np.ones((5, 4)), np.zeros(5)])
    np.testing.assert_array_equal(ages, [1, 2, 1, 0])
    assert not any(blob.diff.any() for blob in runner.layer.blobs)


def test_features_without_a_label_take_the_oldest_places():
    def feed(*numbers, labels):
        runner.feed([np.array(numbers)[:, None] * [[1, 10]], np.array(labels)])
        runner.forward()
        runner.backward([np.ones((len(numbers), 3))])
        return list(queue[:, 0])

    runner = Runner(UNLABELED, [np.ones((2, 2)), np.ones(2)])
    queue = runner.layer.blobs[0].data
    assert feed(1, 2, 3, labels=[-1, 5, -1]) == [1, 3, 0]
    assert feed(4, 5, labels=[-1, -1]) == [5, 3, 4]
    state = runner.layer.get_state()
    assert feed(6, 7, 8, 9, 10, labels=[-1, -1, 0, -1, -1]) == [9, 10, 7]
    assert feed(11, labels=[-1]) == [9, 10, 11]
    runner.layer.set_state(state)
    assert feed(12, labels=[-1]) == [9, 12, 11]
    np.testing.assert_array_equal(queue[:, 1], 10 * queue[:, 0])


@pytest.mark.parametrize("text, tops", [(LABELED, 2), (UNLABELED, 1)])
def test_the_gradient_is_that_of_what_was_kept_before(text, tops):
    x, labels = RNG.standard_normal((5, 2, 3)), np.array([1, -1, 0, 1, -1])
    runner = Runner(text, [x, labels], tops=tops)
    table = runner.layer.blobs[0].data
    table[...] = before = RNG.standard_normal(table.shape)
    seed = RNG.standard_normal((5, len(table)))
    runner.forward()
    got = runner.backward([seed, np.zeros(5)][:tops])[0]
    np.testing.assert_allclose(got.reshape(5, 6), seed @ before, rtol=1e-5, atol=1e-5)
    assert not np.array_equal(table, before.astype(np.float32))
    table[...] = before
    runner.layer.param_propagate_down = [False] * tops
    runner.backward([seed, np.zeros(5)][:tops])
    np.testing.assert_array_equal(table, before.astype(np.float32))


@pytest.mark.parametrize(
    "text, shapes, told",
    [
        ("type: 'LabeledMatching'", [(2, 3), (2,)], "num_classes is missing"),
        (LABELED, [(2, 3), (3,)], r"bottom\[1\] has the shape \(3,\); expected one label for each of 2"),
        (UNLABELED.replace("3", "0"), [(2, 3), (2,)], "queue_size is 0; it must be at least 1"),
    ],
)
def test_what_is_refused(text, shapes, told):
    with pytest.raises(LayerError, match=told):
        Runner(text, [np.ones(shape) for shape in shapes], tops=2 - ("Unlabeled" in text))


def test_features_of_other_numbers():
    runner = Runner(LABELED, [np.ones((2, 3)), np.zeros(2)], tops=2)
    with pytest.raises(
        LayerError, match=r"bottom\[0\] has the shape \(2, 4\); expected features of 3 numbers"
    ):
        runner.feed([np.ones((2, 4)), np.zeros(2)])


NET = """
layer { name: "data" type: "DummyData" top: "x" top: "label" dummy_data_param {
        shape { dim: 3 dim: 4 } shape { dim: 3 } data_filler { value: 2 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 2 weight_filler { value: 0.5 } } }
layer { name: "match" type: "LabeledMatching" bottom: "ip" bottom: "label" top: "scores" top: "labels"
        labeled_matching_param { num_classes: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "labels"
        propagate_down: true propagate_down: false }
"""


@pytest.mark.parametrize("engine", ["strict", "fast", "torch"])
def test_solvers_leave_the_table_to_backward(engine, tmp_path):
    if engine == "torch":
        pytest.importorskip("torch")
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/net.prototxt' base_lr: 0 lr_policy: 'fixed' momentum: 0.9 weight_decay: 0 max_iter: 2 "
        "display: 0 snapshot_after_train: false"
    )
    solver = caffe.get_solver(str(tmp_path / "solver.prototxt"), engine=engine)
    solver.step(1)
    table, ages = (blob.data for blob in solver.net.params["match"])
    # three times half the way to 4
    np.testing.assert_allclose(table, [[0, 0], [3.5, 3.5], [0, 0]])
    np.testing.assert_array_equal(ages, [1, 0, 1])
    solver.step(1)
    np.testing.assert_allclose(solver.net.params["match"][0].data[1], [3.9375, 3.9375])
