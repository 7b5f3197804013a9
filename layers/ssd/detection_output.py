"""The detections of SSD."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.contenders import contenders
from caffe_compat.layers.common.repetitions import MOST_CLASSES, check_repetitions
from caffe_compat.layers.kernels.nms import nms_of_parts, soft_nms_of_parts
from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.detection_files import detection_files
from caffe_compat.layers.ssd.prior_boxes import PriorBoxes
from caffe_compat.prototxt.caffe_pb2 import PriorBoxParameter


@register("DetectionOutput")
class DetectionOutput(Layer):
    """Turns predictions and prior boxes into detections: non-maximum suppression by class, then the best of all.

    bottom[0]: N x 4PL deltas from P priors to boxes, by prior and (share_location: false; otherwise L is 1) by class.
    bottom[1]: N x PC scores, by prior and class. bottom[2]: 1 x 2 x 4P priors and their variances, of PriorBox.
    bottom[3], if any: the image, which is not read; or, with objectness_score or a fifth bottom, N x 2P probabilities
    that a prior is background, and is an object: where the latter is less, the prior is class 0. bottom[4], if any:
    N x 4P deltas, by which the priors are moved first.
    normalized: false: bottom[2] is 1 x 1 x 5P, rows of image and box in pixels of input_width x input_height.
    use_polygon: each prior has 8 more deltas, of the corners of a quadrilateral from those of the prior, which each
    row of the top has behind its box.
    top[0]: 1 x 1 x D x 7: image, class, score, x1 y1 x2 y2 normalized, not clipped to it; ordered by
    image, then by class, then by descending score. If no image has a detection, each has a row of its number and -1.
    For each class except background_label_id, the boxes with a score above confidence_threshold (without one: all)
    are candidates, at most the nms_param.top_k best. A candidate that overlaps a better one by more than
    nms_threshold goes; with each box that stays, the threshold is multiplied by eta while it is above 0.5 (with
    soft_nms they go in another order, by theta: see `soft_nms_of_parts`). Of the
    boxes of all classes, the keep_top_k best of an image stay (-1: all). With save_output_param the detections are
    written to files too, see `detection_files`. `visualize` opens no window here and warns.
    Warns of bottoms that are not finite; a score of NaN is no detection. Raises LayerError for params that do not
    fit, shapes that do not agree, and, unless normalized is false, priors without area where code_type divides by it.
    Source: DetectionOutputLayer of the SSD fork of Caffe; Liu et al., SSD (2016), section 3. objectness_score and
    bottom[4] are RefineDet's, use_polygon is that of TextBoxes++, normalized that of OpenVINO's, soft_nms that of
    DeepDetect's (jolibrain).
    """

    reads = ("detection_output_param",)
    origin = "SSD"
    bottom_count = (3, 5)
    no_gradient: tuple[int, ...] = (0, 1, 2, 3, 4)
    has_backward = False
    counts_rows = True
    row_axis = 2
    without_effect = tuple(
        f"detection_output_param.{field}"
        for field in ("visualize", "visualize_threshold", "save_file", "num_states")
    )

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.detection_output_param
        nms = param.nms_param
        if param.num_classes < 1:
            raise self.error("detection_output_param names no num_classes; give it, background included")
        check_repetitions(self, "num_classes", param.num_classes, MOST_CLASSES)
        if nms.nms_threshold < 0 or not 0 < nms.eta <= 1:
            raise self.error(
                f"nms_threshold is {nms.nms_threshold:g} and eta {nms.eta:g}; expected at least 0, and up to 1"
            )
        if nms.soft_nms and not nms.theta > 0:
            raise self.error(f"theta is {nms.theta:g}; with soft_nms it must be above 0")
        self.classes = [c for c in range(param.num_classes) if c != param.background_label_id]
        self.least = (
            param.confidence_threshold if param.HasField("confidence_threshold") else np.finfo(np.float32).min
        )
        self.most = nms.top_k if nms.HasField("top_k") and nms.top_k >= 0 else None
        pixels = None if param.normalized else (param.input_width, param.input_height)
        if pixels and not (min(pixels) > 0 and param.variance_encoded_in_target):
            raise self.error(
                "normalized: false wants input_width and input_height, and variance_encoded_in_target: true"
            )
        if param.use_polygon and (
            param.code_type != PriorBoxParameter.CENTER_SIZE or param.variance_encoded_in_target
        ):
            raise self.error(
                "use_polygon goes with code_type: CENTER_SIZE, and variances that are not in the target"
            )
        if len(bottom) == 5 and not param.share_location:
            raise self.error("bottom[4] moves the priors of all classes alike; set share_location: true")
        self.priors = PriorBoxes(self, param.code_type, param.variance_encoded_in_target, pixels)
        self.has_objectness = len(bottom) > 4 or (len(bottom) > 3 and param.HasField("objectness_score"))
        self.numbers = 12 if param.use_polygon else 4
        self.files = detection_files(self, param.save_output_param, self.classes)
        if param.visualize:
            warnings.warn(
                f"layer '{self.name}' (DetectionOutput): visualize shows nothing here; draw the boxes of the top",
                stacklevel=2,
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many detections there are is known after forward."""
        param = self.layer_param.detection_output_param
        labels = 1 if param.share_location else param.num_classes
        count = self.priors.check_shapes(bottom, labels, param.num_classes, self.numbers)
        if self.has_objectness:
            self.priors.check_predictions(bottom, 3, count, 2)
        if len(bottom) > 4:
            self.priors.check_predictions(bottom, 4, count, 4)
        self.shape = bottom[0].num, count, labels
        top[0].reshape(1, 1, 1, 3 + self.numbers)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not all(np.isfinite(blob.data).all() for blob in bottom[:2]):
            warnings.warn(
                f"layer '{self.name}' (DetectionOutput): deltas or scores are not finite; were the weights loaded? A "
                "score of NaN is no detection",
                stacklevel=2,
            )
        self.priors.read(bottom[2])
        deltas = bottom[0].data.reshape(*self.shape, self.numbers)
        scores = self._scores(bottom)
        if len(bottom) > 4:
            self.priors.refine(bottom[4].data.reshape(*self.shape[:2], 4))
        found = [self._detect(n, deltas[n], scores[n]) for n in range(len(deltas))]
        if any(len(rows) for rows in found):
            rows = np.concatenate(found)
        else:
            rows = np.full((len(found), found[0].shape[1]), -1, top[0].dtype)
            rows[:, 0] = range(len(found))
        top[0].reshape(1, 1, *rows.shape)
        top[0].data[...] = rows
        if self.files:
            for rows in found:
                self.files.add(rows[:, :7])

    def _detect(self, image: int, deltas: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The rows of one image; deltas P x L x 4 (or 12), scores P x C."""
        boxes = np.stack([self._boxes(image, deltas[:, label]) for label in range(deltas.shape[1])])
        kept = [
            self._suppress(boxes[c if len(boxes) > 1 else 0, :, :4], np.ascontiguousarray(scores[:, c]))
            for c in self.classes
        ]
        labels = np.repeat(self.classes, [len(rows) for rows in kept])
        chosen = np.concatenate([np.empty(0, int), *kept])
        most = self.layer_param.detection_output_param.keep_top_k
        if -1 < most < chosen.size:
            order = contenders(scores[chosen, labels], most)
            order = order[np.argsort(-scores[chosen, labels][order], kind="stable")][:most]
            order = order[np.argsort(labels[order], kind="stable")]
            labels, chosen = labels[order], chosen[order]
        of = labels if len(boxes) > 1 else np.zeros_like(labels)
        images, more = np.full(chosen.size, image, boxes.dtype), self._more(image, chosen)
        return np.column_stack([images, labels, scores[chosen, labels], more, boxes[of, chosen]]).astype(
            boxes.dtype
        )

    def _more(self, image: int, chosen: np.ndarray) -> np.ndarray:
        """What a row has between score and box, D x any number."""
        return np.empty((chosen.size, 0))

    def _scores(self, bottom: Sequence[Blob]) -> np.ndarray:
        """N x P x C; a prior that is hardly an object is the background."""
        scores = bottom[1].data.reshape(*self.shape[:2], -1)
        if not self.has_objectness:
            return scores
        objectness = bottom[3].data.reshape(*self.shape[:2], 2)[..., 1]
        easy = objectness < np.float32(self.layer_param.detection_output_param.objectness_score)
        background = np.arange(scores.shape[2]) == 0
        return np.where(easy[..., None], background.astype(scores.dtype), scores)

    def _boxes(self, image: int, deltas: np.ndarray) -> np.ndarray:
        """Where the deltas (P x 4, or P x 12) lead from the priors: boxes, or boxes and their corners."""
        start = self.priors.of(image)
        boxes = self.priors.decode(deltas[:, :4], boxes=start)
        if self.numbers == 4:
            return boxes
        return np.hstack([boxes, self.priors.decode_polygons(start, deltas[:, 4:])])

    def _suppress(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The priors of one class that stay, best first."""
        nms, kind = self.layer_param.detection_output_param.nms_param, boxes.dtype.type
        order = np.flatnonzero(scores > self.least)
        order = order[contenders(scores[order], self.most)]
        order = order[np.argsort(-scores[order], kind="stable")][: self.most]
        limits = kind(nms.nms_threshold), kind(nms.eta)
        if nms.soft_nms:
            kept = np.empty(order.size, np.int64)
            count = soft_nms_of_parts(boxes[order], scores[order], *limits, np.float32(nms.theta), kept)
            return order[kept[:count]]
        keep = np.empty(order.size, bool)
        nms_of_parts(boxes[order], *limits, keep)
        return order[keep]
