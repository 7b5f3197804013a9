"""Detection: from a photo and its proposals to boxes with classes and scores.

    net = caffe.Net("test.prototxt", caffe.TEST, weights="vgg_cnn_m_1024_fast_rcnn_ohem.caffemodel")
    detector = Detector(net)
    for label, x1, y1, x2, y2, score in detector(image, propose(image)): ...

A net with an RPN (Faster R-CNN) proposes the boxes itself: detector(image). Source: fast_rcnn/test.py of
abhi2610/ohem and of py-faster-rcnn.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import bbox_transform_inv, clip_boxes
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.feed import ROI_INPUTS, RPN_INPUTS, configure
from caffe_compat.fast_rcnn.minibatch import im_info
from caffe_compat.fast_rcnn.nms import BOX, CLASS, CPU, GPU, SCORE, by_class_and_score, suppress, vote
from caffe_compat.fast_rcnn.pyramid import Pyramid
from caffe_compat.net import Net

_VOTING = 0.5  # overlap from which a box has a vote
DEFAULT = Config()


class Detector:
    """Finds objects in photos with a Fast R-CNN test net.

    The net's inputs are `data` and `rois`; or `data` and `im_info`, where it proposes boxes itself (`has_rpn`) and
    leaves them in its blob `rois`.

    thresh: detections have a higher score. max_per_image: at most so many detections a photo, and those whose score
    equals the last one's; 0: all. nms_rule: see nms.py; by default as USE_GPU_NMS of cfg says. stages: how often boxes
    are regressed and scored; with more than one, the boxes of all stages count, and those that NMS leaves are voted on
    (`nms.vote`): the "+B" of the OHEM paper. cfg: its TEST has the scales, the overlap for NMS and the settings of
    layers that propose boxes, which replace those that the net was made with.

    Attributes: `seconds`, the time that the last photo took by stage: pyramid, net, boxes, nms. `proposals`, the number
    of boxes that it was classified with.

    Raises DataError for a net of another kind, and where net and configuration do not fit.

    Source: test_net of the reference; Gidaris and Komodakis 2015 and Shrivastava et al. 2016 for stages.
    """

    def __init__(
        self,
        net: Net,
        cfg: Config = DEFAULT,
        thresh: float = 0.05,
        max_per_image: int = 100,
        nms_rule: str | None = None,
        stages: int = 1,
    ):
        self.net, self.cfg, self.thresh, self.max_per_image = net, cfg, thresh, max_per_image
        self.nms_rule = nms_rule or (GPU if cfg.USE_GPU_NMS else CPU)
        self.stages = stages
        self.seconds = {"pyramid": 0.0, "net": 0.0, "boxes": 0.0, "nms": 0.0}
        self.proposals: int | None = 0
        self.has_rpn = set(net.inputs) == RPN_INPUTS
        self.takes_proposals = not self.has_rpn
        _check(self)

    @property
    def num_classes(self) -> int:
        """The number of classes of the net, with the background."""
        return self.net.blobs["cls_prob"].shape[1]

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that the detections depend on besides net, photo and proposals, as JSON."""
        cfg = self.cfg
        return {
            "configuration": json.loads(
                json.dumps([asdict(cfg.TEST), cfg.DEDUP_BOXES, cfg.PIXEL_MEANS])  # tuples become lists
            ),
            "threshold": self.thresh,
            "max-per-image": self.max_per_image,
            "stages": self.stages,
            "nms-rule": self.nms_rule,
        }

    def __call__(self, image: np.ndarray, boxes: np.ndarray | None = None) -> np.ndarray:
        """The detections in a photo (height x width x 3 uint8, BGR) with proposals (R x 4 pixels; None with an RPN).

        M x 6 float32: class, x1 y1 x2 y2 in the photo's pixels, score; ordered by class, then by descending score.
        Raises DataError where an output of the net is not finite.
        """
        self.seconds = dict.fromkeys(self.seconds, 0.0)
        with self._timed("pyramid"):
            pyramid = Pyramid(image, self.cfg)
        scores, regressed = self.regress(pyramid, boxes)
        self.proposals = len(scores)
        with self._timed("boxes"):
            found = stage = candidates(scores, regressed, self.thresh)
        for _ in range(1, self.stages):
            scores, regressed = self.regress(pyramid, stage[:, BOX])
            with self._timed("boxes"):
                stage = rescored(stage, scores, regressed, self.thresh)
                found = np.concatenate((found, stage))
        with self._timed("nms"):
            found = by_class_and_score(found)
            kept = suppress(found, self.cfg.TEST.NMS, self.nms_rule)
            if self.stages > 1:
                kept = vote(kept, found, _VOTING)
            return limit(kept, self.max_per_image)

    def regress(self, pyramid: Pyramid, boxes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What `im_detect` returns, for the photo of a pyramid."""
        if self.has_rpn:
            return self._propose_and_regress(pyramid)
        if boxes is None:
            raise DataError("the net takes RoIs; give it boxes")
        if not len(boxes):
            columns = self.net.blobs["bbox_pred"].shape[1] if self.cfg.TEST.BBOX_REG else 4 * self.num_classes
            return np.zeros((0, self.num_classes), np.float32), np.zeros((0, columns), np.float32)
        with self._timed("net"):
            rois = pyramid.rois(boxes)
            index, inverse = unique_rois(rois, self.cfg.DEDUP_BOXES)
            scores, deltas = forward(self.net, {"data": pyramid.blob, "rois": rois[index]}, self.cfg)
        with self._timed("boxes"):
            return scores[inverse], self._moved(boxes[index], deltas, scores, pyramid)[inverse]

    def _propose_and_regress(self, pyramid: Pyramid) -> tuple[np.ndarray, np.ndarray]:
        scale = pyramid.scales[0]
        with self._timed("net"):
            configure(self.net, self.cfg)  # another detector may have used the net with another configuration
            inputs = {"data": pyramid.blob, "im_info": im_info(pyramid.blob, scale)}
            scores, deltas = forward(self.net, inputs, self.cfg)
        with self._timed("boxes"):
            boxes = self.net.blobs["rois"].data[:, 1:] / np.float32(scale)
            return scores, self._moved(boxes, deltas, scores, pyramid)

    def _moved(
        self, boxes: np.ndarray, deltas: np.ndarray, scores: np.ndarray, pyramid: Pyramid
    ) -> np.ndarray:
        if self.cfg.TEST.BBOX_REG:
            return clip_boxes(bbox_transform_inv(boxes, deltas), *pyramid.size)
        return np.tile(boxes.astype(np.float32), (1, scores.shape[1]))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start


def im_detect(
    net: Net, image: np.ndarray, boxes: np.ndarray | None = None, cfg: Config = DEFAULT
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (R x K, the background's first) and boxes (R x 4K, inside the photo) for R proposals (R x 4 pixels; None
    where the net proposes them). A net with one box for all classes (R-FCN) gives R x 8, the background's first.

    The scores are probabilities or, with TEST.SVM, the outputs of cls_score. Without TEST.BBOX_REG the boxes are the
    proposals. RoIs that DEDUP_BOXES makes equal go through the net once and get the same results.
    Raises DataError where an output of the net is not finite.
    """
    return Detector(net, cfg).regress(Pyramid(image, cfg), boxes)


def forward(net: Net, inputs: Mapping[str, np.ndarray], cfg: Config) -> tuple[np.ndarray, np.ndarray]:
    """Run the net on `inputs`, by blob name; returns scores (R x K) and deltas (R x 4K, or R x 8) for R RoIs.

    The RoIs are those of `inputs`, or those that the net proposes. Without TEST.BBOX_REG the deltas have no columns.
    Raises DataError where an output is not finite.
    """
    for name, array in inputs.items():
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array
    net.forward()
    rois = net.blobs["rois"].num
    scores = _rows(net.blobs["cls_score" if cfg.TEST.SVM else "cls_prob"], rois)
    deltas = _rows(net.blobs["bbox_pred"], rois) if cfg.TEST.BBOX_REG else scores[:, :0]
    if not (np.isfinite(scores).all() and np.isfinite(deltas).all()):
        raise DataError("what the net answers is not finite; are these the right weights?")
    return scores, deltas


def _rows(blob: Blob, rows: int) -> np.ndarray:
    return blob.data.reshape(rows, math.prod(blob.shape[1:]))


def unique_rois(rois: np.ndarray, dedup: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of R RoIs (R x 5) differ after scaling by dedup and rounding: their row numbers, and for each RoI the index
    of its equal among these. With dedup 0 no two are equal.

    Of equal RoIs the first is taken; they are in ascending order of y2, x2, y1, x1, level.
    """
    if dedup <= 0:
        return np.arange(len(rois)), np.arange(len(rois))
    cells = np.round(rois * np.float32(dedup))
    order = np.lexsort(cells.T)
    new = np.ones(len(rois), bool)
    new[1:] = (cells[order][1:] != cells[order][:-1]).any(axis=1)
    inverse = np.empty(len(rois), np.intp)
    inverse[order] = np.cumsum(new) - 1
    return order[new], inverse


def candidates(scores: np.ndarray, boxes: np.ndarray, thresh: float) -> np.ndarray:
    """Each score above thresh, except the background's, with its box: N x 6 float32, class, x1 y1 x2 y2, score.

    scores: R x K; boxes: R x 4K, or R x 8 where one box is for all classes.
    """
    roi, label = np.nonzero(scores[:, 1:] > np.float32(thresh))
    label += 1
    corners = _box_of(boxes, roi, label)
    return np.column_stack((label, corners, scores[roi, label])).astype(np.float32)


def rescored(dets: np.ndarray, scores: np.ndarray, boxes: np.ndarray, thresh: float) -> np.ndarray:
    """The detections (N x 6) with new scores and boxes, each for its own class; only those with a score above thresh.

    scores: N x K; boxes: N x 4K, or N x 8 where one box is for all classes.
    """
    rows, label = np.arange(len(dets)), dets[:, CLASS].astype(int)
    corners = _box_of(boxes, rows, label)
    result = np.column_stack((label, corners, scores[rows, label])).astype(np.float32)
    return result[result[:, SCORE] > np.float32(thresh)]


def _box_of(boxes: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The boxes of these rows for these classes, none of them the background's."""
    by_class = boxes.reshape(len(boxes), boxes.shape[1] // 4, 4)
    return by_class[rows, labels if by_class.shape[1] > 2 else 1]


def limit(dets: np.ndarray, most: int) -> np.ndarray:
    """The `most` best of M x 6 detections, in their order, and any whose score equals the last one's; 0: all."""
    if not 0 < most < len(dets):
        return dets
    return dets[dets[:, SCORE] >= np.sort(dets[:, SCORE])[-most]]


def _check(detector: Detector) -> None:
    net, cfg = detector.net, detector.cfg
    needed = {
        "cls_prob",
        "rois",
        *(["bbox_pred"] if cfg.TEST.BBOX_REG else []),
        *(["cls_score"] if cfg.TEST.SVM else []),
    }
    if not (detector.has_rpn or set(net.inputs) == ROI_INPUTS) or not needed <= set(net.blobs):
        raise DataError(
            f"detection takes a Fast R-CNN test net, with the inputs data and rois, or data and im_info, and the blobs "
            f"{', '.join(sorted(needed))}; this one's inputs are {', '.join(net.inputs) or 'none'} and its outputs "
            f"{', '.join(net.outputs)}: use the test.prototxt (of SSD and YOLO the deploy.prototxt, with the layer "
            "that writes detections)"
        )
    wrong = _wrong_columns(detector) if cfg.TEST.BBOX_REG else None
    if cfg.TEST.HAS_RPN and not detector.has_rpn:
        wrong = "TEST.HAS_RPN is true, and this net takes rois and proposes none; set it to false"
    elif detector.has_rpn and len(cfg.TEST.SCALES) > 1:
        wrong = f"TEST.SCALES is {cfg.TEST.SCALES}; a net that proposes RoIs itself takes one scale"
    elif detector.has_rpn and detector.stages > 1:
        wrong = (
            "a net that proposes RoIs itself takes none, so that there is one stage only; leave --stages out"
        )
    if wrong:
        raise DataError(wrong)


def _wrong_columns(detector: Detector) -> str | None:
    """What is wrong with the number of boxes that the net gives for a RoI."""
    columns, classes = detector.net.blobs["bbox_pred"].shape[1], detector.num_classes
    if columns not in (4 * classes, 8):
        return (
            f"bbox_pred has {columns} columns and cls_prob {classes}; expected four times as many, a box for each "
            "class, or 8, one for the background and one for all classes"
        )
    if detector.cfg.TEST.AGNOSTIC and columns != 8:
        return f"TEST.AGNOSTIC is true, and bbox_pred has {columns} columns, a box for each class; set it to false"
    return None
