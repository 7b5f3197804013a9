"""COCO's own measure of detections, by its own program: pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
from caffe_compat.fast_rcnn.dataset import Dataset, objects_of
from caffe_compat.fast_rcnn.detections import coco_results

# In COCO's order. AP: mean over overlaps of 0.5, 0.55, ... 0.95; s, m, l: objects below 32 x 32 pixels, below 96 x 96,
# larger ones; AR: recall with at most so many detections a photo
NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
MISSING = "COCO's own measure needs pycocotools: pip install 'caffe-compat[coco]'"


def is_there() -> bool:
    """Whether pycocotools is installed."""
    try:
        import pycocotools.cocoeval  # noqa: F401
    except ImportError:
        return False
    return True


def coco_measure(found: Mapping[str, np.ndarray], dataset: Dataset) -> dict[str, float]:
    """COCO's twelve numbers, by NAMES; NaN where there is no object to find.

    found: image id -> M x 6. The objects are the data's `coco_annotations` as they are; where it has none, and in
    photos that EXIF turns, they are its boxes, with what is `ignored` there for crowds. Raises DataError where
    pycocotools is missing, and where the data set does.
    """
    if not is_there():
        raise DataError(MISSING)
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    # numbers of our own: COCO's program is lost where ids are texts and numbers
    images = {image_id: number for number, image_id in enumerate(dataset.image_ids, 1)}
    numbers = CocoNumbers(dataset.classes, images)
    frame = {
        "images": [{"id": numbers.image(image_id)} for image_id in dataset.image_ids],
        "categories": [{"id": numbers.category(label)} for label in range(1, len(dataset.classes))],
    }
    results = [
        one for image_id in dataset.image_ids for one in coco_results(image_id, found[image_id], numbers)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth, detected = COCO(), COCO()
        truth.dataset = {**frame, "annotations": _numbered(_truth(dataset, numbers))}
        detected.dataset = {**frame, "annotations": _numbered(results)}
        truth.createIndex()
        detected.createIndex()
        evaluation = COCOeval(truth, detected, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    stats = [float(value) if value >= 0 else float("nan") for value in evaluation.stats]
    return dict(zip(NAMES, stats, strict=True))


def _truth(dataset: Dataset, numbers: CocoNumbers) -> list[dict[str, Any]]:
    """The objects of a data set in COCO's form."""
    result: list[dict[str, Any]] = []
    for image_id in dataset.image_ids:
        number = numbers.image(image_id)
        objects = objects_of(dataset, image_id)
        if hasattr(dataset, "coco_annotations") and not objects.turned:
            result += [
                {"iscrowd": 0, **one, "image_id": number} for one in dataset.coco_annotations(image_id)
            ]
            continue
        corners = objects.boxes.tolist()
        for (x1, y1, x2, y2), label, ignored in zip(corners, objects.classes, objects.ignored, strict=True):
            result.append(
                {
                    "image_id": number,
                    "category_id": numbers.category(int(label)),
                    "bbox": [x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                    "iscrowd": int(ignored),
                }
            )
    return result


def _numbered(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With ids from 1 (COCO's program takes 0 for none), and an area where there is none."""
    return [
        {"area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0, **one, "id": i}
        for i, one in enumerate(annotations, 1)
    ]
