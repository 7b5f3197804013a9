"""A data set that is none of VOC's, with classes of its own."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.check import check
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.dataset import Dataset, Objects, class_counts
from caffe_compat.fast_rcnn.evaluate import evaluate, write_results
from caffe_compat.fast_rcnn.roidb import photo_rois
from caffe_compat.fast_rcnn.source import SequentialSource
from fast_rcnn.drawn import picture

BOX = (10, 20, 59, 79)
ANNOTATED = cfg_from_list(["TRAIN.PROPOSAL_METHOD", "gt", "TRAIN.SCALES", "(90,)"], OHEM)


class Cars:
    """Two photos with a car each."""

    name = "two cars"
    classes = ("__background__", "lorry", "car")
    image_ids = ("a", "b")

    def __init__(self, folder: Path):
        self.folder = folder
        for seed, image_id in enumerate(self.image_ids):
            cv2.imwrite(str(self.photo(image_id)), picture(seed, 90, 120))

    def photo(self, image_id: str) -> Path:
        return self.folder / f"{image_id}.jpg"

    def objects(self, image_id: str) -> Objects:
        return Objects([BOX], [2])


class NamedCars(Cars):
    """With a class that is none of theirs in their annotations."""

    annotated_names: ClassVar = {"car": 2, "tram": 1}


@pytest.fixture
def cars(tmp_path) -> Dataset:
    return Cars(tmp_path)


def test_its_roidb_and_minibatches(cars):
    roidb = dataset_roidb(cars, ANNOTATED)
    assert roidb.classes == cars.classes and roidb.means.shape == (12,)
    assert SequentialSource(roidb, 3)[0]["labels"].tolist() == [2]
    with pytest.raises(DataError, match="an object has class 2, but the net has classes 0 to 1"):
        SequentialSource(roidb, 2)[0]


def test_names_that_are_none_of_its_classes(cars, tmp_path):
    """Where it says which there are."""
    assert (check(cars).unknown, check(NamedCars(tmp_path)).unknown) == ({}, {"tram": 1})


def test_its_evaluation(cars, tmp_path):
    found = {"a": np.array([[2, *BOX, 0.9]], np.float32), "b": np.zeros((0, 6), np.float32)}
    result = evaluate(found, cars)
    assert [(one.name, one.objects) for one in result.classes] == [("lorry", 0), ("car", 2)]
    assert result.classes[1].recall.tolist() == [0.5]
    paths = write_results(found, tmp_path, "test", cars.classes)
    assert [path.name for path in paths] == ["comp4_det_test_lorry.txt", "comp4_det_test_car.txt"]


def test_objects_take_lists_and_fit_each_other():
    found = Objects([(1, 2, 3, 4), (5, 6, 7, 8)], [3, 1], crowd=[False, True])
    assert (found.boxes.shape, found.boxes.dtype, found.classes.dtype) == ((2, 4), np.float64, np.int32)
    assert found.ignored.tolist() == [False, True] and found.difficult.tolist() == [False, False]
    nothing = Objects([], [])
    assert (nothing.boxes.shape, nothing.crowd.shape) == ((0, 4), (0,))
    for wrong in (([BOX], [1, 2]), ([BOX[:3]], [1]), ([BOX], [1], [True, False]), (BOX, [1]), ([BOX], 1)):
        with pytest.raises(DataError, match="expected G x 4 boxes") as caught:
            Objects(*wrong, file="a.csv")
        assert caught.value.file == "a.csv"


def test_classes_count_from_one(cars, monkeypatch):
    assert class_counts(cars) == {"lorry": 0, "car": 2}
    for label in (0, 3):
        monkeypatch.setattr(cars, "objects", lambda image_id, label=label: Objects([BOX], [label]))
        with pytest.raises(
            DataError, match=f"of a has the class {label}; the 2 classes of two cars count from 1"
        ):
            dataset_roidb(cars, ANNOTATED)


def test_rois_in_a_crowd_are_neither_foreground_nor_background():
    crowd, dog = [100, 100, 199, 149], [10, 20, 59, 79]
    proposals = np.array([[110, 100, 119, 169], [110, 100, 119, 171], [0, 0, 30, 30], [100, 149, 199, 149]])
    objects = Objects([crowd, dog, [5, 5, 9, 9]], [1, 2, 1], difficult=[0, 0, 1], crowd=[1, 0, 0])
    photo = photo_rois("", 300, 300, objects, proposals)
    # the first lies in the crowd by 50 / 70, the second by 50 / 72, the last one whole
    assert photo.boxes.tolist() == [dog, [110, 100, 119, 171], [0, 0, 30, 30]]
    assert photo.gt_classes.tolist() == [2]
