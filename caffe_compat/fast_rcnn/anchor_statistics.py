"""Means and stds of what an RPN learns, as R-FCN's alternating training normalises by them."""

from __future__ import annotations

from functools import cache

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.images import image_blob
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.layers.kernels.anchors import encode
from caffe_compat.layers.kernels.boxes import overlaps
from caffe_compat.layers.rpn.anchors import anchors_on_map
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.net import Net


def anchor_statistics(net: Net, roidb: Roidb, cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Means and stds, 4 float64 each, of the deltas from anchors to the objects that they are positive for.

    net: a test net of the RPN. roidb: one with HAS_RPN; mirrored entries count too. Positive are the anchors inside the
    image, at the scale of TEST, that overlap an object by TRAIN.RPN_POSITIVE_OVERLAP or more, or most. Raises DataError
    for a net without ProposalLayer, and where there is none.

    Source: imdb_rpn_compute_stats in rpn/generate.py of py-R-FCN.
    """
    found = [(i, layer) for i, layer in enumerate(net.layers) if isinstance(layer, ProposalLayer)]
    if not found:
        raise DataError("the statistics of anchors take a test net with a ProposalLayer: use the rpn_test.pt")
    at, layer = found[0]

    @cache
    def scaled(width: int, height: int) -> tuple[np.ndarray, float]:
        """The anchors inside a photo of this size, scaled, and its scale."""
        photo = np.zeros((height, width, 3), np.uint8)
        data, (scale,) = image_blob([photo], cfg.TEST.SCALES[:1], cfg.TEST.MAX_SIZE, cfg.PIXEL_MEANS)
        net.blobs["data"].reshape(*data.shape)
        net.reshape()
        rows, columns = net.bottoms[at][0].shape[2:]
        anchors = anchors_on_map(layer.anchors.astype(np.float64), layer.stride, rows, columns)
        inside = (anchors[:, :2] >= 0).all(axis=1) & (anchors[:, 2:] < data.shape[:1:-1]).all(axis=1)
        return anchors[inside], scale

    sums, squares, count = np.zeros(4), np.zeros(4), 0
    for i, entry in enumerate(roidb):
        photo = roidb.photos[i % len(roidb.photos)]
        anchors, scale = scaled(photo.width, photo.height)
        boxes = entry.boxes[: len(entry.gt_classes)].astype(np.float64) * scale
        overlap = np.empty((len(anchors), len(boxes)))
        overlaps(anchors, boxes, overlap)
        if not len(anchors):
            continue
        best = (overlap == overlap.max(axis=0)).any(axis=1)
        positive = best | (overlap.max(axis=1) >= cfg.TRAIN.RPN_POSITIVE_OVERLAP)
        deltas = np.empty((np.count_nonzero(positive), 4))
        encode(anchors[positive], boxes, overlap[positive].argmax(axis=1), deltas)
        sums, squares, count = (
            sums + deltas.sum(axis=0),
            squares + (deltas**2).sum(axis=0),
            count + len(deltas),
        )
    if not count:
        raise DataError("no anchor lies inside any photo; make TEST.SCALES larger")
    means = sums / count
    return means, np.sqrt(np.maximum(squares / count - means**2, 0))
