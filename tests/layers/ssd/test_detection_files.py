"""The files of DetectionOutput: their lines, boxes through a resize, what does not fit."""

import json

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError, LayerError
from layers.harness import Runner

# two classes besides the background, three images of different sizes, the middle one without detections
LABELS = """
item { name: "nothing" label: 0 display_name: "-" }
item { name: "cat" label: 1 }
item { name: "12" label: 2 }
"""
STEPS = np.zeros((3, 2 * 4))
BOXES = np.array([0.1, 0.25, 0.55, 0.75, -0.5, 0.3, 0.3005, 1.25, *[1] * 8]).reshape(1, 2, 8)
SCORES = np.array([[0, 0.9, 0.1, 0, 0.1, 0.123456789], [0] * 6, [0, 0.1, 0.00001875, 0, 0.25, 0.1]])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "labels.prototxt").write_text(LABELS)
    (tmp_path / "sizes.txt").write_bytes(b"000012 100 200\nb 30 40\n\nc\xff 1000 90\nunused 5 5\n")
    return tmp_path


def layer(params: str, steps=STEPS, scores=SCORES, boxes=BOXES) -> Runner:
    param = f"num_classes: 3 nms_param {{ nms_threshold: 1 }} confidence_threshold: 0 {params}"
    arrays = [steps, scores, boxes]
    return Runner(f'type: "DetectionOutput" detection_output_param {{ {param} }}', arrays)


def saving(folder, params: str) -> str:
    """The save_output_param of these params, and of what they do not name."""
    others = {
        "output_directory": folder / "out" / "a",
        "output_name_prefix": "det_",
        "label_map_file": folder / "labels.prototxt",
        "name_size_file": folder / "sizes.txt",
    }
    text = " ".join(f'{name}: "{value}"' for name, value in others.items() if name not in params)
    return f"save_output_param {{ {text} {params} }}"


def written(folder, params: str, images=(3,)) -> dict[str, str]:
    """The files after batches of so many images."""
    runner = layer(saving(folder, params))
    start = 0
    for count in images:
        runner.feed([STEPS[start : start + count], SCORES[start : start + count], BOXES])
        runner.forward()
        start += count
    return {path.name: path.read_bytes().decode("latin-1") for path in (folder / "out" / "a").iterdir()}


@pytest.mark.parametrize("images", [(3,), (1, 2), (2, 1)])
def test_voc_files(folder, images):
    files = written(folder, 'output_format: "VOC" num_test_image: 3', images)
    assert files == {
        "det_cat.txt": (
            "000012 0.9 20 25 110 75\n000012 0.1 0 30 60 100\ncÿ 0.25 0 300 27 1000\ncÿ 0.1 9 250 49 750\n"
        ),
        "det_12.txt": (
            "000012 0.123457 0 30 60 100\n000012 0.1 20 25 110 75\n"
            "cÿ 0.1 0 300 27 1000\ncÿ 1.875e-05 9 250 49 750\n"
        ),
    }


def test_ilsvrc_file(folder):
    assert written(folder, 'output_format: "ILSVRC" num_test_image: 2') == {
        "det_.txt": (
            "000012 1 0.9 20 25 110 75\n000012 1 0.1 0 30 60 100\n"
            "000012 2 0.123457 0 30 60 100\n000012 2 0.1 20 25 110 75\n"
        )
    }


def test_coco_file(folder):
    (text,) = written(folder, 'output_format: "COCO" num_test_image: 3').values()
    found = json.loads(text)
    assert found[0] == {"image_id": 12, "category_id": "cat", "bbox": [20, 25, 90, 50], "score": 0.899999976}
    assert found[2] == {"image_id": 12, "category_id": 12, "bbox": [0, 30, 60.1, 70], "score": 0.123456791}
    assert [item["image_id"] for item in found[4:]] == ["c\udcff"] * 4
    assert found[4]["bbox"] == [0, 300, 27.05, 700] and len(found) == 8


def test_a_round_writes_the_files_anew(folder):
    params = 'output_format: "ILSVRC" num_test_image: 1'
    assert written(folder, params, (1, 1)) == {"det_.txt": ""}  # the last round's image, without detections
    assert written(folder, 'output_format: "COCO" num_test_image: 2', (1,)) == {
        "det_.txt": ""
    }  # not complete


@pytest.mark.parametrize(
    "resize, image, box, want",
    [
        ("", (90, 40), (0.1, -0.2, 0.5, 1.1), (4, 0, 20, 90)),
        ("resize_mode: WARP height: 60 width: 60", (90, 40), (0.1, -0.2, 0.5, 1.1), (4, 0, 20, 90)),
        # 40 x 80 pixels in 60 x 60: 60 x 30 of them are the image, rows 15 to 45
        ("resize_mode: FIT_LARGE_SIZE_AND_PAD height: 60 width: 60", (40, 80), (0.1, 0.375, 0.5, 0.9), (8, 10, 40, 40)),
        # 100 x 20 in 60 x 30: 60 x 12 of them are the image, columns 9 to 21
        ("resize_mode: FIT_LARGE_SIZE_AND_PAD height: 60 width: 30", (100, 20), (0.1, 0.25, 0.5, 0.7), (0, 25, 10, 70)),
        # all in the padding: not moved
        ("resize_mode: FIT_LARGE_SIZE_AND_PAD height: 60 width: 60", (40, 80), (0.1, 0.8, 0.5, 0.9), (8, 32, 40, 36)),
        ("resize_mode: FIT_SMALL_SIZE height: 60 width: 60", (90, 40), (0.1, -0.2, 0.5, 1.1), (4, 0, 20, 90)),
        (
            "resize_mode: FIT_SMALL_SIZE height: 60 width: 60 height_scale: 80 width_scale: 50",
            (90, 40), (0.1, -0.2, 1, 1.1), (5, 0, 40, 88),
        ),
    ],
)  # fmt: skip
def test_boxes_go_back_through_the_resize(folder, resize, image, box, want):
    (folder / "sizes.txt").write_text(f"a {image[0]} {image[1]}\n")
    param = f"resize_param {{ {resize} }}" if resize else ""
    text = saving(folder, f'output_format: "COCO" {param}')
    scores, boxes = np.array([[0, 0.9, 0.1]]), np.array([*box, *[1] * 4]).reshape(1, 2, 4)
    layer(text, np.zeros((1, 4)), scores, boxes).forward()
    x1, y1, x2, y2 = want
    found = json.loads((folder / "out" / "a" / "det_.json").read_text())
    np.testing.assert_allclose(found[0]["bbox"], [x1, y1, x2 - x1, y2 - y1], atol=0.011)


@pytest.mark.parametrize("missing", ["label_map_file", "name_size_file"])
def test_without_both_lists_nothing_is_written(folder, missing):
    with pytest.warns(UserWarning, match="no files are written .* needs both label_map_file and name_size"):
        layer(saving(folder, f'output_format: "VOC" {missing}: ""')).forward()
    assert not (folder / "out").exists()


@pytest.mark.parametrize("missing", ["label_map_file", "name_size_file"])
def test_where_a_list_is_not_there_nothing_is_written(folder, missing):
    with pytest.warns(UserWarning, match=f"no files are written .* there is no {missing} 'none'"):
        layer(saving(folder, f'output_format: "VOC" {missing}: "none"')).forward()
    assert not (folder / "out").exists()


def test_without_a_folder_nothing_is_written(folder):
    layer(saving(folder, 'output_directory: ""')).forward()
    assert sorted(path.name for path in folder.iterdir()) == ["labels.prototxt", "sizes.txt"]


@pytest.mark.parametrize(
    "params, message",
    [
        (
            "",
            "output_format is ''; expected one of VOC, COCO, ILSVRC; correct it, or remove save_output_param",
        ),
        ('output_format: "voc"', "output_format is 'voc'"),
        ('output_format: "VOC" num_test_image: 5', "num_test_image is 5; expected 1 to 4"),
        ('output_format: "VOC" num_test_image: 0', "num_test_image is 0"),
        ('output_format: "VOC" resize_param { height: 5 }', "resize_param needs a height and a width"),
        ('output_format: "VOC" label_map_file: "."', "label_map_file: .*; correct it, or remove"),
        ('output_format: "VOC" name_size_file: "."', "cannot read the name_size_file '.': Is a directory"),
    ],
)
def test_wrong_params_of_files(folder, params, message):
    with pytest.raises(LayerError, match=message):
        layer(saving(folder, params))


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("labels.prototxt", 'item { name: "a" label: 1 }', "has no name for class 2"),
        (
            "labels.prototxt",
            'item { name: "a" label: 1 } item { name: "a" label: 2 }',
            "a label or a name twice",
        ),
        ("labels.prototxt", 'item { nam: "a" label: 1 }', r"labels.prototxt:1:8: .*nam"),
        ("sizes.txt", "a 10 20\nb 10\n", r"sizes.txt:2: expected name, height and width, found 'b 10'"),
        ("sizes.txt", "", "sizes.txt' is empty"),
    ],
)
def test_wrong_files(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(LayerError, match=message):
        layer(saving(folder, 'output_format: "VOC"'))


def test_a_file_that_cannot_be_written(folder):
    (folder / "out" / "a" / "det_.txt").mkdir(parents=True)
    with pytest.raises(CaffeCompatError, match=r"det_\.txt: cannot be written: this is a folder"):
        layer(saving(folder, 'output_format: "ILSVRC"')).forward()


def test_a_folder_that_cannot_be_made(folder):
    files = layer(saving(folder, 'output_format: "VOC" output_directory: "/dev/null/a"'))
    with pytest.raises(LayerError, match="output_directory '/dev/null/a' cannot be made"):
        files.forward()


def test_a_class_with_a_slash_in_its_name_stays_in_the_folder(folder):
    (folder / "labels.prototxt").write_text(
        'item { name: "../a" label: 1 } item { name: "b" label: 2 } item { name: "c" label: 0 }'
    )
    layer(saving(folder, 'output_format: "VOC" num_test_image: 2')).forward()
    assert sorted(path.name for path in (folder / "out" / "a").iterdir()) == ["det_.._a.txt", "det_b.txt"]
    assert not (folder / "out" / "a.txt").exists()
