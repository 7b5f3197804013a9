"""RoIDataLayer: serves what it is given, in a circle, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from recordings import net_of

from caffe_compat.blob import Blob
from caffe_compat.errors import LayerError
from caffe_compat.layers.fast_rcnn.roi_data import VIEW_TOPS
from layers.harness import Runner

PYTHON = (
    'type: "Python" python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "%s" }'
)
OWN = 'type: "RoIData" roi_data_param { num_classes: 3 }'
OWN_AS_PYTHON = """type: "RoIData" python_param { param_str: "'num_classes': 3" }"""


def minibatch(
    rois: int, images: int = 1, height: int = 5, width: int = 7, seed: int = 0
) -> dict[str, np.ndarray]:
    rng = np.random.RandomState(seed)
    boxes = rng.standard_normal((3, rois, 12)).astype(np.float32)
    return {
        "data": rng.standard_normal((images, 3, height, width)).astype(np.float32),
        "rois": rng.standard_normal((rois, 5)).astype(np.float32),
        "labels": rng.randint(0, 3, rois).astype(np.float32),
        "bbox_targets": boxes[0],
        "bbox_inside_weights": boxes[1],
        "bbox_outside_weights": boxes[2],
    }


@pytest.mark.parametrize(
    "text", [OWN, OWN_AS_PYTHON, PYTHON % "'num_classes': 3", PYTHON % "{num_classes: 3}"]
)
def test_serves_in_a_circle(text):
    runner = Runner(text, [], tops=6)
    served = [minibatch(4), minibatch(2, images=2, height=9, width=6, seed=1)]
    runner.layer.set_blobs(served)
    for want in (*served, *served, served[0]):
        for (name, value), top in zip(want.items(), runner.forward(), strict=True):
            np.testing.assert_array_equal(top, value, err_msg=name)
    runner.layer.set_blobs(served[1:])
    np.testing.assert_array_equal(runner.forward()[0], served[1]["data"])


def test_shapes_before_the_first_forward(monkeypatch):
    runner = Runner(PYTHON % "num_classes: 21", [], tops=6)
    shapes = [(2, 3, 600, 1000), (1, 5), (1,), (1, 84), (1, 84), (1, 84)]
    assert [top.shape for top in runner.top] == shapes
    for name, value in {"ims_per_batch": 1, "scale": 480, "max_size": 800}.items():
        monkeypatch.setattr(type(runner.layer), name, value)
    assert Runner(PYTHON % "num_classes: 21", [], tops=6).top[0].shape == (1, 3, 480, 800)


def test_three_tops_have_no_boxes():
    runner = Runner(OWN, [], tops=3)
    served = {name: minibatch(4)[name] for name in ("data", "rois", "labels")}
    runner.layer.set_blobs([served, minibatch(4)])  # the second has boxes, which are left out
    for _ in range(2):
        for top, value in zip(runner.forward(), served.values(), strict=True):
            np.testing.assert_array_equal(top, value)
    with pytest.raises(LayerError, match="there are 4 tops; expected data, rois, labels"):
        Runner(OWN, [], tops=4)


def test_five_tops_have_the_loss_weights_of_the_first_fast_rcnn():
    runner = Runner(PYTHON % "num_classes: 3", [], tops=5)
    assert [top.shape for top in runner.top] == [(2, 3, 600, 1000), (1, 5), (1,), (1, 12), (1, 12)]
    *same, inside, outside = minibatch(4).items()
    runner.layer.set_blobs([dict([*same, inside, outside]), dict([*same, ("bbox_loss_weights", inside[1])])])
    for weights in (outside[1], inside[1]):
        for top, want in zip(runner.forward(), [*(value for _, value in same), weights], strict=True):
            np.testing.assert_array_equal(top, want)


@pytest.mark.parametrize(
    "more", [["sublabels"], list(VIEW_TOPS), ["sublabels", *VIEW_TOPS]], ids=["sub", "view", "both"]
)
def test_subclasses_and_views(more):
    runner = Runner(OWN, [], tops=6 + len(more))
    served = minibatch(4)
    for i, name in enumerate(more):
        served[name] = np.full((4,) if name == "sublabels" else (4, 9), i + 1, np.float32)
    runner.layer.set_blobs([served])
    for top, want in zip(runner.forward(), served.values(), strict=True):
        np.testing.assert_array_equal(top, want)


def test_reads_one_minibatch_at_a_time():
    class Lazy(Sequence):
        asked: list[int] = []

        def __len__(self):
            return 3

        def __getitem__(self, index):
            self.asked.append(index)
            return minibatch(2, seed=index)

    lazy = Lazy()
    runner = Runner(OWN, [], tops=6)
    runner.layer.set_blobs(lazy)
    assert lazy.asked == []
    for _ in range(4):
        runner.forward()
    assert lazy.asked == [0, 1, 2, 0]


def test_without_data():
    runner = Runner(OWN, [], tops=6)
    with pytest.raises(
        LayerError, match="there is no data; give minibatches with this layer's set_source or set_blobs"
    ):
        runner.forward()
    assert runner.layer.get_state() == {}
    with pytest.raises(LayerError, match="there is no data to go on with"):
        runner.layer.set_state({"position": np.array(1)})
    runner.layer.set_blobs([])
    with pytest.raises(LayerError, match="there is no data"):
        runner.forward()


def test_the_references_roidb_is_for_its_own_layer():
    layer = net_of("layer { name: 'data' " + RPN + "}").layers[0]
    with pytest.raises(LayerError, match="put the reference's lib, with its roi_data_layer, on PYTHONPATH"):
        layer.set_roidb([{"boxes": [], "flipped": False}])


def test_the_state_is_the_place_in_the_circle():
    served = [minibatch(4), minibatch(2, seed=1), minibatch(3, seed=2)]
    runners = [Runner(OWN, [], tops=6) for _ in range(2)]
    for runner in runners:
        runner.layer.set_blobs(served)
    for _ in range(4):
        runners[0].forward()
    state = runners[0].layer.get_state()
    runners[0].forward()
    runners[1].layer.set_state(state)
    np.testing.assert_array_equal(runners[1].forward()[0], served[1]["data"])


def test_it_serves_what_a_source_gives_and_keeps_its_state():
    class Source:
        state: dict = {}

        def next(self):
            return minibatch(3)

        def get_state(self):
            return self.state

        def set_state(self, state):
            self.state = state

    runner = Runner(OWN, [], tops=6)
    runner.layer.set_source(Source())
    assert runner.forward()[1].shape == (3, 5)
    runner.layer.set_state({"cursor": np.array(7)})
    assert runner.layer.get_state() == {"cursor": 7}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rois": None}, "minibatch 1 lacks ['rois']"),
        ({"im_info": np.zeros((1, 3))}, "['im_info'] too many"),
        ({"data": np.zeros((1, 4, 5, 7))}, "data has the shape (1, 4, 5, 7), expected (1, 3, 5, 7)"),
        ({"data": np.zeros((3, 5, 7))}, "data of shape (3, 5, 7)"),
        ({"rois": np.zeros((0, 5))}, "0 RoIs"),
        ({"labels": np.zeros(3)}, "labels has the shape (3,), expected (4,) (4 RoIs, 3 classes)"),
        ({"bbox_targets": np.zeros((4, 84))}, "bbox_targets has the shape (4, 84), expected (4, 12)"),
        ({"bbox_targets": np.full((4, 12), np.nan)}, "bbox_targets has a value that is not finite at [0, 0]"),
    ],
)
def test_wrong_minibatches(change, message):
    runner = Runner(OWN, [], tops=6)
    wrong = {name: value for name, value in (minibatch(4) | change).items() if value is not None}
    runner.layer.set_blobs([minibatch(4), wrong])
    runner.forward()
    before = [top.data.copy() for top in runner.top]
    with pytest.raises(LayerError) as error:
        runner.layer.forward(runner.bottom, runner.top)
    assert message in str(error.value)
    for top, value in zip(runner.top, before, strict=True):
        np.testing.assert_array_equal(top.data, value)


RPN = (
    PYTHON.replace("python_param", 'top: "data" top: "im_info" top: "gt_boxes" python_param')
    % "num_classes: 21"
)


def annotated(boxes: int, height: int = 5, width: int = 7, images: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.RandomState(boxes)
    return {
        "data": rng.standard_normal((images, 3, height, width)).astype(np.float32),
        "im_info": np.array([[height, width, 1.5]], np.float32),
        "gt_boxes": rng.standard_normal((boxes, 5)).astype(np.float32),
    }


def test_annotated_boxes_for_a_net_that_proposes():
    layer = net_of("layer { name: 'data' " + RPN + "}").layers[0]
    top = [Blob((1,)) for _ in range(3)]
    layer.setup([], top)
    assert [blob.shape for blob in top] == [(1, 3, 600, 1000), (1, 3), (1, 4)]
    served = [annotated(4), annotated(2, 9, 6)]
    layer.set_blobs(served)
    for want in (*served, served[0]):
        layer.forward([], top)
        for (name, value), blob in zip(want.items(), top, strict=True):
            np.testing.assert_array_equal(blob.data, value, err_msg=name)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"gt_boxes": np.zeros((0, 5))}, "0 annotated boxes; expected images and annotated boxes"),
        ({"gt_boxes": np.zeros((3, 4))}, r"gt_boxes has the shape \(3, 4\), expected \(3, 5\)"),
        ({"im_info": np.zeros((2, 3))}, r"im_info has the shape \(2, 3\), expected \(1, 3\)"),
        ({"im_info": np.full((1, 3), np.nan)}, "im_info has a value that is not finite"),
        (
            {"data": annotated(4, images=2)["data"]},
            r"data has the shape \(2, 3, 5, 7\), expected \(1, 3, 5, 7\)",
        ),
        ({"rois": np.zeros((1, 5))}, r"lacks \[\] and has \['rois'\] too many"),
    ],
)
def test_annotated_boxes_that_do_not_fit(change, message):
    layer = net_of("layer { name: 'data' " + RPN + "}").layers[0]
    layer.set_blobs([annotated(4) | change])
    with pytest.raises(LayerError, match=message):
        layer.forward([], [Blob((1,)) for _ in range(3)])
