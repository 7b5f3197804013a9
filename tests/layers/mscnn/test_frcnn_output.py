"""FrcnnOutput: detections by hand, its files, and RoIs that do not fit; and DetectionEvaluate of three bottoms."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

F = np.float32
ROIS = [[0, 10, 10, 29, 29], [0, 10, 10, 29, 31], [0, 50, 40, 69, 99]]
PROB = [[0.1, 0.7, 0.2], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4]]


def detections(params="", rois=ROIS, size=(60, 80), more=""):
    text = (
        f'type: "FrcnnOutput" frcnn_output_param {{ {params} }} bbox_reg_param {{ cls_aware: false }} {more}'
    )
    return Runner(text, [np.array(PROB, F), np.zeros((3, 8), F), np.array(rois, F), np.array([size], F)])


def test_by_hand():
    """Two RoIs overlap by 20 / 22; the third is clipped to the image."""
    (top,) = detections("conf_thr: 0.15").forward()
    want = [
        [0, *[-1] * 6],
        [0, 10, 10, 29, 31, 1, 0.8],
        [0, 50, 40, 69, 60, 2, 0.4],
        [0, 10, 10, 29, 29, 2, 0.2],
    ]
    np.testing.assert_allclose(top[..., 0, 0], want, rtol=1e-6)
    (top,) = detections("conf_thr: 0.15 max_det_num: 1").forward()
    np.testing.assert_allclose(top[..., 0, 0], want[:2], rtol=1e-6)
    (top,) = detections("conf_thr: 0.9").forward()
    assert top[..., 0, 0].tolist() == want[:1]


def test_files(tmp_path):
    """Boxes are brought from 60 x 80 to the size of the image, 120 x 320."""
    (tmp_path / "map").write_text(
        "".join(f'item {{ name: "{name}" label: {i} }}\n' for i, name in enumerate(("none", "cat", "dog")))
    )
    (tmp_path / "sizes").write_text("first 120 320\n")
    params = f'output_directory: "{tmp_path}/out" output_name_prefix: "det_" output_format: "VOC"'
    params += f' label_map_file: "{tmp_path}/map" name_size_file: "{tmp_path}/sizes"'
    detections(f"conf_thr: 0.15 save_output_param {{ {params} }}").forward()
    assert (tmp_path / "out/det_cat.txt").read_text() == "first 0.8 40 20 116 62\n"
    assert (tmp_path / "out/det_dog.txt").read_text() == "first 0.4 200 80 276 120\nfirst 0.2 40 20 116 58\n"


@pytest.mark.parametrize(
    ("rois", "size", "message"),
    [
        ([[1, 1, 1, 2, 2]] * 3, (60, 80), "RoI 0 is of image 1 and has the corners"),
        ([[0, 3, 1, 2, 2]] * 3, (60, 80), "expected image 0, and the second corner not before the first"),
        ([[0, 1, 1, 2]] * 3, (60, 80), r"bottom\[2\] has the shape \(3, 4\); expected \(3, 5\)"),
        (ROIS, (60, 80, 3), r"bottom\[3\] has the shape \(1, 3\); expected \(1, 2\)"),
    ],
)
def test_errors(rois, size, message):
    with pytest.raises(LayerError, match=message):
        detections(rois=rois, size=size).forward()


OBJECTS = [[0, 10, 10, 29, 29, 1, 0, 0], [0, 50, 40, 69, 60, 2, 0, 1], [0, 1, 1, 5, 5, 0, 0, 0], [-1] * 8]
FOUND = [
    [0, *[-1] * 6],
    [0, 12, 10, 29, 29, 1, 0.7],
    [0, 10, 10, 29, 31, 1, 0.8],
    [0, 50, 40, 69, 60, 2, 0.4],
    [0, 0, 0, 9, 9, 3, 0.3],
]


def evaluate(path, params="", found=FOUND, objects=OBJECTS, sizes=((60, 80),)):
    text = f'num_classes: 4 overlap_threshold: 0.9 name_size_file: "{path}" {params}'
    bottoms = [np.array(rows, F) for rows in (found, objects, sizes)]
    return Runner(f'type: "DetectionEvaluate" detection_evaluate_param {{ {text} }}', bottoms)


def test_detections_are_judged_in_pixels_of_the_images(tmp_path):
    """0.8 overlaps by 20 / 22, 0.7 by 18 / 20: both for one object, from 0.9 on. At ten times the size it is 0.9095 and
    0.9005; at a tenth, 3.2 / 3.4 and 3.0 / 3.2 wide or high."""
    path = tmp_path / "sizes"
    path.write_text("a 60 80\nb 600 800\n")
    runner = evaluate(path)
    counts = [[-1, 1, 1, -1, -1], [-1, 2, 1, -1, -1], [-1, 3, 0, -1, -1]]
    want = [*counts, [0, 1, 0.8, 1, 0], [0, 1, 0.7, 0, 1], [0, 2, 0.4, 1, 0], [0, 3, 0.3, 0, 1]]
    for _ in range(2):
        np.testing.assert_allclose(runner.forward()[0][..., 0, 0], want)
    assert int(runner.layer.get_state()["image"]) == 2
    runner = evaluate(path, "evaluate_difficult_gt: false")
    want[1], want[5] = [-1, 2, 0, -1, -1], [0, 2, 0.4, 0, 0]
    np.testing.assert_allclose(runner.forward()[0][..., 0, 0], want)


def test_the_file_of_sizes_is_read_when_it_is_needed(tmp_path):
    nothing = [[0, *[-1] * 6]]
    assert evaluate(tmp_path / "none", found=nothing).forward()[0].shape == (3, 5, 1, 1)
    with pytest.raises(LayerError, match="cannot read the name_size_file"):
        evaluate(tmp_path / "none").forward()
    with pytest.raises(LayerError, match="with three bottoms, name_size_file must be given"):
        evaluate("")
    with pytest.raises(LayerError, match=r"bottom\[1\] has the shape \(1, 5\); expected \(1, 8\)"):
        evaluate(tmp_path / "none", objects=[[0] * 5])
    (tmp_path / "sizes").write_text("a 60 80\n")
    moved = [[1, *row[1:]] for row in FOUND], [[1, *row[1:]] for row in OBJECTS]
    with pytest.raises(LayerError, match=r"a detection is of image 1; bottom\[2\] has 1 sizes"):
        evaluate(tmp_path / "sizes", "", *moved).forward()
