"""A data set that is none of VOC's, with classes of its own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.dataset import Annotation, Dataset, GroundTruth
from caffe_compat.fast_rcnn.evaluate import evaluate, write_results
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

    def annotation(self, image_id: str, width: int, height: int) -> Annotation:
        return Annotation(np.array([BOX], np.float32), np.array([2], np.int32))

    def truth(self, image_id: str) -> GroundTruth:
        return GroundTruth(np.array([BOX]) + 1.0, np.array([2], np.int32), np.array([False]))


@pytest.fixture
def cars(tmp_path) -> Dataset:
    return Cars(tmp_path)


def test_its_roidb_and_minibatches(cars):
    roidb = dataset_roidb(cars, ANNOTATED)
    assert roidb.classes == cars.classes and roidb.means.shape == (12,)
    assert SequentialSource(roidb, 3)[0]["labels"].tolist() == [2]
    with pytest.raises(DataError, match="an object has class 2, but the net has classes 0 to 1"):
        SequentialSource(roidb, 2)[0]


def test_its_evaluation(cars, tmp_path):
    found = {"a": np.array([[2, *BOX, 0.9]], np.float32), "b": np.zeros((0, 6), np.float32)}
    result = evaluate(found, cars)
    assert [(one.name, one.objects) for one in result.classes] == [("lorry", 0), ("car", 2)]
    assert result.classes[1].recall.tolist() == [0.5]
    paths = write_results(found, tmp_path, "test", cars.classes)
    assert [path.name for path in paths] == ["comp4_det_test_lorry.txt", "comp4_det_test_car.txt"]
