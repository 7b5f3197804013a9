"""The gradients of YOLO's losses, which are not those of their values, and their errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.layers.registry import create_layer
from layers.cases.yolo import ANCHORS, CASES, PIXELS, centred
from layers.harness import Runner, normal, objects, parse
from layers.yolo import plain_yolo

LOSSES = [case for case in CASES if case.type in ("RegionLoss", "YoloV1Loss", "Yolov3", "GaussianYolov3")]
WEIGHT = 0.7


def gradient(runner: Runner) -> np.ndarray:
    runner.forward()
    found, _ = runner.backward([np.array(WEIGHT)], [True, False])
    return found


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gradient(case, seed):
    runner = Runner.of(case, case.bottoms(np.random.RandomState(seed)))
    param = runner.layer.layer_param
    plain, message = {
        "RegionLoss": (plain_yolo.region_loss, param.region_loss_param),
        "YoloV1Loss": (plain_yolo.yolov1_loss, param.detection_loss_param),
        "Yolov3": (plain_yolo.yolov3_loss, param.yolov3_param),
        "GaussianYolov3": (plain_yolo.gaussian_yolov3_loss, param.yolov3_param),
    }[case.type]
    loss, want = plain(*(blob.data.astype(np.float64) for blob in runner.bottom), message)
    np.testing.assert_allclose(gradient(runner), WEIGHT * want, rtol=2e-5, atol=2e-5 * np.abs(want).max())
    np.testing.assert_allclose(runner.top[0].data, loss, rtol=2e-5)


def test_a_detection_loss_is_that_of_its_fields():
    text = 'type: "DetectionLoss" detection_loss_param { %s }'
    assert type(create_layer(parse(text % "side: 3"), TEST)).__name__ == "YoloV1Loss"
    assert type(create_layer(parse(text % "cls_num: 3"), TEST)).__name__ == "DetectionLoss"


def test_the_first_version_without_objects_or_far_from_them():
    """Nothing is divided by 0; of boxes that are all far away the first counts."""
    text = 'type: "YoloV1Loss" detection_loss_param { side: 2 num_class: 1 num_object: 2 sqrt: false }'
    x, labels = np.full((1, 44), 0.5), np.zeros((1, 28))
    runner = Runner(text, [x, labels])
    assert runner.forward() == [np.float32(0.5 * 0.25)]
    labels[0, 5], labels[0, 16:20] = 1, 0.5
    x[0, 12:] = 30  # boxes
    (diff, _) = (runner := Runner(text, [x, labels])).forward() and runner.backward(
        [np.array(1)], [True, False]
    )
    assert np.count_nonzero(diff[0, 12:]) == 4 and (diff[0, [13, 17, 21, 25]] == 5 * 29.5).all()
    labels[0, 9] = 1
    with pytest.raises(LayerError, match="an object is of class 1; there are 1, counted from 0"):
        Runner(text, [x, labels]).forward()


def test_gradient_of_a_segmentation():
    x, labels = np.random.RandomState(1).uniform(0, 1, (2, 2, 3, 4, 5))
    runner = Runner('type: "YoloSeg" yolo_seg_param { object_scale: 2 }', [x, labels])
    np.testing.assert_allclose(gradient(runner), WEIGHT * 2 * (1 / (1 + np.exp(-x)) - labels) / 2, rtol=1e-4)


def test_a_class_map(tmp_path):
    """The classes of the labels become those of the map."""
    rng = np.random.RandomState(2)
    x, rows = normal(rng, (2, 27, 5, 5)), objects(2, 4)(rng, (1, 1, 7, 8))
    (tmp_path / "map").write_text("2\n0\n3\n")
    text = f'type: "RegionLoss" region_loss_param {{ num: 3 num_class: 4 {ANCHORS} %s }}'
    mapped = rows.copy()
    mapped[..., 1] = np.array([2, 0, 3])[rows[..., 1].astype(int) - 1] + 1
    named = Runner(text % f'class_map: "{tmp_path}/map"', [x, rows])
    np.testing.assert_array_equal(gradient(named), gradient(Runner(text % "", [x, mapped])))
    rows[0, 0, 0, 1] = 5
    with pytest.raises(LayerError, match=r"class 4 of an object has no line in class_map .*, which has 3"):
        Runner(text % f'class_map: "{tmp_path}/map"', [x, rows]).forward()
    (tmp_path / "map").write_text("2\nx\n")
    with pytest.raises(LayerError, match=r"map:2: 'x' is no whole number"):
        Runner(text % f'class_map: "{tmp_path}/map"', [x, rows])


REGION = "RegionLoss", "region_loss_param", f"num: 3 num_class: 4 {ANCHORS}"
YOLO = "Yolov3", "yolov3_param", f"num: 3 num_class: 4 mask: 1 mask: 2 mask: 3 {PIXELS}"
LABELS = (2, 1, 6, 5)


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        (
            ("RegionLoss", "region_loss_param", "num: 2 biases: 1"),
            [(1, 8, 2, 2), LABELS],
            "there are 1 biases; 2 anchors",
        ),
        (REGION, [(2, 26, 5, 5), LABELS], "expected N x 27 x S x S"),
        (REGION, [(2, 27, 5, 4), LABELS], "expected N x 27 x S x S"),
        (REGION, [(3, 27, 5, 5), LABELS], "rows of class, x, y, width and height for each of 3 images"),
        (
            ("Yolov3", "yolov3_param", f"num: 3 mask: 1 mask: 2 {PIXELS}"),
            [(2, 75, 5, 5), LABELS],
            "mask needs num numbers",
        ),
        (
            ("Yolov3", "yolov3_param", f"num: 1 mask: 4 {PIXELS}"),
            [(2, 25, 5, 5), LABELS],
            "those of 4 anchors",
        ),
        (
            ("Yolov3", "yolov3_param", f"num: 1 mask: 0 anchors_scale: 0 {PIXELS}"),
            [(2, 25, 5, 5), LABELS],
            "anchors_scale is 0",
        ),
        (YOLO, [(2, 26, 5, 4), LABELS], "expected N x 27 x H x W"),
        (YOLO, [(2, 27, 5, 4), (2, 1, 6, 4)], "the labels have the shape"),
        (
            ("YoloSeg", "yolo_seg_param", ""),
            [(2, 3, 4, 5), (2, 3, 4, 6)],
            "expected N x C x H x W, and as many labels",
        ),
        (("YoloSeg", "yolo_seg_param", ""), [(2, 3, 4, 5)] * 2 + [(2, 4)], "numbers of pixels in the third"),
    ],
)
def test_what_does_not_fit(layer, shapes, message):
    type, name, params = layer
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "{type}" {name} {{ {params} }}', [np.zeros(shape) for shape in shapes])


@pytest.mark.parametrize("layer", [REGION, YOLO])
def test_an_object_outside_of_its_image(layer):
    type, name, params = layer
    rows = centred(4)(np.random.RandomState(1), LABELS)
    rows[1, 0, 2, 1] = 1
    runner = Runner(f'type: "{type}" {name} {{ {params} }}', [np.zeros((2, 27, 5, 5)), rows])
    with pytest.raises(
        LayerError, match=r"an object has its middle at \(1, .*\); x and y are parts of the image"
    ):
        runner.forward()


def test_an_object_of_no_class():
    rows = np.array([[4, 0.5, 0.5, 0.2, 0.2]]).reshape(1, 1, 1, 5)
    runner = Runner(f'type: "Yolov3" yolov3_param {{ {YOLO[2]} }}', [np.zeros((1, 27, 5, 5)), rows])
    with pytest.raises(LayerError, match="an object has the class 4; num_class is 4"):
        runner.forward()


def test_a_row_of_no_image():
    rows = np.zeros((1, 1, 2, 8))
    rows[0, 0, 1, 0] = 3
    text = f'type: "RegionLoss" region_loss_param {{ {REGION[2]} }}'
    with pytest.raises(LayerError, match="a row of the labels names image 3; there are 2, counted from 0"):
        Runner(text, [np.zeros((2, 27, 5, 5)), rows]).forward()


@pytest.mark.parametrize("layer", [REGION, YOLO])
def test_labels_that_are_not_finite(layer):
    type, name, params = layer
    rows = centred(4)(np.random.RandomState(1), LABELS)
    rows[1, 0, 2, 0] = np.nan
    runner = Runner(f'type: "{type}" {name} {{ {params} }}', [np.zeros((2, 27, 5, 5)), rows])
    with pytest.raises(LayerError, match="a number of the labels is not finite: correct the labels"):
        runner.forward()
