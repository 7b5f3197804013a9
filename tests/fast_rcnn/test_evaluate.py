"""Evaluation against the recordings of the reference, and against counting by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import CaffeCompatError
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.evaluate import evaluate, result_lines, write_results
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit
from fast_rcnn.drawn import annotation
from fast_rcnn.golden import recorded


def recorded_detections() -> dict[str, np.ndarray]:
    record = recorded("voc_eval")
    dets = record["dets"]
    return {
        str(image_id): np.delete(dets[dets[:, 1] == i], 1, axis=1)
        for i, image_id in enumerate(record["image_id"])
    }


def test_result_lines_are_the_recorded_ones():
    record = recorded("voc_eval")
    for name in ("person", "bus"):
        got = result_lines(recorded_detections(), CLASSES.index(name))
        assert got == record[f"file/{name}"].tolist()


def test_evaluation_is_the_recorded_one():
    record = recorded("voc_eval")
    kit = Devkit(reference("VOCdevkit2007"), 2007, "test")
    got = evaluate(recorded_detections(), kit)
    assert [one.name for one in got.classes] == record["classes"][1:].tolist()
    for one in got.classes:
        np.testing.assert_allclose(one.recall, record[f"rec/{one.name}"], rtol=1e-15)
        np.testing.assert_allclose(one.precision, record[f"prec/{one.name}"], rtol=1e-15)
    np.testing.assert_allclose([one.ap_07 for one in got.classes], record["ap_07"], rtol=1e-14)
    np.testing.assert_allclose([one.ap_area for one in got.classes], record["ap_area"], rtol=1e-14)
    assert [f"{one.ap_07:.4f}" for one in got.classes] == record["printed_ap07"].tolist()
    assert f"{got.mean_ap_07:.4f}" == record["printed_mean_ap07"][0]
    np.testing.assert_allclose(got.mean_ap_area, record["mean_ap_area"])
    assert math.isnan(got.mean_ap_area) and not math.isnan(got.with_objects.mean_ap_area)


def kit_of(folder: Path, objects: dict[str, list]) -> Devkit:
    data = folder / "VOC2007"
    for name in ("Annotations", "ImageSets/Main"):
        (data / name).mkdir(parents=True)
    for image_id, those in objects.items():
        (data / "Annotations" / f"{image_id}.xml").write_text(annotation(those))
    (data / "ImageSets/Main/test.txt").write_text("".join(f"{image_id}\n" for image_id in objects))
    return Devkit(folder, 2007, "test")


def test_counting_by_hand(tmp_path):
    box, far = (11, 21, 60, 70), (81, 21, 130, 70)
    kit = kit_of(tmp_path, {"a": [("dog", box, 0), ("dog", far, 1)], "b": [("dog", box, 0)], "c": []})
    dog = CLASSES.index("dog")
    on, on_far = [dog, 10, 20, 59, 69], [dog, 80, 20, 129, 69]
    half = [dog, 10, 20, 59, 44]  # overlaps `box` by just 0.5, which is not enough
    found = {
        "a": np.array([[*on, 0.9], [*on, 0.8], [*on_far, 0.7], [*on_far, 0.65]], np.float32),
        "b": np.array([[*half, 0.6], [*on, 0.5]], np.float32),
        "z": np.array([[*on, 0.99]], np.float32),  # of another image set
    }
    result = evaluate(found, kit).classes[dog - 1]
    assert result.objects == 2
    # right, twice the same object, two on a difficult object, overlaps too little, right
    assert result.recall.tolist() == [0.5, 0.5, 0.5, 0.5, 0.5, 1]
    assert result.precision.tolist() == [1, 1 / 2, 1 / 2, 1 / 2, 1 / 3, 1 / 2]
    assert result.ap_07 == pytest.approx((6 * 1 + 5 * 0.5) / 11)
    assert result.ap_area == pytest.approx(0.5 * 1 + 0.5 * 0.5)


def test_a_class_without_objects_or_without_detections(tmp_path):
    kit = kit_of(tmp_path, {"a": [("dog", (1, 1, 9, 9), 0)]})
    result = evaluate({"a": np.array([[8, 0, 0, 8, 8, 0.5]], np.float32)}, kit)
    cat, dog, bird = (result.classes[CLASSES.index(name) - 1] for name in ("cat", "dog", "bird"))
    assert (cat.objects, cat.ap_07, math.isnan(cat.ap_area)) == (0, 0, True)
    assert (dog.objects, dog.ap_07, dog.ap_area, len(dog.recall)) == (1, 0, 0, 0)
    assert (bird.objects, bird.ap_07, math.isnan(bird.ap_area)) == (0, 0, True)
    assert [one.name for one in result.with_objects.classes] == ["dog"]


def test_result_files(tmp_path):
    paths = write_results(recorded_detections(), tmp_path / "results", "test", CLASSES)
    assert len(paths) == 20 and paths[14].name == "comp4_det_test_person.txt"
    assert paths[14].read_text().splitlines() == recorded("voc_eval")["file/person"].tolist()
    (tmp_path / "file").write_text("")
    with pytest.raises(CaffeCompatError, match="cannot make the folder"):
        write_results({}, tmp_path / "file", "test", CLASSES)


def test_image_ids_have_blanks_and_class_names_a_slash(tmp_path):
    found = {"my cat 1": np.array([[1, 2, 3, 8, 9, 0.5]], np.float32), "my": np.zeros((0, 6), np.float32)}
    assert result_lines(found, 1) == ["my cat 1 0.500 3.0 4.0 9.0 10.0"]
    data = Boxes({"my cat 1": Objects([[2, 3, 8, 9]], [1]), "my": Objects([[2, 3, 8, 9]], [1])})
    assert evaluate(found, data).classes[0].recall.tolist() == [0.5]
    assert write_results(found, tmp_path, "all", data.classes)[0].name == "comp4_det_all_cat_dog.txt"


class Boxes:
    """A data set of objects alone."""

    name, classes = "boxes", ("__background__", "cat/dog")

    def __init__(self, boxes: dict[str, Objects]):
        self.image_ids, self.objects = list(boxes), boxes.__getitem__
