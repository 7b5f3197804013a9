"""What the reference's Python code answered (tests/golden/pipeline)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.entries import Photo
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois
from caffe_compat.fast_rcnn.voc import CLASSES

PIPELINE = Path(__file__).parents[1] / "golden" / "pipeline"


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(PIPELINE / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def recorded_photos(folder: Path | str = "") -> list[Photo]:
    """The five photos, from the objects and the usable proposals of the recording."""
    roidb = recorded("roidb")
    photos = []
    for i in range(5):
        boxes, classes = roidb[f"e{i}/boxes"], roidb[f"e{i}/gt_classes"]
        count = np.count_nonzero(classes)
        objects = Objects(boxes[:count], classes[:count])
        path = f"{folder}/{roidb['image_id'][i]}.jpg"
        photos.append(photo_rois(path, 500, 375, objects, boxes[count:]))
    return photos


def recorded_roidb(cfg: Config, folder: Path | str = "") -> Roidb:
    return Roidb(recorded_photos(folder), cfg, CLASSES)
