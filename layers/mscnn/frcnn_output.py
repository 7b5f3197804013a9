"""FrcnnOutput."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import cornered, decoded, sized
from caffe_compat.layers.mscnn.suppression import Suppression
from caffe_compat.layers.registry import register
from caffe_compat.layers.ssd.detection_files import detection_files


@register("FrcnnOutput")
class FrcnnOutput(Layer):
    """The detections of one image: boxes of each class, of which those stay that no better one overlaps.

    bottom[0]: R x classes probabilities. bottom[1]: R x 4 classes offsets from the RoIs, times bbox_std, plus bbox_mean
    (bbox_reg_param's cls_aware false: R x 8, the second four for all classes). bottom[2]: R x 5 RoIs, or R x 6 with a
    score behind (image, which must be 0, x1, y1, x2, y2). bottom[3]: 1 x 2, height and width of the image, to which
    boxes are clipped. top[0]: K x 7 x 1 x 1, first a row 0, -1, ..., then image, x1, y1, x2, y2, class, probability,
    by class, the best first. A box of a class counts from conf_thr on; nms_type and iou_thr say which overlap; the
    max_det_num best of all classes stay (0: all). Of equal ones the first comes first; the fork leaves that to
    std::sort, which promises no order among equals. With save_output_param the detections are written to files too,
    see detection_files.py (the fork writes only VOC's). Nothing takes a gradient. Raises LayerError for shapes that do
    not agree, and RoIs of another image or that end before they start.

    Source: FrcnnOutputLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("bbox_reg_param", "frcnn_output_param")
    origin = "Cascade R-CNN"
    bottom_count = (4, 4)
    no_gradient = (0, 1, 2, 3)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.frcnn_output_param
        self.regression = BBoxReg(self)
        self.suppression = Suppression(self, param.nms_type, param.iou_thr, pixel=1)
        self.files = detection_files(self, param.save_output_param, range(1, bottom[0].channels))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many detections there are is known after forward."""
        rows, classes = bottom[0].num, bottom[0].channels
        offsets = 4 * classes if self.regression.cls_aware else 8
        expected = [(rows, classes), (rows, offsets), (rows, 6 if bottom[2].channels == 6 else 5), (1, 2)]
        for index, (blob, shape) in enumerate(zip(bottom, expected, strict=True)):
            if blob.num != shape[0] or blob.count != shape[0] * shape[1]:
                raise self.error(f"bottom[{index}] has the shape {blob.shape}; expected {shape}")
        top[0].reshape(1, 7, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        scores = bottom[0].data.reshape(bottom[0].num, bottom[0].channels)
        boxes, size = self._boxes(bottom), bottom[3].data.ravel()[[1, 0, 1, 0]]
        kept = [
            self._detect(boxes[:, min(c, boxes.shape[1] - 1)], scores[:, c])
            for c in range(1, scores.shape[1])
        ]
        label = np.repeat(np.arange(1, len(kept) + 1), [len(rows) for rows in kept])
        row = np.concatenate([np.empty(0, int), *kept])
        if 0 < self.param.max_det_num < len(row):
            best = np.argsort(-scores[row, label], kind="stable")[: self.param.max_det_num]
            best = best[np.argsort(label[best], kind="stable")]
            row, label = row[best], label[best]
        corners = boxes[row, np.minimum(label, boxes.shape[1] - 1)]
        found = np.column_stack([np.zeros(len(row), boxes.dtype), corners, label, scores[row, label]])
        top[0].reshape(len(found) + 1, 7, 1, 1)
        top[0].data[...] = -1
        top[0].data[0, 0] = 0
        top[0].data[1:, :, 0, 0] = found
        if self.files:
            self.files.add(np.column_stack([found[:, [0, 5, 6]], corners / size]).astype(np.float32))

    def _boxes(self, bottom: Sequence[Blob]) -> np.ndarray:
        """The box of each RoI and class, clipped: R x classes (or 2) x 4."""
        rois = bottom[2].data.reshape(bottom[2].num, 6 if bottom[2].channels == 6 else 5)
        wrong = np.flatnonzero((rois[:, 0] != 0) | ~(rois[:, 3:5] >= rois[:, 1:3]).all(axis=1))
        if wrong.size:
            image, *corners = (float(value) for value in rois[wrong[0], :5])
            raise self.error(
                f"RoI {wrong[0]} is of image {image:g} and has the corners {corners}; expected image 0, and the second "
                "corner not before the first"
            )
        offsets = self.regression.restored(bottom[1].data.reshape(len(rois), bottom[1].channels // 4, 4))
        boxes = cornered(decoded(rois[:, None, 1:5], offsets))
        boxes[..., :2] = np.maximum(boxes[..., :2], 0)
        boxes[..., 2:] = np.minimum(boxes[..., 2:], bottom[3].data.ravel()[::-1])
        return boxes

    def _detect(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The RoIs whose boxes of one class stay, the best first."""
        rows = np.flatnonzero(scores >= np.float32(self.param.conf_thr))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        size = sized(boxes[rows])[:, 2:]
        return rows[self.suppression.kept(boxes[rows], size.prod(axis=1))]
