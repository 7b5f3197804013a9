"""How many of the boxes that a DetectNet detects are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.detectnet.box_lists import MOST_BOXES
from caffe_compat.layers.mscnn.boxes import overlaps_of_corners

LEAST_OVERLAP = 0.7  # of a detection that is right: intersection over union
RIGHT, WRONG, MISSED = 1, 2, 3


class ScoreDetections(Layer):
    """`python_param { module: "caffe.layers.detectnet.mean_ap" layer: "ScoreDetections" }`: what became of each box.

    bottom[0]: N x K x 5, boxes of the labels (x1, y1, x2, y2, not read); bottom[1]: N x L x 5, detections; rows whose
    box is 0 are none. top[0]: N x 50 x 5, the boxes again, and what they are: detections that are right (1), that
    are wrong (2), and labels that are missed (3). A label takes the first detection that no other has taken and that
    overlaps it by 0.7. Rows beyond 50 are left out. Raises LayerError for other shapes.
    Source: python/caffe/layers/detectnet/mean_ap.py of NVIDIA's Caffe.
    """

    origin = "NVCaffe"
    bottom_count = (2, 2)
    no_gradient = (0, 1)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        truth, found = bottom[0].shape, bottom[1].shape
        if {len(truth), len(found)} != {3} or truth[0] != found[0] or {truth[2], found[2]} != {5}:
            raise self.error(f"the bottoms have the shapes {truth} and {found}; expected N x boxes x 5")
        top[0].reshape(truth[0], MOST_BOXES, 5)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = 0
        for rows, truth, found in zip(top[0].data, bottom[0].data, bottom[1].data, strict=True):
            scored = _score(_boxes(truth), _boxes(found))[:MOST_BOXES]
            rows[: len(scored)] = scored


class mAP(Layer):  # noqa: N801 -- its name in prototxts
    """`python_param { module: "caffe.layers.detectnet.mean_ap" layer: "mAP" }`: precision and recall in percent.

    bottom[0]: N x 50 x 5, what ScoreDetections says. top[0]: precision times recall / 100, top[1]: precision, top[2]:
    recall, each of shape (1,); 0 where there is nothing to divide by. Raises LayerError for less than 5 columns.
    Source: python/caffe/layers/detectnet/mean_ap.py of NVIDIA's Caffe.
    """

    origin = "NVCaffe"
    top_count = (3, 3)
    no_gradient = (0,)
    has_backward = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 3 or shape[2] != 5:
            raise self.error(f"the bottom has the shape {shape}; expected N x boxes x 5")
        for blob in top:
            blob.reshape(1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        kinds = bottom[0].data[:, :, 4]
        right, wrong, missed = (np.count_nonzero(kinds == kind) for kind in (RIGHT, WRONG, MISSED))
        precision, recall = (100 * right / max(right + others, 1) for others in (wrong, missed))
        for blob, value in zip(top, (precision * recall / 100, precision, recall), strict=True):
            blob.data[...] = value


def _boxes(rows: np.ndarray) -> np.ndarray:
    return rows[rows[:, :4].any(1), :4]


def _score(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return K x 5: the boxes, and RIGHT, WRONG or MISSED."""
    taken, met = np.zeros(len(found), bool), np.zeros(len(truth), bool)
    for i, fits in enumerate(overlaps_of_corners(truth, found, pixel=0) >= LEAST_OVERLAP):
        fitting = np.flatnonzero(fits & ~taken)
        taken[fitting[:1]] = met[i] = len(fitting) > 0
    kinds = (found[taken], RIGHT), (found[~taken], WRONG), (truth[~met], MISSED)
    return np.vstack([np.column_stack([boxes, np.full(len(boxes), kind)]) for boxes, kind in kinds])
