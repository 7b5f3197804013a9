"""HardRoIMining against what the original OHEMDataLayer chose, and against plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

GOLDEN = Path(__file__).parents[2] / "golden" / "pipeline" / "ohem_select.npz"
BOTTOMS = [
    "cls_prob",
    "bbox_pred",
    "rois",
    "labels",
    "bbox_targets",
    "bbox_inside_weights",
    "bbox_outside_weights",
]
TOPS = [
    "rois_hard",
    "labels_hard",
    "bbox_targets_hard",
    "bbox_inside_weights_hard",
    "bbox_outside_weights_hard",
]
PYTHON = (
    'type: "Python" python_param { module: "roi_data_layer.layer" layer: "OHEMDataLayer" param_str: "%s" }'
)


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return dict(file)


def layer(param: str = "") -> str:
    return f'type: "HardRoIMining" hard_roi_mining_param {{ {param} }}'


def bottoms(rois: int, classes: int = 4, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.RandomState(seed)
    corners = np.sort(rng.uniform(0, 40, (rois, 2, 2)), axis=1).reshape(rois, 4)
    boxes = np.hstack([rng.randint(0, 2, (rois, 1)) * 3, corners])
    labels = rng.randint(0, classes, rois)
    wide = [rng.standard_normal((rois, 4 * classes)) for _ in range(3)]
    values = [
        rng.dirichlet(np.ones(classes), rois),
        wide[0],
        boxes,
        labels,
        wide[1],
        wide[2] > 0,
        wide[2] ** 2,
    ]
    return [value.astype(np.float32) for value in values]


@pytest.mark.parametrize("case", range(5))
@pytest.mark.parametrize("mode", ["nms", "no_nms"])
def test_chooses_the_rois_of_the_original(golden, case, mode):
    inputs = [golden[f"c{case}/in/{name}"] for name in BOTTOMS]
    runner = Runner(layer(f"num_classes: 21 use_nms: {str(mode == 'nms').lower()}"), inputs, tops=5)
    tops = runner.forward()
    np.testing.assert_array_equal(runner.layer.selected, golden[f"c{case}/{mode}/index"])
    assert runner.layer.selected.dtype == np.int64
    for name, top in zip(TOPS, tops, strict=True):
        np.testing.assert_array_equal(top, golden[f"c{case}/{mode}/{name}"], err_msg=name)


@pytest.mark.parametrize("param_str", ["'num_classes': 21", "{'num_classes': 21}", "num_classes: 21"])
def test_as_the_reference_nets_name_it(golden, param_str):
    inputs = [golden[f"c1/in/{name}"] for name in BOTTOMS]
    runner = Runner(PYTHON % param_str, inputs, tops=5)
    assert [top.shape for top in runner.top] == [(1, 5), (1,), (1, 84), (1, 84), (1, 84)]
    runner.forward()
    np.testing.assert_array_equal(runner.layer.selected, golden["c1/nms/index"])


def test_the_attributes_of_the_class_are_the_defaults(golden, monkeypatch):
    inputs = [golden[f"c1/in/{name}"] for name in BOTTOMS]
    cls = type(Runner(PYTHON % "num_classes: 21", inputs, tops=5).layer)
    assert (cls.__name__, cls.batch_size, cls.use_nms, cls.nms_thresh) == ("OHEMDataLayer", 64, True, 0.7)
    monkeypatch.setattr(cls, "batch_size", 10)
    monkeypatch.setattr(cls, "use_nms", False)
    runner = Runner(PYTHON % "num_classes: 21", inputs, tops=5)
    runner.forward()
    np.testing.assert_array_equal(runner.layer.selected, golden["c1/no_nms/index"][:10])


def losses(inputs) -> np.ndarray:
    prob, pred, _, labels, targets, inside, outside = inputs
    result = np.zeros(len(labels))
    for r, label in enumerate(labels.astype(int)):
        result[r] = -np.log(prob[r, label])
        if label > 0:
            d = np.abs(inside[r] * (pred[r] - targets[r])).astype(np.float64)
            result[r] += (outside[r] * np.where(d < 1, 0.5 * d * d, d - 0.5))[inside[r] != 0].sum()
    return result


def overlap(a, b) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0]) + 1
    h = min(a[3], b[3]) - max(a[1], b[1]) + 1
    common = max(w, 0) * max(h, 0)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return common / (sum(areas) - common)


@pytest.mark.parametrize("thresh", [0.3, 0.1])
def test_against_plain_loops(thresh):
    inputs = bottoms(60, seed=2)
    loss, rois, labels = losses(inputs), inputs[2], inputs[3]
    stay: list[int] = []
    for r in np.argsort(-loss):
        rivals = [s for s in stay if rois[s, 0] == rois[r, 0] and labels[s] == labels[r]]
        if all(overlap(rois[r, 1:], rois[s, 1:]) <= thresh for s in rivals):
            stay.append(int(r))
    runner = Runner(layer(f"batch_size: 25 nms_thresh: {thresh}"), inputs, tops=5)
    runner.forward()
    assert len(stay) < 60
    assert runner.layer.selected.tolist() == stay[:25]


def test_equal_losses_stand_as_in_a_reversed_stable_sort():
    inputs = [np.repeat(value, 3, axis=0) for value in bottoms(1)]
    inputs[2][:, 1:] = [[0, 0, 9, 9], [20, 20, 29, 29], [0, 0, 9, 9]]
    for param, rows in (("use_nms: false", [2, 1, 0]), ("batch_size: 64", [1, 2])):
        runner = Runner(layer(param), inputs, tops=5)
        runner.forward()
        assert runner.layer.selected.tolist() == rows


def test_a_probability_of_zero_costs_as_much_as_the_least_difference():
    inputs = bottoms(2)
    inputs[3][:] = 0
    inputs[0][:, 0] = [1e-12, 0]
    runner = Runner(layer("batch_size: 1"), inputs, tops=5)
    runner.forward()
    assert runner.layer.selected.tolist() == [1]  # -log(eps) is 36.04, -log(1e-12) 27.6


def test_fewer_rois_than_the_batch_and_a_changing_number_of_them():
    runner = Runner(layer("batch_size: 6 use_nms: false"), bottoms(9), tops=5)
    for count, seed in ((9, 1), (4, 2), (30, 3), (1, 4)):
        inputs = bottoms(count, seed=seed)
        runner.feed(inputs)
        tops = runner.forward()
        rows = np.argsort(-losses(inputs))[:6]
        for top, value in zip(tops, inputs[2:], strict=True):
            np.testing.assert_array_equal(top, value[rows])


@pytest.mark.parametrize(
    "bottom, at, value, message",
    [
        (3, 5, 4, "label 4 at [5] of the labels"),
        (3, 5, -1, "label -1 at [5]"),
        (3, 5, np.nan, "label nan at [5]"),
        (0, 5, np.nan, "RoI 5 of label"),
        (1, 5, np.inf, "RoI 5 of label"),
    ],
)
def test_values_that_make_no_loss(bottom, at, value, message):
    inputs = bottoms(8)
    inputs[3][5], inputs[5][5] = 2, 1
    inputs[bottom][at] = value
    with pytest.raises(LayerError) as error:
        Runner(layer(), inputs, tops=5).forward()
    assert message in str(error.value)
    if bottom < 3:
        assert "has the training diverged?" in str(error.value)


def test_wrong_shapes_and_params():
    good = bottoms(8)
    for text, index, value, message in (
        (layer(), 4, good[4][:, :12], "bbox_targets has the shape (8, 12), expected (8, 16)"),
        (layer(), 3, good[3][:5], "labels has the shape (5,), expected (8,)"),
        (layer("num_classes: 21"), 0, good[0], "cls_prob has the shape (8, 4), expected (8, 21)"),
        (layer("batch_size: 0"), 0, good[0], "batch_size is 0"),
        (PYTHON % "classes: 21", 0, good[0], "param_str is 'classes: 21'; expected the number of classes"),
        (PYTHON % "num_classes: '21'", 0, good[0], "expected the number of classes"),
        (PYTHON % "", 0, good[0], "param_str is ''; expected the number of classes"),
        (PYTHON % "{num_classes: 21", 0, good[0], "param_str '{num_classes: 21' is not YAML"),
    ):
        with pytest.raises(LayerError) as error:
            Runner(text, [*good[:index], value, *good[index + 1 :]], tops=5)
        assert message in str(error.value)
    with pytest.raises(LayerError, match="there are no RoIs to choose from"):
        Runner(layer(), [value[:0] for value in good], tops=5).forward()
