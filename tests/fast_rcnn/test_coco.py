"""Data in COCO's form, its results and its measure."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.check import check
from caffe_compat.fast_rcnn.coco import CocoFile
from caffe_compat.fast_rcnn.coco_measure import NAMES, coco_measure
from caffe_compat.fast_rcnn.dataset import Objects, class_counts
from caffe_compat.fast_rcnn.detections import coco_numbers, read_detections, write_coco
from caffe_compat.fast_rcnn.evaluate import evaluate
from fast_rcnn.faulty import jpeg, with_orientation

CLASSES = ("__background__", "person", "traffic light", "dog")


def box(image: int, category: int, *corners: float, **more: object) -> dict:
    return {"image_id": image, "category_id": category, "bbox": list(corners), "iscrowd": 0, **more}


def content() -> dict:
    return {
        "images": [
            {"id": 139, "file_name": "000139.jpg", "width": 60, "height": 50},
            {"id": 7, "file_name": "train/7.png", "width": 40, "height": 30},
            {"id": 20, "file_name": "20.jpg", "width": 30, "height": 30},
        ],
        "categories": [
            {"id": 18, "name": "dog"},
            {"id": 1, "name": "person"},
            {"id": 10, "name": "traffic light"},
        ],
        "annotations": [
            box(139, 18, 10, 20, 5, 6, id=0),
            box(7, 1, 1.7, 2.2, 10.9, 3.5, id=4),
            box(139, 10, -0.4, 0, 60.4, 50, id=5, iscrowd=1),
            box(139, 1, 3, 4, 0.3, 1, id=9),
        ],
    }


@pytest.fixture
def write(tmp_path):
    def write(found: dict) -> str:
        (tmp_path / "a.json").write_text(json.dumps(found))
        return str(tmp_path / "a.json")

    return write


def test_a_file_is_a_data_set(write, tmp_path):
    data = CocoFile(write(content()), "photos")
    assert (data.name, data.classes, data.image_ids) == ("a", CLASSES, ["139", "7", "20"])
    assert data.photo("7").as_posix() == "photos/train/7.png"
    (tmp_path / "7.png").touch()
    assert CocoFile(tmp_path / "a.json").photo("7") == tmp_path / "7.png"
    first = data.objects("139")
    assert first.boxes.tolist() == [[10, 20, 14, 25], [0, 0, 59, 49], [3, 4, 3, 4]]
    assert (first.classes.tolist(), first.crowd.tolist()) == ([3, 2, 1], [False, True, False])
    assert (first.size, first.counts_from, first.file) == ((60, 50), 0, f"{data.path}, image 139")
    assert data.objects("7").boxes.tolist() == [[1, 2, 11, 4]]  # to 11.6 and 4.7
    assert data.objects("20").boxes.shape == (0, 4)
    assert class_counts(data) == {"person": 2, "traffic light": 1, "dog": 1}


def test_classes_may_be_given_in_another_order_and_others_left_out(write):
    given = ("__background__", "DOG", "tree", "person")
    data = CocoFile(write(content()), classes=given, skip_other_classes=True)
    assert data.objects("139").classes.tolist() == [1, 3]
    assert [data.coco_numbers.category(label) for label in (1, 2, 3)] == [18, 21, 1]
    with pytest.raises(
        DataError, match=r"a.json: .* 'traffic light', which is none of those given \(DOG, tree"
    ):
        CocoFile(write(content()), classes=given).objects("139")


def test_objects_without_a_size_are_left_out_and_counted(write):
    found = content()
    found["annotations"] += [box(7, 1, 3, 4, 0, 9, id=77), box(7, 1, 3, 4, 9, -1, id=78)]
    with pytest.warns(UserWarning, match=r"a.json: 2 object\(s\) without a width or height .* annotation 77"):
        data = CocoFile(write(found))
    assert len(data.objects("7").boxes) == 1


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("annotations", [box(8, 1, 1, 2, 3, 4)], "annotations are of other images than it has: .* of 8, .* is 139"),
        ("images", [{"id": None, "file_name": "a"}], "images has the id None with the file_name a; expected a number"),
        ("images", [{"id": 7, "file_name": None}], "images has the id 7 with the file_name None; expected a number"),
        ("categories", [{"id": [1], "name": "dog"}], r"categories has the id \[1\] with the name dog; expected"),
        ("images", [], "there is no image in it"),
        ("images", [{"id": 7}], "needs 'images', a list of objects with id, file_name"),
        ("images", [{"id": 7, "file_name": "a"}, {"id": 7, "file_name": "b"}], "images has the id 7 twice"),
        ("categories", None, "needs 'categories'"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused(write, part, change, message):
    with pytest.raises(DataError, match=f"a.json: .*{message}"):
        CocoFile(write({**content(), part: change}))


def test_what_is_wrong_with_an_annotation_is_an_error_of_its_image(write):
    found = content()
    found["annotations"] += [
        {"image_id": 7, "category_id": 1, "id": 3},
        box(20, 2, 1, 2, 3, 4, id=8),
        box(8, 1, 1, 2, 3, 4, id=9),
    ]
    with pytest.warns(UserWarning, match=r"1 object\(s\) of images that it does not have .* annotation 9$"):
        data = CocoFile(write(found))
    assert len(data.objects("139").boxes) == 3
    with pytest.raises(
        DataError, match=r"a\.json, image 7: annotation 3 has the bbox None; expected x, y, width"
    ):
        data.objects("7")
    with pytest.raises(
        DataError, match="image 20: annotation 8 has category_id 2, which is not among the cat"
    ):
        data.objects("20")
    assert [fault.image_id for fault in check(data).faults if fault.kind == "annotation"] == ["7", "20"]


def test_files_as_tools_write_them(write, tmp_path):
    """Ids as text and fractions, a category for the background without an object, names of Windows."""
    found = content()
    found["categories"].append({"id": 0, "name": "Background"})
    found["images"][1]["file_name"] = r"C:\photos\train\7.png"
    for one in found["annotations"]:
        one.update(image_id=str(one["image_id"]), category_id=float(one["category_id"]))
    data, plain = CocoFile(write(found)), CocoFile(write(content()))
    assert data.classes == CLASSES
    assert data.objects("139").classes.tolist() == plain.objects("139").classes.tolist() == [3, 2, 1]
    assert data.coco_numbers.category(3) == 18 and data.coco_numbers.stems["7"] == "7"
    (tmp_path / "7.png").touch()
    assert data.photo("7") == tmp_path / "7.png"
    found["annotations"].append(box(7, 0, 1, 2, 3, 4))
    with pytest.raises(
        DataError, match=r"'Background', but output 0 .* --classes 'person,traffic light,dog' --"
    ):
        CocoFile(write(found)).objects("7")
    for one in found["categories"]:
        one["id"] = "abcd"[found["categories"].index(one)]
    found["annotations"] = [box(7, "a", 1, 2, 3, 4), box(7, "b", 1, 2, 3, 4)]  # type: ignore[arg-type]
    assert CocoFile(write(found)).classes == ("__background__", "dog", "person", "traffic light")


def test_no_json_and_no_file(tmp_path):
    (tmp_path / "a.json").write_text("[1, ")
    with pytest.raises(DataError, match=r"a\.json: this is no JSON"):
        CocoFile(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DataError, match="no file of COCO's instances"):
        CocoFile(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"b\.json: cannot read the annotations: No such file"):
        CocoFile(tmp_path / "b.json")


# the dog exactly, one person by 33 of 39 pixels (IoU 0.846), one where none is, and one within the crowd
FOUND = {
    "139": np.array([[3, 10, 20, 14, 25, 0.9], [2, 1, 1, 20, 20, 0.8]], np.float32),
    "7": np.array([[1, 1, 2, 11, 4, 0.7], [1, 20, 20, 30, 29, 0.6]], np.float32),
    "20": np.zeros((0, 6), np.float32),
}


def test_results_have_the_numbers_of_the_file_and_are_read_back(write, tmp_path):
    data = CocoFile(write(content()))
    write_coco(FOUND, tmp_path / "r.json", coco_numbers(data))
    rows = json.loads((tmp_path / "r.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(139, 18), (139, 10), (7, 1), (7, 1)]
    assert rows[0]["bbox"] == [10, 20, 5, 6] and set(rows[0]) == {"image_id", "category_id", "bbox", "score"}
    read = read_detections(tmp_path / "r.json", data)
    assert {key: dets.tolist() for key, dets in read.items()} == {k: d.tolist() for k, d in FOUND.items()}
    # what detect writes: names of files, and of classes, whose numbers are those of the net
    named = [{**rows[2], "image_id": "000139", "category_id": 2, "category_name": "dog"}]
    (tmp_path / "n.json").write_text(json.dumps(named))
    assert read_detections(tmp_path / "n.json", data)["139"][0, 0] == 3
    (tmp_path / "n.json").write_text(json.dumps([{**rows[2], "category_id": 2}]))
    with pytest.raises(
        DataError, match="category 2 is none of the data set's: 1 person, 10 traffic light, 18 dog"
    ):
        read_detections(tmp_path / "n.json", data)


def test_vocs_measure_of_it(write):
    result = evaluate(FOUND, CocoFile(write(content())))
    assert [(one.name, one.objects) for one in result.classes] == [
        ("person", 2),
        ("traffic light", 0),
        ("dog", 1),
    ]
    assert result.classes[0].precision.tolist() == [1.0, 0.5] and result.classes[0].recall.tolist() == [
        0.5,
        0.5,
    ]
    assert result.classes[2].ap_area == 1.0


class Boxes:
    """A data set of objects alone."""

    name, classes = "boxes", CLASSES

    def __init__(self, boxes: dict[str, Objects]):
        self.image_ids, self.objects = list(boxes), boxes.__getitem__

    def photo(self, image_id: str) -> Path:
        return Path(f"{image_id}.jpg")


def test_cocos_measure(write):
    """Its program's numbers: of the file as it is, and of a data set of the same boxes."""
    pytest.importorskip("pycocotools")
    whole = content()
    whole["annotations"][1]["bbox"] = [1, 2, 11, 3]
    data = CocoFile(write(whole))
    numbers = coco_measure(FOUND, data)
    # persons: one of two found first, so precision is 1 up to recall 0.5: 51 of 101 recalls; no traffic light counts
    assert list(numbers) == list(NAMES)
    assert numbers["AP"] == pytest.approx((51 / 101 + 1) / 2) and numbers["AP50"] == numbers["AP75"]
    assert numbers["AR100"] == pytest.approx((0.5 + 1) / 2) and numbers["APs"] == numbers["AP"]
    assert np.isnan(numbers["APl"])
    same = Boxes({image_id: data.objects(image_id) for image_id in data.image_ids})
    assert coco_measure(FOUND, same) == pytest.approx(numbers, nan_ok=True)
    names = {"139": "one", "7": "7", "20": "20"}  # ids that are numbers in COCO's files, and one that is none
    same = Boxes({names[image_id]: data.objects(image_id) for image_id in data.image_ids})
    found = {names[image_id]: dets for image_id, dets in FOUND.items()}
    assert coco_measure(found, same) == pytest.approx(numbers, nan_ok=True)
    moved = {
        **FOUND,
        "7": FOUND["7"][:1] + np.array([0, 0, 0, 2, 0, 0], np.float32),
    }  # 33 of 39 pixels: IoU 0.846
    numbers = coco_measure(moved, data)
    assert numbers["AP"] == pytest.approx((0.7 * 51 / 101 + 1) / 2) and numbers["AP75"] > numbers["AP"]
    nothing = dict.fromkeys(FOUND, np.zeros((0, 6), np.float32))
    assert coco_measure(nothing, data)["AP"] == 0


def test_without_pycocotools_one_line_says_so(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    with pytest.raises(
        DataError, match=r"COCO's own measure needs pycocotools: pip install 'caffe-compat\[coco\]'"
    ):
        coco_measure(FOUND, CocoFile(write(content())))


def test_cocos_measure_of_a_photo_that_exif_turns(write, tmp_path):
    """Its box is annotated in the stored photo, and found in the upright one."""
    pytest.importorskip("pycocotools")
    (tmp_path / "side.jpg").write_bytes(with_orientation(jpeg(3, 40, 64), 6))
    data = CocoFile(
        write(
            {
                "images": [{"id": 9, "file_name": "side.jpg", "width": 64, "height": 40}],
                "categories": [{"id": 18, "name": "dog"}],
                "annotations": [{"id": 1, **box(9, 18, 5, 6, 20, 11)}],
            }
        )
    )
    found = {"9": np.array([[1, 39 - 16, 5, 39 - 6, 24, 0.9]], np.float32)}
    assert coco_measure(found, data)["AP"] == pytest.approx(1)
