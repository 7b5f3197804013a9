"""Which objects SSD's prior boxes stand for."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.prior_matches import IGNORED, NOTHING, match, overlaps_of_parts
from caffe_compat.layers.ssd.ground_truth import GroundTruthBoxes
from caffe_compat.layers.ssd.prior_boxes import PriorBoxes
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter as Param


def match_priors(
    priors: PriorBoxes, objects: GroundTruthBoxes, deltas: np.ndarray, param: Param
) -> tuple[np.ndarray, np.ndarray]:
    """Return the object that each prior stands for, N x P x L (NOTHING, IGNORED), and the most it overlaps any.

    deltas: N x P x L x 4. Without use_prior_for_matching, the predicted boxes are held against objects; those of a
    class (share_location: false) against its objects only. A prior that stands for an object of a class does so
    for the boxes of this class. Source: FindMatches of the SSD fork of Caffe.
    """
    matches = np.full(deltas.shape[:3], NOTHING)
    overlaps = np.zeros(deltas.shape[:3], deltas.dtype)
    for n in range(len(deltas)):
        for label in range(deltas.shape[2]):
            mine = None if param.share_location else label
            if mine is not None and label == param.background_label_id:
                continue
            if param.use_prior_for_matching:
                boxes, rows = priors.of(n), objects.rows(n)
            else:
                boxes, rows = priors.decode(deltas[n, :, label]), objects.rows(n, mine)
            if not rows.size:
                continue
            found, overlaps[n, :, label] = _match(boxes, objects.boxes[rows], param)
            some = np.flatnonzero(found >= 0)
            found[some] = rows[found[some]]
            if mine is not None:
                found[some[objects.labels[found[some]] != label]] = NOTHING
            matches[n, :, label] = found
    return matches, overlaps


def _match(boxes: np.ndarray, gt_boxes: np.ndarray, param: Param) -> tuple[np.ndarray, np.ndarray]:
    found = np.full(len(boxes), NOTHING)
    if param.ignore_cross_boundary_bbox:
        found[((boxes < 0) | (boxes > 1)).any(axis=1)] = IGNORED
    overlap = np.empty((len(boxes), len(gt_boxes)), boxes.dtype)
    overlaps_of_parts(boxes, gt_boxes, overlap)
    alone = param.match_type == Param.BIPARTITE
    match(overlap, boxes.dtype.type(np.inf if alone else param.overlap_threshold), found)
    return found, overlap.max(axis=1)
